"""Tracks which devices have which chunks of a file in transfer, and orders what to request from
each.

The order is rarest first, without any message between the devices that download the same file. Each
of them has its own part of the file, which all of them compute in the same way. It requests this
part from the complete holders before anything else. So a seed sends each chunk once before it sends
any twice, and the downloading devices exchange the rest.

Knows rows and devices. Must not know links, credit or files. Sets of rows are ints: bit i is row i.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from leftzmq.sync.download.row_sets import set_of
from leftzmq.sync.link import DeviceKey


class RarestFirst:
    """One per file; `us` is our own key."""

    def __init__(self, us: DeviceKey) -> None:
        self._us = us
        self._rows = 0
        self._loading: frozenset[DeviceKey] = frozenset()
        self._parts: dict[DeviceKey, int] = {}  # rows of each other downloading device
        self._some = self._several = 0  # rows that at least one, and at least two of them have
        self._place, self._devices = 0, 1  # our position among the downloaders, their number
        self._share = (0, 0)  # our part: first row, and row after the last

    def set_loading(self, others: frozenset[DeviceKey]) -> None:
        """Set the other devices that do not have the file: they download it, too, or will soon."""
        if others != self._loading:
            self._loading = others
            self._count()

    def set_rows(self, count: int) -> None:
        """Set how many rows the file has."""
        self._rows = count
        self._parts = {device: have & self._all for device, have in self._parts.items()}
        self._count()

    def have_came(self, device: DeviceKey, have: int) -> None:
        """Another device that downloads the file announced the rows that it has so far."""
        self._parts[device] = have & self._all if self._rows else have
        self._count()

    def forget_device(self, device: DeviceKey) -> None:
        if self._parts.pop(device, None) is not None:
            self._count()

    def not_sent(self, device: DeviceKey, rows: Collection[int]) -> None:
        """The device did not send these rows: its announcement was only a hint."""
        had = self._parts.get(device, 0)
        if lacking := had & set_of(rows):
            self._parts[device] = had ^ lacking
            self._count()

    def knows(self, device: DeviceKey) -> bool:
        """Return whether the device downloads the file, too: then it has the file's lists."""
        return device in self._parts

    def is_at(self, device: DeviceKey, row: int) -> bool:
        return bool(self._parts.get(device, 0) >> row & 1)

    def order(self, device: DeviceKey, complete: bool, missing: int) -> Iterator[int]:
        """Yield the rows of `missing` that the device has, in the order in which to request
        them."""
        low, high = self._share
        if not complete:
            found = missing & self._parts.get(device, 0)
            yield from _up(found & ~self._several, low)
            yield from _up(found & self._several, low)
            return
        fresh = missing & ~self._some
        ours = fresh >> low << low & (1 << high) - 1
        yield from _up(ours, 0)
        # Then the rest of the others' parts. All of that rest may belong to one slow device. So it
        # is divided again, and no two devices turn to the same rows. Each share is taken from its
        # end, because the owner of a part works from the beginning.
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
    """Yield the rows of a set in ascending order from `start`, then those before `start`."""
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
    """Return the set of the first `count` rows of a set."""
    low, high = 0, rows.bit_length()
    while low < high:  # how many bits hold `count` rows
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
