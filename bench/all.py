"""Measures every kind of work, leftzmq and the others in turn, in one run.

usage: python bench/all.py [--quick] [--rounds N] [--rows NAMES] [--only PROGRAMS] [--out DIR]
Says on stderr what it measures and what remains. Prints the Markdown table, and writes into DIR:
record.json (every single measurement), table.md, and pictures (with matplotlib: the extra `bench`).
--quick measures small scales once, within five minutes: it shows that everything runs; its figures
are no figures to be kept. On a slow machine it leaves out what comes last, and says so. Ended by
Ctrl-C or SIGTERM, a run shows what was measured until then.

Files are made in the folder for temporary files (TMPDIR) and, for some rows, in --memory, and are
removed at the end. What cannot be measured here is named, and the others go on; exit code 1: a
measurement was begun and failed, or the run was ended.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import machine
import plot
from course import Course, Measurement, NoSuchRow, chosen, measurements
from ground import Ground
from programs.pair import Lacking
from record import Record
from rows import every
from rows.row import PROGRAMS, Place, Row
from table import table

OUT: Final = Path(__file__).resolve().parent / "out"
OURS_IN_OUT: Final = ("record.json", "table.md", "ratios-*.png", "growth.png")
ROUNDS: Final = 3
QUICK_ROUNDS: Final = 1
QUICK_S: Final = 240.0
"""After so many seconds `--quick` begins nothing more, so that it ends within five minutes."""
MEMORY: Final = Path("/dev/shm")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def program(name: str) -> str:
    """Return the program of this name, whichever its letters are. Raises ArgumentTypeError."""
    known = {each.lower(): each for each in PROGRAMS}
    if name.lower() not in known:
        raise argparse.ArgumentTypeError(f"no program {name!r}; there are {', '.join(known)}")
    return known[name.lower()]


def programs(names: str) -> frozenset[str]:
    return frozenset(program(name) for name in names.split(","))


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small scales, one round")
    parser.add_argument("--rounds", type=positive, help=f"default: {ROUNDS}; quick: {QUICK_ROUNDS}")
    parser.add_argument(
        "--rows", default="", help="names or kinds, such as edit,files; default: all"
    )
    parser.add_argument(
        "--only", type=programs, default=frozenset(), help="such as leftzmq,syncthing"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR")
    parser.add_argument(
        "--memory", type=Path, default=MEMORY, metavar="DIR", help="a tmpfs (%(default)s)"
    )
    return parser.parse_args()


def main() -> int:
    options = asked()
    for each in (signal.SIGINT, signal.SIGTERM):  # also where they were ignored or end at once
        signal.signal(each, signal.default_int_handler)
    try:
        rows = chosen(every.ROWS, [name for name in options.rows.split(",") if name])
    except NoSuchRow as error:
        say(str(error))
        return 2
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    planned = measurements(rows, options.only, rounds, is_quick=options.quick)
    if not planned:
        say("none of these programs does any of these rows")
        return 2
    most_s = QUICK_S if options.quick else math.inf
    record, is_ended = measured(planned, options.out, options.memory, most_s)
    shown(record, rows, options.out)
    return 1 if is_ended or any(each.has_failed for each in record.missing) else 0


def measured(
    planned: list[Measurement], out: Path, memory: Path, most_s: float
) -> tuple[Record, bool]:
    """Make these measurements. Return them, and whether the run was ended before its end. All that
    they made is removed."""
    out.mkdir(parents=True, exist_ok=True)
    for pattern in OURS_IN_OUT:  # of an earlier run
        for file in out.glob(pattern):
            file.unlink()
    disk = Path(tempfile.gettempdir())
    record = Record(machine.described(disk, memory))
    with ExitStack() as grounds:
        opened: dict[Place, Ground | Lacking] = {Place.DISK: Ground(disk)}
        if memory.is_dir():
            opened[Place.MEMORY] = Ground(memory, forget=lambda: None)
        else:
            opened[Place.MEMORY] = Lacking(f"there is no tmpfs at {memory}")
        for ground in opened.values():
            if isinstance(ground, Ground):
                grounds.callback(ground.close)
        course = Course(opened, record, lambda: record.write(out / "record.json"), say, most_s)
        try:
            course.run(planned)
        except KeyboardInterrupt:
            return record, True
    return record, False


def shown(record: Record, rows: list[Row], out: Path) -> None:
    text = table(record, rows)
    (out / "table.md").write_text(text)
    print(text, end="")
    if why := plot.missing():
        say(why)
        return
    for file in plot.draw(record, rows, out):
        say(f"drawn: {file}")


if __name__ == "__main__":
    sys.exit(main())
