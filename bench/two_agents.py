"""Measures how long it takes until B has what A has, on loopback: plain file making, leftzmq, and
Syncthing where it is installed, one after the other in the same run and on the same file system
(TMPDIR).

usage: python bench/two_agents.py [--bytes N | --files N] [--runs N] [--only NAME]
Prints one JSON line a run. `plain`: seconds in which one thread of Python makes the same files;
`leftzmq`, `syncthing`: seconds from B's start until all files are in B's share under their names,
MB/s, files/s, times the seconds of plain, CPU seconds and peak memory of both. A has scanned all
files before B starts. With --files nothing is deleted during a measurement nor a minute before it
(shares.forget_the_deleted says why). Run it with the project installed (or PYTHONPATH=.).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import rival
from shares import Arrival, Manifest, fill, forget_the_deleted, plain_s

from leftzmq.cli.demo.stage import Actor, Stage, free_ports, wait_until
from leftzmq.transport.ipc.client import ask

LONGEST_S = 300
Device = Actor | rival.Syncthing


def used(device: Device) -> dict[str, float]:
    """Returns CPU seconds and peak MiB so far."""
    fields = Path(f"/proc/{device.pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = Path(f"/proc/{device.pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    ticks = os.sysconf("SC_CLK_TCK")
    return {
        "cpu_s": round((int(fields[11]) + int(fields[12])) / ticks, 2),
        "peak_mib": round(int(peak.split()[1]) / 1024, 1),
    }


def arrive(a: Device, b: Device, manifest: Manifest, plain: float) -> dict[str, object]:
    """Start B, and wait until it has all files. Returns the figures."""
    total, count = sum(manifest.values()), len(manifest)
    arrival = Arrival(b.share, manifest)
    began = time.monotonic()
    b.start()
    assert wait_until(arrival.whole, LONGEST_S, period_s=0.01), b.log_tail()
    seconds = time.monotonic() - began
    figures: dict[str, object] = {
        "seconds": round(seconds, 2),
        "MB_s": round(total / 1e6 / seconds, 1),
        "files_s": round(count / seconds, 1),
        "times_plain": round(seconds / plain, 2),
        "A": used(a),
        "B": used(b),
    }
    assert not (wrong := arrival.differs(a.share)), wrong[:3]
    return figures


def ours(size: int, files: int, plain: Callable[[Actor, Manifest], float]) -> dict[str, object]:
    with Stage(names="AB") as stage:
        a, b = stage.actors
        a.start()
        manifest = fill(a.share, size, files)
        expected = (sum(manifest.values()), len(manifest))
        began = time.monotonic()

        def has_all() -> bool:
            status = a.status()
            return (status.get("bytes"), status.get("files")) == expected

        assert wait_until(has_all, LONGEST_S), a.log_tail()
        scanned = round(time.monotonic() - began, 2)
        figures = arrive(a, b, manifest, plain(a, manifest))
        turns = [ask(actor.state, "status")["longest_turn_ms"] for actor in (a, b)]
        return figures | {"scan_s": scanned, "longest_turn_ms": turns}


def theirs(size: int, files: int, plain: float) -> dict[str, object]:
    with rival.pair(free_ports(2)) as (a, b):
        manifest = fill(a.share, size, files)
        began = time.monotonic()
        a.start()
        scanned_all = wait_until(lambda: a.files() == len(manifest), LONGEST_S, period_s=0.2)
        assert scanned_all, a.log_tail()
        scanned = round(time.monotonic() - began, 2)
        return arrive(a, b, manifest, plain) | {"scan_s": scanned}


def once(size: int, files: int, only: str) -> dict[str, object]:
    found: dict[str, object] = {}
    seconds = 0.0

    def plain(a: Actor, manifest: Manifest) -> float:
        nonlocal seconds
        seconds = plain_s(a.share, a.home / "plain", manifest)
        found["bytes"], found["files"] = sum(manifest.values()), len(manifest)
        found["plain"] = {
            "seconds": round(seconds, 2),
            "files_s": round(len(manifest) / seconds, 1),
        }
        return seconds

    if files:
        forget_the_deleted()
    leftzmq = ours(size, files, plain)
    found["leftzmq"] = leftzmq
    if only == "leftzmq":
        return found
    if why := rival.missing():
        return found | {"syncthing": {"skipped": why}}
    if files:
        forget_the_deleted()
    return found | {"syncthing": theirs(size, files, seconds)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["leftzmq"], default="", help="without the rival")
    options = parser.parse_args()
    for _ in range(options.runs):
        print(json.dumps(once(options.bytes, options.files, options.only)), flush=True)
