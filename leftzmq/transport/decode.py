"""Turns frames into facts: whatever the bytes are, the result is a fact.

Knows the codec and which message may have a body. Must not know sockets, nor folders' keys: sealed
parts stay sealed (runtime/border opens them).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from leftzmq.disk.fs.interface import Buffer
from leftzmq.errors import Refusal, Refused
from leftzmq.sync.facts import ChunksArrived, Fact, MessageArrived, StrangerRefused
from leftzmq.sync.link import Link
from leftzmq.transport.frames import Knocked, Raw, RawAsk, RawFrame
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.wire.codec import Socket, check_body, decode
from leftzmq.wire.local import Scalar, decode_ask
from leftzmq.wire.messages import Chunks, EpochKey, IndexPage, News, RosterPart


class SealedArrived(Struct, frozen=True):
    """A sealed page. answer: whether it answers index_since; else it is news."""

    link: Link
    tag: bytes
    sealed: bytes
    answer: bool


class RosterSealed(Struct, frozen=True):
    """A sealed part of the roster of the folder with this tag."""

    link: Link
    tag: bytes
    sealed: bytes


class EpochKeySealed(Struct, frozen=True):
    """The sealed secret of an epoch of the folder with this identity tag."""

    link: Link
    tag: bytes
    epoch: bytes
    sealed: bytes


Sealed = SealedArrived | RosterSealed | EpochKeySealed


class AdminAsk(Struct, frozen=True):
    """A question at the admin socket. asker: the routing id for the answer."""

    asker: bytes
    verb: str
    fields: Mapping[str, Scalar]


def read(raw: Raw) -> Fact | Sealed | AdminAsk | Knocked | SocketTrouble:
    """Return the fact in what the bus returned. Never raises: a refusal becomes a StrangerRefused.

    A body is not copied: it is a view of the frame in which zmq received it.
    """
    try:
        match raw:
            case RawFrame(link, socket, frames):
                body = frames[1].buffer if len(frames) > 1 else None
                return arrived(link, socket, frames[0].buffer, body)
            case RawAsk(asker, frame):
                ask = decode_ask(frame)
                return AdminAsk(asker, ask.verb, ask.fields)
    except Refused as refused:
        device = raw.link.device if isinstance(raw, RawFrame) else None
        return StrangerRefused(device, refused.refusal, refused.detail)
    return raw


def arrived(
    link: Link, socket: Socket, head: Buffer, body: Buffer | None
) -> MessageArrived | ChunksArrived | Sealed:
    """The fact in one message. body: its second frame. Raises Refused."""
    message = decode(head, socket)
    if isinstance(message, Chunks):
        check_body(message, 0 if body is None else len(body))
        return ChunksArrived(link, message, b"" if body is None else body)
    if body is not None:
        raise Refused(Refusal.TOO_MANY_FRAMES, f"a body after {type(message).__name__}")
    if isinstance(message, IndexPage | News):
        answer = isinstance(message, IndexPage)
        return SealedArrived(link, message.tag, message.sealed, answer)
    if isinstance(message, RosterPart):
        return RosterSealed(link, message.tag, message.sealed)
    if isinstance(message, EpochKey):
        return EpochKeySealed(link, message.tag, message.epoch, message.sealed)
    return MessageArrived(link, message)
