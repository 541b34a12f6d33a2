"""Real agents on a network that is cut and heals (namespaces: root). bench/heal.py measures it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from network import Network, missing

from leftzmq.cli.demo.stage import Actor, wait_until
from leftzmq.statedir import make_secret

PORT = 7700
HEALED_S = 10.0
JUST_AFTER_A_HEARTBEAT_S = 1.0
"""After a connection was made: nothing is sent over it for 9 s, if nothing happens."""

lacks = missing()
pytestmark = pytest.mark.skipif(bool(lacks), reason=f"{', '.join(lacks)} missing")


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(2) as network:
        yield network


@pytest.fixture
def actors(network: Network, tmp_path: Path) -> Iterator[list[Actor]]:
    make_secret(tmp_path / "share.secret")
    found = [
        Actor(name, tmp_path / name, PORT, network.hosts[number], network.within(number))
        for number, name in enumerate("AB")
    ]
    for actor in found:
        actor.configure([other for other in found if other is not actor])
    try:
        yield found
    finally:
        for actor in found:
            actor.stop()
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def files(actor: Actor) -> dict[str, bytes]:
    found = {}
    for path in actor.share.iterdir():
        # What is still arriving may have got its name meanwhile.
        with suppress(FileNotFoundError, IsADirectoryError):
            found[path.name] = path.read_bytes()
    return found


def give(actor: Actor, *names: str) -> None:
    for name in names:
        (actor.share / name).write_bytes(os.urandom(5000))


# Mostly it takes 2 s. After 12 s some connections are given up and others, just used, are not yet.
@pytest.mark.parametrize(
    "cut, heal, away_s",
    [(Network.unplug, Network.plug, 3.0), (Network.swallow, Network.pass_again, 12.0)],
    ids=["cable out", "packets vanish"],
)
def test_a_network_that_heals_is_in_sync_soon(
    network: Network,
    actors: list[Actor],
    cut: Callable[[Network, int], None],
    heal: Callable[[Network, int], None],
    away_s: float,
) -> None:
    a, b = actors
    a.start()
    b.start()
    give(a, "before")
    assert wait_until(lambda: files(a) == files(b) != {}, 20)
    cut(network, 1)
    give(a, *(f"of A {number}" for number in range(20)))
    give(b, *(f"of B {number}" for number in range(20)))
    time.sleep(away_s)
    assert files(a) != files(b)
    heal(network, 1)
    assert wait_until(lambda: files(a) == files(b), HEALED_S)
    assert len(files(a)) == 41


def change(actor: Actor, old: str, new: str) -> None:
    config = actor.home / "peer.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def both_ways(a: Actor, b: Actor, name: str, within_s: float) -> bool:
    give(a, f"{name} of A")
    give(b, f"{name} of B")
    expected = {f"{name} of A", f"{name} of B"}
    return wait_until(lambda: files(a) == files(b) and expected <= files(a).keys(), within_s)


def test_a_device_that_gets_another_address_dials_again(
    network: Network, actors: list[Actor]
) -> None:
    """A still dials the old one, where nobody is: what B dials has to be enough, and B must not
    wait until its own heartbeat is not answered: it has nothing to say."""
    a, b = actors
    a.start()
    b.start()
    assert both_ways(a, b, "before", 20)
    time.sleep(JUST_AFTER_A_HEARTBEAT_S)
    network.move(1, "10.77.0.99")
    give(a, "while B was lost")
    assert wait_until(lambda: files(a) == files(b), HEALED_S)
    assert both_ways(a, b, "just after", HEALED_S)
    assert both_ways(a, b, "later", HEALED_S)


def test_a_device_whose_address_comes_back_after_a_while_is_in_sync_soon(
    network: Network, actors: list[Actor]
) -> None:
    a, b = actors
    a.start()
    b.start()
    assert both_ways(a, b, "before", 20)
    host = network.hosts[1]
    network.take_address(1)
    give(a, "while B was lost")
    give(b, "while B had no address")
    time.sleep(15.0)
    network.give_address(1, host)
    assert wait_until(lambda: files(a) == files(b), HEALED_S)
    assert len(files(a)) == 4


def test_a_name_that_leads_to_another_address_is_looked_up_again(
    network: Network, tmp_path: Path
) -> None:
    """B does not dial: only A, by its name, can find it again, although A has nothing to say."""
    make_secret(tmp_path / "share.secret")
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{network.hosts[1]} b.example\n")
    within = network.within_with_names(0, hosts)
    a = Actor("A", tmp_path / "A", PORT, network.hosts[0], within)
    b = Actor("B", tmp_path / "B", PORT, network.hosts[1], network.within(1))
    a.configure([b])
    b.configure([a])
    change(a, f"tcp://{b.host}", "tcp://b.example")
    change(b, f'listen = "tcp://{b.host}', 'listen = "tcp://0.0.0.0')
    change(b, f'address = "tcp://{a.host}:{PORT}"\n', "")
    try:
        a.start()
        b.start()
        assert both_ways(a, b, "before", 20)
        time.sleep(JUST_AFTER_A_HEARTBEAT_S)
        network.move(1, "10.77.0.99")
        hosts.write_text(f"{network.hosts[1]} b.example\n")
        give(b, "where nobody sees it")
        assert wait_until(lambda: files(a) == files(b), HEALED_S)
        assert both_ways(a, b, "just after", HEALED_S)
        assert both_ways(a, b, "later", HEALED_S)
    finally:
        for actor in (a, b):
            actor.stop()
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")
