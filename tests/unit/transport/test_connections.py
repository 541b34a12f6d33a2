"""How many may come, how long they may stay silent, and that one alone can be ended."""

from __future__ import annotations

import contextlib
import os
import socket as tcp
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import zmq

from leftzmq.errors import Refusal
from leftzmq.sync.facts import ConnectionsGone, LinkOpened, StrangerRefused, Subscribed
from leftzmq.sync.link import Link, Way
from leftzmq.transport.connections import limits as rules
from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.connections.ends import ConnectionEnds
from leftzmq.transport.connections.limits import (
    DEVICE_MAX,
    SILENT_MAX,
    ConnectionLimits,
    PeerConnection,
)
from leftzmq.transport.connections.tcp_connection import source_of
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.frames import RawFrame
from leftzmq.transport.ipc.server import ADMIN_CONNECTIONS
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.transport.server_sockets import SUBSCRIPTIONS_MAX
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.messages import MAX_BODY_BYTES, VERSION, Bye, Open
from tests.helpers import curve
from tests.helpers.buses import Side, during, new_keys, sides, until
from tests.unit.transport.test_hostile import GREETING, LONG_FRAME, dial, rss_mib, serves
from tests.unit.transport.test_zap_gate import client

pytestmark = pytest.mark.slow

HELLO = {Socket.CONTROL: encode(Bye("hello")), Socket.BULK: encode(Open(VERSION))}
MANY = 600
UNSEEN = 1001


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def refusals(side: Side) -> set[Refusal]:
    return {raw.refusal for raw in side.of(StrangerRefused)}


@contextlib.contextmanager
def flood(side: Side, first: bytes) -> Iterator[threading.Event]:
    """A stranger in a thread of its own: connections to all three ports as fast as they come, each
    with `first` said over it, none of them closed by it while there are fewer than MANY."""
    stop, held = threading.Event(), list[tcp.socket]()
    where = [side.endpoint(kind) for kind in Socket]

    def run() -> None:
        for number in count():
            if stop.is_set():
                break
            endpoint = where[number % 3]
            with contextlib.suppress(OSError):
                one = tcp.create_connection((endpoint.host, endpoint.port), timeout=1)
                one.setblocking(False)
                held.append(one)
                one.send(first)
            if len(held) > MANY:
                held.pop(0).close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()
        for one in held:
            one.close()


@pytest.mark.parametrize("first", [b"", GREETING[:40], GREETING])
def test_a_flood_of_silent_connections_is_bounded_and_a_friend_gets_in(tmp_path, first):
    with sides(tmp_path, 2) as (a, friend):
        before = descriptors()
        with flood(a, first):
            until(lambda: Refusal.TOO_MANY_CONNECTIONS in refusals(a), a, friend)
            began = time.monotonic()
            friend.dials(a)
            until(lambda: friend.of(LinkOpened), a, friend)
            assert time.monotonic() - began < 2.0
            serves(a, friend, 1)
            ours = descriptors() - before - MANY  # the stranger's ends are in this process, too
            # Beside those that are counted, what came since the last turn.
            assert ours < sum(SILENT_MAX.values()) + UNSEEN
        during(0.3, a, friend)
        serves(a, friend, 2)
        assert len(a.of(StrangerRefused)) == 1, "one line a source and minute"


def test_who_says_nothing_goes_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "SILENT_S", 0.2)
    with sides(tmp_path, 1) as (a,):
        stranger = dial(a, Socket.CONTROL)
        stranger.setblocking(False)
        stranger.send(GREETING)
        until(lambda: ended(stranger), a)


def ended(stranger: tcp.socket) -> bool:
    try:
        while stranger.recv(1 << 16):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_unfinished_frames_of_strangers_hold_little_memory(tmp_path):
    """900 connections with 1 MiB of a frame each: 41 to 1,049 MiB before."""
    head = GREETING + LONG_FRAME + MAX_BODY_BYTES.to_bytes(8, "big")
    with sides(tmp_path, 2) as (a, friend):
        before, most = rss_mib(), 0.0
        strangers = []
        for _ in range(900):
            with contextlib.suppress(OSError):
                one = dial(a, Socket.BULK)
                one.setblocking(False)
                strangers.append(one)
                one.send(head)
            a.turn(0)
        for _ in range(16):
            for one in strangers:
                with contextlib.suppress(OSError):
                    one.send(bytes(64 << 10))
            a.turn(0)
            most = max(most, rss_mib())
        friend.dials(a)
        until(lambda: friend.of(LinkOpened), a, friend)
        serves(a, friend, 1)
        assert max(most, rss_mib()) - before < 128
        for one in strangers:
            one.close()


