"""Who knocks: which address is taken, what is tried again, and what a user reads at the end."""

from __future__ import annotations

import errno
import socket as tcp
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing

import msgpack
import pytest
import zmq

from leftzmq.endpoint import Endpoint
from leftzmq.errors import DoorAway, Refusal
from leftzmq.sync.facts import StrangerRefused
from leftzmq.transport.door import dial as dials
from leftzmq.transport.door.dial import DialTrouble, DoorDial
from leftzmq.transport.door.visitor import knock
from leftzmq.wire.door import encode
from tests.helpers.buses import new_keys
from tests.helpers.door_vectors import ADMITTED, KNOCK, NOT_ADMITTED
from tests.helpers.doors import OpenDoor, is_cut, opened, shut_by_a_flood, silent

pytestmark = pytest.mark.slow


@pytest.fixture
def at() -> Iterator[OpenDoor]:
    with opened() as door:
        yield door


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


class Knocking:
    """`knock` in a thread, since it waits."""

    def __init__(self, stack: ExitStack, door: bytes, *addresses: Endpoint, timeout_s: float = 8):
        self.keys, self.told = new_keys(), list[str]()
        pool = stack.enter_context(ThreadPoolExecutor(1))
        self.began = time.monotonic()
        self.future: Future = pool.submit(
            knock, addresses, door, self.keys, KNOCK, timeout_s, self.told.append
        )

    @property
    def is_done(self) -> bool:
        return self.future.done()

    @property
    def result(self):
        return self.future.result(0)

    @property
    def error(self) -> DoorAway:
        found = self.future.exception(0)
        assert isinstance(found, DoorAway), found
        return found


def answering(at: OpenDoor, message=ADMITTED) -> Callable[[], None]:
    """Answers each knock once."""
    answered = 0

    def answer() -> None:
        nonlocal answered
        for knocked in at.knocks[answered:]:
            answered += 1
            at.door.answer(knocked.caller, message)

    return answer


def until_done(at: OpenDoor, visitor: Knocking, message=ADMITTED, within_s: float = 8.0) -> None:
    answer = answering(at, message)

    def done() -> bool:
        answer()
        return visitor.is_done

    at.until(done, within_s)


def here(at: OpenDoor, host: str = "127.0.0.1") -> Endpoint:
    return Endpoint(host, at.door.port)


def dead() -> Endpoint:
    """A port at which nobody listens."""
    with tcp.create_server(("127.0.0.1", 0)) as server:
        return Endpoint("127.0.0.1", server.getsockname()[1])


def mute(stack: ExitStack) -> Endpoint:
    """A port whose connections the system makes, and nobody says anything over them."""
    server = stack.enter_context(tcp.create_server(("127.0.0.1", 0)))
    return Endpoint("127.0.0.1", server.getsockname()[1])


def dropping(stack: ExitStack) -> Endpoint:
    """A port at which the first packet is dropped, as a firewall does: its backlog is full."""
    server = stack.enter_context(tcp.create_server(("127.0.0.1", 0), backlog=0))
    where = server.getsockname()
    for _ in range(4):
        one = stack.enter_context(tcp.socket())
        one.setblocking(False)
        one.connect_ex(where)
    return Endpoint("127.0.0.1", where[1])


def test_a_first_packet_that_is_dropped_is_sent_again_after_half_a_second(stack):
    keys, server = new_keys(), tcp.create_server(("127.0.0.1", 0), backlog=0)
    where = Endpoint(*server.getsockname())
    filling = [stack.enter_context(tcp.socket()) for _ in range(4)]
    for one in filling:
        one.setblocking(False)
        one.connect_ex(server.getsockname())
    visitor = Knocking(stack, keys.public, where)
    time.sleep(0.1)
    for one in (server, *filling):
        one.close()
    with opened(port=where.port, keys=keys) as at:
        until_done(at, visitor)
    assert visitor.result == (ADMITTED, where)
    assert time.monotonic() - visitor.began < 1.0


