"""Who was refused lately because its key is not in our list: shown by `status`, so that a person
can add it.

A stranger can make keys without end, so few are kept; one that comes again and again stays.
Knows keys, addresses and time. Must not know how anybody is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.sync.facts import Stranger

MAX_KEPT: Final = 16
LATELY_S: Final = 600.0
"""A device that tries goes on trying every 10 s at least, and is told of once a minute."""


@dataclass(frozen=True, slots=True)
class Visit:
    """first, last: when it was refused (monotonic). times: how often that was told, at most once a
    minute"""

    stranger: Stranger
    first: float
    last: float
    times: int


class RefusedKeys:
    """Of the agent."""

    def __init__(self) -> None:
        self._by_key: dict[str, Visit] = {}

    def came(self, stranger: Stranger, now: float) -> None:
        self._forget(now)
        before = self._by_key.get(stranger.key)
        first, times = (now, 0) if before is None else (before.first, before.times)
        if before is None and len(self._by_key) >= MAX_KEPT:
            del self._by_key[min(self._by_key.values(), key=_worth).stranger.key]
        self._by_key[stranger.key] = Visit(stranger, first, now, times + 1)

    def lately(self, now: float) -> list[Visit]:
        """Who came last is the first."""
        self._forget(now)
        return sorted(self._by_key.values(), key=lambda visit: visit.last, reverse=True)

    def _forget(self, now: float) -> None:
        for key, visit in list(self._by_key.items()):
            if now - visit.last > LATELY_S:
                del self._by_key[key]


def _worth(visit: Visit) -> tuple[bool, float]:
    """Who came once is forgotten before who came again; of two of them who did so longer ago."""
    return visit.times > 1, visit.last