def test_the_connections_of_one_device_are_bounded_the_oldest_goes(tmp_path):
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)
        with contextlib.ExitStack() as clients:
            for number in range(3 * DEVICE_MAX):
                dialing = client(a, Socket.CONTROL, keys, reconnect_ivl=-1)
                clients.enter_context(dialing).send(HELLO[Socket.CONTROL])
                until(lambda n=number: len(a.of(RawFrame)) == n + 1, a)
            links = [raw.link for raw in a.of(RawFrame)]
            until(lambda: not a.bus.send(links[0], Bye("gone")), a)
            assert [a.bus.send(link, Bye("here")) for link in links[-DEVICE_MAX:]] == [True] * 4


def test_the_same_subscription_again_and_again_is_refused_by_name(tmp_path):
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)
        with client(a, Socket.NEWS, keys, type=zmq.XSUB) as socket:
            for _ in range(10 * SUBSCRIPTIONS_MAX):
                socket.send(b"\x01n")
            until(lambda: a.of(StrangerRefused), a)
        (refused,) = a.of(StrangerRefused)
        expected = (keys.public, Refusal.TOO_MANY_SUBSCRIPTIONS)
        assert (refused.device, refused.refusal) == expected
        assert len(a.of(Subscribed)) == SUBSCRIPTIONS_MAX


def test_subscriptions_as_fast_as_they_come_hold_little_memory(tmp_path):
    with sides(tmp_path, 2) as (a, friend):
        keys = new_keys()
        a.listed.add(keys.public)
        before, dropped = rss_mib(), False
        with client(a, Socket.NEWS, keys, type=zmq.XSUB, sndhwm=100_000) as socket:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                for _ in range(1000):
                    with contextlib.suppress(zmq.ZMQError):
                        socket.send(b"\x01n", zmq.DONTWAIT)
                a.turn(0)
                if not dropped and a.of(StrangerRefused):
                    dropped = True
                    a.bus.drop(keys.public)  # as the agent does with whoever is refused by name
            assert dropped and rss_mib() - before < 64  # the sender's own queue is in here, too
            friend.dials(a)
            until(lambda: friend.of(LinkOpened), a, friend)


@contextlib.contextmanager
def endless(side: Side, kind: Socket, keys: DeviceKeyPair) -> Iterator[list[int]]:
    """A paired device in a thread of its own, in the middle of one message until it is cut off.
    Yields how many bytes it has sent. Before its hello is heard it waits: whoever sends as much
    before is ended as silent."""
    sent, heard = [0], threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError, curve.NotLetIn):
            at, hand = side.endpoint(kind), curve.Hand(side.device)
            client = curve.Connection(at.host, at.port, hand, keys.public, keys.secret, 10.0)
            client.send(HELLO[kind])
            heard.wait(30)
            frame = bytes(60 << 10)
            while sent[0] < 2 << 30:
                client.send(frame, more=True)
                sent[0] += len(frame)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: any(raw.link.device == keys.public for raw in side.of(RawFrame)), side)
        heard.set()
        yield sent
    finally:
        heard.set()
        thread.join()


@pytest.mark.parametrize("kind", [Socket.CONTROL, Socket.BULK])
def test_a_message_of_a_paired_device_that_does_not_end_names_it(tmp_path, kind):
    with sides(tmp_path, 2) as (a, friend):
        friend.dials(a)
        until(lambda: friend.of(LinkOpened), a, friend)
        serves(a, friend, 1)  # who says nothing for 10 s is ended
        keys = new_keys()
        a.listed.add(keys.public)
        before = rss_mib()
        with endless(a, kind, keys) as sent:
            until(lambda: a.of(StrangerRefused), a, friend, within_s=30)
            (refused,) = a.of(StrangerRefused)
            assert (refused.device, refused.refusal) == (keys.public, Refusal.ENDLESS)
            assert rss_mib() - before < 192, f"{sent[0] >> 20} MiB were sent"
            a.bus.drop(refused.device)
        serves(a, friend, 2)


