"""Changes by other devices, on their way into our share: floods of losses and waves of noise are
held back.

Knows counts. Must not know how anything is carried out. What is held is in the index alone: it
stays a ticket that the applier does not take up.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from leftzmq.sync.actions import Work
from leftzmq.sync.guard.states import GuardMove, GuardState
from leftzmq.sync.guard.threshold import (
    QUIET_S,
    Judged,
    Side,
    Wave,
    goes_at_once,
    is_flood,
    is_noise_wave,
)
from leftzmq.sync.jobs import CountLosses, LossesCounted
from leftzmq.sync.versions.index_view import IndexView

GATHER_MAX_S: Final = 10.0
DONE_CHECK_S: Final = 0.5


class GuardVerdict(Enum):
    """What is to become of one loss."""

    GO = auto()
    WAIT = auto()
    REVERT = auto()


_DECIDED: Final = {
    GuardState.ACCEPTING: GuardVerdict.GO,
    GuardState.REVERTING: GuardVerdict.REVERT,
    GuardState.HELD: GuardVerdict.WAIT,
}


class RemoteDeletes(Side):
    """The remote side of the guard of one folder.

    settled: whether no index is being received
    considered: whether the applier has looked at every ticket
    """

    def __init__(
        self,
        folder: str,
        index_view: IndexView,
        wave: Wave,
        turning: Wave,
        settled: Callable[[], bool],
        considered: Callable[[], bool],
    ) -> None:
        super().__init__(wave, turning)
        self.folder, self._index_view = folder, index_view
        self._settled, self._considered = settled, considered
        self._credit = 0  # losses that were judged to be no flood
        self._began = self._due = 0.0
        self._counted = -1  # the number of pending losses when it last changed
        self._count_number = 0
        self._file_waits = False  # in the judgement that is being made

    @property
    def pending(self) -> int:
        return self._index_view.counters.losses

    @property
    def turned_pending(self) -> int:
        return self._index_view.counters.turned

    @property
    def waits(self) -> bool:
        """Whether tickets are left where they are, for now or until a user decides."""
        return self.state in (GuardState.GATHERING, GuardState.JUDGING, GuardState.HELD)

    def deadline(self) -> float | None:
        waits = self.state in (GuardState.GATHERING, GuardState.ACCEPTING, GuardState.REVERTING)
        return self._due if waits else None

    def may_go(self, is_file: bool, now: float, wall_ns: int) -> GuardVerdict:
        """Decides about the loss of something that we have. A directory or link is not counted: it
        is removed with the files, or where no file is to be removed."""
        if (decided := _DECIDED.get(self.state)) is not None:
            return decided
        if self._hold_noise(wall_ns):
            return GuardVerdict.WAIT
        if self.state is GuardState.OPEN:
            wave = self.wave.count(wall_ns)
            if goes_at_once(wave + self.pending, self._index_view.counters.files + wave):
                return GuardVerdict.GO
            # A file is judged even where no loss is counted: `pending` leaves out a file if a
            # device that is away has a live version of higher rank.
            if self._credit > 0 or (self.pending == 0 and not is_file):
                self._credit -= is_file
                return GuardVerdict.GO
            self.move(GuardMove.GATHER)
            self._began, self._counted = now, -1
            self._due = now + QUIET_S
            self._file_waits = False
        self._file_waits |= is_file
        return GuardVerdict.WAIT

    def may_turn(self, wall_ns: int) -> GuardVerdict:
        """Decides about a file of ours that is to be replaced by noise. The file is counted as
        pending."""
        if (decided := _DECIDED.get(self.state)) is not None:
            return decided
        return GuardVerdict.WAIT if self._hold_noise(wall_ns) else GuardVerdict.GO

    def _hold_noise(self, wall_ns: int) -> bool:
        """Whether there is a wave of noise, which is held from now on."""
        turned, wave = self.turning.count(wall_ns), self.wave.count(wall_ns)
        files = self._index_view.counters.files + wave
        if not is_noise_wave(turned + self.turned_pending, files):
            return False
        self.hold(Judged(wave + self.pending, files, wave, turned, noise=1))
        return True

    def on_time_passed(self, now: float, wall_ns: int) -> tuple[bool, list[Work]]:
        """Returns (whether what waits may go on, what is to be counted)."""
        if self.state is GuardState.HELD:
            if not self._index_view.swept:
                return False, []  # the losses are being counted again
            files = self._index_view.counters.files
            if self.judged.is_still_so(self.pending, self.turned_pending, files):
                return False, []
            self.move(GuardMove.PASS)
            return True, []
        if self.deadline() is None or now < self._due:
            return False, []
        if self.state is not GuardState.GATHERING:
            self._due = now + DONE_CHECK_S
            if self._considered():
                self.move(GuardMove.CARRY_OUT)
            return False, []
        if self.pending == 0 and not self._file_waits:
            return self._pass(), []
        more = self.pending != self._counted or not self._settled()
        if more and now < self._began + GATHER_MAX_S:
            self._counted, self._due = self.pending, now + QUIET_S
            return False, []
        wave = self.wave.count(wall_ns)
        if not is_flood(wave + self.pending, self._index_view.counters.files + wave):
            return self._pass(), []
        self.move(GuardMove.COUNT)
        self._count_number += 1
        return False, [self._count()]

    def on_losses_counted(
        self, fact: LossesCounted, now: float, wall_ns: int
    ) -> tuple[bool, list[Work]]:
        """As `on_time_passed`, when a slice of the pending losses was counted."""
        if self.state is not GuardState.JUDGING or fact.number != self._count_number:
            return False, []
        if not fact.done:
            return False, [self._count()]
        wave = self.wave.count(wall_ns)
        files = self._index_view.counters.files + wave
        if not is_flood(wave + fact.files, files):
            return self._pass(), []
        self.hold(Judged(wave + fact.files, files, wave, self.turning.count(wall_ns)))
        return False, []

    def decide(self, decision: GuardMove, now: float) -> None:
        """ACCEPT or REVERT, until the applier has looked at everything."""
        self.begin(decision)
        self._due = now + DONE_CHECK_S

    def _pass(self) -> bool:
        self.move(GuardMove.PASS)
        self._credit = self.pending
        return True

    def _count(self) -> Work:
        view, number = self._index_view, self._count_number
        return Work(CountLosses(self.folder, number, view.reach, view.accepted, view.readers))
