"""The invitations of this device: who may come in by which token, how often and how long.

Knows tokens by their marks only, uses, and two clocks. Must not know the door, nor what a device
gets that comes in. While the agent runs, an invitation ends by the monotonic clock; the wall clock
counts only across a start of the agent.

An invitation that asks lets a device in only after a person said yes to its key. The answer is
kept with the invitation; who waits for one is not.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, Literal

from msgspec import Struct

from leftzmq.content.keys import token_mark
from leftzmq.errors import NotAdmittedReason
from leftzmq.pairing.waiting import MOST_ASKED, Applicant, Waiting

MOST_OPEN: Final = 8
MOST_USES: Final = 62  # as many peers as a device can have
MOST_TTL_S: Final = 86_400.0
SET_BACK_S: Final = 60.0
"""A wall clock that stands so long before an invitation was opened was set back: it is over."""
LINGER_S: Final = 120.0
"""After its end, so that who comes late, or comes again, reads the reason."""


Mode = Literal["full", "read"]
"""What a device may do that comes in: "read": what it changes reaches nobody."""


class InvitationState(Enum):
    """The value is the word that a user reads."""

    OPEN = "open"
    USED_UP = "used up"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class InvitationMove(Enum):
    """What happens to an invitation."""

    LAST_USED = auto()  # no use is left
    TIME_OVER = auto()
    TAKEN_BACK = auto()  # by the user who opened it


S, M = InvitationState, InvitationMove
MOVES: Final[dict[tuple[InvitationState, InvitationMove], InvitationState]] = {
    (S.OPEN, M.LAST_USED): S.USED_UP,
    (S.OPEN, M.TIME_OVER): S.EXPIRED,
    (S.OPEN, M.TAKEN_BACK): S.CANCELLED,
    (S.USED_UP, M.LAST_USED): S.USED_UP,
    (S.USED_UP, M.TIME_OVER): S.USED_UP,
    (S.USED_UP, M.TAKEN_BACK): S.USED_UP,
    (S.EXPIRED, M.LAST_USED): S.EXPIRED,
    (S.EXPIRED, M.TIME_OVER): S.EXPIRED,
    (S.EXPIRED, M.TAKEN_BACK): S.EXPIRED,
    (S.CANCELLED, M.LAST_USED): S.CANCELLED,
    (S.CANCELLED, M.TIME_OVER): S.CANCELLED,
    (S.CANCELLED, M.TAKEN_BACK): S.CANCELLED,
}

_REASONS: Final = {
    InvitationState.USED_UP: NotAdmittedReason.USED_UP,
    InvitationState.EXPIRED: NotAdmittedReason.EXPIRED,
    InvitationState.CANCELLED: NotAdmittedReason.CANCELLED,
}


class Use(Struct, frozen=True):
    """A device that came in. device: its key, 32 bytes."""

    device: bytes
    name: str


class PersonAnswer(Struct, frozen=True):
    """What a person said of a device. device: its key, 32 bytes; name: as the person read it."""

    device: bytes
    name: str
    is_yes: bool


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation, as it is kept in the file.

    mark: of the token (content.keys.token_mark); the token itself is not kept
    uses: how many devices may come in by it
    opened: unix seconds
    host: as which its user named this machine; "": by its own addresses
    known: the number of what was said last in the folder's roster when the invitation was made: it
        lifts removals up to that one, and none that came later
    asks: whether a device comes in only after a person's yes; answers: what was said, one a device
    mode: of who comes in
    """

    mark: bytes = field(repr=False)
    folder: str
    uses: int
    opened: float
    ttl_s: float
    used_by: tuple[Use, ...] = ()
    state: InvitationState = InvitationState.OPEN
    host: str = ""
    known: int = 0
    asks: bool = False
    answers: tuple[PersonAnswer, ...] = ()
    mode: Mode = "full"

    @property
    def uses_left(self) -> int:
        return self.uses - len(self.used_by) if self.state is InvitationState.OPEN else 0

    @property
    def refused(self) -> int:
        """The number of devices to which a person said no."""
        return sum(not one.is_yes for one in self.answers)

    def answer_to(self, device: bytes) -> PersonAnswer | None:
        return next((one for one in self.answers if one.device == device), None)

    def use_of(self, device: bytes) -> Use | None:
        return next((one for one in self.used_by if one.device == device), None)

    def answered(self, answer: PersonAnswer) -> Invitation:
        """A later answer replaces the one before."""
        others = (one for one in self.answers if one.device != answer.device)
        return replace(self, answers=(*others, answer))

    def moved(self, move: InvitationMove) -> Invitation:
        return replace(self, state=MOVES[self.state, move])

    def used_by_one_more(self, use: Use) -> Invitation:
        used = replace(self, used_by=(*self.used_by, use))
        return used if used.uses_left else used.moved(InvitationMove.LAST_USED)


class LetIn(Struct, frozen=True):
    """The answer to a knock that is right. is_new: the device was not let in by this invitation
    before, so a use is to be kept durably before the answer goes out."""

    invitation: Invitation
    use: Use
    is_new: bool


