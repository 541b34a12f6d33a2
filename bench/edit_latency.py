"""Measures how long it takes until a 4 KiB edit on A is under its name on B, on loopback: two
agents, then two Syncthings where it is installed.

usage: python bench/edit_latency.py [--edits N] [--rival-edits N] [--rival-delay S]
Prints one JSON line: milliseconds from the writer's close to the first look that finds the new
bytes on B (looks every 0.5 ms): median, 90th percentile, longest. By default Syncthing's watcher
waits until it saw nothing more for 10 s; --rival-delay sets this time (1 is the least).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import rival
from shares import stands

from leftzmq.cli.demo.stage import Stage, free_ports, wait_until

EDIT_BYTES = 4096
LONGEST_S = 60.0
RIVAL_RESTS_S = 0.5  # between two edits: until B's answer has arrived


def latencies(source: Path, target: Path, edits: int, rest: Callable[[], object]) -> list[float]:
    found: list[float] = []
    for number in range(edits + 1):
        data = os.urandom(EDIT_BYTES)
        source.write_bytes(data)
        began = time.monotonic()
        while not stands(target, data):
            assert time.monotonic() - began < LONGEST_S, f"not there within {LONGEST_S:g} s"
            time.sleep(0.0005)
        if number:  # during the first edit the devices still greet each other
            found.append((time.monotonic() - began) * 1000)
        rest()
    return found


def ours(edits: int) -> list[float]:
    with Stage(names="AB") as stage:
        a, b = stage.actors
        a.start()
        b.start()
        return latencies(
            a.share / "edited",
            b.share / "edited",
            edits,
            # Until B's acknowledgement has arrived, as before a user's next edit.
            lambda: wait_until(lambda: b.status().get("state") == "idle", 5),
        )


def theirs(edits: int, delay_s: int) -> list[float]:
    with rival.pair(free_ports(2), delay_s) as (a, b):
        a.start()
        b.start()
        assert wait_until(lambda: a.connected() and b.connected(), LONGEST_S, period_s=0.2)
        return latencies(
            a.share / "edited", b.share / "edited", edits, lambda: time.sleep(RIVAL_RESTS_S)
        )


def figures(found: list[float]) -> dict[str, float]:
    found.sort()
    return {
        "edits": len(found),
        "median_ms": round(statistics.median(found), 1),
        "p90_ms": round(found[int(len(found) * 0.9)], 1),
        "longest_ms": round(found[-1], 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--rival-edits", type=int, default=5)
    parser.add_argument("--rival-delay", type=int, default=rival.WATCHER_DELAY_S)
    options = parser.parse_args()
    result: dict[str, object] = {"leftzmq": figures(ours(options.edits))}
    if why := rival.missing():
        result["syncthing"] = {"skipped": why}
    else:
        found = figures(theirs(options.rival_edits, options.rival_delay))
        result["syncthing"] = found | {"watcher_delay_s": options.rival_delay}
    print(json.dumps(result))
