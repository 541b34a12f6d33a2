"""Slots for transfers of large files, divided among the devices that have the files.

A device that is silent, slow or lying occupies its own slots and no others. Knows sizes, and which
device has which file. Must not know what happens to a file in its slot.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from leftzmq.sync.link import DeviceKey

VERY_LARGE_BYTES: Final = 16 << 20
AT_ONCE: Final = 16
VERY_LARGE_AT_ONCE: Final = 2  # slots of their own, so that other files never wait behind them
LEAST_AT_ONCE: Final = 4
"""The minimum for one device, however many devices there are. A file of 300 KB waits for three
responses and four jobs. A swarm of twenty devices with one seed must make progress meanwhile."""
VERY_LARGE_LEAST: Final = 1

Key = tuple[str, str]  # folder, path


class Offers:
    """The files of one size class that wait for a slot of one device. Files with fewer failed tries
    come first, then the smallest."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._order: dict[Key, tuple[int, int]] = {}

    def add(self, key: Key, size: int, tries: int) -> None:
        if self._order.get(key) != (tries, size):
            self._order[key] = tries, size
            heapq.heappush(self._heap, (tries, size, key))

    def remove(self, key: Key) -> None:
        self._order.pop(key, None)  # its heap entry is dropped when it reaches the top

    def next(self) -> Key | None:
        while self._heap:
            *order, key = heapq.heappop(self._heap)
            if self._order.get(key) == tuple(order):
                del self._order[key]
                return key
        return None


class TransferSlots:
    """sources: returns how many devices can be asked now."""

    def __init__(self, sources: Callable[[], int]) -> None:
        self._sources = sources
        self._offers: dict[DeviceKey, dict[bool, Offers]] = {}
        self._taken: Counter[tuple[DeviceKey, bool]] = Counter()
        self._by: dict[Key, tuple[DeviceKey, bool]] = {}

    def offer(self, key: Key, size: int, tries: int, holders: Iterable[DeviceKey]) -> None:
        """Let the file wait for a slot of any of these holders. tries: how often it failed in a
        slot."""
        for device in sorted(holders):
            by_class = self._offers.setdefault(device, {False: Offers(), True: Offers()})
            by_class[size > VERY_LARGE_BYTES].add(key, size, tries)

    def withdraw(self, key: Key) -> None:
        """The file does not wait any more."""
        for by_class in self._offers.values():
            for offers in by_class.values():
                offers.remove(key)

    def free(self) -> Iterator[tuple[Key, DeviceKey, bool]]:
        """Yield (file, device whose slot it may have, whether it is very large) while there are
        free slots. The caller takes the slot with `occupy`, or offers the file again."""
        for device, by_class in tuple(self._offers.items()):
            for very, offers in by_class.items():
                while self._taken[device, very] < self._most(very):
                    key = offers.next()
                    if key is None:
                        break
                    yield key, device, very

    def occupy(self, key: Key, device: DeviceKey, very: bool) -> None:
        self.withdraw(key)
        self._by[key] = device, very
        self._taken[device, very] += 1

    def give_back(self, key: Key) -> None:
        self._taken -= Counter((self._by.pop(key),))

    def forget_device(
        self, device: DeviceKey, holders: Callable[[Key], Iterable[DeviceKey]]
    ) -> None:
        """The device has no slots any more. A file in one of its slots continues in a slot of
        another holder."""
        self._offers.pop(device, None)
        for key, (of, very) in list(self._by.items()):
            others = [other for other in holders(key) if other != device]
            if of == device and others:
                self.give_back(key)
                self.occupy(key, min(others, key=lambda other: self._taken[other, very]), very)

    def whose(self, key: Key) -> DeviceKey:
        """Return the device whose slot the file has."""
        return self._by[key][0]

    def _most(self, very: bool) -> int:
        sources = max(1, self._sources())
        if very:
            return max(VERY_LARGE_LEAST, VERY_LARGE_AT_ONCE // sources)
        return max(LEAST_AT_ONCE, AT_ONCE // sources)
