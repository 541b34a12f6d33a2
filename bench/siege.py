"""Measures what strangers and hostile paired devices cost a real agent, and whether it serves
meanwhile and afterwards. Everything happens on 127.0.0.1; each attack has agents of its own.

usage: python bench/siege.py [--seconds S] [--only NAME ...] [--json FILE] [--list]
The agent A (with a hard limit of 4096 descriptors) shares a folder with the honest device B. Once a
second each of the two edits a file of 4 KiB, which must arrive at the other one within 15 s. Prints
a table with one row for each attack, and under it what A wrote to its log about it. Columns:

  did          messages, or connections, that the attacker sent or made, a second
  cpu          processor seconds of A a second (the machine's others: `else`)
  MiB          resident memory of A before, and at most
  fds          its descriptors at most
  lines, KB    what it wrote to its log, a second
  state        MiB by which its state directory grew
  B>A, A>B     milliseconds of an edit: median / longest (+ edits that did not arrive in 15 s)
  A            lives; or when it ended
  folder       what `status` says of it afterwards
  after        seconds of an edit from B to A / from A to B when the attack was over
  over         which bound was passed: cpu (of paired devices), memory, edit, log;
               and ended, stopped, adopt, after

The attacking process takes processor time too: on a machine of two cores a flood leaves one core to
A.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leftzmq.cli.demo.keeper import AGENT
from leftzmq.cli.demo.stage import Actor, wait_until
from tests.helpers.besieged import (
    ASK_S,
    DESCRIPTORS,
    EDIT_BYTES,
    Flood,
    Fortress,
    afterwards,
    edit,
    ended,
    flooded,
    is_connected,
    limited,
    listening,
    measured,
    run_status,
    until_connected,
)

MIB: Final = 1 << 20
MONITORS: Final = 45
LIMITS: Final = (32, 64, 256)

Beside = Callable[[Fortress, Flood, dict[str, Any]], None]
"""An action during the flood; it notes what it found."""


@dataclass(frozen=True)
class Attack:
    """flood: of tests/helpers/floods.py. by: how many paired devices attack; 0: a stranger; X: the
    device that is in no folder. fill: files of A before: how many, of which size, their name."""

    name: str
    flood: str
    by: int | str = 1
    fill: tuple[int, int, str] = (0, 0, "")
    large: bool = False
    beside: Beside | None = None
    after: Callable[[Fortress, dict[str, Any]], None] | None = None


# -- beside a flood ------------------------------------------------------------------------------


def a_third_dials_in(stage: Fortress, flood: Flood, notes: dict[str, Any]) -> None:
    """C is started again and again; notes the time from its `ready` until it is connected."""
    found = notes.setdefault("C connected after, s", [])
    time.sleep(1.0)
    while flood.goes_on:
        took = until_connected(stage.c, "A", 15.0)
        found.append(None if took is None else round(took, 2))
        stage.c.stop()


def asked(stage: Fortress, flood: Flood, notes: dict[str, Any]) -> None:
    """Types `status` and starts a monitor as a user would, again and again; notes how they end."""
    said = notes.setdefault("status, monitor", [])
    time.sleep(1.0)
    while flood.goes_on:
        said.append([run_status(stage.a), run_monitor(stage.a)])
        time.sleep(1.0)


def run_monitor(actor: Actor) -> str:
    """Returns how two seconds of `leftzmq-monitor`, then Ctrl-C, end."""
    words = [sys.executable, "-m", "leftzmq.cli.monitor", "-c", str(actor.home / "peer.toml")]
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, errors = process.communicate(timeout=2.0)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            out, errors = process.communicate(timeout=ASK_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
    last = errors.decode(errors="replace").strip().splitlines()[-1:]
    return f"rc {process.returncode}, {len(out)} B {''.join(last)[:160]}".strip()


def names_of_all_lengths(stage: Fortress, flood: Flood, notes: dict[str, Any]) -> None:
    """A makes files, whose names X must not learn. A user waits for all devices before X claims the
    folder, and while it does."""
    wait_until(lambda: is_connected(stage.a, "X"), 10.0)
    began = time.monotonic()
    words = [sys.executable, "-m", "leftzmq.cli.admin", "wait", "--timeout", "5", "-c"]
    notes["wait"] = ended([*words, str(stage.a.home / "peer.toml")])
    for length in range(1, 200, 4):
        (stage.a.share / ("n" * length)).write_bytes(b"")
        time.sleep(0.1)
    half = flood.seconds / 2
    time.sleep(max(0.0, began + half + 3.0 - time.monotonic()))
    notes["wait while X claims the folder"] = ended([*words, str(stage.a.home / "peer.toml")])


# -- after one -----------------------------------------------------------------------------------


def asked_after(stage: Fortress, notes: dict[str, Any]) -> None:
    """Ask for `status`; restart A, let the attacker repeat its attack, and ask for `status`
    again."""
    notes["status after"] = run_status(stage.a)
    notes["A lives then"] = stage.a.runs
    stage.a.stop()
    notes["A starts again"] = stage.starts_again(stage.a, 60.0)
    with flooded(stage, "problems", stage.raiders, 20.0) as flood:
        wait_until(lambda: not flood.goes_on, 15.0)
        notes["status then"] = run_status(stage.a)
        notes["A lives at the end"] = stage.a.runs


def victims_left(stage: Fortress, notes: dict[str, Any]) -> None:
    """Note how many of A's files are unchanged."""
    whole = 0
    for path in stage.a.share.glob("victim*"):
        whole += not path.is_symlink() and path.read_bytes()[:6] == b"victim"
    notes["files of A that are what they were"] = whole
    notes["held"] = bool((stage.a.status() or {}).get("held"))


