"""A device that may be at several addresses is dialed at all of them, and met at the first that is
its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from leftzmq.endpoint import Endpoint
from leftzmq.errors import Away
from leftzmq.sync.facts import DialFailed, LinkClosed, LinkOpened
from leftzmq.transport.dialing.race import MOST_AT_ONCE
from leftzmq.transport.socket_options import CONNECT_MS
from tests.helpers.buses import Side, sides, until

pytestmark = pytest.mark.slow

Silent = Callable[[], Endpoint]


@pytest.fixture
def silent() -> Iterator[Silent]:
    """Makes addresses where something accepts connections and never says a word."""
    with ExitStack() as open:

        def made() -> Endpoint:
            listener = open.enter_context(socket.create_server(("127.0.0.1", 0)))
            return Endpoint("127.0.0.1", listener.getsockname()[1])

        yield made


def nobody() -> Endpoint:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Endpoint("127.0.0.1", listener.getsockname()[1])


def at(side: Side) -> Endpoint:
    return Endpoint.parse(side.bus.control_endpoint, "test")


def dialed_from(side: Side, other: Side) -> Endpoint:
    return side.bus._dialed[other.device].control.endpoint


@pytest.mark.parametrize("before", [1, 2, MOST_AT_ONCE])
def test_addresses_that_say_nothing_do_not_keep_a_device_from_being_met(
    tmp_path: Path, silent: Silent, before: int
) -> None:
    with sides(tmp_path, 2) as (a, b):
        began = time.monotonic()
        a.bus.dial(b.device, *(silent() for _ in range(before)), at(b))
        until(lambda: a.of(LinkOpened), a, b)
        assert time.monotonic() - began < CONNECT_MS / 1000, "it waited for a timeout"
        assert dialed_from(a, b) == at(b)


def test_of_many_addresses_where_nobody_listens_each_gives_way_to_the_next(tmp_path: Path) -> None:
    with sides(tmp_path, 2) as (a, b):
        a.bus.dial(b.device, *(nobody() for _ in range(2 * MOST_AT_ONCE)), at(b))
        until(lambda: a.of(LinkOpened), a, b, within_s=15.0)


def test_one_connection_is_left_when_several_addresses_are_the_devices(
    tmp_path: Path, silent: Silent
) -> None:
    with sides(tmp_path, 2) as (a, b):
        same = Endpoint("localhost", at(b).port)
        a.bus.dial(b.device, silent(), at(b), same)
        until(lambda: a.of(LinkOpened), a, b)
        end = time.monotonic() + 0.6  # two head starts
        until(lambda: time.monotonic() > end, a, b)
        assert len(a.of(LinkOpened)) == 1 and not a.of(LinkClosed)
        assert len(a.bus._dialed[b.device].lines()) == 1
        assert a.bus._dialed[b.device].endpoints[0] == at(b), "where it was met comes first"


def test_another_device_at_the_first_address_is_not_taken_for_it(tmp_path: Path) -> None:
    with sides(tmp_path, 3) as (a, b, c):
        a.bus.dial(b.device, at(c), at(b))
        until(lambda: a.of(LinkOpened), a, b, c)
        assert dialed_from(a, b) == at(b)


def test_what_the_device_itself_says_is_told_whoever_else_does_not_answer(tmp_path: Path) -> None:
    """B refuses A's key. What else is tried fails in ways that say less, earlier and later."""
    with sides(tmp_path, 2) as (a, b):
        b.listed.clear()
        a.bus.dial(b.device, nobody(), at(b), nobody())
        until(lambda: any(f.away is Away.REFUSED_OUR_KEY for f in a.of(DialFailed)), a, b)
        told = len(a.of(DialFailed))
        end = time.monotonic() + 1.0
        until(lambda: time.monotonic() > end, a, b)
        assert {f.away for f in a.of(DialFailed)[told:]} <= {Away.REFUSED_OUR_KEY}


def test_a_device_that_moved_is_met_where_it_is_now(tmp_path: Path, silent: Silent) -> None:
    with sides(tmp_path, 2) as (a, b):
        a.bus.dial(b.device, silent())
        end = time.monotonic() + 0.3
        until(lambda: time.monotonic() > end, a, b)
        a.bus.dial(b.device, silent(), silent(), at(b))
        until(lambda: a.of(LinkOpened), a, b)
        assert dialed_from(a, b) == at(b)


def test_a_connection_stays_when_other_addresses_are_learnt(tmp_path: Path) -> None:
    with sides(tmp_path, 2) as (a, b):
        a.bus.dial(b.device, at(b))
        until(lambda: a.of(LinkOpened), a, b)
        a.bus.dial(b.device, Endpoint("localhost", at(b).port), nobody())
        end = time.monotonic() + 0.6
        until(lambda: time.monotonic() > end, a, b)
        assert not a.of(LinkClosed) and dialed_from(a, b) == at(b)


def test_a_device_that_is_shut_out_is_dialed_nowhere(tmp_path: Path) -> None:
    with sides(tmp_path, 2) as (a, b):
        a.bus.dial(b.device, at(b), Endpoint("localhost", at(b).port))
        until(lambda: a.of(LinkOpened), a, b)
        a.bus.drop(b.device)
        a.bus.dial(b.device, nobody(), at(b))
        end = time.monotonic() + 1.0
        until(lambda: time.monotonic() > end, a, b)
        assert len(a.of(LinkOpened)) == 1
        assert all(line.socket is None for line in a.bus._dialed[b.device].lines())
