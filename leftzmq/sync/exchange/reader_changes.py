"""What is changed on a device that may only read the folder: nobody takes it, and the user is told.

Knows the rows of a path, and which of them count. Must not know rosters, nor what becomes of such a
change: it is a version like any other on this device, and counts for nothing on all others.
"""

from __future__ import annotations

from leftzmq.errors import Problem, ProblemKind, counted
from leftzmq.index.rows import ours_of
from leftzmq.sync.actions import Outputs
from leftzmq.sync.problems import Problems
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.tree.version import DEVICE_MARK_BYTES, is_by

_EACH, _ALL = ProblemKind.CHANGED_BY_READER, ProblemKind.READS_ONLY


class ReaderChanges:
    """The changes of this device in one folder, while it may only read it."""

    def __init__(self, folder: str, index_view: IndexView, problems: Problems) -> None:
        self._folder, self._index_view, self._problems = folder, index_view, problems

    def look(self) -> Outputs:
        """To be called after rows may have changed. Show each change that reaches nobody, and how
        many there are."""
        view = self._index_view
        if not view.touched:
            return []
        touched = sorted(view.touched)
        view.touched.clear()
        before = self._problems.count_of(_EACH)
        out: Outputs = []
        for path in touched:
            if self.reaches_nobody(path):
                out += self._problems.show(Problem(self._folder, path, _EACH))
            else:
                out += self._problems.clear(path, kind=_EACH)
        if (count := self._problems.count_of(_EACH)) != before:
            out += self._total(count)
        return out

    def may_write_now(self) -> Outputs:
        """From now on the others take what is changed here."""
        self._index_view.touched.clear()
        return [*self._problems.clear_all(_EACH), *self._problems.clear("", kind=_ALL)]

    def _total(self, count: int) -> Outputs:
        if not count:
            return self._problems.clear("", kind=_ALL)
        said = f"{counted(count, 'change')} made here"
        return self._problems.show(Problem(self._folder, "", _ALL, said))

    def reaches_nobody(self, path: str) -> bool:
        """Whether our version of a path is of our own making, no full member has it, and no other
        version is to replace it. A delete of what nobody else has is no change."""
        view = self._index_view
        rows = view.rows(path)
        ours = ours_of(rows)
        mark = view.store.heads.life[:DEVICE_MARK_BYTES]
        if ours is None or ours.holders & ~view.silent or not is_by(ours.entry.writer, mark):
            return False
        others = [row.entry for row in rows if row is not ours]
        if any(entry.rank > ours.entry.rank for entry in others):
            return False
        return not ours.entry.deleted or any(not entry.deleted for entry in others)