class Invitations:
    """All invitations that are open, or ended less than LINGER_S ago.

    kept: as they were in the file; wall: unix seconds; now: monotonic seconds
    """

    def __init__(self, kept: tuple[Invitation, ...], wall: float, now: float) -> None:
        self._ends: dict[bytes, float] = {}  # of a mark: when its time is over
        self._forgotten: dict[bytes, float] = {}
        self._all: dict[bytes, Invitation] = {}
        self._waiting: dict[bytes, Waiting] = {}  # of a mark: for a person's answer
        for one in kept:
            left_s = one.opened + one.ttl_s - wall
            is_over = left_s <= 0 or wall < one.opened - SET_BACK_S
            self._all[one.mark] = one
            self._ends[one.mark] = now if is_over else now + min(left_s, one.ttl_s)
            if one.state is not InvitationState.OPEN:
                self._forgotten[one.mark] = now + LINGER_S
        self.pass_time(now)

    @property
    def kept(self) -> tuple[Invitation, ...]:
        """For the file."""
        return tuple(self._all.values())

    @property
    def open(self) -> tuple[Invitation, ...]:
        return tuple(one for one in self._all.values() if one.state is InvitationState.OPEN)

    def until(self, invitation: Invitation, wall: float, now: float) -> float:
        """Return when its time is over, or would have been (unix seconds). A wall clock that was
        set anew moves that of an open one along."""
        if invitation.state is not InvitationState.OPEN:
            return invitation.opened + invitation.ttl_s
        return wall + max(0.0, self._ends[invitation.mark] - now)

    def deadline(self) -> float | None:
        """Return when `pass_time` has something to do (monotonic seconds)."""
        ends = [self._ends[one.mark] for one in self.open]
        return min([*ends, *self._forgotten.values()], default=None)

    def add(
        self,
        folder: str,
        token: bytes,
        uses: int,
        ttl_s: float,
        host: str,
        known: int,
        wall: float,
        now: float,
        *,
        asks: bool = False,
        mode: Mode = "full",
    ) -> Invitation:
        """Open an invitation. Of MOST_OPEN that are open none may be left out: ask `is_full`
        before."""
        assert not self.is_full and 1 <= uses <= MOST_USES and 0 < ttl_s <= MOST_TTL_S
        mark = token_mark(token)
        one = Invitation(
            mark, folder, uses, wall, ttl_s, host=host, known=known, asks=asks, mode=mode
        )
        self._all[one.mark], self._ends[one.mark] = one, now + ttl_s
        return one

    def never_opened(self, invitation: Invitation) -> None:
        """An invitation that was added could not be kept: nobody has its token."""
        del self._all[invitation.mark], self._ends[invitation.mark]

    @property
    def is_full(self) -> bool:
        return len(self.open) >= MOST_OPEN

    def cancel(self, folder: str | None, now: float) -> int:
        """Take back all open invitations, or those to one folder. Return how many these are."""
        chosen = [one for one in self.open if folder in (None, one.folder)]
        for one in chosen:
            self._put(one.moved(InvitationMove.TAKEN_BACK), now)
        return len(chosen)

    def knocked(
        self, device: bytes, token: bytes, name: str, now: float
    ) -> LetIn | tuple[NotAdmittedReason, Invitation | None]:
        """Judge a knock; nothing changes. A device that was let in by this token is let in again,
        also when no use is left: its answer was lost on the way.

        ASKING: no person has answered for this device yet: see `wait`.
        """
        self.pass_time(now)
        mark = token_mark(token)
        found: Invitation | None = None
        for one in self._all.values():  # all of them, so that time says nothing
            if hmac.compare_digest(one.mark, mark):
                found = one
        if found is None:
            return NotAdmittedReason.UNKNOWN, None
        before = found.use_of(device)
        if before is not None and found.state is not InvitationState.CANCELLED:
            return LetIn(found, before, is_new=False)
        answer = found.answer_to(device)
        if answer is not None and not answer.is_yes:
            return NotAdmittedReason.DECLINED, found
        if found.state is not InvitationState.OPEN:
            return _REASONS[found.state], found
        if not found.asks:
            return LetIn(found, Use(device, name), is_new=True)
        if answer is not None:
            return LetIn(found, Use(device, answer.name), is_new=True)
        is_enough = found.refused >= MOST_ASKED
        return NotAdmittedReason.DECLINED if is_enough else NotAdmittedReason.ASKING, found

    def wait(self, invitation: Invitation, applicant: Applicant, now: float) -> bool:
        """The device waits for a person's answer. Return False if too many others do."""
        waiting = self._waiting.setdefault(invitation.mark, Waiting())
        return waiting.knocked(applicant, MOST_ASKED - invitation.refused, now)

    def waiting(self, invitation: Invitation, now: float) -> tuple[Applicant, ...]:
        """Return who waits for a person's answer, the first to knock first."""
        waiting = self._waiting.get(invitation.mark)
        return () if waiting is None else waiting.all(now)

    def answer(self, invitation: Invitation, answer: PersonAnswer, now: float) -> None:
        """A person answered for a device. It waits no more, and hears of it at its next knock."""
        self._put(invitation.answered(answer), now)

    def heard(self, invitation: Invitation, device: bytes) -> None:
        """The answer for a device is durable."""
        waiting = self._waiting.get(invitation.mark)
        if waiting is not None:
            waiting.forget(device)

    def put_back(self, invitation: Invitation) -> None:
        """An invitation is as it was: what changed in it could not be kept."""
        self._all[invitation.mark] = invitation
        if invitation.state is InvitationState.OPEN:
            self._forgotten.pop(invitation.mark, None)

    def use(self, let_in: LetIn, now: float) -> None:
        """The device comes in by the invitation."""
        if let_in.is_new:
            self._put(let_in.invitation.used_by_one_more(let_in.use), now)

    def pass_time(self, now: float) -> None:
        """End what is due, and forget what ended long ago."""
        over = [one for one in self.open if now >= self._ends[one.mark]]
        for one in over:
            self._put(one.moved(InvitationMove.TIME_OVER), now)
        gone = [mark for mark, at in self._forgotten.items() if now >= at]
        for mark in gone:
            del self._forgotten[mark], self._ends[mark], self._all[mark]

    def _put(self, one: Invitation, now: float) -> None:
        self._all[one.mark] = one
        if one.state is not InvitationState.OPEN:
            self._waiting.pop(one.mark, None)
            self._forgotten[one.mark] = now + LINGER_S