def make_victims(stage: Fortress) -> None:
    stage.a.share.mkdir(exist_ok=True)
    for number in range(300):
        text = b"victim %d, a text as people write it\n" % number
        (stage.a.share / f"victim {number}").write_bytes(text * 100)


# -- which there are -----------------------------------------------------------------------------

VICTIMS: Final = (300, 0, "victim")
SMALL: Final = (3000, 100, "small")
LARGE: Final = (1, 64 * MIB, "large")
ATTACKS: Final = [
    Attack("nothing", "nothing"),
    Attack("S1 half handshakes", "half-handshakes", 0, beside=a_third_dials_in),
    Attack("S1 silent connections", "silent-connections", 0, beside=a_third_dials_in),
    Attack("S1 silent after hello", "silence-after-hello", 0, beside=a_third_dials_in),
    Attack("S2 status meanwhile", "half-handshakes", 0, beside=asked),
    Attack("S3 unfinished frames", "unfinished-frames", 0),
    Attack("S3 hanging up at once", "unfinished-frames-churn", 0),
    Attack("S3 on all ports", "unfinished-frames-everywhere", 0),
    Attack("wrong keys", "wrong-keys", 0),
    Attack("P1 hello refusing bye", "hello-refusing-bye"),
    Attack("P1 any order", "any-order"),
    Attack("P1 any order, dialed", "any-order-dialed"),
    Attack("W1 hello and bye", "hello-bye"),
    Attack("W1 hello", "hello"),
    Attack("W1 refusing", "refusing"),
    Attack("P4 welcome", "welcome"),
    Attack("W2 subscriptions", "subscriptions"),
    Attack("other topics", "other-topics"),
    Attack("index_since", "index-since", fill=SMALL),
    Attack("index_since unread", "index-since-unread", fill=SMALL),
    Attack("gets", "gets", fill=LARGE),
    Attack("gets unread", "gets-unread", fill=LARGE),
    Attack("gets and leave", "gets-and-leave", fill=LARGE),
    Attack("haves", "haves"),
    Attack("W4 empty entries", "empty-entries"),
    Attack("W4 folders", "folders"),
    Attack("links", "links"),
    Attack("P2 problems", "problems", after=asked_after),
    Attack("P5 begun indexes", "begun-indexes", 16),
    Attack("P3 announced files", "announced-files", large=True),
    Attack("P3 announced lists", "announced-lists", large=True),
    Attack("W3 files of 4 TiB", "huge-files"),
    Attack("W5 emptied", "emptied", fill=VICTIMS, after=victims_left),
    Attack("W5 made links", "made-links", fill=VICTIMS, after=victims_left),
    Attack("W5 made noise", "made-noise", fill=VICTIMS, after=victims_left),
    Attack("endless on control", "endless-control"),
    Attack("endless on bulk", "endless-bulk"),
    Attack("endless empty frames", "endless-small"),
    Attack("hanging up when full", "hang-up-full"),
    Attack("W6 outsider", "outsider", "X", beside=names_of_all_lengths),
]
S2_LIMITS: Final = "S2 limits"


