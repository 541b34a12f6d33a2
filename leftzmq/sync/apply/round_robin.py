"""What waits of several sources, taken one of each in its turn, so that none waits for the whole of
another one.

Knows sources, and that what waits can be ordered. Must not know what either is.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Hashable
from typing import Any, Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T", bound=tuple[Any, ...])


class RoundRobin(Generic[S, T]):
    """The least of a source comes first."""

    def __init__(self) -> None:
        self._of: dict[S, list[T]] = {}  # heaps; first that of the source whose turn it is

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def has(self, but: Container[S] = ()) -> bool:
        """Whether anything waits that is not of these sources."""
        return any(source not in but for source in self._of)

    def of(self, source: S) -> int:
        """How many wait of this source."""
        return len(self._of.get(source, ()))

    def put(self, source: S, item: T) -> None:
        heapq.heappush(self._of.setdefault(source, []), item)

    def pop(self, but: Container[S] = ()) -> T:
        """The next one that is not of these sources. There is one."""
        source = next(source for source in self._of if source not in but)
        waiting = self._of.pop(source)
        item = heapq.heappop(waiting)
        if waiting:
            self._of[source] = waiting
        return item
