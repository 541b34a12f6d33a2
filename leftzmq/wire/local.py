"""Encodes the agent's local messages: events for monitors, questions and replies for the command
line.

Both go over ipc sockets in the state directory of this agent, never to another device. What arrives
is checked all the same, because a broken tool must not stop an agent. What is sent always fits, so
no event or reply can stop an agent.

Knows the bytes of events, questions and replies. Must not know what any of them is about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from leftzmq.errors import Refusal, Refused
from leftzmq.quick_enum import QuickEnum
from leftzmq.wire.replies import ErrorReply
from leftzmq.wire.strict import Frame, SizeLimits, pack, unpack

Scalar = str | int | float | bool | None

MAX_EVENT_BYTES: Final = 64 << 10
MAX_ASK_BYTES: Final = 64 << 10
MAX_REPLY_BYTES: Final = 16 << 20
MAX_REPLY_LEVELS: Final = 16
MAX_VERB_LETTERS: Final = 64
_NUMBER_BYTES: Final = 8
_FIELD_BYTES: Final = 20
"""Of a field, in addition to its texts: the headers of key and value, or a number."""
_EVENT_HEAD_BYTES: Final = 41
_MAPS: Final = (dict, Mapping)  # in this order: to ask for a Mapping is slow
_LEAST: Final = -(1 << 63)  # of the integers that msgpack can hold
_MOST: Final = (1 << 64) - 1

_EVENT_LIMITS: Final = SizeLimits(
    frame=MAX_EVENT_BYTES, str=MAX_EVENT_BYTES, bin=0, array=3, map=256
)
_ASK_LIMITS: Final = SizeLimits(frame=MAX_ASK_BYTES, str=MAX_ASK_BYTES, bin=0, array=2, map=256)
_REPLY_LIMITS: Final = SizeLimits(
    frame=MAX_REPLY_BYTES, str=MAX_REPLY_BYTES, bin=0, array=1 << 20, map=1 << 16
)


class EventKind(QuickEnum):
    """What an agent reports to its monitors. The value is the topic to subscribe to."""

    SCAN = "scan"
    HAVE_NEWS = "have_news"
    TICKET = "ticket"
    PROGRESS = "progress"
    START_RENAME = "start_rename"
    FINISHED = "finished"
    PEER_UP = "peer_up"
    PEER_DOWN = "peer_down"
    PEER_LIST = "peer_list"
    JOINED = "joined"
    FOLDER_ADDED = "folder_added"
    PROBLEM = "problem"
    CONFLICT = "conflict"
    RULES = "rules"
    SWEPT = "swept"
    HELD = "held"
    READY = "ready"
    STOPPED = "stopped"
    REFUSED = "refused"


class Event(Struct, frozen=True):
    """One thing that happened in an agent.

    number: counts the events of this run of the agent; a gap means that the monitor lost some
    unix_time: seconds since the epoch
    began: when this run began, in seconds since the epoch; two runs use the same numbers
    """

    kind: EventKind
    number: int
    unix_time: float
    fields: Mapping[str, Scalar]
    began: float


class Question(Struct, frozen=True):
    """A question of the command line."""

    verb: str
    fields: Mapping[str, Scalar]


def bounded(fields: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the fields of an event as they are sent: they fit MAX_EVENT_BYTES, whatever is in
    them.

    If they would not fit, every text is cut off at the same number of bytes, and ends in "...".
    """
    return fitted(fields)[0]


