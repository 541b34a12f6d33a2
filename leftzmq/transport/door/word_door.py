"""The word door: answers who asks for an invitation's code with the words.

A plain TCP listener with messages of fixed lengths, in a thread of the process that shows the words
(`leftzmq share`), never in the agent. It ends with that process, and holds nothing but the code.

Knows connections, their bounds and times, and how many guesses there are. Must not know what is
computed of the words (content/word_exchange), nor what the code leads to.
"""

from __future__ import annotations

import errno
import selectors
import socket as tcp
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from leftzmq.content.seal import NONCE_BYTES
from leftzmq.content.word_exchange import (
    CONFIRM_BYTES,
    OPENING_BYTES,
    Random,
    WordOffer,
    WordVerdict,
)
from leftzmq.errors import PortTaken
from leftzmq.pairing.words import WORDS_PORT, Words

GUESTS_MAX: Final = 8
OPENING_S: Final = 5.0
GRACE_S: Final = 0.25
"""For an opening to arrive, in which no newer connection cuts a silent one: a joiner sends it at
once. The newer ones wait in the system's queue."""
CONFIRM_S: Final = 3.0
ANSWER_S: Final = 1.0
"""From the confirmation to the answer: on a grid, so that how long a judgement took says
nothing."""
TRIES: Final = 3
STARTS_A_SECOND: Final = 4
ACCEPTS_A_SECOND: Final = 50
_BACKLOG: Final = 8
_JUDGED_S: Final = 0.03
"""What a judgement takes at most (12 ms on a quiet machine). None is begun so soon before an
answer."""
_REST_S: Final = 0.5  # where no descriptor is free


class WordsEnd(Enum):
    """Why the words are answered no more. The value is the clause that a user reads."""

    NONE = "they are answered"
    TRIED = "three wrong words were tried"
    FETCHED = "they were used"
    CLOSED = "the invitation is over"
    BROKEN = "the system lets nobody in any more"


