"""Places at which large files arrive, shared among the devices that have them.

A device that is silent, slow or lying keeps its own places and nobody else's. Knows sizes, and who
has what. Must not know what becomes of a file that has its place.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from leftzmq.sync.link import DeviceKey

VERY_LARGE_BYTES: Final = 16 << 20
AT_ONCE: Final = 16
VERY_LARGE_AT_ONCE: Final = 2  # places of their own: the others are never behind them
LEAST_AT_ONCE: Final = 4
"""Of one device, however many there are: a file of 300 KB waits for three answers and four jobs,
and a swarm of twenty that has one seed is to go on beside that."""
VERY_LARGE_LEAST: Final = 1

Key = tuple[str, str]  # folder, path


class Offers:
    """Of one device and one class of files: what waits for a place. What was begun in vain less
    often comes first; then the smallest."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._order: dict[Key, tuple[int, int]] = {}

    def add(self, key: Key, size: int, tries: int) -> None:
        if self._order.get(key) != (tries, size):
            self._order[key] = tries, size
            heapq.heappush(self._heap, (tries, size, key))

    def remove(self, key: Key) -> None:
        self._order.pop(key, None)  # and from the heap when it is its turn

    def next(self) -> Key | None:
        while self._heap:
            *order, key = heapq.heappop(self._heap)
            if self._order.get(key) == tuple(order):
                del self._order[key]
                return key
        return None


class TransferSlots:
    """sources: how many devices can be asked now."""

    def __init__(self, sources: Callable[[], int]) -> None:
        self._sources = sources
        self._offers: dict[DeviceKey, dict[bool, Offers]] = {}
        self._taken: Counter[tuple[DeviceKey, bool]] = Counter()
        self._by: dict[Key, tuple[DeviceKey, bool]] = {}

    def offer(self, key: Key, size: int, tries: int, holders: Iterable[DeviceKey]) -> None:
        """It waits for a place of one of these. tries: how often it had one in vain."""
        for device in sorted(holders):
            by_class = self._offers.setdefault(device, {False: Offers(), True: Offers()})
            by_class[size > VERY_LARGE_BYTES].add(key, size, tries)

    def withdraw(self, key: Key) -> None:
        """It does not wait any more."""
        for by_class in self._offers.values():
            for offers in by_class.values():
                offers.remove(key)

    def free(self) -> Iterator[tuple[Key, DeviceKey, bool]]:
        """(what may have a place, whose, whether very large), while there are free ones. It is
        taken with `take`, or else offered again."""
        for device, by_class in tuple(self._offers.items()):
            for very, offers in by_class.items():
                while self._taken[device, very] < self._most(very):
                    key = offers.next()
                    if key is None:
                        break
                    yield key, device, very

    def take(self, key: Key, device: DeviceKey, very: bool) -> None:
        self.withdraw(key)
        self._by[key] = device, very
        self._taken[device, very] += 1

    def give_back(self, key: Key) -> None:
        self._taken -= Counter((self._by.pop(key),))

    def forget_device(
        self, device: DeviceKey, holders: Callable[[Key], Iterable[DeviceKey]]
    ) -> None:
        """It has no places any more: what has one goes on at a place of another holder."""
        self._offers.pop(device, None)
        for key, (of, very) in list(self._by.items()):
            others = [other for other in holders(key) if other != device]
            if of == device and others:
                self.give_back(key)
                self.take(key, min(others, key=lambda other: self._taken[other, very]), very)

    def whose(self, key: Key) -> DeviceKey:
        """Whose place it has."""
        return self._by[key][0]

    def _most(self, very: bool) -> int:
        sources = max(1, self._sources())
        if very:
            return max(VERY_LARGE_LEAST, VERY_LARGE_AT_ONCE // sources)
        return max(LEAST_AT_ONCE, AT_ONCE // sources)