def fitted(fields: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], int]:
    """Return the same, and the bytes that they take in an event, or an upper bound of them."""
    room = MAX_EVENT_BYTES - _EVENT_HEAD_BYTES
    said = dict(fields)
    plain = _plain_bytes(said)
    if 0 <= plain <= room:
        return said, plain
    said = sayable(fields)
    if (most := fields_bytes(said)) <= room:
        return said, most
    each = room // len(said) - _FIELD_BYTES
    cut = {_cut(key, each // 2): _cut(value, each // 2) for key, value in said.items()}
    return cut, fields_bytes(cut)


def _plain_bytes(fields: dict[str, Scalar]) -> int:
    """Return the bytes of these fields in an event, if they can be said as they are; -1: they
    cannot. Nearly all can, and one call into msgpack says so."""
    try:
        return len(pack(fields))
    except (UnicodeEncodeError, OverflowError, TypeError):
        return -1


def fields_bytes(fields: Mapping[str, Scalar]) -> int:
    """Return an upper bound of the bytes that these fields, as `bounded` returns them, take in an
    event."""
    texts = (text.encode() for pair in fields.items() for text in pair if isinstance(text, str))
    return len(fields) * _FIELD_BYTES + sum(map(len, texts))


def encode_event(event: Event) -> list[bytes]:
    """Return [topic, number as 8 bytes big-endian, msgpack [unix_time, fields, began]]; it fits."""
    body = pack([float(event.unix_time), bounded(event.fields), float(event.began)])
    return [event.kind.value.encode(), event.number.to_bytes(_NUMBER_BYTES, "big"), body]


def decode_event(frames: list[bytes]) -> Event:
    """Return the event in these frames; the inverse of `encode_event`. Raises Refused."""
    if len(frames) != 3:
        refusal = Refusal.TOO_MANY_FRAMES if len(frames) > 3 else Refusal.WRONG_SHAPE
        raise Refused(refusal, f"an event of {len(frames)} frames")
    topic, number, body = frames
    kind = _KINDS.get(bytes(topic))
    if kind is None:
        raise Refused(Refusal.UNKNOWN_MESSAGE, f"event {bytes(topic[:40])!r}")
    if len(number) != _NUMBER_BYTES:
        raise Refused(Refusal.WRONG_SHAPE, "an event's number is 8 bytes")
    match unpack(body, _EVENT_LIMITS):
        case [float(unix_time), dict(fields), float(began)] if math.isfinite(unix_time + began):
            count = int.from_bytes(number, "big")
            return Event(kind, count, unix_time, _scalars(fields), began)
    raise Refused(Refusal.WRONG_SHAPE, "an event's body is [time, fields, began]")


def encode_ask(verb: str, fields: Mapping[str, Scalar]) -> bytes:
    """Return msgpack [verb, fields]."""
    return pack([verb, sayable(fields)])


def decode_ask(frame: Frame) -> Question:
    """Return the question in this frame; the inverse of `encode_ask`. Raises Refused."""
    match unpack(frame, _ASK_LIMITS):
        case [str(verb), dict(fields)] if 0 < len(verb) <= MAX_VERB_LETTERS:
            return Question(verb, _scalars(fields))
    raise Refused(Refusal.WRONG_SHAPE, "a question is [verb, fields]")


def encode_reply(fields: Mapping[str, Any]) -> bytes:
    """Return the msgpack of a map of values that JSON has, too. It always fits: an answer that is
    too long becomes an error reply."""
    frame = pack(sayable(fields))
    if len(frame) <= MAX_REPLY_BYTES:
        return frame
    error = f"the answer is too long: {len(frame)} bytes, {MAX_REPLY_BYTES} are allowed"
    return pack(ErrorReply(error=error).fields())


def packed_bytes(value: Any) -> int:
    """Return the bytes that this value takes in a reply."""
    return len(pack(sayable(value)))


def decode_reply(frame: Frame) -> dict[str, Any]:
    """Return the reply in this frame; the inverse of `encode_reply`. Raises Refused."""
    reply = unpack(frame, _REPLY_LIMITS)
    if type(reply) is not dict:
        raise Refused(Refusal.WRONG_SHAPE, "a reply is a map")
    _check_json(reply, MAX_REPLY_LEVELS)
    return reply


_KINDS: Final = {kind.value.encode(): kind for kind in EventKind}


def sayable(value: Any) -> Any:
    """Return `value` as msgpack can hold it. Names that are not UTF-8 are escaped (they are
    Problems, so they are shown). An integer that is too large (a sum of sizes) becomes the largest
    one."""
    if isinstance(value, str):
        if value.isascii():
            return str(value)
        return value.encode("utf-8", "backslashreplace").decode()
    if type(value) is int:
        return value if _LEAST <= value <= _MOST else max(_LEAST, min(value, _MOST))
    if isinstance(value, _MAPS):
        return {sayable(key): sayable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [sayable(item) for item in value]
    return value


def _cut(value: Any, most_bytes: int) -> Any:
    if not isinstance(value, str) or len(raw := value.encode()) <= most_bytes:
        return value
    return raw[: max(0, most_bytes - 3)].decode(errors="ignore") + "..."


def _scalars(fields: dict[Any, Any]) -> dict[str, Scalar]:
    for name, value in fields.items():
        if type(name) is not str or isinstance(value, list | dict | bytes):
            raise Refused(Refusal.WRONG_SHAPE, f"field {name!r:.60}")
    return fields


def _check_json(value: object, levels: int) -> None:
    if isinstance(value, bytes) or levels < 0:
        raise Refused(Refusal.WRONG_SHAPE, "not what JSON knows, or nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                raise Refused(Refusal.WRONG_SHAPE, f"key {key!r:.60}")
            _check_json(item, levels - 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, levels - 1)
