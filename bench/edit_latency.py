"""Measures how long it takes until a 4 KiB edit on A is under its name on B, on loopback: two
agents, then two Syncthings where it is installed.

usage: python bench/edit_latency.py [--edits N] [--rival-edits N] [--rival-delay S]
Prints one JSON line: milliseconds from the writer's close to the first look that finds the new
bytes on B (looks every 0.5 ms): median, 90th and 99th percentile, longest. By default Syncthing's
watcher waits until it saw nothing more for 10 s; --rival-delay sets this time (1 is the least).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from programs import ours, syncthing
from programs.pair import Failed, Pair
from shares import stands

from leftzmq.cli.demo.stage import wait_until

EDIT_BYTES = 4096
LONGEST_S = 60.0
NAME = "edited"


def one_edit_ms(source: Path, target: Path, look_s: float = 0.0005) -> float:
    """Write a file anew. Return the milliseconds until it is there; look_s: between two looks."""
    data = os.urandom(EDIT_BYTES)
    source.write_bytes(data)
    began = time.monotonic()
    while not stands(target, data):
        if time.monotonic() - began > LONGEST_S:
            raise Failed(f"an edit is not there within {LONGEST_S:g} s")
        time.sleep(look_s)
    return (time.monotonic() - began) * 1000


def latencies(pair: Pair, edits: int) -> list[float]:
    """Return the milliseconds of each of these edits. A and B run."""
    found: list[float] = []
    for number in range(edits + 1):
        took = one_edit_ms(pair.a / NAME, pair.b / NAME)
        if number:  # during the first edit the devices still greet each other
            found.append(took)
        pair.rest()
    return found


def measured(pair: Pair, edits: int) -> list[float]:
    """Start both, and return the milliseconds of each edit."""
    pair.begin(0, 0)
    pair.join()
    if not wait_until(pair.met, LONGEST_S):
        raise Failed(f"A and B do not meet: {pair.log_tail()}")
    return latencies(pair, edits)


def figures(found: list[float]) -> dict[str, float]:
    found.sort()
    return {
        "edits": len(found),
        "median_ms": round(statistics.median(found), 1),
        "p90_ms": round(found[int(len(found) * 0.9)], 1),
        "p99_ms": round(found[int(len(found) * 0.99)], 1),
        "longest_ms": round(found[-1], 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--rival-edits", type=int, default=5)
    parser.add_argument("--rival-delay", type=int, default=syncthing.WATCHER_DELAY_S)
    options = parser.parse_args()
    result: dict[str, object] = {}
    with ours.opened() as pair:
        result["leftzmq"] = figures(measured(pair, options.edits))
    if why := syncthing.missing():
        result["syncthing"] = {"skipped": why}
    else:
        with syncthing.opened(delay_s=options.rival_delay) as rivals:
            found = figures(measured(rivals, options.rival_edits))
        result["syncthing"] = found | {"watcher_delay_s": options.rival_delay}
    print(json.dumps(result))
