"""What lies in the share instead of our version, and is not told: until a user decides, or until
our version is back. And what we told of a path and gave up there: no device takes an older version
of us than it heard before, so what we have there next must be above it.

Its stat is remembered, so that no walk reads it again. In the index alone; nothing but counts is
kept in memory. Must not know when something is held back (the guard does).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from leftzmq.index.schema import NOTHING_LIES
from leftzmq.index.store import Store
from leftzmq.tree.entry import Entry, ScanKey


class WhyWithheld(IntEnum):
    """The numbers are in the index."""

    LOST = 0  # our file would be lost: it is empty now, or something else than a file
    TURNED = 1  # our file's content turned to noise
    BELOW = 2  # it lies below a path at which our file would be lost
    GIVES_WAY = 3  # decided: our version is wanted back here, and this goes to the trash
    WANTED = NOTHING_LIES  # our version is wanted back here, if somebody has it; nothing is held


LET_BE_AT_ONCE: Final = 1_000
UNDECIDED: Final = (WhyWithheld.LOST, WhyWithheld.TURNED, WhyWithheld.BELOW)
WANTED_BACK: Final = (WhyWithheld.GIVES_WAY, WhyWithheld.WANTED)
NOTHING_TOLD: Final = (0, b"")


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a path: the stat with which it was found.

    had: stamp and writer of the version that we had told there: what we have next must be above it
    """

    key: ScanKey
    why: WhyWithheld
    had: tuple[int, bytes]

    def is_above(self, entry: Entry) -> bool:
        """Whether we told there of a later version than this one."""
        return (entry.stamp, entry.writer) < self.had


class Withheld:
    """Of one folder, inside the store's running transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._let_be: list[str] = []
        self._counts: dict[WhyWithheld, int] = {}
        self._count()

    def __bool__(self) -> bool:
        return any(self._counts.values())

    def count(self, why: WhyWithheld) -> int:
        return self._counts.get(why, 0)

    def at(self, path: str) -> Found | None:
        held = self._store.held(path) if self else None
        return None if held is None else Found(held[0], WhyWithheld(held[1]), held[2])

    def hold(
        self, path: str, key: ScanKey, why: WhyWithheld, had: tuple[int, bytes] = NOTHING_TOLD
    ) -> None:
        if (found := self.at(path)) is not None:
            had = max(had, found.had)
            self.forget(path)
        self._store.hold(path, key, why, had)
        self._counts[why] = self.count(why) + 1

    def forget(self, path: str) -> None:
        """What our index says of the path holds again, and is told."""
        if (found := self.at(path)) is not None:
            self._store.let_go(path)
            self._counts[found.why] -= 1

    def let_go(self, path: str) -> None:
        """Nothing is held back at the path any more. What we told there goes on to hold."""
        found = self.at(path)
        if found is None or found.why is WhyWithheld.WANTED:
            return
        if found.had == NOTHING_TOLD:
            self.forget(path)
        else:
            self.hold(path, found.key, WhyWithheld.WANTED)

    def told(self, path: str) -> None:
        """Our index has a version there again, above what we had told."""
        found = self.at(path)
        if found is not None and found.why is WhyWithheld.WANTED:
            self.forget(path)

    def let_be(self, path: str) -> None:
        """Our version is not wanted back any more: what lies there is a user's."""
        if (found := self.at(path)) is not None:
            self.let_go(path)
            if found.why is WhyWithheld.GIVES_WAY:
                self._let_be.append(path)

    def let_be_unwanted(self) -> None:
        """What would give way to a version that nobody has any more, be it reachable or not, is
        all that is left of it."""
        if self.count(WhyWithheld.GIVES_WAY):
            for path in self._store.held_for_nobody(WhyWithheld.GIVES_WAY, LET_BE_AT_ONCE):
                self.let_be(path)

    def lies_in_the_way(self, path: str) -> bool:
        """Our version cannot come back: what lies there stays, and is told beside it. False where
        nothing was to give way."""
        found = self.at(path)
        if found is None or found.why is not WhyWithheld.GIVES_WAY:
            return False
        self.let_go(path)
        return True

    def to_look_at(self) -> list[str]:
        """Paths that were let be since this was asked."""
        paths, self._let_be = self._let_be, []
        return paths

    @property
    def is_left_over(self) -> bool:
        """Whether something waits and nothing is there any more for which it would wait."""
        return any(map(self.count, UNDECIDED)) and not self.count(WhyWithheld.GIVES_WAY)

    def forget_undecided(self) -> None:
        """A user decided, or it is no flood any more: the next walk finds all of it once more."""
        for why in UNDECIDED:
            if self.count(why):
                self._store.let_go_of(why, WhyWithheld.WANTED)
        self._count()

    def _count(self) -> None:
        self._counts = {WhyWithheld(why): count for why, count in self._store.count_held().items()}
