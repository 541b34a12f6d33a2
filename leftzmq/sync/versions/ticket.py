"""A ticket: a path whose winning version we do not have yet."""

from __future__ import annotations

from msgspec import Struct

from leftzmq.index.rows import Row
from leftzmq.tree.entry import ContentId, Entry, Kind, ScanKey
from leftzmq.tree.plan import Held


class Ticket(Struct, frozen=True):
    """Derived from the rows, never stored.

    entry:   the version to be taken (the highest rank that a reachable device holds)
    ours:    the row that we have now, if any
    copy:    our bytes become a conflict copy
    attributes: only mtime and mode differ: no bytes move
    lies:    the stat of what is there and is nothing of ours: the version replaces it
    """

    entry: Entry
    ours: Row | None
    copy: bool
    attributes: bool
    lies: ScanKey | None = None

    @property
    def held(self) -> Held | None:
        """What should be on disk now, by our index. This may be a file of rules that was deleted,
        and stayed with what it ignores. A folder that stayed hinders none that is made anew."""
        if self.lies is not None:
            return Held(self.lies, ContentId(b""))
        if self.ours is None or self.ours.scan is None:
            return None
        if self.ours.entry.deleted and self.ours.entry.kind is Kind.DIRECTORY:
            return None
        return Held(self.ours.scan, self.ours.entry.content)

    @property
    def needs_bytes(self) -> bool:
        """Whether content is needed, from another device or from a local file."""
        entry = self.entry
        return entry.kind is Kind.FILE and not entry.deleted and not self.attributes
