"""Which files of ours would be lost if everything that other devices announced were applied.

A content that lives on under another path was moved, and is not lost. A file that becomes a
conflict copy is kept. Two kinds of versions do not count: one that nobody takes, because its stamp
is near the end of all stamps (docs/decisions/0004), and one that a user has let pass. Counting
reads the rows twice, one slice in each step. Knows rows. Must not know who asks, or what follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row, best_of, counting, ours_of
from leftzmq.index.schema import OURS
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import Kind
from leftzmq.tree.loss import loses
from leftzmq.tree.reconcile import Verdict, reconcile

STEP_ROWS: Final = 400  # about 4 ms


class Loss(Enum):
    """What taking a version does to our file."""

    NONE = auto()
    LOST = auto()  # deleted, shrunk to nothing, or in the way of a directory or link
    TURNED = auto()  # replaced by noise, and was no noise before


def loss(rows: Sequence[Row], best: Row, accepted: Accepted) -> Loss:
    """What happens to our file if `best`, the winner among the rows of a path, is taken."""
    ours, entry = ours_of(rows), best.entry
    if ours is None or best is ours or ours.entry.deleted or ours.entry.kind is not Kind.FILE:
        return Loss.NONE
    lost = loses(ours.entry.size, entry.kind, entry.size, deleted=entry.deleted)
    turned = best.noise and not ours.noise and entry.content != ours.entry.content
    if not (lost or turned) or entry.leaps(ours.entry) or accepted.covers(entry):
        return Loss.NONE
    if not entry.deleted:
        known = [row.entry for row in rows]
        if reconcile(ours.entry, entry, known) is not Verdict.TAKE:
            return Loss.NONE
    return Loss.LOST if lost else Loss.TURNED


class LossCount:
    """reach: the bits of the devices that count beside our own; readers: those of devices that may
    only read the folder."""

    def __init__(self, reach: int, accepted: Accepted, readers: int = 0) -> None:
        self._bits, self._accepted, self._readers = reach | OURS, accepted, readers
        self._after = b""
        self._lost: Counter[bytes] = Counter()
        self._moves_left = False  # the second pass: which contents live on

    @property
    def files(self) -> int:
        """Files that would be lost, as far as they are counted. Files that turn to noise are not
        included."""
        return self._lost.total()

    def step(self, reader: Reader) -> bool:
        """Counts one slice. Returns whether all is counted."""
        groups = reader.paths(self._after, STEP_ROWS)
        for group in groups:
            rows = counting(group, self._readers)
            best = best_of(rows, self._bits)
            if best is None:
                continue
            if self._moves_left:
                self._live_on(best)
            elif loss(rows, best, self._accepted) is Loss.LOST:
                self._lost.update(row.entry.content for row in rows if row.is_ours)
        if groups:
            self._after = groups[-1][-1].sort_key
            return False
        if self._moves_left or not self._lost:
            return True
        self._moves_left, self._after = True, b""
        return False

    def _live_on(self, best: Row) -> None:
        if not best.entry.deleted and best.entry.kind is Kind.FILE:
            self._lost.pop(best.entry.content, None)
