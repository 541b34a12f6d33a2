"""Who may talk: the gate, and what bound sockets do about those who should not be there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import zmq
from zmq.utils import z85

from leftzmq.endpoint import Endpoint
from leftzmq.errors import GateError, Refusal
from leftzmq.sync.facts import LinkOpened, StrangerRefused, Subscribed
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport import selftest
from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.context import Context
from leftzmq.transport.device_key import public_text
from leftzmq.transport.frames import RawFrame
from leftzmq.transport.poller import Poller
from leftzmq.transport.refusal_log import MAX_REMEMBERED, QUIET_S, RefusalLog
from leftzmq.transport.selftest import self_test
from leftzmq.transport.socket_errors import SocketErrors
from leftzmq.transport.socket_monitor import SocketMonitor
from leftzmq.transport.zap_gate import ZAP_ENDPOINT, Gate
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.messages import VERSION, Bye, News, Open
from tests.helpers.buses import Side, during, new_keys, sides, until

ENDED = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
HELLO = {Socket.CONTROL: encode(Bye("let me in")), Socket.BULK: encode(Open(VERSION))}


@contextmanager
def client(side: Side, kind: Socket, keys, **options) -> Iterator[zmq.Socket]:
    socket = side.client(kind, keys, **options)
    try:
        yield socket
    finally:
        socket.context.destroy(0)


def handshake(side: Side, kind: Socket, keys) -> int | None:
    """How the handshake of a client with these keys (None: without CURVE) ends."""
    context = zmq.Context()
    socket = context.socket(zmq.SUB if kind is Socket.NEWS else zmq.DEALER)
    monitor = SocketMonitor(context, socket, ENDED)
    if keys is not None:
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_serverkey = side.device
    socket.connect(str(side.endpoint(kind)))
    try:
        until(lambda: monitor.socket.poll(0), side)
        return monitor.next()
    finally:
        monitor.close()
        context.destroy(0)


def refusals(side: Side) -> list[Refusal]:
    return [raw.refusal for raw in side.of(StrangerRefused)]


@pytest.mark.parametrize("kind", Socket)
def test_a_stranger_is_refused_and_a_listed_device_let_in(tmp_path, kind):
    with sides(tmp_path, 1) as (a,):
        stranger, friend = new_keys(), new_keys()
        a.listed.add(friend.public)
        assert handshake(a, kind, stranger) == zmq.EVENT_HANDSHAKE_FAILED_AUTH
        assert handshake(a, kind, friend) == zmq.EVENT_HANDSHAKE_SUCCEEDED
        assert refusals(a) == [Refusal.UNKNOWN_DEVICE] and a.bus.strangers_refused == 1
        assert public_text(stranger.public) in a.of(StrangerRefused)[0].detail
        assert "from 127.0.0.1" in a.of(StrangerRefused)[0].detail


@pytest.mark.parametrize("kind", Socket)
def test_nobody_comes_in_without_curve(tmp_path, kind):
    with sides(tmp_path, 1) as (a,):
        # Which of the two it is depends on whose end of the greeting is read first.
        assert handshake(a, kind, None) in (
            zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        )


@pytest.mark.parametrize("kind", [Socket.CONTROL, Socket.BULK])
def test_a_removed_device_is_not_heard_although_its_connection_lives(tmp_path, kind):
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)
        with client(a, kind, keys) as socket:
            socket.send(HELLO[kind])
            until(lambda: a.of(RawFrame), a)
            link = a.of(RawFrame)[0].link
            a.listed.clear()
            socket.send(HELLO[kind])
            until(lambda: a.of(StrangerRefused), a)
            assert len(a.of(RawFrame)) == 1
            assert refusals(a) == [Refusal.UNKNOWN_DEVICE]
            message = Bye("to you") if kind is Socket.CONTROL else Open(VERSION)
            assert not a.bus.send(link, message)


def test_a_removed_subscriber_hears_nothing_after_the_rebind(tmp_path):
    news = News(bytes(16), bytes(40))
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)
        with client(a, Socket.NEWS, keys) as socket:
            socket.subscribe(b"n")
            until(lambda: a.of(Subscribed), a)
            a.bus.publish(news)
            until(lambda: socket.poll(0), a)
            assert socket.recv_multipart() == [b"n", encode(news)]
            a.listed.clear()
            a.bus.rebind()
            until(lambda: refusals(a), a)
            a.bus.publish(news)
            during(0.2, a)
            assert not socket.poll(0)


def test_only_the_one_topic_can_be_subscribed_to(tmp_path):
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)
        with client(a, Socket.NEWS, keys) as socket:
            socket.subscribe(b"everything")
            until(lambda: a.of(StrangerRefused), a)
            fact = a.of(StrangerRefused)[0]
            assert (fact.device, fact.refusal) == (keys.public, Refusal.WRONG_SHAPE)
            assert not a.of(Subscribed)


def test_who_chose_its_routing_id_is_dropped(tmp_path):
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)
        with client(a, Socket.CONTROL, keys, routing_id=b"alice") as socket:
            socket.send(HELLO[Socket.CONTROL])
            until(lambda: a.of(StrangerRefused), a)
            assert a.of(StrangerRefused)[0].device == keys.public
            assert refusals(a) == [Refusal.BAD_ROUTE] and not a.of(RawFrame)


@pytest.mark.parametrize(("kind", "frames"), [(Socket.CONTROL, 2), (Socket.BULK, 3)])
@pytest.mark.parametrize("more", [0, 20_000])
def test_more_frames_than_there_are_and_then_a_good_message(tmp_path, kind, frames, more):
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)
        with client(a, kind, keys) as socket:
            # Over a connection that is known: who begins with 128 KiB is taken for a stranger.
            socket.send(HELLO[kind])
            until(lambda: a.of(RawFrame), a)
            socket.send_multipart([HELLO[kind]] * frames + [b""] * more)
            socket.send(HELLO[kind])
            until(lambda: len(a.of(RawFrame)) == 2, a)
            assert refusals(a) == [Refusal.TOO_MANY_FRAMES]
            assert [len(raw.frames) for raw in a.of(RawFrame)] == [1, 1]


def test_a_server_that_sends_too_many_frames_is_named(tmp_path):
    context = zmq.Context()
    keys, evil = new_keys(), context.socket(zmq.ROUTER)
    evil.curve_server, evil.curve_publickey, evil.curve_secretkey = 1, keys.public, keys.secret
    try:
        port = evil.bind_to_random_port("tcp://127.0.0.1")
        with sides(tmp_path, 1) as (a,):
            device = DeviceKey(keys.public)
            a.bus.dial(device, Endpoint("127.0.0.1", port))
            until(lambda: a.of(LinkOpened), a)
            a.bus.send(Link(device, Way.DIALED), Bye("hello"))
            until(lambda: evil.poll(0), a)
            route, _ = evil.recv_multipart()
            evil.send_multipart([route, b"", b"", b"", b""])
            evil.send_multipart([route, HELLO[Socket.CONTROL]])
            until(lambda: a.of(RawFrame), a)
            fact = StrangerRefused(device, Refusal.TOO_MANY_FRAMES, "over 1 on control")
            assert a.of(StrangerRefused) == [fact]
    finally:
        context.destroy(0)


def test_a_frame_over_the_limit_from_a_server_ends_the_link_which_comes_back(tmp_path):
    context = zmq.Context()
    keys, evil = new_keys(), context.socket(zmq.ROUTER)
    evil.curve_server, evil.curve_publickey, evil.curve_secretkey = 1, keys.public, keys.secret
    try:
        port = evil.bind_to_random_port("tcp://127.0.0.1")
        with sides(tmp_path, 1) as (a,):
            device = DeviceKey(keys.public)
            a.bus.dial(device, Endpoint("127.0.0.1", port))
            until(lambda: a.of(LinkOpened), a)
            a.bus.send(Link(device, Way.DIALED), Bye("hello"))
            until(lambda: evil.poll(0), a)
            evil.send_multipart([evil.recv_multipart()[0], bytes(1 << 20)])
            until(lambda: len(a.of(LinkOpened)) == 2, a)
            assert not a.of(RawFrame)
    finally:
        context.destroy(0)


def test_a_gate_that_breaks_on_one_key_answers_and_lives_on(tmp_path):
    with sides(tmp_path, 1) as (a,):
        bad, good = new_keys(), new_keys()
        a.listed.add(good.public)

        class Cursed(set):
            def __contains__(self, key):
                if key == bad.public:
                    raise RuntimeError("boom")
                return super().__contains__(key)

        a.listed = Cursed(a.listed)
        assert handshake(a, Socket.CONTROL, bad) == zmq.EVENT_HANDSHAKE_FAILED_AUTH
        assert handshake(a, Socket.CONTROL, good) == zmq.EVENT_HANDSHAKE_SUCCEEDED


def test_a_gate_whose_socket_died_is_made_anew_and_everybody_judged_again(tmp_path):
    with sides(tmp_path, 2) as (a, b):
        a.dials(b)
        until(lambda: a.of(LinkOpened), a, b)
        b.bus._gate.socket.close(0)
        until(lambda: len(a.of(LinkOpened)) == 2, a, b)
        assert handshake(b, Socket.CONTROL, new_keys()) == zmq.EVENT_HANDSHAKE_FAILED_AUTH


# ---- the gate alone ---------------------------------------------------------------------------


@dataclass
class Lone:
    """A gate with one friend, and a question to it."""

    context: Context
    gate: Gate
    asker: zmq.Socket

    def ask(self, *request: bytes) -> list[bytes]:
        self.asker.send_multipart([b"", *request])
        assert self.gate.socket.poll(1000)
        self.gate.serve()
        assert self.asker.poll(1000)
        return self.asker.recv_multipart()


FRIEND = new_keys().public


@pytest.fixture
def lone() -> Iterator[Lone]:
    context = zmq.Context()
    allowed = {FRIEND}.__contains__
    world = Context(
        context,
        new_keys(),
        Poller(),
        allowed,
        RefusalLog(),
        time.monotonic,
        SocketErrors(),
        Activity(),
    )
    gate = Gate(world)
    asker = context.socket(zmq.DEALER)
    asker.connect(ZAP_ENDPOINT)
    yield Lone(world, gate, asker)
    context.destroy(0)


def test_the_gate_lets_in_and_names(lone):
    reply = lone.ask(b"1.0", b"7", b"leftzmq", b"127.0.0.1", b"", b"CURVE", FRIEND)
    assert reply == [b"", b"1.0", b"7", b"200", b"", z85.encode(FRIEND), b""]


@pytest.mark.parametrize(
    ("request_frames", "status"),
    [
        ([b"1.0", b"7", b"leftzmq", b"1.2.3.4", b"", b"CURVE", bytes(32)], b"400"),
        ([b"1.0", b"7", b"leftzmq", b"1.2.3.4", b"", b"CURVE", FRIEND[:31]], b"400"),
        ([b"1.0", b"7", b"elsewhere", b"1.2.3.4", b"", b"CURVE", FRIEND], b"400"),
        ([b"1.0", b"7", b"leftzmq", b"1.2.3.4", b"", b"NULL"], b"400"),
        ([b"1.0", b"7", b"leftzmq", b"1.2.3.4", b"", b"PLAIN", b"a", b"b"], b"400"),
        ([b"2.0", b"7", b"leftzmq", b"1.2.3.4", b"", b"CURVE", FRIEND], b"400"),
        ([b"1.0", b"7", b"leftzmq", b"1.2.3.4", b"", b"CURVE"], b"500"),
        ([b"1.0", b"7", b"leftzmq", b"1.2.3.4", b"", b"CURVE", FRIEND, FRIEND], b"500"),
        ([b"1.0", b"7"], b"500"),
        ([b"1.0"], b"500"),
        ([], b"500"),
    ],
)
def test_the_gate_refuses_everything_else_and_lives_on(lone, request_frames, status):
    reply = lone.ask(*request_frames)
    assert reply[3] == status and reply[5] == b""
    assert lone.ask(b"1.0", b"8", b"leftzmq", b"", b"", b"CURVE", FRIEND)[3] == b"200"


def test_the_self_test_sees_a_gate_that_is_always_open(tmp_path, monkeypatch):
    monkeypatch.setattr(Gate, "_judge", lambda gate, request: (b"200", b"", b"anybody"))
    with pytest.raises(GateError, match="a stranger's key was not refused"):
        Side(tmp_path)


def test_the_self_test_sees_a_gate_that_lets_nobody_in(tmp_path, monkeypatch):
    monkeypatch.setattr(Gate, "_judge", lambda gate, request: (b"400", b"", b""))
    with pytest.raises(GateError, match="the gate lets nobody in"):
        Side(tmp_path)


def test_the_self_test_sees_a_gate_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(selftest, "DEADLINE_S", 0.2)
    monkeypatch.setattr(Gate, "serve", lambda gate: None)
    with pytest.raises(GateError, match="a stranger's key was not refused"):
        Side(tmp_path)


def test_the_self_test_leaves_no_guest_and_no_line_about_itself(tmp_path):
    with sides(tmp_path, 1) as (a,):
        endpoints = [(kind, a.endpoint(kind)) for kind in Socket]
        self_test(a.bus._context, a.bus._gate, endpoints, a.bus._bound.watch)
        assert a.bus._gate.guest is None
        a.turn()
        assert a.raws == []
        assert handshake(a, Socket.CONTROL, a.keys) == zmq.EVENT_HANDSHAKE_FAILED_AUTH


# ---- what is said of strangers ----------------------------------------------------------------


def note(refusal_log: RefusalLog, who: int, now: float) -> None:
    refusal_log.note(None, Refusal.UNKNOWN_DEVICE, who.to_bytes(4, "big"), str(who), now)


def test_a_flood_is_one_line_per_key_and_minute():
    refusal_log = RefusalLog()
    for n in range(1000):
        note(refusal_log, n % 2, now=n / 1000)
    assert [fact.detail for fact in refusal_log.to_report(1.0)] == ["0", "1"]
    note(refusal_log, 1, now=QUIET_S - 0.5)
    note(refusal_log, 0, now=QUIET_S + 0.0005)
    assert [fact.detail for fact in refusal_log.to_report(QUIET_S)] == ["0"]
    refusal_log.note(DeviceKey(b"p" * 32), Refusal.WRONG_SHAPE, b"p", "a peer", 1.0)
    assert refusal_log.strangers == 1002, "all are counted, and only strangers"


def test_a_flood_of_keys_is_a_number_and_bounded_memory():
    refusal_log = RefusalLog()
    for n in range(10_000):
        note(refusal_log, n, now=1.0)
    assert len(refusal_log.to_report(1.0)) == MAX_REMEMBERED == len(refusal_log._said)
    (fact,) = refusal_log.to_report(1.0 + QUIET_S)
    assert fact.detail == f"and {10_000 - MAX_REMEMBERED:,} more times, from others"
    assert refusal_log.to_report(1.0 + 3 * QUIET_S) == []
    note(refusal_log, 20_000, now=1.0 + QUIET_S)
    assert len(refusal_log._said) == 1