def test_a_device_that_we_dialed_is_named_for_what_it_does_not_end_too(monkeypatch):
    monkeypatch.setattr(rules, "UNREAD_BYTES", 1 << 20)
    server = tcp.create_server(("127.0.0.1", 0))
    ours = tcp.create_connection(server.getsockname())
    theirs, _ = server.accept()
    theirs.setblocking(False)
    keys, refusal_log = new_keys(), RefusalLog()
    ends = ConnectionEnds.of(ours.fileno(), server.getsockname()[1])
    dialed = PeerConnection(ours.fileno(), ends, 0.0, Socket.BULK, keys.public)
    activity = Activity()
    activity.watch(ours.fileno())
    looks = ConnectionLimits(refusal_log, 1000, lambda: [dialed], activity, lambda: None)
    try:
        assert looks.again_at is None, "nothing came: nobody is woken"
        sent = 0
        while sent <= 2 << 20:
            sent += theirs.send(bytes(1 << 16))
            activity.take_note()
            ours.recv(1 << 16)  # as libzmq does, which then keeps it
        assert looks.again_at is not None
        looks.tick(1.0)
        assert looks.again_at is None
        (refused,) = refusal_log.to_report(1.0)
        assert (refused.device, refused.refusal) == (keys.public, Refusal.ENDLESS)
        dialed.taken += sent
        assert dialed.unread(1.0) <= 0
    finally:
        for one in (server, ours, theirs, activity):
            one.close()


def test_what_malloc_keeps_of_strangers_who_were_ended_goes_back_to_the_system():
    activity, trimmed = Activity(), []
    looks = ConnectionLimits(RefusalLog(), 1000, list, activity, lambda: trimmed.append(1))
    with tcp.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        theirs = [tcp.create_connection(server.getsockname()) for _ in range(3)]
        ours = [server.accept()[0] for _ in theirs]
        for one in ours:
            looks.accepted(Socket.BULK, one.fileno(), port, 1.0)
        looks.tick(1.0)
        assert not trimmed
        looks.tick(1.0 + rules.SILENT_S + 0.1)  # all of them go
        assert trimmed == [1] and looks.again_at is None
        looks.accepted(Socket.BULK, ours[0].fileno(), port, 20.0)
        looks.end_silent()
        assert looks.again_at is not None, "again, but not at once"
        for one in (*ours, *theirs):
            one.close()
    activity.close()


def test_what_is_sent_by_an_honest_device_never_counts_as_endless(tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "UNREAD_BYTES", 1 << 20)
    monkeypatch.setattr(rules, "UNREAD_LOOK_S", 0.0)
    with sides(tmp_path, 2) as (a, b):
        b.dials(a)
        until(lambda: b.of(LinkOpened), a, b)
        for number in range(5000):
            assert b.bus.send(Link(a.device, Way.DIALED), Bye(str(number)))
            if number % 50 == 49:
                until(lambda n=number: len(a.of(RawFrame)) > n, a, b)
        assert not a.of(StrangerRefused)


def test_local_connections_are_bounded_and_the_first_ones_are_served(tmp_path):
    with sides(tmp_path, 1) as (a,), zmq.Context() as context:
        clients = [context.socket(zmq.DEALER) for _ in range(2 * ADMIN_CONNECTIONS)]
        for client in clients:
            client.linger, client.reconnect_ivl = 0, -1
            client.connect(f"ipc://{tmp_path}/0/admin")
            a.turn(1)
        until(lambda: a.of(SocketTrouble), a)
        assert f"more than {ADMIN_CONNECTIONS} connections" in a.of(SocketTrouble)[0].text
        clients[0].send(b"a question")
        until(lambda: [raw for raw in a.raws if not isinstance(raw, SocketTrouble)], a)
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/a/path", "/a/path"),
    ],
)
def test_whom_a_connection_counts_to(address, source):
    assert source_of(address) == source