def attacked(attack: Attack, seconds: float, descriptors: int) -> dict[str, Any]:
    """Returns all figures of one attack."""
    notes: dict[str, Any] = {}
    with Fortress(attack.by if isinstance(attack.by, int) else 0, descriptors) as stage:
        if attack.fill is VICTIMS:
            make_victims(stage)
        elif attack.fill[0]:
            stage.fill(*attack.fill)
        stage.begin()
        by = [stage.x] if attack.by == "X" else stage.raiders
        with flooded(stage, attack.flood, by, seconds) as flood:
            with measured(stage, flood, large=attack.large) as figures:
                if attack.beside is not None:
                    attack.beside(stage, flood, notes)
                wait_until(lambda: not flood.goes_on, seconds + 30.0, period_s=0.1)
            did = flood.end()
        after = afterwards(stage)
        if attack.after is not None:
            attack.after(stage, notes)
    named = {"attack": attack.name, "is_paired": attack.by != 0, "did": did}
    return {**named, **figures, "after": after, "notes": notes}


def small_limits(seconds: float) -> dict[str, Any]:
    """Starts agents with few descriptors: what they say; and whether those that start live with 45
    monitors and with a flood."""
    notes: dict[str, Any] = {}
    for limit in LIMITS:
        with Fortress(0, limit) as stage:
            notes[f"limit {limit}"] = with_few(stage, seconds)
    return {"attack": S2_LIMITS, "notes": notes}


def with_few(stage: Fortress, seconds: float) -> list[str]:
    if not stage.starts_again(stage.a, 20.0):
        config = str(stage.a.home / "peer.toml")
        said = ended([*limited(stage.descriptors), sys.executable, "-m", AGENT, "-c", config])
        return [f"does not start: {said}"]
    out = ["starts"]
    many = max(MONITORS, stage.descriptors + 10)
    with listening(stage.a, many):
        wait_until(lambda: not stage.a.runs, 3.0)
        out.append(f"{many} monitors: {life(stage.a)}")
        if stage.a.runs:
            out.append(f"`status` then: {run_status(stage.a)}; {life(stage.a)}")
    if not stage.a.runs and not stage.starts_again(stage.a, 20.0):
        return [*out, "does not start again"]
    with flooded(stage, "half-handshakes", [], min(seconds, 10.0)) as flood:
        wait_until(lambda: not flood.goes_on, seconds + 10.0)
    out.append(f"half handshakes: {life(stage.a)}")
    if stage.a.runs:
        out.append(f"`status` then: {run_status(stage.a)}; {life(stage.a)}")
        stage.b.start()
        took = edit(stage.b, stage.a, "from B", EDIT_BYTES, 20.0)
        out.append(f"an edit of B arrives after {took and round(took, 1)} s")
    return out


def life(actor: Actor) -> str:
    return "A lives" if actor.runs else f"A ended ({actor.exit_code(1)}) {actor.log_tail(1)[:160]}"


# -- the table -----------------------------------------------------------------------------------

HEAD: Final = (
    "attack", "did", "cpu", "else", "MiB", "fds", "lines", "KB", "state", "B>A ms", "A>B ms",
    "A", "folder", "after s", "over",
)  # fmt: skip
WIDTHS: Final = (23, 9, 5, 5, 10, 5, 7, 7, 7, 17, 17, 9, 9, 11, 30)
CPU: Final = 0.5
MEMORY_MIB: Final = 128
EDIT_MS: Final = 250
LINES_A_S: Final = 4
"""The bounds for a device's cost (issue 12): the median of the edits is compared with EDIT_MS."""


