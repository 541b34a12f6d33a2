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
import time

from programs import ours, syncthing
from programs.pair import Failed, Indexing, Pair, longest_s
from shares import Arrival, Manifest, fill, forget_the_deleted, plain_s

from leftzmq.cli.demo.stage import wait_until

LOOK_S = 0.01


def arrival_s(pair: Pair, manifest: Manifest) -> float:
    """Start B. Return the seconds until it has all files, whose bytes are then compared."""
    arrival = Arrival(pair.b, manifest)
    began = time.monotonic()
    pair.join()
    if not wait_until(arrival.whole, longest_s(len(manifest)), period_s=LOOK_S):
        raise Failed(f"not all files arrive: {pair.log_tail()}")
    seconds = time.monotonic() - began
    if wrong := arrival.differs(pair.a):
        raise Failed(f"{len(wrong)} files differ, such as {wrong[0]}")
    return seconds


def begun(pair: Pair, size: int, files: int) -> Manifest:
    """Fill A's share and start A, which then knows all of its files."""
    manifest = fill(pair.a, size, files)
    pair.begin(len(manifest), sum(manifest.values()))
    return manifest


def figures(pair: Indexing, manifest: Manifest, seconds: float, plain: float) -> dict[str, object]:
    devices = zip("AB", pair.cpu_s(), pair.peak_mib(), strict=True)
    return {
        "seconds": round(seconds, 2),
        "MB_s": round(sum(manifest.values()) / 1e6 / seconds, 1),
        "files_s": round(len(manifest) / seconds, 1),
        "times_plain": round(seconds / plain, 2),
    } | {name: {"cpu_s": round(cpu, 2), "peak_mib": round(mib, 1)} for name, cpu, mib in devices}


def once(size: int, files: int, only: str) -> dict[str, object]:
    if files:
        forget_the_deleted()
    with ours.opened() as pair:
        manifest = begun(pair, size, files)
        plain = plain_s(pair.a, pair.home / "plain", manifest)
        found: dict[str, object] = {
            "bytes": sum(manifest.values()),
            "files": len(manifest),
            "plain": {"seconds": round(plain, 2), "files_s": round(len(manifest) / plain, 1)},
        }
        arrived = figures(pair, manifest, arrival_s(pair, manifest), plain)
        found["leftzmq"] = arrived | {"longest_turn_ms": pair.longest_turns_ms()}
    if only == "leftzmq":
        return found
    if why := syncthing.missing():
        return found | {"syncthing": {"skipped": why}}
    if files:
        forget_the_deleted()
    with syncthing.opened(delay_s=syncthing.WATCHER_DELAY_S) as rivals:
        manifest = begun(rivals, size, files)
        arrived = figures(rivals, manifest, arrival_s(rivals, manifest), plain)
    return found | {"syncthing": arrived}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["leftzmq"], default="", help="without the rival")
    options = parser.parse_args()
    for _ in range(options.runs):
        print(json.dumps(once(options.bytes, options.files, options.only)), flush=True)
