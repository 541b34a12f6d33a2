"""How much each device says that it has, and how far each device and we are behind each other.

Counted row by row and derived from the rows, like `counters`. Knows rows and bits. Must not know
how much is too much.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from leftzmq.index.change_ages import ChangeAges, ChangeTimes
from leftzmq.index.rows import ANYBODY, Row, row_bytes
from leftzmq.index.schema import OURS


class HeldCount(Struct, frozen=True):
    """bytes: the bytes that the entries take up in the index"""

    entries: int = 0
    bytes: int = 0


class Lack(Struct, frozen=True):
    """paths: paths of which one device has a version that another one lacks
    bytes: the sizes of those versions
    """

    paths: int = 0
    bytes: int = 0


Counts = dict[int, list[int]]
"""A set of devices -> the number of rows, and of bytes. Changed in place, because every row counts.
"""


class PeerCounts:
    """Rows are counted by the set of devices that hold them. There are few such sets: a row that
    all devices hold is one step.

    times: when the rows were made
    changed: whether a count changed since somebody set this to False
    """

    def __init__(self, times: ChangeTimes | None = None) -> None:
        times = times or ChangeTimes(0)
        self._our_ages, self._their_ages = ChangeAges(times), ChangeAges(times)
        self._by_holders: Counts = {}
        self._ours: Counts = {}  # by the devices that have our version, or a higher one
        # Versions above ours, or where we have none: by the devices that hold them.
        self._theirs: Counts = {}
        # Versions of paths that we do not keep, or that we changed and told nobody, by who holds
        # them.
        self._not_kept: Counts = {}
        self.changed = True

    def change(self, before: Iterable[Row], after: Iterable[Row], silent: int = 0) -> None:
        """The rows of one path change from `before` to `after`. What only devices of `silent` hold,
        nobody takes, so nobody lacks it."""
        self.changed = True
        self._add(before, -1, silent)
        self._add(after, 1, silent)

    def held_by(self, mask: int) -> HeldCount:
        """What the device of this bit (given as a set of bits) holds."""
        return HeldCount(*_sum(self._by_holders, mask, holds=True))

    def lacking(self, mask: int) -> Lack:
        """What we have and the device of this bit lacks. mask 0: a device that has nothing."""
        return Lack(*_sum(self._ours, mask, holds=False))

    def coming(self, mask: int) -> Lack:
        """What the device of this bit has and we lack."""
        return Lack(*_sum(self._theirs, mask, holds=True))

    def oldest_lacking(self, mask: int) -> float | None:
        """Return when the oldest version was heard of that `lacking` counts (monotonic seconds).
        None: the device lacks nothing."""
        return self._our_ages.oldest(mask, holds=False)

    def oldest_coming(self) -> float | None:
        """Return the same of what any device has and we lack."""
        return self._their_ages.oldest(ANYBODY, holds=True)

    def not_kept(self, mask: int) -> int:
        """How many versions the device of this bit holds of paths at which we have what nobody is
        told, or nothing that we keep."""
        return _sum(self._not_kept, mask, holds=True)[0] if self._not_kept else 0

    def _add(self, rows: Iterable[Row], sign: int, silent: int) -> None:
        held = [row for row in rows if row.holders]
        ours: Row | None = None
        for row in held:
            _count(self._by_holders, row.holders, sign, row_bytes(row.entry))
            if row.apart:
                _count(self._not_kept, row.holders, sign, row.entry.size)
            elif row.holders & OURS:
                ours = row
        if len(held) == 1 and ours is not None:  # nearly every path
            if ours.holders & ~silent and not ours.entry.is_private:
                self._count_ours(ours, ours.holders, sign)
            return
        up = 0
        for row in held:
            if row.apart:
                if ours is not None and row.entry.rank > ours.entry.rank:
                    up |= row.holders  # made anew above our delete
                continue
            if ours is None or (row is not ours and row.entry.rank > ours.entry.rank):
                up |= row.holders
                if row.holders & ~silent:
                    _count(self._theirs, row.holders, sign, row.entry.size)
                    self._their_ages.count(row.id, row.holders, sign)
            elif row is not ours and ours.entry.is_private:
                _count(self._not_kept, row.holders, sign, row.entry.size)
        if ours is not None and ours.holders & ~silent and not ours.entry.is_private:
            self._count_ours(ours, ours.holders | up, sign)

    def _count_ours(self, row: Row, devices: int, sign: int) -> None:
        """devices: that have this version of ours, or a higher one."""
        _count(self._ours, devices, sign, row.entry.size)
        self._our_ages.count(row.id, devices, sign)


def _count(counts: Counts, holders: int, sign: int, size: int) -> None:
    found = counts.get(holders)
    if found is None:
        counts[holders] = [sign, sign * size]
        return
    found[0] += sign
    found[1] += sign * size
    if found == [0, 0]:
        del counts[holders]


def _sum(counts: Counts, mask: int, *, holds: bool) -> tuple[int, int]:
    """The sum over the sets that have this bit, or over those that do not."""
    count = size = 0
    for holders, (some, more) in counts.items():
        if bool(holders & mask) is holds:
            count, size = count + some, size + more
    return count, size
