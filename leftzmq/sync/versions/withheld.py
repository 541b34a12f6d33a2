"""What lies in the share in place of our version, and is not announced.

It is withheld until a user decides, or until our version is back. This also holds what we announced
for a path and gave up there: no device takes an older version from us than one that it received
before, so the next version that we have there must be above it.

The stat is stored, so that no walk reads the file again. All of it is in the index; only counts are
kept in memory. Must not know when something is withheld (the guard does).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from msgspec import Struct

from leftzmq.index.schema import NOTHING_LIES
from leftzmq.index.store import Store
from leftzmq.tree.entry import Entry, ScanKey


class WhyWithheld(IntEnum):
    """Why something is withheld. The index stores these numbers."""

    LOST = 0  # our file would be lost: it is empty now, or is no file any more
    TURNED = 1  # our file's content turned to noise
    BELOW = 2  # it lies below a path at which our file would be lost
    GIVES_WAY = 3  # decided: our version is wanted back here, and what lies here moves to the trash
    # Our version is wanted back here, if a device has it; nothing is withheld.
    WANTED = NOTHING_LIES
    ROTTEN = 5  # as GIVES_WAY, and no user wrote what lies here: it goes also where ours is deleted


LET_BE_AT_ONCE: Final = 1_000
UNDECIDED: Final = (WhyWithheld.LOST, WhyWithheld.TURNED, WhyWithheld.BELOW)
REPLACED: Final = (WhyWithheld.GIVES_WAY, WhyWithheld.ROTTEN)
WANTED_BACK: Final = (*REPLACED, WhyWithheld.WANTED)
NOTHING_TOLD: Final = (0, b"")


class Found(Struct, frozen=True):
    """What lies at a path: the stat with which it was found.

    had: stamp and writer of the version that we had announced there. The next version that we have
    must be above it.
    """

    key: ScanKey
    why: WhyWithheld
    had: tuple[int, bytes]

    def is_above(self, entry: Entry) -> bool:
        """Whether we announced a later version than this one there."""
        return (entry.stamp, entry.writer) < self.had


class Withheld:
    """What is withheld in one folder, inside the store's running transaction."""

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

    def is_wanted_back(self, path: str) -> bool:
        """Whether the version that we announced there is to come from another device."""
        found = self.at(path)
        return found is not None and found.why in WANTED_BACK

    def withhold(
        self, path: str, key: ScanKey, why: WhyWithheld, had: tuple[int, bytes] = NOTHING_TOLD
    ) -> None:
        if (found := self.at(path)) is not None:
            had = max(had, found.had)
            self.true_again(path)
        self._store.put_withheld(path, key, why, had)
        self._counts[why] = self.count(why) + 1

    def true_again(self, path: str) -> None:
        """What our index says of the path is true again, and is announced."""
        if (found := self.at(path)) is not None:
            self._store.drop_withheld(path)
            self._counts[found.why] -= 1

    def release(self, path: str) -> None:
        """Nothing is withheld at the path any more. What we announced there still counts."""
        found = self.at(path)
        if found is None or found.why is WhyWithheld.WANTED:
            return
        if found.had == NOTHING_TOLD:
            self.true_again(path)
        else:
            self.withhold(path, found.key, WhyWithheld.WANTED)

    def announced_above(self, path: str) -> bool:
        """Our index has a version there again, above the one that we had announced. Returns whether
        that one was wanted back until now."""
        found = self.at(path)
        if found is None or found.why is not WhyWithheld.WANTED:
            return False
        self.true_again(path)
        return True

    def told_withdrawn(self, path: str) -> None:
        """Others hear that we do not have what we announced there. What lies there in its place
        stays so."""
        found = self.at(path)
        if found is not None:
            self.true_again(path)
            if found.why is not WhyWithheld.WANTED:
                self.withhold(path, found.key, found.why)

    def let_be(self, path: str) -> None:
        """Our version is not wanted back any more: what lies there is a user's file."""
        if (found := self.at(path)) is not None:
            self.release(path)
            if found.why in REPLACED:
                self.look_at(path)

    def look_at(self, path: str) -> None:
        """A look is to tell what lies there now."""
        self._let_be.append(path)

    def let_be_unwanted(self, readers: int) -> None:
        """Files that are to be replaced by a version that no device holds any more, reachable or
        not, are all that is left at their paths. They are users' files from now on. readers: the
        bits of devices that do not count."""
        for why in REPLACED:
            if self.count(why):
                for path in self._store.held_for_nobody(why, LET_BE_AT_ONCE, readers):
                    self.let_be(path)

    def lies_in_the_way(self, path: str) -> bool:
        """Our version cannot come back: what lies there stays, and is announced beside it. Returns
        False where nothing was to be replaced."""
        found = self.at(path)
        if found is None or found.why not in REPLACED:
            return False
        self.release(path)
        return True

    def to_look_at(self) -> list[str]:
        """Paths at which something else follows since the last call from what lies there."""
        paths, self._let_be = self._let_be, []
        return paths

    @property
    def is_left_over(self) -> bool:
        """Whether something is withheld without anything left for which it would wait."""
        return any(map(self.count, UNDECIDED)) and not self.count(WhyWithheld.GIVES_WAY)

    def forget_undecided(self) -> None:
        """A user decided, or the guard no longer counts too many losses: the next walk finds all of
        it again."""
        for why in UNDECIDED:
            if self.count(why):
                self._store.let_go_of(why, WhyWithheld.WANTED)
        self._count()

    def _count(self) -> None:
        self._counts = {WhyWithheld(why): count for why, count in self._store.count_held().items()}
