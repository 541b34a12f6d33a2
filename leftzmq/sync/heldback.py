"""What lies in the share instead of our version, and is not told: until a user decides, or until
our version is back.

Its stat is remembered, so that no walk reads it again. In the index alone; nothing but counts is
kept in memory. Must not know when something is held back (the guard does).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from leftzmq.index.store import Store
from leftzmq.tree.entry import ScanKey


class Why(IntEnum):
    """The numbers are in the index."""

    LOST = 0  # our file would be lost: it is empty now, or something else than a file
    TURNED = 1  # our file's content turned to noise
    BELOW = 2  # it lies below a path at which our file would be lost
    GIVES_WAY = 3  # decided: our version is wanted back here, and this goes to the trash


UNDECIDED: Final = (Why.LOST, Why.TURNED, Why.BELOW)


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a path: the stat with which it was found."""

    key: ScanKey
    why: Why


class HeldBack:
    """Of one folder, inside the store's running transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts = {Why(why): count for why, count in store.count_held().items()}

    def __bool__(self) -> bool:
        return any(self._counts.values())

    def count(self, why: Why) -> int:
        return self._counts.get(why, 0)

    def at(self, path: str) -> Found | None:
        held = self._store.held(path) if self else None
        return None if held is None else Found(held[0], Why(held[1]))

    def hold(self, path: str, key: ScanKey, why: Why) -> None:
        self.forget(path)
        self._store.hold(path, key, why)
        self._counts[why] = self.count(why) + 1

    def forget(self, path: str) -> None:
        """What is there now is told, or is what our index says."""
        if (found := self.at(path)) is not None:
            self._store.let_go(path)
            self._counts[found.why] -= 1

    def forget_undecided(self) -> None:
        """A user decided, or it is no flood any more: the next walk finds all of it once more."""
        for why in UNDECIDED:
            if self.count(why):
                self._store.let_go_of(why)
                self._counts[why] = 0
