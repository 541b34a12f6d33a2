"""Encodes messages as frames and decodes them: limits, tags, versions. docs/protocol.md is the
authority.

Knows which message belongs on which socket. Must not know what follows from a message, nor what
lies inside a seal (wire/page).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from leftzmq.content.seal import MAC_BYTES
from leftzmq.errors import Refusal, Refused, versions_differ
from leftzmq.wire.messages import (
    MAX_ASKS,
    MAX_BODY_BYTES,
    MAX_BULK_HEADER_BYTES,
    MAX_CONTROL_FRAME_BYTES,
    MAX_FOLDERS,
    MAX_NEWS_FRAME_BYTES,
    VERSION,
    Bye,
    Chunks,
    Done,
    EpochKey,
    EpochWanted,
    Get,
    Giving,
    Have,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    Open,
    Reading,
    Refusing,
    Report,
    RosterPart,
    Welcome,
)
from leftzmq.wire.strict import Frame, SizeLimits, head_of, pack, shaped, unpack

_TEXT_BYTES: Final = 4 * 256  # a ShortText of the widest characters


class Socket(Enum):
    """The sockets that other devices reach, with the limits of a frame on each."""

    CONTROL = "control"
    NEWS = "news"
    BULK = "bulk"

    @property
    def limits(self) -> SizeLimits:
        return _LIMITS[self]

    @property
    def carries(self) -> frozenset[type[Message]]:
        """The messages that this socket may carry; any other message is refused as WRONG_SOCKET."""
        return _CARRIES[self]


_LIMITS: Final = {
    Socket.CONTROL: SizeLimits(
        frame=MAX_CONTROL_FRAME_BYTES,
        str=_TEXT_BYTES,
        bin=MAX_CONTROL_FRAME_BYTES,
        array=MAX_FOLDERS,
    ),
    Socket.NEWS: SizeLimits(
        frame=MAX_NEWS_FRAME_BYTES, str=_TEXT_BYTES, bin=MAX_NEWS_FRAME_BYTES, array=8
    ),
    Socket.BULK: SizeLimits(frame=MAX_BULK_HEADER_BYTES, str=_TEXT_BYTES, bin=64, array=MAX_ASKS),
}

_CARRIES: Final[dict[Socket, frozenset[type[Message]]]] = {
    Socket.CONTROL: frozenset(
        (
            Hello,
            Welcome,
            Refusing,
            IndexSince,
            IndexPage,
            News,
            Have,
            Bye,
            RosterPart,
            EpochKey,
            EpochWanted,
            Reading,
            Done,
            Giving,
            Report,
        ),
    ),
    Socket.NEWS: frozenset((News,)),
    Socket.BULK: frozenset((Open, Get, Chunks)),
}

_BY_TAG: Final[dict[int, type[Message]]] = {
    kind.__struct_config__.tag: kind  # type: ignore[misc]
    for kinds in _CARRIES.values()
    for kind in kinds
}

_ROOM: Final = {kind: socket.limits.frame for socket, kinds in _CARRIES.items() for kind in kinds}

_GREETINGS: Final = frozenset((Hello, Welcome, Open))
"""Their second field is the version, in every version of the protocol. Refusing has it too, but is
accepted with any version: its shape never changes, so that a refusal can always be read."""


def encode(message: Message) -> bytes:
    """Return one frame: the msgpack array [tag, field, ...].

    Every message that is within the ranges of messages.py fits the limit of its socket.
    """
    frame = pack(message)
    assert len(frame) <= _ROOM[type(message)], "the other side would refuse it as too long"
    return frame


def decode(frame: Frame, socket: Socket) -> Message:
    """Return the message in a frame that came over `socket`.

    Raises Refused, and nothing else, for any bytes: TOO_LONG, NOT_MSGPACK, UNKNOWN_MESSAGE,
    WRONG_SOCKET, OTHER_VERSION, WRONG_SHAPE, OUT_OF_RANGE.
    """
    try:
        value = unpack(frame, socket.limits)
    except Refused as refused:
        # A message for another socket, or a greeting of another version, may exceed the limits of
        # this socket. The refusal then names that reason.
        if refused.refusal is Refusal.NOT_MSGPACK:
            _check_head(head_of(frame), socket)
        raise
    if type(value) is not list or not value or type(value[0]) is not int:
        raise Refused(Refusal.WRONG_SHAPE, "not an array that begins with a number")
    kind = _check_head(value, socket)
    if kind is None:
        raise Refused(Refusal.UNKNOWN_MESSAGE, f"number {value[0]}")
    message = shaped(value, kind)
    if type(message) is Get:
        _check_asks(message)
    return message


def kind_of(frame: Frame) -> type[Message] | None:
    """Return the kind of message that a frame begins as, whatever follows; None if there is none.

    Looks at 23 bytes at most.
    """
    head = head_of(frame)
    return _BY_TAG.get(head[0]) if head and type(head[0]) is int else None


def check_body(header: Chunks, body_length: int) -> None:
    """Check that the body after `header` is as long as its boxes together.

    Raises Refused: WRONG_BODY, or TOO_LONG for more than a body may ever hold.
    """
    if body_length > MAX_BODY_BYTES:
        raise Refused(Refusal.TOO_LONG, f"a body of {body_length} bytes")
    named = sum(part.length + MAC_BYTES for part in header.parts)
    if named != body_length:
        raise Refused(Refusal.WRONG_BODY, f"{body_length} bytes came, {named} were named")


def _check_head(head: Sequence[object], socket: Socket) -> type[Message] | None:
    """Return the kind of message that begins with these items; None if there is no such kind."""
    kind = _BY_TAG.get(head[0]) if head and type(head[0]) is int else None
    if kind is None:
        return None
    if kind not in socket.carries:
        raise Refused(Refusal.WRONG_SOCKET, f"{kind.__name__} on {socket.value}")
    if kind in _GREETINGS and len(head) > 1:
        version = head[1]
        if type(version) is int and version != VERSION:
            raise Refused(Refusal.OTHER_VERSION, versions_differ(version, VERSION))
    return kind


def _check_asks(get: Get) -> None:
    asked = len(get.lists) + sum(len(want.asks) for want in get.wants)
    if asked > MAX_ASKS:
        raise Refused(Refusal.OUT_OF_RANGE, f"Get: {asked} asks, {MAX_ASKS} are allowed")
