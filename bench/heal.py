"""Measures how long after healing two devices are in sync again: one slept, its cable was out, its
packets vanished without an error, or it came back with another address.

usage: python bench/heal.py [--away S ...] [--only WAY]
The network is one of namespaces (root, ip and tc); without them only sleep is measured. While the
second device is away, 20 files appear on each. Prints one JSON line for each way and each time
away: seconds from healing until both shares are the same, and (edit_s) from the appearance of a
file after that until it is on the other device, for each direction.

Where the second of two devices moves, only one device dials ("dials": the moved one dials an
address, or the other one a name). 20 files appear on one device ("writes") a second after the last
heartbeat: then the silence of the others cannot show a device that its connection is dead.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from network import Network, missing

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.statedir import make_secret

PORT = 7700
FILES = 20
LONGEST_S = 180.0
QUIET_S = 1.0
ELSEWHERE = "10.77.0.99"

Away = tuple[Callable[[], None], Callable[[], None]]


def files(actor: Actor) -> dict[str, bytes]:
    found = {}
    for path in actor.share.iterdir():
        # A file that is still arriving may have got its name meanwhile.
        with suppress(FileNotFoundError, IsADirectoryError):
            found[path.name] = path.read_bytes()
    return found


def in_sync(a: Actor, b: Actor) -> float:
    began = time.monotonic()
    assert wait_until(lambda: files(a) == files(b), LONGEST_S), a.log_tail() + b.log_tail()
    return time.monotonic() - began


def edit(actor: Actor, other: Actor, name: str) -> float:
    (actor.share / name).write_bytes(os.urandom(5000))
    return in_sync(actor, other)


def healed(a: Actor, b: Actor, away: Away, away_s: float, writes: str = "AB") -> dict[str, object]:
    a.start()
    b.start()
    edit(a, b, "before")
    time.sleep(QUIET_S)
    leave, come_back = away
    leave()
    try:
        for actor in (each for each in (a, b) if each.name in writes):
            for number in range(FILES):
                (actor.share / f"{actor.name}{number}").write_bytes(os.urandom(5000))
        time.sleep(away_s)
    finally:
        come_back()
    seconds = in_sync(a, b)
    assert len(files(a)) == len(writes) * FILES + 1
    edits = [round(edit(*two, f"after {two[0].name}"), 2) for two in ((a, b), (b, a))]
    return {"away_s": away_s, "healed_s": round(seconds, 2), "edit_s": edits}


def asleep(away_s: float) -> dict[str, object]:
    with Stage(names="AB") as stage:
        a, b = stage.actors

        def signals(number: int) -> Callable[[], None]:
            return lambda: os.kill(b.pid, number)

        return healed(a, b, (signals(signal.SIGSTOP), signals(signal.SIGCONT)), away_s)


def cut(way: str, away_s: float) -> dict[str, object]:
    home = Path(tempfile.mkdtemp(prefix="leftzmq-heal-"))
    actors: list[Actor] = []
    try:
        with Network(2) as network:
            make_secret(home / "share.secret")
            for number, name in enumerate("AB"):
                host, within = network.hosts[number], network.within(number)
                actors.append(Actor(name, home / name, PORT, host, within))
            a, b = actors
            a.configure([b])
            b.configure([a])
            leave, come_back = {
                "unplugged": (network.unplug, network.plug),
                "swallowed": (network.swallow, network.pass_again),
            }[way]
            try:
                return healed(a, b, (lambda: leave(1), lambda: come_back(1)), away_s)
            finally:
                for actor in actors:
                    actor.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def change(actor: Actor, old: str, new: str) -> None:
    config = actor.home / "peer.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def moved(away_s: float, dials: str, writes: str) -> dict[str, object]:
    home = Path(tempfile.mkdtemp(prefix="leftzmq-heal-"))
    hosts = home / "hosts"
    actors: list[Actor] = []
    try:
        with Network(2) as network:
            make_secret(home / "share.secret")
            hosts.write_text(f"{network.hosts[1]} b.example\n")
            ways = network.within_with_names(0, hosts), network.within(1)
            for name, host, within in zip("AB", network.hosts, ways, strict=True):
                actors.append(Actor(name, home / name, PORT, host, within))
            a, b = actors
            a.configure([b])
            b.configure([a])
            change(b, f'listen = "tcp://{b.host}', 'listen = "tcp://0.0.0.0')
            silent, other = (a, b) if dials == "the moved one" else (b, a)
            change(silent, f'address = "tcp://{other.host}:{PORT}"\n', "")
            if silent is b:
                change(a, f"tcp://{b.host}", "tcp://b.example")

            def come_back() -> None:
                network.give_address(1, ELSEWHERE)
                hosts.write_text(f"{ELSEWHERE} b.example\n")

            try:
                away = (lambda: network.take_address(1), come_back)
                return {"dials": dials, "writes": writes} | healed(a, b, away, away_s, writes)
            finally:
                for actor in actors:
                    actor.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measured(way: str, away_s: float) -> Iterator[dict[str, object]]:
    lacks = missing()
    if way == "asleep":
        yield asleep(away_s)
    elif lacks:
        yield {"skipped": f"{', '.join(lacks)} missing"}
    elif way == "moved":
        for dials in ("the moved one", "the other one"):
            yield from (moved(away_s, dials, writes) for writes in ("A", "B", "AB"))
    else:
        yield cut(way, away_s)


WAYS = ["asleep", "unplugged", "swallowed", "moved"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--away", type=float, nargs="+", default=[60.0])
    parser.add_argument("--only", choices=WAYS)
    options = parser.parse_args()
    for way in [options.only] if options.only else WAYS:
        for away_s in options.away:
            for found in measured(way, away_s):
                print(json.dumps({"way": way} | found), flush=True)
