"""Strangers with a raw TCP connection: whatever they send, the agent goes on serving."""

from __future__ import annotations

import socket as tcp
from contextlib import suppress
from pathlib import Path

import pytest

from leftzmq.errors import Refusal
from leftzmq.sync.facts import LinkOpened, MessageArrived, StrangerRefused
from leftzmq.sync.link import Link, Way
from leftzmq.transport.decode import read
from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import MAX_BODY_BYTES, VERSION, Bye
from tests.helpers.buses import Side, during, sides, until

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
LONG_COMMAND, LONG_FRAME = b"\x06", b"\x02"  # flags of ZMTP 3.1, an 8-byte length follows
GIB = (1 << 30).to_bytes(8, "big")
RUBBISH = {
    "http": b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    "noise": bytes(range(256)) * 64,
    "zeros": bytes(100_000),
    "old version": b"\xff" + bytes(8) + b"\x7f\x01\x05",
    "half a greeting": GREETING[:40],
    "another mechanism": GREETING.replace(b"CURVE", b"NULL\0") + b"\x04\x05\x05READY",
    "no handshake": GREETING + LONG_FRAME + (100).to_bytes(8, "big") + bytes(100),
    "short hello": GREETING + b"\x04\x08\x05HELLO\0\0",
    "nothing": b"",
}


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


def dial(side: Side, kind: Socket) -> tcp.socket:
    endpoint = side.endpoint(kind)
    return tcp.create_connection((endpoint.host, endpoint.port), timeout=5)


def serves(side: Side, friend: Side, count: int) -> None:
    """`side` takes one more message of `friend`, the count-th."""
    assert friend.bus.send(Link(side.device, Way.DIALED), Bye(str(count)))
    until(
        lambda: len([r for r in map(read, side.raws) if isinstance(r, MessageArrived)]) == count,
        side,
        friend,
    )


@pytest.mark.parametrize("kind", Socket)
def test_rubbish_on_every_port(tmp_path, kind):
    with sides(tmp_path, 2) as (a, friend):
        friend.dials(a)
        until(lambda: friend.of(LinkOpened), a, friend)
        strangers = []
        for count, rubbish in enumerate(RUBBISH.values(), start=1):
            stranger = dial(a, kind)
            stranger.sendall(rubbish)
            strangers.append(stranger)
            serves(a, friend, count)
        during(0.1, a, friend)
        serves(a, friend, len(RUBBISH) + 1)
        for stranger in strangers:
            stranger.close()


@pytest.mark.parametrize("flags", [LONG_COMMAND, LONG_FRAME])
@pytest.mark.parametrize("kind", Socket)
def test_a_frame_of_a_gibibyte_is_cut_off_at_its_head(tmp_path, kind, flags):
    with sides(tmp_path, 2) as (a, friend):
        friend.dials(a)
        until(lambda: friend.of(LinkOpened), a, friend)
        before, sent = rss_mib(), 0
        stranger = dial(a, kind)
        stranger.settimeout(0.05)
        stranger.sendall(GREETING + flags + GIB)
        with pytest.raises(ConnectionError):
            while sent < 256 << 20:
                with suppress(TimeoutError):
                    sent += stranger.send(bytes(1 << 16))
                a.turn(0)
        stranger.close()
        assert rss_mib() - before < 32
        serves(a, friend, 1)


@pytest.mark.slow
def test_many_silent_connections_do_not_keep_a_friend_out(tmp_path):
    with sides(tmp_path, 2) as (a, friend):
        silent = [dial(a, Socket.CONTROL) for _ in range(200)]
        friend.dials(a)
        until(lambda: friend.of(LinkOpened), a, friend)
        serves(a, friend, 1)
        for stranger in silent:
            stranger.close()


@pytest.mark.parametrize(
    ("frames", "refusal"),
    [
        ([b"\xc1"], Refusal.NOT_MSGPACK),
        ([b""], Refusal.NOT_MSGPACK),
        ([b"\x91\x63"], Refusal.UNKNOWN_MESSAGE),
        ([b"\x92\x08\xa2hi"], Refusal.WRONG_SOCKET),
        ([bytes(MAX_BODY_BYTES)], Refusal.TOO_LONG),
        ([b"\x92\x10%c" % VERSION, b"a body"], Refusal.TOO_MANY_FRAMES),
        ([b"\x95\x12\x07\xc4\x10" + bytes(16) + b"\x90\x90", b"a body"], Refusal.WRONG_BODY),
    ],
)
def test_what_a_paired_device_must_not_send_is_a_fact_that_names_it(tmp_path, frames, refusal):
    with sides(tmp_path, 2) as (a, b):
        socket = a.client(Socket.BULK, b.keys)
        socket.send_multipart(frames)
        until(lambda: a.raws, a)
        (fact,) = map(read, a.raws)
        assert isinstance(fact, StrangerRefused)
        assert (fact.device, fact.refusal) == (b.device, refusal)
        socket.context.destroy(0)
