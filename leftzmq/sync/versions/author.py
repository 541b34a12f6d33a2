"""Makes the versions that this device writes: what its user did, and what it publishes again.

Knows the life and the sequences of this device, and whether it tells others what is changed here.
Must not know rows. In a folder that only receives each such version is private
(docs/decisions/0028): it has a sequence, as every version of ours, and is in no page.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from leftzmq.index.heads import Heads
from leftzmq.tree.entry import (
    Entry,
    Observed,
    ScanKey,
    kept_back,
    local_change,
    private,
    published_again,
    register_after,
    register_of,
    told,
    tombstone,
)
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.permissions import ModesKept, Permissions


class Author:
    """mode: in which directions the folder syncs on this device. modes: which bits of modes this
    device keeps"""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self.mode = FolderMode.BOTH
        self.modes = ModesKept.ALL

    @property
    def receives(self) -> bool:
        """Whether the folder only receives."""
        return self.mode is FolderMode.RECEIVE

    def change(
        self,
        observed: Observed,
        base: Entry | None,
        winner: Entry | None = None,
        before: ScanKey | None = None,
    ) -> tuple[Entry, int]:
        """The version for what was found in the place of `base`, and its sequence. winner: what
        others have there. before: the stat of `base` when it was last known to be there."""
        sequence, life = self._heads.next_sequence(), self._heads.life
        register = self._register_after(observed, base, before, winner)
        entry = local_change(observed, base, life, sequence, register)
        if self.receives:
            return private(entry, base, base), sequence
        return self._above(entry, winner), sequence

    def chmod(
        self, observed: Observed, ours: Entry, winner: Entry | None, before: ScanKey | None
    ) -> tuple[Entry, int]:
        """`ours`, of which nothing but the mode was changed, and its sequence. winner, before: as
        in `change`."""
        sequence = self._heads.next_sequence()
        entry = ours.with_register(self._register_after(observed, ours, before, winner))
        return (private(entry, ours, ours) if self.receives else entry), sequence

    def _register_after(
        self, observed: Observed, base: Entry | None, before: ScanKey | None, winner: Entry | None
    ) -> Permissions | None:
        known = None if base is None else base.permissions
        register = register_after(observed, base, before, self._heads.life, self.modes)
        theirs = None if winner is None else winner.permissions
        if self.mode is not FolderMode.SEND or register is known or register is None:
            return register
        return register.above(theirs, self._heads.life)  # which it does not take

    def adopted(self, key: ScanKey, known: Permissions | None) -> Permissions | None:
        """The register that says what the disk shows, above the highest that is known; None: that
        one says it."""
        return register_of(key, known, self._heads.life, self.modes)

    def kept(self, observed: Observed, base: Entry | None, above: Entry) -> tuple[Entry, int]:
        """The version for what was found, and must stay in spite of `above`."""
        sequence, life = self._heads.next_sequence(), self._heads.life
        register = self._register_after(observed, base, None, None)
        found = local_change(observed, base, life, sequence, register)
        entry = published_again(found, above, life, sequence)
        return (private(entry, base, above) if self.receives else entry), sequence

    def delete(self, base: Entry, now_ns: int, winner: Entry | None = None) -> tuple[Entry, int]:
        """The tombstone of `base`, and its sequence. winner: as in `change`."""
        sequence = self._heads.next_sequence()
        entry = tombstone(base, self._heads.life, sequence, now_ns)
        if self.receives:
            return private(entry, base, base), sequence
        return self._above(entry, winner), sequence

    def _above(self, entry: Entry, winner: Entry | None) -> Entry:
        """A folder that only sends does not take what others have, and would never have seen it. So
        what is changed here is above it, and theirs becomes the conflict copy."""
        if self.mode is not FolderMode.SEND or winner is None or winner.rank < entry.rank:
            return entry
        return replace(entry, stamp=winner.stamp + 1)

    def over(self, ours: Entry | None, listed: Sequence[Entry]) -> tuple[Entry, int]:
        """What this device has, above all that others have there, which a user has seen: `ours`, or
        the tombstone of the highest of them where it has nothing."""
        sequence, life = self._heads.next_sequence(), self._heads.life
        highest = max(listed, key=lambda entry: entry.rank)
        base = tombstone(highest, life, sequence, 0) if ours is None else ours
        entry = published_again(base, highest, life, sequence)
        vector = entry.vector
        for other in listed:
            vector = vector.joined(other.vector, keep=(life, other.writer))
            if entry.permissions is not None and other.kind is entry.kind:
                entry = entry.with_register(entry.permissions.above(other.permissions, life))
        return replace(entry, vector=vector), sequence

    def again(self, ours: Entry, above: Entry) -> tuple[Entry, int]:
        """`ours` above a concurrent winner that must not be taken, and its sequence."""
        sequence = self._heads.next_sequence()
        if self.receives:
            return kept_back(ours, above), sequence
        return published_again(ours, above, self._heads.life, sequence), sequence

    def tell(self, entry: Entry) -> tuple[Entry, int]:
        """A private version as one that is told from now on, and its sequence."""
        sequence = self._heads.next_sequence()
        return told(entry, self._heads.life, sequence), sequence
