"""Counts over one folder that `status` shows, kept up to date row by row.

Knows rows; counts what they say. They are derived: a restart counts the index anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.entry import Entry, Kind

ROWS_A_TURN: Final = 256  # about 8 us each


@dataclass(slots=True)
class Tally:
    """files: regular files that we have; bytes: their sizes; tickets: paths whose highest-ranked
    version we do not have; need_bytes: the sizes of those versions; removes: those of them that
    delete a file of ours and may be taken; conflicts: live things of ours that carry the name of a
    conflict copy."""

    files: int = 0
    bytes: int = 0
    tickets: int = 0
    need_bytes: int = 0
    removes: int = 0
    conflicts: int = 0

    @classmethod
    def of(cls, reader: Reader) -> Tally:
        count = Recount()
        while count.step(reader, 1 << 12):
            pass
        return count.tally

    def change(self, before: Iterable[Row], after: Iterable[Row]) -> None:
        """The rows of one path became others."""
        self._add(before, -1)
        self._add((row for row in after if row.holders), 1)

    def _add(self, rows: Iterable[Row], sign: int) -> None:
        best: Row | None = None
        our_file: Entry | None = None
        for row in rows:
            if best is None or row.entry.rank > best.entry.rank:
                best = row
            if not row.is_ours or row.entry.deleted:
                continue
            if row.entry.kind is Kind.FILE:
                our_file = row.entry
                self.files += sign
                self.bytes += sign * row.entry.size
            if is_conflict_name(row.entry.path):
                self.conflicts += sign
        if best is not None and not best.is_ours:
            self.tickets += sign
            self.need_bytes += sign * best.entry.size
            if best.entry.deleted and our_file is not None and not best.entry.leaps(our_file):
                self.removes += sign


class Recount:
    """A tally that is counted anew, some rows a turn, while rows go on changing."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._after = b""

    def step(self, reader: Reader, rows: int = ROWS_A_TURN) -> bool:
        """Count about so many rows more; False when there were none."""
        groups = reader.paths(self._after, rows)
        for group in groups:
            self.tally.change((), group)
            self._after = group[-1].sort_key
        return bool(groups)

    def change(self, before: Iterable[Row], after: Iterable[Row], key: bytes) -> None:
        """The rows of the path with this sort key became others; it counts if it was passed."""
        if key <= self._after:
            self.tally.change(before, after)
