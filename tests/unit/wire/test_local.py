"""Events, questions and replies on the agent's own doors."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.errors import Refusal, Refused
from leftzmq.wire.local import (
    MAX_ASK_BYTES,
    MAX_EVENT_BYTES,
    MAX_REPLY_BYTES,
    Event,
    EventKind,
    Question,
    bounded,
    decode_ask,
    decode_event,
    decode_reply,
    encode_ask,
    encode_event,
    encode_reply,
)

EVENT = Event(
    EventKind.FINISHED,
    258,
    1700000000.5,
    {"path": "a/b", "bytes": 7, "again": False, "why": None},
    1699999999.5,
)
EVENT_FRAMES = [
    b"finished",
    bytes.fromhex("0000000000000102"),
    bytes.fromhex(
        "93cb41d954fc4020000084a470617468a3612f62a5627974657307a5616761696ec2a3776879c0"
        "cb41d954fc3fe00000"
    ),
]
ASK = Question("wait", {"timeout": 2.5, "cookie": "x"})
ASK_FRAME = bytes.fromhex("92a47761697482a774696d656f7574cb4004000000000000a6636f6f6b6965a178")
REPLY: dict[str, Any] = {
    "folders": [{"id": "share", "files": 3, "rate": 0.5}],
    "ok": True,
    "e": None,
}
REPLY_FRAME = bytes.fromhex(
    "83a7666f6c646572739183a26964a57368617265a566696c657303a472617465cb3fe0000000000000"
    "a26f6bc3a165c0"
)


def refusal_of(decoder: Any, frame: Any) -> Refusal:
    with pytest.raises(Refused) as caught:
        decoder(frame)
    return caught.value.refusal


def test_an_event_is_its_golden_bytes() -> None:
    assert encode_event(EVENT) == EVENT_FRAMES
    assert decode_event(EVENT_FRAMES) == EVENT


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_goes_round(kind: EventKind) -> None:
    event = Event(kind, 2**64 - 1, 0.0, {}, 0.0)
    frames = encode_event(event)
    assert frames[0] == kind.value.encode()
    assert decode_event(frames) == event


def test_no_topic_is_the_beginning_of_another() -> None:
    """A subscription is a prefix: subscribing to one kind must not bring a second one."""
    topics = [kind.value for kind in EventKind]
    for one in topics:
        assert [other for other in topics if other.startswith(one)] == [one]


def test_a_question_and_a_reply_are_their_golden_bytes() -> None:
    assert encode_ask(ASK.verb, ASK.fields) == ASK_FRAME
    assert decode_ask(ASK_FRAME) == ASK
    assert encode_reply(REPLY) == REPLY_FRAME
    assert decode_reply(REPLY_FRAME) == REPLY


def test_nonsense_in_an_event_is_refused() -> None:
    topic, number, body = EVENT_FRAMES
    assert refusal_of(decode_event, []) is Refusal.WRONG_SHAPE
    assert refusal_of(decode_event, [topic, number]) is Refusal.WRONG_SHAPE
    assert refusal_of(decode_event, [topic, number, body, b""]) is Refusal.TOO_MANY_FRAMES
    assert refusal_of(decode_event, [b"gossip", number, body]) is Refusal.UNKNOWN_MESSAGE
    assert refusal_of(decode_event, [topic, number[1:], body]) is Refusal.WRONG_SHAPE
    for wrong in (
        [1, {}],
        [True, {}],
        [float("nan"), {}],
        [float("inf"), {}],
        ["now", {}],
        [1.0],
        [1.0, []],
        [1.0, {"a": []}],
        [1.0, {"a": {}}],
    ):
        frames = [topic, number, msgpack.packb(wrong)]
        assert refusal_of(decode_event, frames) is Refusal.WRONG_SHAPE, wrong
    for bad in ({1: 2}, {"a": b"raw"}):
        frames = [topic, number, msgpack.packb([1.0, bad])]
        with pytest.raises(Refused):
            decode_event(frames)
    assert refusal_of(decode_event, [topic, number, body + b"\0"]) is Refusal.NOT_MSGPACK


def test_nonsense_in_a_question_is_refused() -> None:
    for wrong in (["", {}], ["x" * 65, {}], [1, {}], ["x"], ["x", []], ["x", {"a": [1]}], 5):
        assert refusal_of(decode_ask, msgpack.packb(wrong)) is Refusal.WRONG_SHAPE, wrong
    assert refusal_of(decode_ask, bytes(MAX_ASK_BYTES + 1)) is Refusal.TOO_LONG
    assert refusal_of(decode_ask, b"\xdf\xff\xff\xff\xff") is Refusal.NOT_MSGPACK


def test_nonsense_in_a_reply_is_refused() -> None:
    deep: Any = 1
    for _ in range(17):
        deep = [deep]
    for wrong in ([], 5, {"a": deep}, {"a": [b""]}):
        assert refusal_of(decode_reply, msgpack.packb(wrong)) is Refusal.WRONG_SHAPE, wrong
    assert refusal_of(decode_reply, msgpack.packb({"a": {1: 2}})) is Refusal.NOT_MSGPACK
    assert refusal_of(decode_reply, b"\x91" * 5000) is Refusal.NOT_MSGPACK


def test_a_reply_that_is_too_long_is_an_error_to_the_asker() -> None:
    reply = decode_reply(encode_reply({"a": "x" * MAX_REPLY_BYTES}))
    assert list(reply) == ["error"] and "too long" in reply["error"]


def test_a_name_that_is_not_utf8_can_be_told_of() -> None:
    name = b"caf\xe9".decode(errors="surrogateescape")
    frames = encode_event(Event(EventKind.PROBLEM, 1, 0.0, {"path": name}, 0.0))
    assert decode_event(frames).fields == {"path": "caf\\udce9"}
    assert decode_reply(encode_reply({"problems": [{"path": name}]})) == {
        "problems": [{"path": "caf\\udce9"}]
    }
    assert decode_ask(encode_ask("x", {name: name})).fields == {"caf\\udce9": "caf\\udce9"}


@settings(max_examples=200, deadline=None)
@given(frame=st.binary(max_size=100))
def test_random_bytes(frame: bytes) -> None:
    for decoder in (decode_ask, decode_reply, lambda f: decode_event([b"scan", bytes(8), f])):
        try:
            decoder(frame)
        except Refused:
            continue


@pytest.mark.parametrize("frame", [EVENT_FRAMES[2], ASK_FRAME, REPLY_FRAME])
def test_cut_off_or_flipped(frame: bytes) -> None:
    decoders = (decode_ask, decode_reply, lambda f: decode_event([b"scan", bytes(8), f]))
    flipped = [
        frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1 :]
        for at in range(len(frame))
        for bit in range(8)
    ]
    for decoder in decoders:
        for length in range(len(frame)):
            with pytest.raises(Refused):
                decoder(frame[:length])
        for other in flipped:
            try:
                decoder(other)
            except Refused:
                continue


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\udce9", "\x00"])
@pytest.mark.parametrize("count", [1, 3, 200])
def test_an_event_always_fits(letter: str, count: int) -> None:
    fields = {f"{number}": letter * 70_000 for number in range(count)}
    frames = encode_event(Event(EventKind.PROBLEM, 1, 0.0, fields, 0.0))
    assert len(frames[2]) <= MAX_EVENT_BYTES
    said = decode_event(frames).fields
    assert len(said) == count and all(str(text).endswith("...") for text in said.values())


def test_a_field_that_fits_is_not_cut_off() -> None:
    fields = {"path": "x" * 4096, "text": "x" * 20_000, "size": 2**60}
    assert bounded(fields) == fields


def test_a_number_that_is_too_large_is_the_largest() -> None:
    assert decode_reply(encode_reply({"a": 2**70, "b": -(2**70), "c": True})) == {
        "a": 2**64 - 1,
        "b": -(2**63),
        "c": True,
    }
    assert encode_event(Event(EventKind.SWEPT, 1, 0.0, {"bytes": 2**70}, 0.0))
