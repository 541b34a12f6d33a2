"""How much each device says that it has, and how far it and we are behind each other.

Counted row by row, like the tally, and derived like it. Knows rows and bits. Must not know how much
is too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leftzmq.index.rows import Row, ours_of, row_bytes


@dataclass(frozen=True, slots=True)
class Held:
    """bytes: that the entries take up in the index"""

    entries: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Lack:
    """Paths of which one device has a version that another one lacks. bytes: the sizes of those
    versions"""

    paths: int = 0
    bytes: int = 0


class Holdings:
    """Rows are counted by the set of devices that hold them, of which there are few: a row that all
    hold is one step.

    changed: whether it did since somebody set it to False
    """

    def __init__(self) -> None:
        self._by_holders: dict[int, Held] = {}
        self._ours: dict[int, Lack] = {}  # by who has our version, or a higher one
        self._theirs: dict[int, Lack] = {}  # above ours, or where we have none: by who holds it
        self.changed = True

    def change(self, before: Iterable[Row], after: Iterable[Row]) -> None:
        """The rows of one path became others."""
        self.changed = True
        for rows, sign in ((before, -1), (after, 1)):
            held = [row for row in rows if row.holders]
            for row in held:
                self._add(row, sign)
            self._compare(held, sign)

    def of(self, mask: int) -> Held:
        """What the device of this bit (as a set of bits) holds."""
        found = [held for holders, held in self._by_holders.items() if holders & mask]
        return Held(sum(held.entries for held in found), sum(held.bytes for held in found))

    def lacking(self, mask: int) -> Lack:
        """What we have and the device of this bit lacks. mask 0: a device that has nothing"""
        return _sum(lack for holders, lack in self._ours.items() if not holders & mask)

    def coming(self, mask: int) -> Lack:
        """What the device of this bit has and we lack."""
        return _sum(lack for holders, lack in self._theirs.items() if holders & mask)

    def _compare(self, rows: Sequence[Row], sign: int) -> None:
        ours = ours_of(rows)
        if ours is None:
            for row in rows:
                _count(self._theirs, row.holders, sign, row.entry.size)
            return
        holders = ours.holders
        for row in rows:
            if row is not ours and row.entry.rank > ours.entry.rank:
                holders |= row.holders
                _count(self._theirs, row.holders, sign, row.entry.size)
        _count(self._ours, holders, sign, ours.entry.size)

    def _add(self, row: Row, sign: int) -> None:
        held = self._by_holders.get(row.holders, _NOTHING)
        held = Held(held.entries + sign, held.bytes + sign * row_bytes(row.entry))
        if held == _NOTHING:
            del self._by_holders[row.holders]
        else:
            self._by_holders[row.holders] = held


def _count(counts: dict[int, Lack], holders: int, sign: int, size: int) -> None:
    lack = counts.get(holders, _NO_LACK)
    lack = Lack(lack.paths + sign, lack.bytes + sign * size)
    if lack == _NO_LACK:
        del counts[holders]
    else:
        counts[holders] = lack


def _sum(lacks: Iterable[Lack]) -> Lack:
    found = tuple(lacks)
    return Lack(sum(lack.paths for lack in found), sum(lack.bytes for lack in found))


_NOTHING = Held()
_NO_LACK = Lack()