@pytest.mark.parametrize("message", [ADMITTED, NOT_ADMITTED])
def test_a_knock_brings_the_answer_and_where_it_came_from(at, stack, message):
    visitor = Knocking(stack, at.keys.public, here(at))
    until_done(at, visitor, message)
    assert visitor.result == (message, here(at))
    (knocked,) = at.knocks
    assert (knocked.device, knocked.knock) == (visitor.keys.public, KNOCK)
    assert not visitor.told
    at.until(lambda: not len(at.door._visits), within_s=2)  # it hangs up


def test_a_name_is_looked_up(at, stack):
    visitor = Knocking(stack, at.keys.public, here(at, "localhost"))
    until_done(at, visitor)
    assert visitor.result == (ADMITTED, here(at, "localhost"))


@pytest.mark.parametrize("first", [dead, mute, dropping])
def test_a_dead_address_first_and_a_live_one_second(at, stack, first):
    other = first() if first is dead else first(stack)
    visitor = Knocking(stack, at.keys.public, other, here(at))
    until_done(at, visitor)
    assert visitor.result == (ADMITTED, here(at))
    assert 0.25 <= time.monotonic() - visitor.began < 1.0


def test_the_first_of_two_live_ones_is_knocked_at_alone(at, stack):
    with opened() as other:
        both = [here(at), here(other)]
        visitor = Knocking(stack, at.keys.public, *both)
        until_done(at, visitor)
        other.turn()
        assert visitor.result == (ADMITTED, here(at))
        assert not other.knocks and not len(other.door._visits)


def test_a_door_that_opens_meanwhile_is_found(at, stack):
    where, keys = dead(), new_keys()
    visitor = Knocking(stack, keys.public, where)
    at.during(0.3)
    assert not visitor.is_done
    with opened(port=where.port, keys=keys) as late:
        until_done(late, visitor)
    assert visitor.result == (ADMITTED, where)


def test_a_right_door_after_a_wrong_one_is_found(at, stack):
    keys = new_keys()
    visitor = Knocking(stack, keys.public, here(at))
    at.until(lambda: len(at.door._visits))
    at.until(lambda: not len(at.door._visits))  # the handshake failed
    at.door.close()
    with opened(port=at.door.port, keys=keys) as right:
        until_done(right, visitor)
    assert visitor.result == (ADMITTED, here(at))


def test_where_packets_are_lost_each_dial_waits_longer(stack):
    """With half a second for ever nobody far away would be reached."""
    context, began = zmq.Context(), time.monotonic()
    one = DoorDial(context, new_keys(), bytes(32), dropping(stack), began)
    try:
        while one.socket is None or one.socket.connect_timeout == dials.FIRST_CONNECT_MS:
            assert not one.tick(time.monotonic())
            assert time.monotonic() < began + 3
            time.sleep(0.005)
        assert one.socket.connect_timeout == 2 * dials.FIRST_CONNECT_MS
        assert one.trouble is DialTrouble.SILENT and time.monotonic() - began >= 0.5
    finally:
        one.close()
        context.destroy(0)


@pytest.mark.slow
def test_a_connection_that_is_lost_before_the_answer_is_made_again(at, stack):
    visitor = Knocking(stack, at.keys.public, here(at))
    at.until(lambda: at.knocks)
    for visit in list(at.door._visits._all.values()):
        at.door._visits.end(visit)
    at.until(lambda: len(at.knocks) == 2)
    assert [k.device for k in at.knocks] == [visitor.keys.public] * 2
    until_done(at, visitor)
    assert visitor.result == (ADMITTED, here(at))


# ---- what a user reads --------------------------------------------------------------------------


