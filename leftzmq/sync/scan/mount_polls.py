"""Which directories of a share are mounts, as far as walks have found out, and when to look for
them: not every system sends an event when a mount is taken away or is back.

Knows paths and time. Must not know devices (disk/scan/mounts does), nor what a look is.
"""

from __future__ import annotations

from typing import Final

from leftzmq.index.store import Store
from leftzmq.sync.jobs import Walked

MOUNTS: Final = "mounts"
"""The key in the index of the mounts that are known: a mount that is missing at a start is
reported."""
LOOK_PERIOD_S: Final = 10.0


class MountPolls:
    """The mounts of one folder. watched: paths where something was mounted or unmounted since the
    start, and which are watched in their present state."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._packed = store.meta(MOUNTS) or b""
        self._next = 0.0
        self.watched: set[str] = set()

    def __contains__(self, path: str) -> bool:
        return path in self._packed.decode().split("\0")

    def is_watched(self, path: str) -> None:
        self.watched.add(path)

    def on_walked(self, fact: Walked, now: float) -> None:
        """Stores the mounts that a walk found, so that they outlive this run."""
        if fact.mounts != self._packed:
            self._packed = fact.mounts
            self._store.put_meta(MOUNTS, fact.mounts)

    def deadline(self) -> float | None:
        """When `due` has something (monotonic)."""
        return self._next if self._packed else None

    def due(self, now: float) -> list[str]:
        """The mounts that are to be looked for now."""
        if not self._packed or now < self._next:
            return []
        self._next = now + LOOK_PERIOD_S
        return self._packed.decode().split("\0")
