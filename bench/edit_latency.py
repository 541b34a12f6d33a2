"""How long until a 4 KiB edit on A is under its name on B (two real agents on loopback).

usage: python bench/edit_latency.py [--edits N]
Prints one JSON line: milliseconds from the writer's close to the first look that finds the new
bytes on B (looks every 0.5 ms): median, 90th percentile, longest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

from leftzmq.cli.story import Stage, wait_until

EDIT_BYTES = 4096


def latencies(edits: int) -> list[float]:
    with Stage(names="AB") as stage:
        a, b = stage.actors
        a.start()
        b.start()
        source, target = a.share / "edited", b.share / "edited"
        found: list[float] = []
        for number in range(edits + 1):
            data = os.urandom(EDIT_BYTES)
            source.write_bytes(data)
            began = time.monotonic()
            while not target.exists() or target.read_bytes() != data:
                assert time.monotonic() - began < 30, b.log_tail()
                time.sleep(0.0005)
            if number:  # the first one finds the devices still greeting each other
                found.append((time.monotonic() - began) * 1000)
            # Until B's acknowledgement is through, as a user's next edit is.
            wait_until(lambda: b.status().get("state") == "idle", 5, period_s=0.05)
        return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=30)
    found = sorted(latencies(parser.parse_args().edits))
    figures = {
        "edits": len(found),
        "median_ms": round(statistics.median(found), 1),
        "p90_ms": round(found[int(len(found) * 0.9)], 1),
        "longest_ms": round(found[-1], 1),
    }
    print(json.dumps(figures))
