"""Bytes that changed without a change of time: found when they are to be given, said, replaced.

A disk, a cable or memory can turn a bit, and no stat tells. What is given to others is checked by
its id, so it never spreads; but as long as our index says that we have it, others wait for it. So
what failed its id is checked once more, by our own list of its chunks. If its stat is still that of
our index, it is a Problem; and as soon as a device can be asked that has the version, or the next
one, ours is given up (Versions.unhave): a ticket, like any other, except that what lies there gives
way to it, into the trash. Nothing is given up while nobody else has it, and nothing is told: the
version stays what it is, under the same writer and stamp.

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

MAX_PATHS: Final = 1_000
"""Doubted, and known to be bad; of more the next who asks tells."""
REST: Final = 9
"""After a check so many times as long as it took: a device that asks for what no file has keeps a
tenth of a worker busy, whatever size the file is."""
TRY_PERIOD_S: Final = 10.0

_ALONE: Final = (
    "no device that is connected has what it was: put it back from a backup, or `touch` it to keep "
    "it as it is"
)
_AGAIN: Final = "it is fetched again, and what lies there goes to the trash"


class BitRot:
    """Of one folder."""

    def __init__(
        self, index_view: IndexView, resolver: Resolver, locks: PathLocks, problems: Problems
    ) -> None:
        self._index_view, self._resolver, self._locks = index_view, resolver, locks
        self._problems, self.folder = problems, problems.folder
        self._doubts: dict[str, Doubt] = {}
        self._bad: dict[str, BytesChecked] = {}
        self._began: float | None = None  # the check that is under way
        self._next_check = self._next_try = 0.0

    def deadline(self) -> float | None:
        times = [self._next_try] if self._bad else []
        if self._doubts and self._began is None:
            times.append(self._next_check)
        return min(times, default=None)

    def on_bytes_doubted(self, fact: BytesDoubted, now: float) -> Outputs:
        """What was read of these files was not what their ids say."""
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
            return []  # the next time
        ours = self._index_view.ours(path)
        if ours is None or ours.scan is None or ours.scan != bad.key:
            del self._bad[path]  # it was written, or replaced
            return []
        if self._is_elsewhere(path, ours) and self._resolver.unhave(path, bad.key, gone=False):
            del self._bad[path]
            return [*self._show(bad, _AGAIN), PathsReconsidered(self.folder, (path,))]
        return self._show(bad, _ALONE)

    def _is_elsewhere(self, path: str, ours: Row) -> bool:
        """Whether a device can be asked now that has it, or what followed it."""
        others = self._index_view.reach & ~OURS
        rows = (row for row in self._index_view.rows(path) if row.holders & others)
        return any(row.entry.rank >= ours.entry.rank for row in rows)

    def _show(self, bad: BytesChecked, what: str) -> Outputs:
        said = f"{bad.why}; {what}" if bad.why else what
        return self._problems.show(Problem(self.folder, bad.path, ProblemKind.ROTTEN, said))
