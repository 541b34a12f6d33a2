"""Deletes of other devices on their way into our share: a flood of them is held back.

Knows counts. Must not know how a delete is carried out. What is held is in the index alone: it
stays a ticket that the applier does not take up.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from leftzmq.sync.actions import Work
from leftzmq.sync.indexes import Indexes
from leftzmq.sync.jobs import CountDeletes, DeletesCounted
from leftzmq.sync.wave import QUIET_S, Side, State, Wave, goes_at_once, is_flood

GATHER_MAX_S: Final = 10.0
DONE_CHECK_S: Final = 0.5


class Way(Enum):
    """What is to become of one delete."""

    GO = auto()
    WAIT = auto()
    REVERT = auto()


class Incoming(Side):
    """Of one folder. settled: whether no index is being received; considered: whether the applier
    has looked at every ticket."""

    def __init__(
        self,
        folder: str,
        indexes: Indexes,
        wave: Wave,
        settled: Callable[[], bool],
        considered: Callable[[], bool],
    ) -> None:
        super().__init__(wave)
        self.folder, self._indexes = folder, indexes
        self._settled, self._considered = settled, considered
        self._credit = 0  # deletes that were judged to be no flood
        self._began = self._due = 0.0
        self._counted = -1  # pending when the last one came
        self._count_number = 0
        self._file_waits = False  # for the judgement that is being made

    @property
    def pending(self) -> int:
        return self._indexes.tally.removes

    def deadline(self) -> float | None:
        waits = self.state in (State.GATHERING, State.ACCEPTING, State.REVERTING)
        return self._due if waits else None

    def may_go(self, is_file: bool, now: float, wall_ns: int) -> Way:
        """About the delete of something that we have. A folder or link is not counted: it goes
        with the files, or where none are to go."""
        match self.state:
            case State.ACCEPTING:
                return Way.GO
            case State.REVERTING:
                return Way.REVERT
            case State.OPEN:
                wave = self.wave.count(wall_ns)
                if goes_at_once(wave + self.pending, self._indexes.tally.files + wave):
                    return Way.GO
                # A file is judged even where none is counted: `pending` passes over one of which a
                # device that is away has a live version of higher rank.
                if self._credit > 0 or (self.pending == 0 and not is_file):
                    self._credit -= is_file
                    return Way.GO
                self.state, self._began, self._counted = State.GATHERING, now, -1
                self._due = now + QUIET_S
                self._file_waits = False
        self._file_waits |= is_file
        return Way.WAIT

    def tick(self, now: float, wall_ns: int) -> tuple[bool, list[Work]]:
        """(whether what waits may go on, what is to be counted)."""
        if self.state is State.HELD:
            if self.still_flood(self.pending, self._indexes.tally.files):
                return False, []
            self.state = State.OPEN
            return True, []
        if self.deadline() is None or now < self._due:
            return False, []
        if self.state is not State.GATHERING:
            self._due = now + DONE_CHECK_S
            if self._considered():
                self.state = State.OPEN
            return False, []
        if self.pending == 0 and not self._file_waits:
            return self._pass(), []
        more = self.pending != self._counted or not self._settled()
        if more and now < self._began + GATHER_MAX_S:
            self._counted, self._due = self.pending, now + QUIET_S
            return False, []
        wave = self.wave.count(wall_ns)
        if not is_flood(wave + self.pending, self._indexes.tally.files + wave):
            return self._pass(), []
        self.state, self._count_number = State.JUDGING, self._count_number + 1
        return False, [self._count()]

    def counted(self, fact: DeletesCounted, wall_ns: int) -> tuple[bool, list[Work]]:
        """As `tick`, when a slice of the pending deletes was counted."""
        if self.state is not State.JUDGING or fact.number != self._count_number:
            return False, []
        if not fact.done:
            return False, [self._count()]
        wave = self.wave.count(wall_ns)
        files = self._indexes.tally.files + wave
        if not is_flood(wave + fact.deletes, files):
            return self._pass(), []
        self.hold(wave + fact.deletes, files, wave)
        return False, []

    def decide(self, state: State, now: float) -> None:
        """ACCEPTING or REVERTING, until the applier has looked at everything."""
        self.state, self._due = state, now + DONE_CHECK_S

    def _pass(self) -> bool:
        self.state, self._credit = State.OPEN, self.pending
        return True

    def _count(self) -> Work:
        return Work(CountDeletes(self.folder, self._count_number, self._indexes.reach))
