"""One device to N others, each on a line of its own: how long until all have a file.

usage: python bench/swarm.py [--devices N] [--mib F] [--mbit U] [--home DIR]
Makes N + 1 network namespaces joined by a bridge, each line shaped to U Mbit/s each way (tc tbf),
and takes everything away again, also after Ctrl-C. Needs root, ip and tc. Prints one JSON line:
seconds from the file's appearing on the first device until each of the others has it, and the ratio
to the bound (F/u)(1 + floor(log2 N)/M), M chunks of 256 KiB.

The devices share one machine: their shares lie in memory (/dev/shm) unless --home says otherwise,
or one disk would stand in for N.
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
from contextlib import suppress
from pathlib import Path

from leftzmq.cli.story import Actor, wait_until
from leftzmq.statedir import make_secret

PORT = 7700
BURST = "64kb"
LATENCY = "50ms"
CHUNK_BYTES = 256 << 10


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


class Network:
    """`spaces[i]` is the namespace of device i, at `hosts[i]`."""

    def __init__(self, count: int, mbit: int) -> None:
        mark = f"lzq{os.getpid() % 100_000}"
        self._bridge = f"{mark}-b"
        self._mbit = mbit
        self.spaces = [f"{mark}-{number}" for number in range(count)]
        self.hosts = [f"10.77.0.{number + 1}" for number in range(count)]

    def __enter__(self) -> Network:
        try:
            run("ip", "netns", "add", self._bridge)
            run("ip", "-n", self._bridge, "link", "add", "name", "hub", "type", "bridge")
            run("ip", "-n", self._bridge, "link", "set", "hub", "up")
            for number, space in enumerate(self.spaces):
                self._join(number, space)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for space in (*self.spaces, self._bridge):  # their interfaces go with them
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    def _join(self, number: int, space: str) -> None:
        run("ip", "netns", "add", space)
        port = f"p{number}"
        run(
            *("ip", "-n", self._bridge, "link", "add", "name", port, "type", "veth"),
            *("peer", "name", "eth", "netns", space),
        )
        run("ip", "-n", self._bridge, "link", "set", port, "master", "hub", "up")
        run("ip", "-n", space, "addr", "add", f"{self.hosts[number]}/24", "dev", "eth")
        run("ip", "-n", space, "link", "set", "eth", "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        self._shape(space, "eth")
        self._shape(self._bridge, port)

    def _shape(self, space: str, device: str) -> None:
        run(
            *("tc", "-n", space, "qdisc", "add", "dev", device, "root", "tbf"),
            *("rate", f"{self._mbit}mbit", "burst", BURST, "latency", LATENCY),
        )


def measure(actors: list[Actor], home: Path, size: int, mbit: int) -> dict[str, object]:
    first, *others = actors
    for actor in actors:
        actor.start()
    everyone = len(others)

    def met() -> bool:
        return all(
            sum(peer["connected"] for peer in actor.status().get("peers", ())) == everyone
            for actor in actors
        )

    assert wait_until(met, 60, period_s=0.5), state_of(actors)
    with (home / "large").open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    (home / "large").rename(first.share / "large")
    began = time.monotonic()
    bound = size * 8 / mbit / 1e6 * (1 + math.floor(math.log2(everyone)) / (size / CHUNK_BYTES))
    time.sleep(0.9 * bound)  # asking costs what all of them share: the processors
    seconds: dict[str, float] = {}

    def all_have_it() -> bool:
        for actor in others:
            if actor.name not in seconds and actor.status().get("files") == 1:
                seconds[actor.name] = round(time.monotonic() - began, 2)
        return len(seconds) == len(others)

    assert wait_until(all_have_it, 30 + 5 * bound, period_s=0.1), state_of(actors)
    figures = [actor.status() for actor in actors]
    return {
        "devices": everyone,
        "bytes": size,
        "mbit_s": mbit,
        "seconds": seconds,
        "bound_s": round(bound, 2),
        "ratio": round(max(seconds.values()) / bound, 3),
        "sent_by_first": round(figures[0]["sent_bytes"] / size, 3),
        "received": [round(figure["received_bytes"] / size, 3) for figure in figures[1:]],
        "cpu_s": [cpu_s(actor) for actor in actors],
    }


def state_of(actors: list[Actor]) -> str:
    """What can be said of a run that came to nothing, before it is cleaned away."""
    text = ""
    for actor in actors:
        status = actor.status()
        shown = {key: status.get(key) for key in ("state", "tickets", "under_way", "problem_list")}
        away = [peer["name"] for peer in status.get("peers", ()) if not peer["connected"]]
        how = "runs" if actor.runs else "has ended"
        text += f"\n== {actor.name} {how}, not connected: {away}, {shown}\n{actor.log_tail(8)}"
    return text


def cpu_s(actor: Actor) -> float:
    fields = Path(f"/proc/{actor.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 1)


def once(count: int, size: int, mbit: int, where: str | None) -> dict[str, object]:
    home = Path(tempfile.mkdtemp(prefix="leftzmq-swarm-", dir=where))
    actors: list[Actor] = []
    try:
        with Network(count + 1, mbit) as network:
            make_secret(home / "share.secret")
            for number, (space, host) in enumerate(zip(network.spaces, network.hosts, strict=True)):
                name = chr(ord("A") + number)
                within = ("ip", "netns", "exec", space)
                actors.append(Actor(name, home / name, PORT, host, within))
            for actor in actors:
                actor.configure([other for other in actors if other is not actor])
            try:
                return measure(actors, home, size, mbit)
            finally:
                for actor in actors:
                    actor.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def missing() -> list[str]:
    """What this machine lacks, by name."""
    lacks = [] if os.geteuid() == 0 else ["root"]
    lacks += [name for name in ("ip", "tc") if shutil.which(name) is None]
    if not lacks:
        with suppress(OSError):
            probe = subprocess.run(["ip", "netns", "list"], capture_output=True, check=False)
            lacks += [] if probe.returncode == 0 else ["network namespaces"]
    return lacks


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--mbit", type=int, default=100)
    parser.add_argument("--home", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    options = parser.parse_args()
    if lacks := missing():
        sys.exit(f"cannot be measured here: {', '.join(lacks)} missing")
    try:
        found = once(options.devices, options.mib << 20, options.mbit, options.home)
    except KeyboardInterrupt:
        sys.exit("stopped; everything is cleaned up")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}: {error.stderr.strip()}")
    print(json.dumps(found), flush=True)