def test_a_full_connection_that_breaks_while_nobody_reads_aborts_nobody(tmp_path):
    """libzmq's own heartbeats ended the process here, 10 s after the handshake (4.3.5)."""
    reads_not = subprocess.run(
        [sys.executable, "-m", __name__, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert reads_not.returncode == 0, reads_not.stderr


def breaks_when_full(tmp_path: Path) -> None:
    with sides(tmp_path, 1) as (a,):
        keys = new_keys()
        a.listed.add(keys.public)

        def run() -> None:
            at, hand = a.endpoint(Socket.CONTROL), curve.Hand(a.device)
            client = curve.Connection(at.host, at.port, hand, keys.public, keys.secret, 1.0)
            with contextlib.suppress(OSError):
                while True:
                    client.send(HELLO[Socket.CONTROL])
            client.reset()

        thread = threading.Thread(target=run)
        thread.start()
        until(lambda: a.of(RawFrame), a)
        thread.join()
        before = len(a.of(RawFrame))
        time.sleep(11.0)  # nobody reads what it sent
        until(lambda: len(a.of(RawFrame)) > before + 100, a)


if __name__ == "__main__":
    breaks_when_full(Path(sys.argv[1]))


class FrameOver:
    """A frame that came over a connection with this descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def get(self, option: int) -> int:
        assert option == zmq.SRCFD
        return self.descriptor


def test_a_device_is_reported_when_its_last_connection_has_been_gone_for_a_moment():
    keys, other = new_keys(), new_keys()
    looks = ConnectionLimits(RefusalLog(), 1000, list, Activity(), lambda: None)
    with tcp.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        theirs = [tcp.create_connection(server.getsockname()) for _ in range(4)]
        ours = [server.accept()[0] for _ in theirs]

        def comes(number: int, kind: Socket, device: bytes, now: float) -> None:
            looks.accepted(kind, ours[number].fileno(), port, now)
            looks.frame_came(FrameOver(ours[number].fileno()), kind, device, now)

        comes(0, Socket.CONTROL, keys.public, 1.0)
        comes(1, Socket.BULK, keys.public, 1.0)
        comes(2, Socket.CONTROL, other.public, 1.0)
        looks.closed(Socket.CONTROL, ours[0].fileno())
        looks.tick(2.0)
        assert looks.to_report(9.0) == [], "another one is open"
        looks.closed(Socket.BULK, ours[1].fileno())
        looks.closed(Socket.CONTROL, ours[2].fileno())
        looks.tick(9.0)
        assert looks.to_report(9.0) == [] and looks.again_at == 9.0 + rules.GONE_S
        comes(3, Socket.CONTROL, other.public, 9.1)  # it is back
        assert looks.to_report(9.0 + rules.GONE_S) == [ConnectionsGone(keys.public)]
        assert looks.to_report(19.0) == []
        looks.forget_all()
        looks.tick(20.0)
        assert looks.to_report(30.0) == [ConnectionsGone(other.public)]
        for one in (*ours, *theirs):
            one.close()


def test_a_connection_that_is_reported_after_its_first_message_is_its_devices_all_the_same():
    activity, keys = Activity(), new_keys()
    looks = ConnectionLimits(RefusalLog(), 1000, list, activity, lambda: None)
    with tcp.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        theirs = [tcp.create_connection(server.getsockname()) for _ in range(DEVICE_MAX + 1)]
        ours = [server.accept()[0] for _ in theirs]
        for one in ours:
            frame = FrameOver(one.fileno())
            assert not looks.knows(frame, Socket.BULK)
            found = looks.frame_came(frame, Socket.BULK, keys.public, 1.0)
            assert found is not None and found.device == keys.public
            looks.accepted(Socket.BULK, one.fileno(), port, 1.0)
        assert ours[0].recv(1) == b"", "the oldest went"
        looks.tick(1.0 + rules.SILENT_S + 0.1)
        assert looks.has_seen(keys.public), "none of them is silent"
        theirs[-1].send(b"x")
        assert ours[-1].recv(1) == b"x", "and none was ended for it"
        for one in (*ours, *theirs, activity):
            one.close()
