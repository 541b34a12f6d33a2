"""Announcing an agent and hearing of it, over the loopback: no test talks to a real network."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from leftzmq.content.keys import local_mark
from leftzmq.endpoint import Endpoint
from leftzmq.transport.local_network import mdns
from leftzmq.transport.local_network.mdns import NAMES_MAX, RETRIES_MAX, HeardNames
from leftzmq.transport.local_network.neighbours import HeardAgent, Neighbours, _agent
from tests.unit.transport.local_network.test_word_doors import (
    has_multicast,  # noqa: F401  (named by `multicast`)
    multicast,
)

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
LOOPBACK = ("127.0.0.1",)
DEADLINE_S = 15.0


class Network:
    """Agents that announce themselves; what each of them heard."""

    def __init__(self) -> None:
        self.agents: list[Neighbours] = []

    def joins(self, key: bytes, port: int) -> list[HeardAgent]:
        heard: list[HeardAgent] = []
        self.agents.append(Neighbours(key, port, LOOPBACK, LOOPBACK, heard.append, os.urandom))
        return heard


@pytest.fixture
def network() -> Iterator[Network]:
    found = Network()
    yield found
    for agent in found.agents:
        agent.close()


def soon(happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + DEADLINE_S
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@multicast
@pytest.mark.slow
def test_two_that_know_each_other_hear_where_the_other_one_is(network: Network) -> None:
    by_a, by_b = network.joins(A, 7001), network.joins(B, 7002)
    assert soon(lambda: any(one.is_of(B) for one in by_a))
    assert soon(lambda: any(one.is_of(A) for one in by_b))
    (of_b,) = {one.endpoints for one in by_a if one.is_of(B)}
    assert of_b == (Endpoint("127.0.0.1", 7002),)
    assert not any(one.is_of(A) for one in by_a), "nobody hears itself"
    assert not any(one.is_of(C) for one in (*by_a, *by_b))


@multicast
@pytest.mark.slow
def test_each_announcement_has_another_salt_and_other_names(network: Network) -> None:
    by_a = network.joins(A, 7001)
    network.joins(B, 7002)
    assert soon(lambda: any(one.is_of(B) for one in by_a))
    network.agents[1].close()
    network.joins(B, 7002)
    assert soon(lambda: len({one.salt for one in by_a if one.is_of(B)}) == 2)
    assert len({one.name for one in by_a if one.is_of(B)}) == 2


def record(**more: object) -> SimpleNamespace:
    salt = bytes(8)
    fields: dict[str, object] = {
        "properties": {b"v": b"1", b"s": salt, b"m": local_mark(salt, A)},
        "port": 7700,
        "parsed_scoped_addresses": lambda: ["192.168.1.7"],
    }
    return SimpleNamespace(**(fields | more))


def test_what_is_announced_is_an_agent() -> None:
    agent = _agent("x", record(), at_loopback=False)
    assert agent is not None and agent.is_of(A) and not agent.is_of(B)
    assert agent.endpoints == (Endpoint("192.168.1.7", 7700),)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {b"v": b"2", b"s": bytes(8), b"m": bytes(8)},
        {b"v": b"1", b"s": bytes(7), b"m": bytes(8)},
        {b"v": b"1", b"s": bytes(8), b"m": bytes(9)},
        {b"v": b"1", b"s": None, b"m": bytes(8)},
        {b"v": b"1", b"m": bytes(8)},
    ],
)
def test_what_is_announced_wrongly_is_none(said: dict[bytes, bytes | None]) -> None:
    assert _agent("x", record(properties=said), at_loopback=False) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "224.0.0.1", "::1", "nonsense", "192.168.1.300"])
def test_an_address_that_cannot_be_called_is_none(address: str) -> None:
    found = record(parsed_scoped_addresses=lambda: [address])
    assert _agent("x", found, at_loopback=False) is None


def test_of_many_addresses_a_few_are_taken() -> None:
    many = [f"192.168.1.{n}" for n in range(1, 40)]
    agent = _agent("x", record(parsed_scoped_addresses=lambda: many), at_loopback=False)
    assert agent is not None and len(agent.endpoints) == mdns.ADDRESSES_MAX


def test_who_announces_very_many_names_keeps_nobody_out() -> None:
    names = HeardNames()
    for number in range(10 * NAMES_MAX):
        names.add_service(None, "", f"flood {number}")  # type: ignore[arg-type]
    names.add_service(None, "", "ours")  # type: ignore[arg-type]
    assert names.names[-1] == "ours" and len(names.names) <= NAMES_MAX
    assert len(names._seen) <= NAMES_MAX


def test_a_name_is_asked_about_again_when_its_record_changed() -> None:
    names = HeardNames()
    names.add_service(None, "", "b")  # type: ignore[arg-type]
    names.add_service(None, "", "b")  # type: ignore[arg-type]
    assert list(names.names) == ["b"]
    names.names.clear()
    names.update_service(None, "", "b")  # type: ignore[arg-type]
    names.update_service(None, "", "of nobody")  # type: ignore[arg-type]
    assert list(names.names) == ["b"]


def test_without_an_interface_nothing_is_heard_and_it_ends_at_once() -> None:
    agent = Neighbours(A, 7001, LOOPBACK, (), lambda heard: None, os.urandom)
    began = time.monotonic()
    agent.close()
    assert time.monotonic() - began < 2.0


def test_a_name_that_is_not_answered_for_is_asked_for_again_but_not_for_ever() -> None:
    names = HeardNames()
    names.add_service(None, "", "b")  # type: ignore[arg-type]
    given = 0
    while names.names:
        given += 1
        names.unanswered(names.names.popleft())
    assert given == 1 + RETRIES_MAX
    names.unanswered("of nobody")
    assert not names.names