class WordDoor:
    """Open from the constructor to `close`, or to one of the other ends.

    code: what the words fetch. fetches: how often. host: at which it listens, as [device] listen
    has it; :: is IPv4, too. random: returns so many random bytes. answer_s: from a confirmation to
    its answer. clock: monotonic seconds
    Raises PortTaken where the host cannot be bound.
    """

    def __init__(
        self,
        words: Words,
        code: str,
        fetches: int,
        host: str,
        random: Random,
        port: int = WORDS_PORT,
        answer_s: float = ANSWER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._words, self._code, self._fetches = words, code, fetches
        self._random, self._answer_s, self._clock = random, answer_s, clock
        self._listener = _listening(host, port)
        self.port: int = self._listener.getsockname()[1]
        """7709, or where that is taken any."""
        self.end = WordsEnd.NONE
        self._tries = self._reserved = self._delivered = 0
        self._guests: list[_Guest] = []
        self._accepts, self._starts = _Pace(ACCEPTS_A_SECOND), _Pace(STARTS_A_SECOND)
        self._offers = deque([self._offer()])
        self._deaf_until = 0.0
        self._wakes, self._woken = tcp.socketpair()
        self._thread = threading.Thread(target=self._run, name="words", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all connections, and free the port."""
        self._wakes.close()
        self._thread.join()

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._serve()
        except OSError:
            self._finish(WordsEnd.BROKEN)
        finally:
            self._finish(WordsEnd.CLOSED)
            for guest in list(self._guests):
                self._drop(guest)
            self._woken.close()

    def _serve(self) -> None:
        while self.end is WordsEnd.NONE or self._guests:
            now = self._clock()
            self._answer_due(now)
            self._drop_late(now)
            self._begin_next(now)
            self._judge_next(now)
            ready = self._ready(self._clock())
            if self._woken in ready:
                return
            for guest in list(self._guests):
                if guest.socket in ready:
                    self._read(guest)
            if self._listener in ready:
                self._accept(self._clock())
            if len(self._offers) < GUESTS_MAX and not ready:
                self._offers.append(self._offer())

    def _ready(self, now: float) -> set[tcp.socket]:
        """Wait until something can be read, or until something is due. Return what can be read."""
        due = [guest.due for guest in self._guests]
        listens = self.end is WordsEnd.NONE
        opens = max(self._accepts.free_at(now), self._deaf_until, self._room_at(now))
        if listens and opens > now:
            due.append(opens)
            listens = False
        if any(guest.stage is GuestStage.ASKED for guest in self._guests):
            due.append(self._starts.free_at(now))
        if any(guest.stage is GuestStage.CONFIRMED for guest in self._guests):
            due.append(self._judges_at(now))
        if listens and len(self._offers) < GUESTS_MAX:
            due.append(now)
        wait_s = None if not due else max(0.0, min(due) - now)
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if listens:
                selector.register(self._listener, selectors.EVENT_READ)
            for guest in self._guests:
                selector.register(guest.socket, selectors.EVENT_READ)
            return {key.fileobj for key, _ in selector.select(wait_s)}  # type: ignore[misc]

    def _room_at(self, now: float) -> float:
        """Return when one more connection can be accepted: into a free place, into that of the
        oldest silent one, or, where all have begun, to be closed."""
        silent = next((one for one in self._guests if one.stage is GuestStage.SILENT), None)
        if len(self._guests) < GUESTS_MAX or silent is None:
            return now
        return silent.due - OPENING_S + GRACE_S

    def _accept(self, now: float) -> None:
        try:
            socket, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:  # no descriptor is free
            self._deaf_until = now + _REST_S
            return
        self._accepts.take(now)
        socket.setblocking(False)
        if len(self._guests) >= GUESTS_MAX:
            waiting = [one for one in self._guests if one.stage is GuestStage.SILENT]
            if not waiting:
                socket.close()
                return
            self._drop(waiting[0])
        self._guests.append(_Guest(socket, now + OPENING_S))

    def _read(self, guest: _Guest) -> None:
        """Take what a guest sent. More than its message, or something out of turn, ends it."""
        rest = _WANTED.get(guest.stage, 0) - len(guest.got)
        try:
            data = guest.socket.recv(max(0, rest) + 1)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        guest.got += data
        if not data or len(data) > rest:
            self._drop(guest)
        elif len(data) == rest and guest.stage is GuestStage.SILENT:
            guest.move(GuestMove.OPENING_CAME)
        elif len(data) == rest:
            guest.move(GuestMove.CONFIRMATION_CAME)
            guest.due = self._clock() + self._answer_s

    def _begin_next(self, now: float) -> None:
        """Answer one opening, the oldest, if there may be one more start in this second."""
        guest = next((one for one in self._guests if one.stage is GuestStage.ASKED), None)
        if guest is None or self._starts.free_at(now) > now:
            return
        offer = self._offers.popleft() if self._offers else self._offer()
        reply = offer.reply(bytes(guest.got))
        if reply is None:
            self._offers.append(offer)  # nobody has seen anything of it
            self._drop(guest)
            return
        self._starts.take(now)
        if not _sent(guest.socket, reply):
            self._drop(guest)
            return
        guest.move(GuestMove.REPLIED)
        guest.offer, guest.due = offer, now + CONFIRM_S
        guest.got.clear()

    def _judge_next(self, now: float) -> None:
        """Judge one confirmation. What it was worth counts at once, and is answered later."""
        confirmed = (one for one in self._guests if one.stage is GuestStage.CONFIRMED)
        guest = min(confirmed, key=lambda one: one.due, default=None)  # the one that came first
        if guest is None or self._judges_at(now) > now:
            return
        assert guest.offer is not None
        verdict = guest.offer.judge(bytes(guest.got))
        guest.move(GuestMove.JUDGED)
        guest.got.clear()
        if verdict is WordVerdict.WRONG:
            self._tries += 1
            if self._tries >= TRIES:
                self._finish(WordsEnd.TRIED)
        elif verdict is WordVerdict.RIGHT and self._reserved < self._fetches:
            self._reserved += 1
            guest.answer = guest.offer.box(self._code, self._random(NONCE_BYTES))

    def _judges_at(self, now: float) -> float:
        """Return when a judgement can begin so that no answer is late for it."""
        due = (one.due for one in self._guests if one.stage is GuestStage.JUDGED)
        return max((at for at in due if now <= at < now + _JUDGED_S), default=now)

    def _answer_due(self, now: float) -> None:
        for guest in list(self._guests):
            if guest.stage is not GuestStage.JUDGED or now < guest.due:
                continue
            if guest.answer and _sent(guest.socket, guest.answer):
                guest.answer = b""
                self._delivered += 1
            self._drop(guest)
        if self._delivered >= self._fetches:
            self._finish(WordsEnd.FETCHED)

    def _drop_late(self, now: float) -> None:
        for guest in list(self._guests):
            if now >= guest.due and guest.stage in (
                GuestStage.SILENT,
                GuestStage.ASKED,
                GuestStage.STARTED,
            ):
                self._drop(guest)

    def _finish(self, end: WordsEnd) -> None:
        """Let nobody in any more. Who confirmed before is answered; nobody else is."""
        if self.end is not WordsEnd.NONE:
            return
        self._listener.close()
        self.end = end  # read by other threads: nobody comes in any more once it is set
        for guest in list(self._guests):
            if guest.stage is not GuestStage.JUDGED:
                self._drop(guest)

    def _drop(self, guest: _Guest) -> None:
        if guest.answer:  # it was not delivered: somebody else may fetch it
            self._reserved -= 1
        guest.socket.close()
        self._guests.remove(guest)

    def _offer(self) -> WordOffer:
        return WordOffer(self._words.secret, self._words.digit, self._random)


class GuestStage(Enum):
    """How far a connection is."""

    SILENT = "its opening has not come"
    ASKED = "its opening waits for an answer"
    STARTED = "its confirmation has not come"
    CONFIRMED = "its confirmation waits for a judgement"
    JUDGED = "it waits for its second"


class GuestMove(Enum):
    """What happens to a connection."""

    OPENING_CAME = auto()
    REPLIED = auto()
    CONFIRMATION_CAME = auto()
    JUDGED = auto()


S, M = GuestStage, GuestMove
MOVES: Final[dict[tuple[GuestStage, GuestMove], GuestStage]] = {
    # What cannot happen in a stage changes nothing.
    **{(stage, move): stage for stage in GuestStage for move in GuestMove},
    (S.SILENT, M.OPENING_CAME): S.ASKED,
    (S.ASKED, M.REPLIED): S.STARTED,
    (S.STARTED, M.CONFIRMATION_CAME): S.CONFIRMED,
    (S.CONFIRMED, M.JUDGED): S.JUDGED,
}


_WANTED: Final = {GuestStage.SILENT: OPENING_BYTES, GuestStage.STARTED: CONFIRM_BYTES}
"""How many bytes come in a stage; none in the others."""


@dataclass(slots=True, eq=False)
class _Guest:
    """A connection. due: when its stage ends (monotonic seconds). answer: b"": it is closed."""

    socket: tcp.socket
    due: float
    stage: GuestStage = GuestStage.SILENT
    got: bytearray = field(default_factory=bytearray)
    offer: WordOffer | None = None
    answer: bytes = b""

    def move(self, move: GuestMove) -> None:
        self.stage = MOVES[self.stage, move]


class _Pace:
    """How many of something may happen within a second."""

    def __init__(self, most: int) -> None:
        self._last: deque[float] = deque(maxlen=most)

    def free_at(self, now: float) -> float:
        full = len(self._last) == self._last.maxlen
        return max(now, self._last[0] + 1.0) if full else now

    def take(self, now: float) -> None:
        self._last.append(now)


def _sent(socket: tcp.socket, data: bytes) -> bool:
    """Send a message that any buffer has room for. False: the connection is gone."""
    try:
        return socket.send(data) == len(data)
    except OSError:
        return False


def _listening(host: str, port: int) -> tcp.socket:
    """Return a listener at the port, or where another program has it at any. Raises PortTaken."""
    for each in (port, 0):
        try:
            family, _, _, _, address = tcp.getaddrinfo(
                host, each, type=tcp.SOCK_STREAM, flags=tcp.AI_PASSIVE
            )[0]
            both = host == "::" and tcp.has_dualstack_ipv6()
            listener = tcp.create_server(
                address, family=family, backlog=_BACKLOG, dualstack_ipv6=both
            )
        except (OSError, UnicodeError) as error:
            if each and getattr(error, "errno", 0) in (errno.EADDRINUSE, errno.EACCES):
                continue
            what = f"the words cannot be answered there: {error}"
            raise PortTaken(what, host, "use the code, which is not concerned") from None
        listener.setblocking(False)
        return listener
    raise AssertionError("any port was free, or there was an error")
