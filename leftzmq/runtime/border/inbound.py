"""Turns what the bus returned into facts, and answers what no machine needs to know.

Knows who is asked about each kind of frame: the rate limits first, then the seals, the desk, the
event log. Must not know what a fact means.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from leftzmq.errors import LeftError, Refusal
from leftzmq.runtime.border.seals import Seals
from leftzmq.runtime.event_log import EventLog, Teller
from leftzmq.sync.facts import Asked, DoctorAsked, Fact, MachineSeen, StrangerRefused
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport.decode import AdminAsk, EpochKeySealed, RosterSealed, SealedArrived, read
from leftzmq.transport.frames import Knocked, Raw, RawFrame
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.wire.codec import Socket
from leftzmq.wire.local import Scalar, encode_reply
from leftzmq.wire.messages import VERSION, Refusing
from leftzmq.wire.replies import DeclinedReply, Reply, WhyDeclined
from leftzmq.wire.strict import Frame

MAX_DETAIL_LETTERS: Final = 256  # of messages.ShortText


class Replies(Protocol):
    """What is used of the bus."""

    def answer(self, asker: bytes, frame: bytes) -> bool: ...

    def send(self, link: Link, message: Refusing) -> bool: ...


class Answers(Protocol):
    """What answers some verbs at once."""

    def knows(self, verb: str) -> bool: ...

    def answer(self, verb: str, fields: Mapping[str, Scalar]) -> dict[str, Any]: ...


class Desk(Answers, Protocol):
    """What is used of the pairing desk."""

    def on_knocked(self, knocked: Knocked) -> None: ...


class ReadsConfig(Protocol):
    """What is used of the follower of peer.toml."""

    def reload(self) -> Reply:
        """Raises LeftError."""


class Inbound:
    """One per agent.

    admit: checks a frame of a device before it is decoded; returns the refusal, if there is one
    machine: returns what is seen of this machine now
    metrics: returns the figures of the agent as they are now
    clock: returns monotonic seconds
    """

    def __init__(
        self,
        admit: Callable[[DeviceKey, Frame, float], StrangerRefused | None],
        seals: Seals,
        desk: Desk,
        follower: ReadsConfig,
        pauses: Answers,
        metrics: Callable[[], Reply],
        event_log: EventLog,
        replies: Replies,
        teller: Teller,
        machine: Callable[[], MachineSeen],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admit, self._seals, self._desk = admit, seals, desk
        self._follower, self._pauses, self._metrics = follower, pauses, metrics
        self._event_log, self._replies, self._teller = event_log, replies, teller
        self._machine, self._clock = machine, clock

    def fact_of(self, raw: Raw) -> Fact | None:
        """Return the fact in what the bus returned; None if no machine needs it."""
        fact = self._too_fast(raw) or read(raw)
        match fact:
            case SocketTrouble(text):
                self._teller.say("", text)
                return None
            case Knocked():
                self._desk.on_knocked(fact)
                return None
            case SealedArrived():
                return self._seals.open_page(fact)
            case RosterSealed():
                return self._seals.open_roster(fact)
            case EpochKeySealed():
                return self._seals.open_epoch_key(fact)
            case AdminAsk(asker, "events", fields):
                after = fields.get("after")
                reply = self._event_log.reply(after if type(after) is int else 0)
                self._replies.answer(asker, encode_reply(reply))
                return None
            case AdminAsk(asker, "reload", _):
                self._replies.answer(asker, encode_reply(self._reloaded().fields()))
                return None
            case AdminAsk(asker, "doctor", _):
                return DoctorAsked(asker, self._machine())
            case AdminAsk(asker, "metrics", _):
                self._replies.answer(asker, encode_reply(self._metrics().fields()))
                return None
            case AdminAsk(asker, verb, fields) if self._desk.knows(verb):
                self._replies.answer(asker, encode_reply(self._desk.answer(verb, fields)))
                return None
            case AdminAsk(asker, verb, fields) if self._pauses.knows(verb):
                self._replies.answer(asker, encode_reply(self._pauses.answer(verb, fields)))
                return None
            case AdminAsk(asker, verb, fields):
                return Asked(asker, verb, dict(fields))
            case StrangerRefused() if isinstance(raw, RawFrame):
                self._refuse(raw, fact)
        return fact

    def _reloaded(self) -> Reply:
        try:
            return self._follower.reload()
        except LeftError as error:
            why = WhyDeclined(what=error.what, where=error.where, do=error.do)
            return DeclinedReply(declined=why)

    def _too_fast(self, raw: Raw) -> Fact | None:
        """Check the rate limits before anything is decoded. Return the refusal, if there is one."""
        if not isinstance(raw, RawFrame):
            return None
        return self._admit(raw.link.device, raw.frames[0].buffer, self._clock())

    def _refuse(self, raw: RawFrame, refused: StrangerRefused) -> None:
        """Answer a hello in another version: otherwise its sender could not know the reason."""
        link = raw.link
        asks = raw.socket is Socket.CONTROL and link.way is Way.CAME
        if asks and refused.refusal is Refusal.OTHER_VERSION:
            detail = refused.detail[:MAX_DETAIL_LETTERS]
            self._replies.send(link, Refusing(VERSION, refused.refusal.name, detail))