@pytest.mark.slow
def test_where_nobody_listens_all_three_causes_are_said(stack):
    where = dead()
    visitor = Knocking(stack, new_keys().public, where, timeout_s=1.3)
    text = str(visitor.future.exception(5))
    assert f"{where}: nobody listens there" in text
    assert "has expired" in text and "used up" in text
    assert f"firewall closes port {where.port}" in text and f"open port {where.port}" in text
    assert len(visitor.told) == 1 and str(where) in visitor.told[0]


def test_each_address_is_listed_with_its_own_reason(stack):
    nobody, silent_one, no_way = dead(), dropping(stack), Endpoint("255.255.255.255", 7701)
    unknown = Endpoint("no-such-host.invalid", 7702)
    visitor = Knocking(
        stack, new_keys().public, nobody, silent_one, no_way, unknown, timeout_s=0.98
    )
    text = str(visitor.future.exception(5))
    assert f"{nobody}: nobody listens there" in text
    said = f"{silent_one}: nothing answers: a firewall? Then open port {silent_one.port} (TCP)"
    assert said in text
    assert f"{no_way}: the network is unreachable from this machine" in text
    assert f"{unknown}: the name has no address" in text or f"{unknown}: there was no" in text
    ports = " and ".join(str(p) for p in sorted((nobody.port, silent_one.port)))
    assert f"a firewall closes port {ports}:" in text
    assert not visitor.told


def test_another_door_at_the_address_is_said(at, stack):
    visitor = Knocking(stack, new_keys().public, here(at), timeout_s=0.6)
    until_done(at, visitor)
    error = visitor.error
    assert "another door has that address now" in error.what
    assert "ask for a new one" in error.do and "firewall" not in str(error)
    assert not at.knocks


def test_a_network_that_is_not_there_is_not_blamed_on_the_invitation(stack):
    visitor = Knocking(stack, new_keys().public, Endpoint("255.255.255.255", 7701), timeout_s=0.5)
    error = visitor.future.exception(5)
    assert "unreachable" in error.what
    assert "this machine is in a network" in error.do and "expired" not in str(error)


def test_who_is_not_answered_in_time_reads_to_try_again(at, stack):
    visitor = Knocking(stack, at.keys.public, here(at), timeout_s=0.5)
    at.until(lambda: visitor.is_done)
    assert at.knocks and "gave no answer in time" in visitor.error.what
    assert "type the same line again" in visitor.error.do


def test_who_lost_the_door_before_the_answer_reads_to_try_again(at, stack):
    visitor = Knocking(stack, at.keys.public, here(at), timeout_s=0.9)
    at.until(lambda: at.knocks)
    at.door.close()
    text = str(visitor.future.exception(5))
    assert "nobody listens there; before that, the connection was lost before the answer" in text
    assert "type the same line again" in text


@pytest.mark.slow
def test_an_answer_that_takes_over_a_second_is_told_once(at, stack):
    visitor = Knocking(stack, at.keys.public, here(at))
    at.until(lambda: at.knocks)
    at.during(1.3)
    until_done(at, visitor)
    assert visitor.told == [f"{here(at)} was reached; waiting for its answer"]
    assert visitor.result[0] == ADMITTED


def test_no_address_is_said_at_once(stack):
    visitor = Knocking(stack, new_keys().public)
    assert "names no address" in str(visitor.future.exception(5))


