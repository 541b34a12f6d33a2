"""Measures how long it takes until a 4 KiB edit on A is under its name on B while a large file is
sent from A to B (two real agents on loopback).

usage: python bench/edit_while_bulk.py [--mib N] [--edits N]
The large file is sent anew until there were enough edits. Prints one JSON line: milliseconds from
the writer's close to the first look that finds the new bytes on B (looks every 1 ms): median, 90th
percentile, longest; how many edits were made while bytes were on their way; and MB/s of the large
file meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

from shares import stands

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.transport.ipc.client import ask

EDIT_BYTES = 4096
PAUSE_S = 0.2


def one_edit(a: Actor, b: Actor) -> float:
    data = os.urandom(EDIT_BYTES)
    (a.share / "edited").write_bytes(data)
    target = b.share / "edited"
    began = time.monotonic()
    while not stands(target, data):
        assert time.monotonic() - began < 30, b.log_tail()
        time.sleep(0.001)
    return (time.monotonic() - began) * 1000


def fill(a: Actor, size: int) -> None:
    """Make a large file appear under its name at once."""
    made = a.home / "large"
    with made.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    made.rename(a.share / "large")


def measure(size: int, edits: int) -> dict[str, object]:
    with Stage(names="AB") as stage:
        a, b = stage.actors
        a.start()
        b.start()
        one_edit(a, b)  # they have greeted each other
        found: list[float] = []
        seconds = moved = 0.0
        while len(found) < edits:
            fill(a, size)
            assert wait_until(lambda: b.status().get("under_way"), 60, period_s=0.02)
            began, before = time.monotonic(), b.status()["received_bytes"]
            while len(found) < edits and b.status().get("under_way"):
                found.append(one_edit(a, b))
                time.sleep(PAUSE_S)
            seconds += time.monotonic() - began
            moved += b.status()["received_bytes"] - before
            assert wait_until(lambda: b.status().get("state") == "idle", 120)
        found.sort()
        return {
            "edits": len(found),
            "median_ms": round(statistics.median(found), 1),
            "p90_ms": round(found[int(len(found) * 0.9)], 1),
            "longest_ms": round(found[-1], 1),
            "MB_s": round(moved / 1e6 / seconds, 1),
            "longest_turn_ms": [ask(actor.state, "status")["longest_turn_ms"] for actor in (a, b)],
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--edits", type=int, default=30)
    options = parser.parse_args()
    print(json.dumps(measure(options.mib << 20, options.edits)))
