"""Measures how long it takes until a 4 KiB edit on A is under its name on B while a large file is
sent from A to B (two real agents on loopback).

usage: python bench/edit_while_bulk.py [--mib N] [--edits N]
The large file is sent anew until there were enough edits. Prints one JSON line: milliseconds from
the writer's close to the first look that finds the new bytes on B (looks every 1 ms): median, 90th
and 99th percentile, longest; how many edits were made while bytes were on their way; and MB/s of
the large file meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from edit_latency import NAME, figures, measured, one_edit_ms
from programs import ours
from programs.pair import Failed, Indexing

from leftzmq.cli.demo.stage import wait_until

PAUSE_S = 0.2
LOOK_S = 0.001
APPEARS_S = 60.0
SETTLES_S = 120.0


@dataclass(frozen=True, slots=True)
class Edits:
    """ms: of each edit. MB_s: of the large files meanwhile."""

    ms: list[float]
    MB_s: float


def fill(home: Path, share: Path, size: int) -> None:
    """Make a large file appear under its name at once; home: where it is made."""
    made = home / "large"
    with made.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    made.rename(share / "large")


def edited(pair: Indexing, size: int, edits: int) -> Edits:
    """Start both, and edit while a file of `size` bytes is on its way."""
    measured(pair, 1)  # they have greeted each other
    found: list[float] = []
    seconds = moved = 0.0
    while len(found) < edits:
        fill(pair.home, pair.a, size)
        if not wait_until(pair.is_under_way, APPEARS_S, period_s=0.02):
            raise Failed(f"the large file does not get under way: {pair.log_tail()}")
        began, before = time.monotonic(), pair.received_bytes()
        while len(found) < edits and pair.is_under_way():
            found.append(one_edit_ms(pair.a / NAME, pair.b / NAME, LOOK_S))
            time.sleep(PAUSE_S)
        seconds += time.monotonic() - began
        moved += pair.received_bytes() - before
        if not wait_until(pair.settled, SETTLES_S):
            raise Failed(f"the large file does not arrive: {pair.log_tail()}")
    return Edits(found, round(moved / 1e6 / seconds, 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--edits", type=int, default=30)
    options = parser.parse_args()
    with ours.opened() as pair:
        found = edited(pair, options.mib << 20, options.edits)
        turns = pair.longest_turns_ms()
    print(json.dumps(figures(found.ms) | {"MB_s": found.MB_s, "longest_turn_ms": turns}))
