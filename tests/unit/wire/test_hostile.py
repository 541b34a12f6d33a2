"""Whatever bytes come: a message comes out, or Refused, and nothing else."""

from __future__ import annotations

import tracemalloc

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.errors import Refusal, Refused
from leftzmq.wire.codec import Socket, decode, encode
from leftzmq.wire.messages import VERSION, Message
from tests.helpers.wire_vectors import NAMES, VECTORS

golden = pytest.mark.parametrize(("message", "socket", "frame"), VECTORS, ids=NAMES)


def taken(frame: bytes, socket: Socket) -> Message | None:
    try:
        message = decode(frame, socket)
    except Refused:
        return None
    # What was taken is a value that the protocol can say: it survives another round.
    assert type(message) in socket.carries
    assert decode(encode(message), socket) == message
    return message


@golden
def test_cut_off_anywhere_it_is_refused(message: Message, socket: Socket, frame: bytes) -> None:
    for length in range(len(frame)):
        with pytest.raises(Refused):
            decode(frame[:length], socket)


@golden
def test_a_byte_after_it_is_refused(message: Message, socket: Socket, frame: bytes) -> None:
    for more in (b"\0", b"\xc0", frame):
        with pytest.raises(Refused):
            decode(frame + more, socket)


@golden
def test_any_flipped_bit_is_a_message_or_refused(
    message: Message, socket: Socket, frame: bytes
) -> None:
    for at in range(len(frame)):
        for bit in range(8):
            flipped = bytearray(frame)
            flipped[at] ^= 1 << bit
            assert taken(bytes(flipped), socket) != message


@settings(max_examples=300, deadline=None)
@given(frame=st.binary(max_size=300), socket=st.sampled_from(Socket))
def test_random_bytes(frame: bytes, socket: Socket) -> None:
    taken(frame, socket)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_mutated_vectors(data: st.DataObject) -> None:
    _, socket, golden_frame = data.draw(st.sampled_from(VECTORS))
    frame = bytearray(golden_frame)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(frame)))
        end = min(len(frame), at + data.draw(st.integers(0, 4)))
        frame[at:end] = data.draw(st.binary(max_size=4))
    taken(bytes(frame), socket)


_scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=40),
)
_plain = st.recursive(
    _scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    tag=st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 18]),
    fields=st.lists(_plain, max_size=8),
    socket=st.sampled_from(Socket),
)
def test_well_formed_nonsense(tag: int, fields: list[object], socket: Socket) -> None:
    taken(msgpack.packb([tag, *fields]), socket)


BOMBS = {
    "deep arrays": b"\x91" * 60_000,
    "deep arrays of a hundred": b"\xdc\x00\x40" * 20_000,
    "array of four billion": b"\xdd\xff\xff\xff\xff",
    "map of four billion": b"\xdf\xff\xff\xff\xff",
    "string of four billion": b"\xdb\xff\xff\xff\xff",
    "bytes of four billion": b"\xc6\xff\xff\xff\xff",
    "extension of four billion": b"\xc9\xff\xff\xff\xff\x01",
    "many small arrays": b"\xdc\x00\x40" + b"\x90" * 60_000,
    "map": b"\x93\x01%c\x81\xa1a\x01" % VERSION,
    "map whose key is a map": b"\x81\x80\x01",
    "map whose key is an array": b"\x81\x91\x01\x01",
    "empty maps": b"\xdc\x00\x40" + b"\x80" * 64,
    "extension": b"\x92\x01\xd4\x05\x00",
    "empty extension": b"\x92\x01\xc7\x00\x05",
    "timestamp": b"\x92\x01\xd6\xff\x00\x00\x00\x00",
    "empty timestamp": b"\x92\x01\xc7\x00\xff",
    "reserved byte": b"\xc1",
    "not UTF-8": b"\x92\x08\xa1\xff",
    "surrogate": b"\x92\x08\xa3\xed\xa0\x80",
    "overlong UTF-8": b"\x92\x08\xa2\xc0\xaf",
    "nothing": b"",
    "two messages": b"\x92\x10%c\x92\x10%c" % (VERSION, VERSION),
}


@pytest.mark.parametrize("socket", Socket)
@pytest.mark.parametrize("frame", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_and_cost_little(frame: bytes, socket: Socket) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Refused) as caught:
            decode(frame, socket)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.refusal in (
        Refusal.NOT_MSGPACK,
        Refusal.WRONG_SHAPE,
        Refusal.WRONG_SOCKET,  # some of them begin like a message of another socket
    )
    assert peak < 16 << 20


@pytest.mark.parametrize("kind", ["extension", "empty extension", "timestamp", "empty timestamp"])
def test_no_extension_is_even_unpacked(kind: str) -> None:
    with pytest.raises(Refused) as caught:
        decode(BOMBS[kind], Socket.CONTROL)
    assert caught.value.refusal is Refusal.NOT_MSGPACK
