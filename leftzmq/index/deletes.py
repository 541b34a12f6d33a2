"""How many of our files would go if every delete that was heard of were applied.

A content that lives on under another path was moved, and is not deleted. A delete that nobody
takes, from the end of all times (docs/decisions/0004), does not count. Goes through the rows
twice, a slice a step. Knows rows. Must not know who asks, or what follows.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row, best_of
from leftzmq.index.schema import OUR_BIT
from leftzmq.tree.entry import Kind

STEP_ROWS: Final = 400  # about 4 ms


class DeleteCount:
    """reach: the bits of the devices that count beside our own."""

    def __init__(self, reach: int) -> None:
        self._bits = reach | 1 << OUR_BIT
        self._after = b""
        self._gone: Counter[bytes] = Counter()
        self._moves_left = False  # the second time: which contents live on

    @property
    def deletes(self) -> int:
        """Files that would go, as far as it was counted."""
        return self._gone.total()

    def step(self, reader: Reader) -> bool:
        """Whether all is counted."""
        groups = reader.paths(self._after, STEP_ROWS)
        for rows in groups:
            best = best_of(rows, self._bits)
            if best is None:
                continue
            if self._moves_left:
                self._live_on(best)
            elif best.entry.deleted:
                self._gone.update(row.entry.content for row in rows if _is_our_file(row))
        if groups:
            self._after = groups[-1][-1].sort_key
            return False
        if self._moves_left or not self._gone:
            return True
        self._moves_left, self._after = True, b""
        return False

    def _live_on(self, best: Row) -> None:
        if not best.entry.deleted and best.entry.kind is Kind.FILE:
            self._gone.pop(best.entry.content, None)


def _is_our_file(row: Row) -> bool:
    return row.is_ours and not row.entry.deleted and row.entry.kind is Kind.FILE
