"""Measures how long it takes to send a file from one device to N others, each on a line of its own.
leftzmq, then Syncthing where it is installed.

usage: python bench/swarm.py [--devices N] [--mib F] [--mbit U] [--home DIR] [--only NAME]
Makes N + 1 network namespaces joined by a bridge, each line shaped to U Mbit/s each way (tc tbf),
and removes everything at the end, also after Ctrl-C. Needs root, ip and tc. Prints one JSON line a
program: seconds from when the first device has the file in its index until the file is under its
name on each of the others, and the ratio to the bound (F/u)(1 + floor(log2 N)/M), M chunks of 256
KiB. `indexed_s` is the time before that, from the file's appearance on (Syncthing's watcher is set
to 1 s). `wire`: bytes that each device sent and received, as the kernel counts them, over the
file's size.

The devices share one machine: their shares lie in memory (/dev/shm) unless --home says otherwise;
else one disk would serve for N.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from network import Network, missing
from processes import cpu_s
from programs import syncthing
from programs.syncthing import Syncthing
from shares import Arrival

from leftzmq.cli.demo.stage import Actor, wait_until
from leftzmq.statedir import make_secret

PORT = 7700
CHUNK_BYTES = 256 << 10
RIVAL_DELAY_S = 1
MEET_S = 120

Device = Actor | Syncthing


def bound_s(others: int, size: int, mbit: int) -> float:
    return size * 8 / mbit / 1e6 * (1 + math.floor(math.log2(others)) / (size / CHUNK_BYTES))


def measure(devices: Sequence[Device], size: int, most_s: float) -> list[float]:
    """Returns the seconds until the first device has the file in its index, then until each of the
    others has the file."""
    first, *others = devices
    for device in devices:
        device.start()
    assert wait_until(lambda: all(meets(device, devices) for device in devices), MEET_S), state_of(
        devices
    )
    made = first.home / "large"
    with made.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    made.rename(first.share / "large")
    appeared = time.monotonic()
    assert wait_until(lambda: has_indexed(first), MEET_S, period_s=0.02), state_of(devices)
    began = time.monotonic()
    waiting = {device.name: Arrival(device.share, {"large": size}) for device in others}
    seconds: dict[str, float] = {}

    def all_have_it() -> bool:
        for name, arrival in waiting.items():
            if name not in seconds and arrival.whole():
                seconds[name] = time.monotonic() - began
        return len(seconds) == len(others)

    assert wait_until(all_have_it, most_s, period_s=0.02), state_of(devices)
    return [began - appeared, *sorted(seconds.values())]


def meets(device: Device, all_of_them: Sequence[Device]) -> bool:
    if isinstance(device, Syncthing):
        met = device.connected()
    else:
        met = sum(peer["connected"] for peer in device.status().get("peers", ()))
    return met == len(all_of_them) - 1


def has_indexed(device: Device) -> bool:
    if isinstance(device, Syncthing):
        return device.files() == 1
    return device.status().get("files") == 1


def state_of(devices: Sequence[Device]) -> str:
    """Returns what is known of a failed run, before it is cleaned up."""
    return "".join(f"\n== {device.name}\n{device.log_tail(8)}" for device in devices)


def twice(devices: Sequence[Device], size: int) -> dict[str, object]:
    """Returns what only leftzmq reports: sealed chunk bytes over the file's size."""
    found = [actor.status() for actor in devices if isinstance(actor, Actor)]
    if not found:
        return {}
    received = [status["received_bytes"] / size for status in found[1:]]
    return {
        "sent_by_first": round(found[0]["sent_bytes"] / size, 3),
        "fetched_twice": [round(max(0.0, part - 1), 3) for part in received],
    }


def once(
    kind: type[Actor] | type[Syncthing], count: int, size: int, mbit: int, where: str | None
) -> dict[str, object]:
    home = Path(tempfile.mkdtemp(prefix="leftzmq-swarm-", dir=where))
    devices: list[Device] = []
    bound = bound_s(count, size, mbit)
    try:
        with Network(count + 1, mbit) as network:
            make_secret(home / "share.secret")
            for number, host in enumerate(network.hosts):
                name = chr(ord("A") + number)
                devices.append(kind(name, home / name, PORT, host, network.within(number)))
            configure(devices)
            try:
                indexed, *seconds = measure(devices, size, 60 + 8 * bound)
                wire = [network.wire_bytes(number) for number in range(count + 1)]
                return {
                    "devices": count,
                    "bytes": size,
                    "mbit_s": mbit,
                    "indexed_s": round(indexed, 2),
                    "seconds": [round(each, 2) for each in seconds],
                    "bound_s": round(bound, 2),
                    "ratio": round(seconds[-1] / bound, 3),
                    "wire": [[round(way / size, 3) for way in ways] for ways in wire],
                    "cpu_s": [round(cpu_s(device.pid), 1) for device in devices],
                } | twice(devices, size)
            finally:
                for device in devices:
                    device.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def configure(devices: Sequence[Device]) -> None:
    for device in devices:
        others = [other for other in devices if other is not device]
        if isinstance(device, Syncthing):
            theirs = [other for other in others if isinstance(other, Syncthing)]
            device.configure(theirs, RIVAL_DELAY_S)
        else:
            device.configure([other for other in others if isinstance(other, Actor)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--mbit", type=int, default=100)
    parser.add_argument("--home", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    parser.add_argument("--only", choices=["leftzmq", "syncthing"], default="")
    options = parser.parse_args()
    if lacks := missing():
        sys.exit(f"cannot be measured here: {', '.join(lacks)} missing")
    asked = (options.devices, options.mib << 20, options.mbit, options.home)
    if options.only != "syncthing":
        print(json.dumps({"leftzmq": once(Actor, *asked)}), flush=True)
    if options.only != "leftzmq":
        why = syncthing.missing()
        found = {"skipped": why} if why else once(Syncthing, *asked)
        print(json.dumps({"syncthing": found}), flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; everything is cleaned up")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}: {error.stderr.strip()}")
