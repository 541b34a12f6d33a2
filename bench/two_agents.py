"""Two real agents on loopback: how long until B has what A has.

usage: python bench/two_agents.py [--bytes N | --files N] [--runs N]
Prints one JSON line a run: seconds from B's start, MB/s, files/s, CPU seconds and peak memory of
both, and the longest turn of each loop. Run it with the project installed (or PYTHONPATH=.).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from pathlib import Path

from leftzmq.bus.door import ask
from leftzmq.cli.story import Actor, Stage, wait_until

BLOCK = 1 << 20


def fill(share: Path, size: int, files: int) -> tuple[int, int]:
    """Random bytes: one file of `size`, or `files` small ones (58 MB in 10,000)."""
    if files:
        dice = random.Random(42)
        total = 0
        for number in range(files):
            folder = share / f"d{number // 100:03}"
            folder.mkdir(exist_ok=True)
            data = os.urandom(dice.randrange(1, 11_600))
            (folder / f"f{number:05}").write_bytes(data)
            total += len(data)
        return total, files
    with (share / "large").open("wb") as file:
        for _ in range(size // BLOCK):
            file.write(os.urandom(BLOCK))
    return size // BLOCK * BLOCK, 1


def used(actor: Actor) -> dict[str, float]:
    """CPU seconds and peak MiB of an agent so far."""
    pid = actor.pid
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    ticks = os.sysconf("SC_CLK_TCK")
    turn = ask(actor.state, "status")["longest_turn_ms"]
    return {
        "cpu_s": round((int(fields[11]) + int(fields[12])) / ticks, 2),
        "peak_mib": round(int(peak.split()[1]) / 1024, 1),
        "longest_turn_ms": turn,
    }


def once(size: int, files: int) -> dict[str, object]:
    with Stage(names="AB") as stage:
        a, b = stage.actors
        a.start()
        total, count = fill(a.share, size, files)
        began = time.monotonic()
        assert wait_until(lambda: has(a, total, count), 600), a.log_tail()
        scanned = time.monotonic() - began
        began = time.monotonic()
        b.start()
        assert wait_until(lambda: has(b, total, count), 600, period_s=0.02), b.log_tail()
        seconds = time.monotonic() - began
        return {
            "bytes": total,
            "files": count,
            "scan_s": round(scanned, 2),
            "seconds": round(seconds, 2),
            "MB_s": round(total / 1e6 / seconds, 1),
            "files_s": round(count / seconds, 1),
            "A": used(a),
            "B": used(b),
        }


def has(actor: Actor, total: int, count: int) -> bool:
    status = actor.status()
    return (status.get("bytes"), status.get("files")) == (total, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for _ in range(options.runs):
        print(json.dumps(once(options.bytes, options.files)), flush=True)
