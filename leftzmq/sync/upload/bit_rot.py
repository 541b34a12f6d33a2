"""Finds bytes that changed without a change of mtime when they are to be sent, reports and replaces
them.

A disk, a cable or memory can flip a bit, and no stat shows it. Chunks for other devices are checked
against their ids, so a bad chunk never spreads. But as long as our index says that we have the
file, other devices wait for it. So a file that failed this check is checked once more, against our
own list of its chunks. If its stat still matches our index, it is a Problem. As soon as a reachable
device has the version, or the next one, ours is given up (Resolver.unhave). This makes a ticket
like any other, except that the bad file on disk is replaced and goes into the trash. Nothing is
given up while no other device has it, and nothing is announced: the version stays what it is, under
the same writer and stamp. If it is deleted elsewhere before it is back, the bad file goes with it.

Knows rows and stats. Must not know how bytes are read, or fetched.
"""

from __future__ import annotations

from typing import Final

from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.rows import Row
from leftzmq.sync.actions import Outputs, Work
from leftzmq.sync.facts import BytesDoubted, PathsReconsidered
from leftzmq.sync.jobs import BytesChecked, CheckBytes, Doubt
from leftzmq.sync.problems import Problems
from leftzmq.sync.versions.index_view import OURS, IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.withheld import WhyWithheld

MAX_PATHS: Final = 1_000
"""Files that are doubted, and files known to be bad. A further one is found at the next request for
it."""
REST: Final = 9
"""After a check, the next one waits so many times as long as the check took. A device that asks for
chunks that no file has keeps a tenth of a worker busy, whatever the size of the file."""
TRY_PERIOD_S: Final = 10.0

_ALONE: Final = (
    "no device that is connected has what it was: put it back from a backup, or `touch` it to keep "
    "it as it is"
)
_AGAIN: Final = "it is fetched again, and what lies there goes to the trash"


class BitRot:
    """One per folder."""

    def __init__(
        self, index_view: IndexView, resolver: Resolver, locks: PathLocks, problems: Problems
    ) -> None:
        self._index_view, self._resolver, self._locks = index_view, resolver, locks
        self._problems, self.folder = problems, problems.folder
        self._doubts: dict[str, Doubt] = {}
        self._bad: dict[str, BytesChecked] = {}
        self._began: float | None = None  # the start of the running check
        self._next_check = self._next_try = 0.0

    def deadline(self) -> float | None:
        times = [self._next_try] if self._bad else []
        if self._doubts and self._began is None:
            times.append(self._next_check)
        return min(times, default=None)

    def on_bytes_doubted(self, fact: BytesDoubted, now: float) -> Outputs:
        """What was read from these files did not match its ids."""
        for doubt in fact.doubts:
            if doubt.path not in self._bad and len(self._doubts) < MAX_PATHS:
                self._doubts.setdefault(doubt.path, doubt)
        return self.on_time_passed(now)

    def on_bytes_checked(self, fact: BytesChecked, now: float) -> Outputs:
        assert self._began is not None
        self._next_check = now + REST * (now - self._began)
        self._began = None
        out: Outputs = []
        if fact.key is not None and len(self._bad) < MAX_PATHS:
            if not self._bad:
                self._next_try = now + TRY_PERIOD_S
            self._bad[fact.path] = fact
            out = self._mend(fact)
        return out + self.on_time_passed(now)

    def on_time_passed(self, now: float) -> Outputs:
        out: Outputs = []
        if self._bad and now >= self._next_try:
            self._next_try = now + TRY_PERIOD_S
            for bad in list(self._bad.values()):
                out += self._mend(bad)
        if self._doubts and self._began is None and now >= self._next_check:
            self._began = now
            doubt = self._doubts.pop(next(iter(self._doubts)))
            out.append(Work(CheckBytes(self.folder, doubt)))
        return out

    def _mend(self, bad: BytesChecked) -> Outputs:
        path = bad.path
        if self._locks.is_changing(path):
            return []  # the check is made the next time
        ours = self._index_view.ours(path)
        if ours is None or ours.scan is None or ours.scan != bad.key:
            del self._bad[path]  # it was written, or replaced
            return []
        why = WhyWithheld.ROTTEN
        if self._is_elsewhere(path, ours) and self._resolver.unhave(path, bad.key, why):
            del self._bad[path]
            return [*self._show(bad, _AGAIN), PathsReconsidered(self.folder, (path,))]
        return self._show(bad, _ALONE)

    def _is_elsewhere(self, path: str, ours: Row) -> bool:
        """Return whether a reachable device has this version, or a later one that may be taken."""
        others = self._index_view.reach & ~OURS
        ranks = [row.entry.rank for row in self._index_view.rows(path) if row.holders & others]
        if self._index_view.takes:
            return any(rank >= ours.entry.rank for rank in ranks)
        return ours.entry.rank in ranks

    def _show(self, bad: BytesChecked, what: str) -> Outputs:
        said = f"{bad.why}; {what}" if bad.why else what
        return self._problems.show(Problem(self.folder, bad.path, ProblemKind.ROTTEN, said))