def test_four_addresses_are_tried_at_most(at, stack):
    four = [dead() for _ in range(4)]
    visitor = Knocking(stack, at.keys.public, *four, here(at), timeout_s=0.9)
    until_done(at, visitor)
    assert all(str(each) in str(visitor.error) for each in four)
    assert str(here(at)) not in str(visitor.error) and not at.knocks


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\xff" * 30],
        [encode(KNOCK)],
        [encode(ADMITTED)[:-1]],
        [encode(ADMITTED)] * 2,
        [msgpack.packb([33, 2, "of a later version"])],
    ],
)
def test_an_answer_that_cannot_be_read_is_said_at_once(at, stack, frames):
    visitor = Knocking(stack, at.keys.public, here(at))
    at.until(lambda: at.knocks)
    at.door._socket.send_multipart([at.knocks[0].caller, *frames])
    at.until(lambda: visitor.is_done)
    assert visitor.error.where == str(here(at))
    assert "cannot be read" in visitor.error.what and "same version" in visitor.error.do


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.ECONNREFUSED, DialTrouble.REFUSED),
        (errno.ENETUNREACH, DialTrouble.UNREACHABLE),
        (errno.EHOSTUNREACH, DialTrouble.NO_WAY),
        (errno.ETIMEDOUT, DialTrouble.SILENT),
        (errno.EACCES, DialTrouble.SILENT),
    ],
)
def test_the_systems_word_becomes_a_reason(number, trouble):
    context = zmq.Context()
    one = DoorDial(context, new_keys(), bytes(32), Endpoint("127.0.0.1", 1), 0.0)
    one._judge(number)
    assert one.trouble is trouble
    one.close()
    context.destroy(0)


def test_nothing_of_a_dial_is_left_open(stack, monkeypatch):
    made: list[tcp.socket] = []
    real = tcp.socket

    class Counted(real):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            made.append(self)

    where = [dead(), dropping(stack)]
    monkeypatch.setattr(dials.tcp, "socket", Counted)
    visitor = Knocking(stack, new_keys().public, *where, timeout_s=0.6)
    visitor.future.exception(5)
    assert made and all(each.fileno() == -1 for each in made)


# ---- a door under siege -------------------------------------------------------------------------


def flood(stack: ExitStack, at: OpenDoor) -> list[tcp.socket]:
    """500 connections of 50 sources that say nothing, begun at once."""
    quiet = []
    for n in range(500):
        one = stack.enter_context(closing(tcp.socket()))
        one.bind((f"127.0.1.{1 + n % 50}", 0))
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", at.door.port))
        quiet.append(one)
    return quiet


@pytest.mark.slow
def test_one_who_knocks_beside_500_silent_connections_is_answered_within_2_s(at, stack):
    flood(stack, at)
    visitor = Knocking(stack, at.keys.public, here(at))
    until_done(at, visitor)
    took_s = time.monotonic() - visitor.began
    assert visitor.result == (ADMITTED, here(at)) and took_s < 2.0, took_s
    assert len(at.door._visits) <= 8


@pytest.mark.slow
def test_one_who_knocks_when_a_flood_has_just_shut_the_door_is_answered_within_2_s(at, stack):
    shut_by_a_flood(at)
    visitor = Knocking(stack, at.keys.public, here(at))
    until_done(at, visitor)
    took_s = time.monotonic() - visitor.began
    assert visitor.result == (ADMITTED, here(at)) and 0.8 < took_s < 2.0, took_s
    assert Refusal.TOO_MANY_CONNECTIONS in [raw.refusal for raw in at.of(StrangerRefused)]


def test_who_knocks_gets_in_while_others_keep_the_door_full(at, stack):
    """Nine sources come again as soon as they are cut, but stay below what shuts the door."""
    quiet = [silent(at, f"127.0.2.{n}") for n in range(1, 10)]
    visitor: Knocking | None = None
    answer, next_at, at_once = answering(at), 0.0, 0

    def turned() -> bool:
        nonlocal next_at, at_once, visitor
        answer()
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + 0.03
            gone = [n for n, one in enumerate(quiet) if is_cut(one)]
            for n in gone[:1]:
                quiet[n].close()
                quiet[n] = silent(at, f"127.0.2.{n + 1}")
                at_once += 1
            if at_once >= 3 and visitor is None:
                visitor = Knocking(stack, at.keys.public, here(at))
        return visitor is not None and visitor.is_done

    try:
        at.until(turned)
        assert visitor is not None and visitor.result == (ADMITTED, here(at))
        assert time.monotonic() - visitor.began < 2.0
    finally:
        for one in quiet:
            one.close()
