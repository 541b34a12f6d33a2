"""Who else has which chunks of a file that is arriving, and which to ask a device for next.

Rarest first, without a word between the devices that download one file: each has a part of it
that it asks the complete holders for before anything else, the same part by everybody's count. So
a seed sends each chunk once before it sends any twice, and the others give the rest to each other.

Knows rows and devices. Must not know links, credit or files. Sets of rows are ints: bit i is row i.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from leftzmq.sync.download.row_sets import set_of
from leftzmq.sync.link import DeviceKey


class RarestFirst:
    """Of one file; `us` is our own key."""

    def __init__(self, us: DeviceKey) -> None:
        self._us = us
        self._rows = 0
        self._loading: frozenset[DeviceKey] = frozenset()
        self._parts: dict[DeviceKey, int] = {}  # what those have who download it, too
        self._some = self._several = 0  # rows that at least one, and at least two of them have
        self._place, self._devices = 0, 1  # ours among those who download
        self._share = (0, 0)  # ours, of the rows

    def set_loading(self, others: frozenset[DeviceKey]) -> None:
        """Who does not have the file, besides us: they download it, too, or will in a moment."""
        if others != self._loading:
            self._loading = others
            self._count()

    def set_rows(self, count: int) -> None:
        """How many rows the file has is known."""
        self._rows = count
        self._parts = {device: have & self._all for device, have in self._parts.items()}
        self._count()

    def heard(self, device: DeviceKey, have: int) -> None:
        """A device that downloads the file, too, says what it has so far."""
        self._parts[device] = have & self._all if self._rows else have
        self._count()

    def forget_device(self, device: DeviceKey) -> None:
        if self._parts.pop(device, None) is not None:
            self._count()

    def lacks(self, device: DeviceKey, rows: Collection[int]) -> None:
        """It did not give these: what it said was a hint."""
        had = self._parts.get(device, 0)
        if lacking := had & set_of(rows):
            self._parts[device] = had ^ lacking
            self._count()

    def knows(self, device: DeviceKey) -> bool:
        """Whether it downloads the file, too: then it has its lists."""
        return device in self._parts

    def has(self, device: DeviceKey, row: int) -> bool:
        return bool(self._parts.get(device, 0) >> row & 1)

    def order(self, device: DeviceKey, complete: bool, missing: int) -> Iterator[int]:
        """Rows of `missing` that the device has, in the order in which to ask it for them."""
        low, high = self._share
        if not complete:
            found = missing & self._parts.get(device, 0)
            yield from _up(found & ~self._several, low)
            yield from _up(found & self._several, low)
            return
        fresh = missing & ~self._some
        ours = fresh >> low << low & (1 << high) - 1
        yield from _up(ours, 0)
        # Then what is left of the others' parts. As it may be all of one whose device is slow, it
        # is parted again, so that no two of us turn to the same rows; and from the ends: whose
        # part it was comes from the other side.
        rest = fresh & ~ours
        end = _lowest(rest, rest.bit_count() * (self._place + 1) // self._devices)
        yield from _down(end)
        yield from _down(rest & ~end)
        yield from _up(missing & self._some & ~self._several, low)
        yield from _up(missing & self._several, low)

    @property
    def _all(self) -> int:
        return (1 << self._rows) - 1

    def _count(self) -> None:
        some = several = 0
        for have in self._parts.values():
            several |= some & have
            some |= have
        self._some, self._several = some, several
        loading = sorted({*self._loading, self._us})
        place = self._place = loading.index(self._us)
        self._devices = len(loading)
        ends = [self._rows * at // len(loading) for at in (place, place + 1)]
        self._share = (ends[0], ends[1])


def _up(rows: int, start: int) -> Iterator[int]:
    """The rows of a set in ascending order from `start`, then those before it."""
    after = rows >> start
    row = start
    while after:
        step = (after & -after).bit_length()
        row += step
        after >>= step
        yield row - 1
    before = rows & (1 << start) - 1
    if before:
        yield from _up(before, 0)


def _lowest(rows: int, count: int) -> int:
    """The first `count` rows of a set."""
    low, high = 0, rows.bit_length()
    while low < high:  # how many bits of it hold so many rows
        middle = (low + high) // 2
        if (rows & (1 << middle) - 1).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return rows & (1 << low) - 1


def _down(rows: int) -> Iterator[int]:
    while rows:
        row = rows.bit_length() - 1
        rows ^= 1 << row
        yield row
