"""Makes the versions that this device writes: what its user did, and what it publishes again.

Knows the life and the sequences of this device, and whether it tells others what is changed here.
Must not know rows. In a folder that only receives each such version is private
(docs/decisions/0028): it has a sequence, as every version of ours, and is in no page.
"""

from __future__ import annotations

from leftzmq.index.heads import Heads
from leftzmq.tree.entry import (
    Entry,
    Observed,
    local_change,
    private,
    published_again,
    told,
    tombstone,
)


class Author:
    """receives: whether the folder only receives"""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self.receives = False

    def change(self, observed: Observed, base: Entry | None) -> tuple[Entry, int]:
        """The version for what was found in the place of `base`, and its sequence."""
        sequence = self._heads.next_sequence()
        entry = local_change(observed, base, self._heads.life, sequence)
        return (private(entry, base) if self.receives else entry), sequence

    def kept(self, observed: Observed, base: Entry | None, above: Entry) -> tuple[Entry, int]:
        """The version for what was found, and must stay in spite of `above`."""
        sequence, life = self._heads.next_sequence(), self._heads.life
        entry = published_again(local_change(observed, base, life, sequence), above, life, sequence)
        return (private(entry, above) if self.receives else entry), sequence

    def delete(self, base: Entry, now_ns: int) -> tuple[Entry, int]:
        """The tombstone of `base`, and its sequence."""
        sequence = self._heads.next_sequence()
        entry = tombstone(base, self._heads.life, sequence, now_ns)
        return (private(entry, base) if self.receives else entry), sequence

    def again(self, ours: Entry, above: Entry) -> tuple[Entry, int]:
        """`ours` above a concurrent winner that must not be taken, and its sequence."""
        sequence = self._heads.next_sequence()
        entry = published_again(ours, above, self._heads.life, sequence)
        return (private(entry, above) if self.receives else entry), sequence

    def tell(self, entry: Entry) -> tuple[Entry, int]:
        """A private version as one that is told from now on, and its sequence."""
        sequence = self._heads.next_sequence()
        return told(entry, self._heads.life, sequence), sequence
