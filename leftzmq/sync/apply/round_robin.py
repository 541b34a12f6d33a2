"""Items of several sources, taken from each source in turn: no source waits for all of another's.

Knows sources, and that items can be ordered. Must not know what either is.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Hashable
from typing import Any, Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T", bound=tuple[Any, ...])


class RoundRobin(Generic[S, T]):
    """The smallest item of a source is taken first."""

    def __init__(self) -> None:
        self._of: dict[S, list[T]] = {}  # heaps; the source whose turn it is comes first

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def has_beside(self, but: Container[S] = ()) -> bool:
        """Whether an item waits that is not of the sources `but`."""
        return any(source not in but for source in self._of)

    def count_of(self, source: S) -> int:
        """How many items of this source wait."""
        return len(self._of.get(source, ()))

    def put(self, source: S, item: T) -> None:
        heapq.heappush(self._of.setdefault(source, []), item)

    def pop(self, but: Container[S] = ()) -> T:
        """Takes the next item that is not of the sources `but`. There must be one."""
        source = next(source for source in self._of if source not in but)
        waiting = self._of.pop(source)
        item = heapq.heappop(waiting)
        if waiting:
            self._of[source] = waiting
        return item
