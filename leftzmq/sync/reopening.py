"""Decides when each stopped folder is checked again, when it is opened anew, and when one goes.

A folder that goes on does so as after a restart of the agent: from its durable index, with machines
of a new life. The old machines receive and do nothing any more. None of their jobs is running when
the new machines begin.

Knows folders by their ids, running jobs, and time. Must not know what stopped a folder, nor how one
is opened: a job does that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from leftzmq.sync.actions import Outputs, TakeOver, Work
from leftzmq.sync.facts import FolderAdded, FolderStopped, FolderTakenOff
from leftzmq.sync.jobs import FolderOpened, OpenFolder

LOOK_PERIOD_S: Final = 3.0
LOOK_PERIOD_MAX_S: Final = 60.0
STANDS_S: Final = 60.0
"""If a folder stops again after less than this time, the next check comes later than the last one
did."""


class FolderRest(Enum):
    """The state of one folder."""

    RUNNING = auto()
    RESTING = auto()  # stopped, until the next check and until its last job has ended
    OPENING = auto()  # a worker opens it
    OVER = auto()  # stopped for good


class FolderMove(Enum):
    """What happens to a folder."""

    STOPPED = auto()  # for a reason that can pass; or a check found such a reason
    ENDED = auto()  # for a reason that cannot pass
    DUE = auto()  # its waiting time is over, and none of its jobs is running
    OPENED = auto()


S, M = FolderRest, FolderMove
MOVES: Final[dict[tuple[FolderRest, FolderMove], FolderRest]] = {
    (S.RUNNING, M.STOPPED): S.RESTING,
    (S.RUNNING, M.ENDED): S.OVER,
    (S.RUNNING, M.DUE): S.RUNNING,
    (S.RUNNING, M.OPENED): S.RUNNING,
    (S.RESTING, M.STOPPED): S.RESTING,
    (S.RESTING, M.ENDED): S.OVER,
    (S.RESTING, M.DUE): S.OPENING,
    (S.RESTING, M.OPENED): S.RESTING,
    (S.OPENING, M.STOPPED): S.RESTING,
    (S.OPENING, M.ENDED): S.OVER,
    (S.OPENING, M.DUE): S.OPENING,
    (S.OPENING, M.OPENED): S.RUNNING,
    (S.OVER, M.STOPPED): S.OVER,
    (S.OVER, M.ENDED): S.OVER,
    (S.OVER, M.DUE): S.OVER,
    (S.OVER, M.OPENED): S.OVER,
}


@dataclass(slots=True)
class _Rest:
    """due: when the folder is checked again; began: when it was last opened (both monotonic
    seconds)."""

    state: FolderRest = FolderRest.RUNNING
    due: float = 0.0
    rest_s: float = LOOK_PERIOD_S
    began: float | None = None

    def move(self, move: FolderMove) -> None:
        self.state = MOVES[self.state, move]


class Reopening:
    """One per agent. It counts the jobs of every folder, so it is told of each start and each end
    of a job."""

    def __init__(self) -> None:
        self._rests: dict[str, _Rest] = {}
        self._out: Counter[str] = Counter()
        self._removed: set[str] = set()

    # -- jobs --------------------------------------------------------------------------------------

    def job_begins(self, folder: str) -> None:
        self._out[folder] += 1

    def job_ended(self, folder: str) -> None:
        self._out[folder] = max(0, self._out[folder] - 1)

    # -- questions ---------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when `on_time_passed` has something to do (monotonic seconds)."""
        return min((rest.due for _, rest in self._ready()), default=None)

    def is_over(self, folder: str) -> bool:
        """Whether the folder is stopped for good, and was not added again since."""
        rest = self._rests.get(folder)
        return rest is not None and rest.state is FolderRest.OVER

    # -- facts -------------------------------------------------------------------------------------

    def on_folder_stopped(self, fact: FolderStopped, now: float) -> None:
        rest = self._rests.setdefault(fact.folder, _Rest())
        if not fact.stop.cause.can_pass:
            rest.move(FolderMove.ENDED)
        if rest.state is not FolderRest.RUNNING:
            return  # the stop is known, and the first reason counts
        is_quick = rest.began is not None and now - rest.began < STANDS_S
        rest.rest_s = min(2 * rest.rest_s, LOOK_PERIOD_MAX_S) if is_quick else LOOK_PERIOD_S
        rest.due = now + rest.rest_s
        rest.move(FolderMove.STOPPED)

    def on_folder_added(self, fact: FolderAdded, now: float) -> None:
        """The folder is opened at once, by the same steps as one that was stopped."""
        self._removed.discard(fact.folder)
        self._rests[fact.folder] = _Rest(FolderRest.RESTING, due=now)

    def on_folder_taken_off(self, fact: FolderTakenOff, now: float) -> Outputs:
        self._removed.add(fact.folder)
        return []

    def on_time_passed(self, now: float) -> list[Work]:
        out: list[Work] = []
        for folder, rest in self._ready():
            if now >= rest.due:
                rest.move(FolderMove.DUE)
                out.append(Work(OpenFolder(folder)))
        return out

    def on_folder_opened(self, fact: FolderOpened, now: float) -> list[TakeOver]:
        """A worker opened the folder, or found that it cannot be opened yet."""
        rest = self._rests[fact.folder]
        if rest.state is not FolderRest.OPENING:
            # It ended for good while a worker opened it. Or it was added anew since: perhaps at
            # another place, so it is opened once more.
            return []
        if fact.stop is None:
            rest.move(FolderMove.OPENED)
            rest.began = now
            return [TakeOver(fact.folder)]
        rest.due = now + rest.rest_s
        rest.move(FolderMove.STOPPED if fact.stop.cause.can_pass else FolderMove.ENDED)
        return []

    def take_gone(self) -> list[str]:
        """Return the folders that were taken off this device and have no job any more, each
        once."""
        gone = sorted(folder for folder in self._removed if not self._out[folder])
        for folder in gone:
            self._removed.discard(folder)
            self._rests.pop(folder, None)
            del self._out[folder]
        return gone

    def _ready(self) -> list[tuple[str, _Rest]]:
        """Return the folders that wait only for time."""
        return [
            (folder, rest)
            for folder, rest in self._rests.items()
            if rest.state is FolderRest.RESTING and not self._out[folder]
        ]
