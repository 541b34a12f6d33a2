"""Watches peer.toml: when is it another file than the one that was read last, and when is it whole?

An editor may write a file in several parts, empty it first, or replace it by a rename. So a file
that is another one is read when it stood still, and one that is not there is being written. What
would take a device or a folder away waits longer: whoever made a mistake can take it back.

Knows stamps of a file, and time. Must not know what is in the file, nor what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

LOOK_PERIOD_S: Final = 1.0
"""A file that is the same at two looks stood still for so long."""
MISSING_S: Final = 10.0
TAKES_AWAY_S: Final = 10.0


class FileStamp(NamedTuple):
    """What differs when a file was written to, or is another one."""

    inode: int
    size: int
    mtime_ns: int


def stamp_of(file: Path) -> FileStamp | None:
    """Return the stamp of a file, at the end of all links; None if it is not there, or cannot be
    looked at."""
    try:
        found = file.stat()
    except OSError:
        return None
    return FileStamp(found.st_ino, found.st_size, found.st_mtime_ns)


class WatchState(Enum):
    """What is known of the file."""

    CALM = auto()  # it is the one that was read last
    CHANGING = auto()  # it is another one, and was not read yet
    MISSING = auto()  # it is not there: it may be being written
    LOST = auto()  # it is not there, and that was said
    HELD = auto()  # it was read, and waits, because it would take something away


class WatchMove(Enum):
    """What a look finds, or what became of the file."""

    GONE = auto()  # it is not there
    SAME = auto()  # it is the one that was read last
    OTHER = auto()  # it is another one, also than at the last look
    STANDS = auto()  # it is another one, and stood still
    LATE = auto()  # the time of its state is over
    READ = auto()  # it was read, and taken over or refused
    TAKES_AWAY = auto()  # it was read, and would take something away


class WatchVerdict(Enum):
    """What is to be done now."""

    READ = auto()
    TAKE_OVER = auto()  # it waited long enough
    SAY_LOST = auto()


S, M = WatchState, WatchMove
MOVES: Final[dict[tuple[WatchState, WatchMove], WatchState]] = {
    (S.CALM, M.GONE): S.MISSING,
    (S.CALM, M.SAME): S.CALM,
    (S.CALM, M.OTHER): S.CHANGING,
    (S.CALM, M.STANDS): S.CALM,
    (S.CALM, M.LATE): S.CALM,
    (S.CALM, M.READ): S.CALM,
    (S.CALM, M.TAKES_AWAY): S.HELD,
    (S.CHANGING, M.GONE): S.MISSING,
    (S.CHANGING, M.SAME): S.CALM,
    (S.CHANGING, M.OTHER): S.CHANGING,
    (S.CHANGING, M.STANDS): S.CHANGING,
    (S.CHANGING, M.LATE): S.CHANGING,
    (S.CHANGING, M.READ): S.CALM,
    (S.CHANGING, M.TAKES_AWAY): S.HELD,
    (S.MISSING, M.GONE): S.MISSING,
    (S.MISSING, M.SAME): S.CALM,
    (S.MISSING, M.OTHER): S.CHANGING,
    (S.MISSING, M.STANDS): S.CHANGING,
    (S.MISSING, M.LATE): S.LOST,
    (S.MISSING, M.READ): S.CALM,
    (S.MISSING, M.TAKES_AWAY): S.HELD,
    (S.LOST, M.GONE): S.LOST,
    (S.LOST, M.SAME): S.CALM,
    (S.LOST, M.OTHER): S.CHANGING,
    (S.LOST, M.STANDS): S.CHANGING,
    (S.LOST, M.LATE): S.LOST,
    (S.LOST, M.READ): S.CALM,
    (S.LOST, M.TAKES_AWAY): S.HELD,
    (S.HELD, M.GONE): S.MISSING,
    (S.HELD, M.SAME): S.CALM,
    (S.HELD, M.OTHER): S.CHANGING,
    (S.HELD, M.STANDS): S.HELD,
    (S.HELD, M.LATE): S.HELD,
    (S.HELD, M.READ): S.CALM,
    (S.HELD, M.TAKES_AWAY): S.HELD,
}


class ConfigWatch:
    """One per agent. look: returns the stamp of the file, None if it is not there.

    What counts as read is the file as it was at the last look before the reading: if it changed
    meanwhile, the next look finds another one. All times are monotonic seconds.
    """

    def __init__(self, look: Callable[[], FileStamp | None]) -> None:
        self._look = look
        self._state = WatchState.CALM
        self._read: FileStamp | None = None  # of the file that was read last
        self._seen: FileStamp | None = None  # at the last look
        self._next = self._late_at = 0.0

    # -- what was read -----------------------------------------------------------------------------

    def about_to_read(self) -> None:
        """The file is about to be read, for another reason than a verdict of `tick`."""
        self._seen = self._look()

    def was_read(self) -> None:
        """What the file says was taken over, or was refused."""
        self._read = self._seen
        self._move(WatchMove.READ)

    def takes_away(self, now: float) -> None:
        """What the file says would take something away: wait for its user's second thought."""
        self._late_at = now + TAKES_AWAY_S
        self._move(WatchMove.TAKES_AWAY)

    def rest(self) -> None:
        """The file is not watched. When it is again, it is read."""
        self._seen = None
        self.was_read()

    # -- time --------------------------------------------------------------------------------------

    def deadline(self) -> float:
        """Return when `tick` has something to do."""
        return self._next

    def tick(self, now: float) -> WatchVerdict | None:
        if now < self._next:
            return None
        self._next = now + LOOK_PERIOD_S
        before = self._state
        move = self._found(self._look())
        self._move(move)
        if self._state is WatchState.MISSING and before is not WatchState.MISSING:
            self._late_at = now + MISSING_S
        if self._state is WatchState.CHANGING and move is WatchMove.STANDS:
            return WatchVerdict.READ
        waits = self._state in (WatchState.MISSING, WatchState.HELD)
        if not waits or now < self._late_at:
            return None
        self._move(WatchMove.LATE)
        return WatchVerdict.TAKE_OVER if self._state is WatchState.HELD else WatchVerdict.SAY_LOST

    def _found(self, stamp: FileStamp | None) -> WatchMove:
        """Return what a look found."""
        is_as_before, self._seen = stamp == self._seen, stamp
        if stamp is None:
            return WatchMove.GONE
        if stamp == self._read:
            return WatchMove.SAME
        return WatchMove.STANDS if is_as_before else WatchMove.OTHER

    def _move(self, move: WatchMove) -> None:
        self._state = MOVES[self._state, move]