def row(found: dict[str, Any]) -> tuple[str, ...]:
    edits, after = found["edits"], found["after"]
    did = found["did"].get("said") or found["did"].get("opened") or found["did"].get("refused") or 0
    lives = "lives" if found["ended_after_s"] is None else f"ended {found['ended_after_s']:g}"
    return (
        found["attack"],
        f"{did / found['seconds']:,.0f}",
        f"{found['cpu']:.2f}",
        f"{found['others_cpu']:.1f}",
        f"{found['memory_before_mib']}>{found['memory_mib']}",
        str(found["descriptors"]),
        f"{found['log_lines_s']:,.0f}",
        f"{found['log_bytes_s'] / 1000:,.0f}",
        f"{found['state_mib']:+.0f}",
        latency(edits["B to A"]),
        latency(edits["A to B"]),
        lives,
        after["state"],
        f"{seconds_of(after['B to A, s'])}/{seconds_of(after['A to B, s'])}",
        ",".join(over(found)),
    )


def over(found: dict[str, Any]) -> list[str]:
    """Returns which bounds A did not keep."""
    after, edits = found["after"], list(found["edits"].values())
    own_lines = 2 * sum(each["edits"] for each in edits) / found["seconds"]
    slow = any(each["missed"] or (each["median_ms"] or 0) > EDIT_MS for each in edits[:2])
    bounds = {
        "cpu": found["is_paired"] and found["cpu"] > CPU,
        "memory": found["memory_mib"] - found["memory_before_mib"] > MEMORY_MIB,
        "edit": slow or any(each["missed"] for each in edits[2:]),
        "log": found["log_lines_s"] - own_lines > LINES_A_S,
        "ended": not after["lives"],
        "stopped": after["state"] == "stopped",
        "adopt": any("--adopt" in line for line in [*found["log"], after["why"]]),
        "after": None in (after["B to A, s"], after["A to B, s"]),
    }
    return [name for name, is_over in bounds.items() if is_over]


def latency(figures: dict[str, Any]) -> str:
    if figures["median_ms"] is None:
        return f"none (+{figures['missed']})"
    missed = f" (+{figures['missed']})" if figures["missed"] else ""
    return f"{figures['median_ms']:.0f}/{figures['worst_ms']:.0f}{missed}"


def seconds_of(took: float | None) -> str:
    return "never" if took is None else f"{took:.1f}"


def printed(cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def tell(found: dict[str, Any]) -> None:
    if "edits" in found:
        print(printed(row(found)))
        print(f"    did: {found['did']}")
        for name, figures in list(found["edits"].items())[2:]:
            print(f"    {name}: {figures}")
        if found["last_words"]:
            print(f"    last words: {found['last_words']}")
        if found["after"]["why"]:
            print(f"    why: {found['after']['why'][:200]}")
        after = {k: v for k, v in found["after"].items() if k not in ("state", "why")}
        print(f"    after: {after}")
        for line in found["log"][:8]:
            print(f"    log: {line[:220]}")
    else:
        print(found["attack"])
    for what, said in found["notes"].items():
        for one in said if isinstance(said, list) else [said]:
            print(f"    {what}: {one}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each attack (60)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="or its beginning")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, as one list")
    parser.add_argument(
        "--descriptors", type=int, default=DESCRIPTORS, help="A's hard limit (4096)"
    )
    parser.add_argument("--list", action="store_true", help="which attacks there are")
    options = parser.parse_args()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts background processes like this; every monitor would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if options.list:
        print("\n".join([*(attack.name for attack in ATTACKS), S2_LIMITS]))
        return
    wanted = [name.lower() for name in options.only]

    def is_wanted(attack: str, flood: str) -> bool:
        begins = any(attack.lower().startswith(name) or flood == name for name in wanted)
        return begins or not wanted

    print(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(printed(HEAD), flush=True)
    found = []
    for attack in ATTACKS:
        if is_wanted(attack.name, attack.flood):
            try:
                found.append(attacked(attack, options.seconds, options.descriptors))
                tell(found[-1])
            except Exception as error:  # a failed setup must not end the other attacks
                print(f"{attack.name}: was not measured: {error!r}", flush=True)
    if is_wanted(S2_LIMITS, ""):
        found.append(small_limits(options.seconds))
        tell(found[-1])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; everything is cleaned up")
