"""Plant bugs, one at a time, each into a copy of its own, and say what catches it: the simulation,
the laws or the tests of the room, in this order, up to the first.

    python -m tests.planted                              all of them
    python -m tests.planted --only "no conflict copies"  this one (may be given again)
    python -m tests.planted --seeds 1000                 with more of the simulation

Exit code 1 if a bug is not caught, or if something fails in a copy without any bug.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from .bug import Bug, plant
from .copied import check_whose_code_runs, copy_of_the_tree, end_all
from .programme import BUGS
from .rings import LAW_TESTS, Caught, Missed, simulated, tested

SEEDS: Final = 300
AT_ONCE: Final = 2
NICENESS: Final = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one bug. missed: what the rings that did not catch it said besides."""

    bug: Bug
    caught: Caught | None
    missed: tuple[str, ...]
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", nargs="+", action="extend", metavar="NAME", help="these bugs")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="of the simulation")
    parser.add_argument("--json", action="store_true", help="one object a line instead of a table")
    options = parser.parse_args()
    chosen = options.only or [bug.name for bug in BUGS]
    if unknown := set(chosen) - {bug.name for bug in BUGS}:
        names = "\n  ".join(bug.name for bug in BUGS)
        parser.error(f"no such bug: {', '.join(sorted(unknown))}; there are\n  {names}")
    bugs = [bug for bug in BUGS if bug.name in chosen]
    os.nice(NICENESS)
    tell = as_json if options.json else as_line
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with ThreadPoolExecutor(AT_ONCE) as pool, _ended_with_us():
        whole = pool.submit(unbroken, bugs, options.seeds)
        verdicts = []
        for verdict in pool.map(lambda bug: verdict_on(bug, options.seeds), bugs):
            verdicts.append(verdict)
            print(tell(verdict), flush=True)
        complaint = whole.result()
    caught = sum(verdict.caught is not None for verdict in verdicts)
    if complaint:
        print(f"without any bug: {complaint}", file=sys.stderr)
    if not options.json:
        print(table(verdicts))
        took = time.monotonic() - began
        print(f"{caught} of {len(bugs)} caught; {options.seeds} seeds at most; {took:.0f} s")
    return 0 if caught == len(bugs) and not complaint else 1


@contextmanager
def _ended_with_us() -> Iterator[None]:
    """What runs in the copies ends when this program is ended, also by a signal."""
    try:
        yield
    except BaseException:
        end_all()
        raise


def verdict_on(bug: Bug, seeds: int) -> Verdict:
    """Plant it and run what may catch it, up to the first that does."""
    began = time.monotonic()
    missed: list[str] = []
    with copy_of_the_tree() as tree:
        plant(bug, tree)
        check_whose_code_runs(tree)
        rings: tuple[Callable[[], Caught | Missed], ...] = (
            lambda: simulated(tree, seeds, bug.laws),
            lambda: tested(tree, LAW_TESTS),
            lambda: tested(tree, bug.tests),
        )
        for ring in rings:
            result = ring()
            if isinstance(result, Caught):
                return Verdict(bug, result, tuple(missed), time.monotonic() - began)
            missed += [result.said] if result.said else []
    return Verdict(bug, None, tuple(missed), time.monotonic() - began)


def unbroken(bugs: list[Bug], seeds: int) -> str:
    """What fails without any bug, in all that is to catch one of these; "" if all is well."""
    with copy_of_the_tree() as tree:
        check_whose_code_runs(tree)
        tests = {*LAW_TESTS, *(test for bug in bugs for test in bug.tests)}
        for result in (
            simulated(tree, seeds, None),
            tested(tree, tuple(sorted(tests))),  # in the order of an ordinary run
        ):
            match result:
                case Caught(by, _, said):
                    return f"{by}: {said}"
                case Missed(said) if said:
                    return said
    return ""


def as_line(verdict: Verdict) -> str:
    caught, also = verdict.caught, "".join(f"\n    ({said[:300]})" for said in verdict.missed)
    if caught is None:
        return f"NOT CAUGHT  {verdict.bug.name} ({verdict.seconds:.0f} s){also}"
    return (
        f"caught  {verdict.bug.name}: {caught.by} ({caught.after})\n    {caught.said[:300]}{also}"
    )


def as_json(verdict: Verdict) -> str:
    caught = verdict.caught
    return json.dumps(
        {
            "name": verdict.bug.name,
            "breaks": verdict.bug.breaks,
            "caught": caught is not None,
            "by": caught.by if caught else "",
            "after": caught.after if caught else "",
            "said": caught.said if caught else "",
            "missed": verdict.missed,
            "seconds": round(verdict.seconds, 1),
        }
    )


def table(verdicts: list[Verdict]) -> str:
    lines = ["", "| bug | caught by | after |", "|---|---|---|"]
    for verdict in verdicts:
        caught = verdict.caught or Caught("NOT CAUGHT", f"{verdict.seconds:.0f} s", "")
        lines.append(f"| {verdict.bug.name} | {caught.by} | {caught.after} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
