"""Keys that were refused lately because they are not in our list: `status` shows them, so that a
user can add them.

A stranger can make any number of keys, so few are kept; a key that returns again and again stays.
Knows keys, addresses and time. Must not know how a key is refused.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from leftzmq.sync.facts import Stranger

MAX_KEPT: Final = 16
LATELY_S: Final = 600.0
"""A device that tries to connect tries at least every 10 s, and is reported once a minute."""


class Visit(Struct, frozen=True):
    """first, last: when the key was refused (monotonic seconds). times: how often that was
    reported, at most once a minute."""

    stranger: Stranger
    first: float
    last: float
    times: int


class RefusedKeys:
    """One per agent."""

    def __init__(self) -> None:
        self._by_key: dict[str, Visit] = {}

    def note_refused(self, stranger: Stranger, now: float) -> None:
        self._forget(now)
        before = self._by_key.get(stranger.key)
        first, times = (now, 0) if before is None else (before.first, before.times)
        if before is None and len(self._by_key) >= MAX_KEPT:
            del self._by_key[min(self._by_key.values(), key=_worth).stranger.key]
        self._by_key[stranger.key] = Visit(stranger, first, now, times + 1)

    def forget(self, key: str) -> None:
        """A user has added this key."""
        self._by_key.pop(key, None)

    def lately(self, now: float) -> list[Visit]:
        """Return the visits, latest first."""
        self._forget(now)
        return sorted(self._by_key.values(), key=lambda visit: visit.last, reverse=True)

    def _forget(self, now: float) -> None:
        for key, visit in list(self._by_key.items()):
            if now - visit.last > LATELY_S:
                del self._by_key[key]


def _worth(visit: Visit) -> tuple[bool, float]:
    """Return the sort key for forgetting: keys that came once go first, then the oldest of the
    rest."""
    return visit.times > 1, visit.last
