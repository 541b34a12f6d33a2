"""What another device says that it has: the device's bit moves to that version.

Knows the rows of a path. Must not know links or pages, nor which version wins (`resolver` does).
Runs inside the store's running transaction.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec.structs import replace

from leftzmq.index.rows import Row, counting, ours_of
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.tree.entry import Entry


class Heard(Enum):
    """What an entry that another device announced means."""

    OLDER = auto()  # the device breaks the rules: it announced a newer version before
    SAME = auto()  # no device has anything but what we have, and nothing was wanted
    OPEN = auto()  # there may be a ticket now, or none any more


def heard(index_view: IndexView, bit: int, entry: Entry, *, anew: bool = False) -> Heard:
    """The device of `bit` has `entry`. Within one chain of lives, only an entry of the same or a
    higher rank replaces an entry. anew: it had withdrawn the path before, and we hear both at once:
    then any entry may follow."""
    mask, readers = 1 << bit, index_view.readers if index_view.readers_known else 0
    if mask & readers:
        return _acknowledged(index_view, mask, entry, readers, anew=anew)
    rows = index_view.told_rows(entry.path)
    before = next((row for row in rows if row.holders & mask), None)
    if before is not None and entry.rank < before.entry.rank and not anew:
        return Heard.OLDER
    is_last = before is not None and before.holders & ~readers == mask
    if before is not None and is_last and entry.rank != before.entry.rank:
        index_view.outdated(before.entry)
    after = [replace(r, holders=r.holders & ~mask) if r is before else r for r in rows]
    same = next((r for r in after if r.entry.rank == entry.rank), None)
    if same is None:
        after.append(index_view.new_row(entry, mask))
    else:
        vector = same.entry.vector.joined(entry.vector, keep=(entry.writer,))
        grown = replace(same, holders=same.holders | mask)
        if vector != same.entry.vector:
            grown = replace(grown, entry=replace(same.entry, vector=vector))
            if grown.is_ours:
                grown = replace(grown, seq=index_view.next_sequence())
        after[after.index(same)] = grown
    index_view.change(rows, after)
    held = [row for row in after if row.holders and not row.apart]
    is_same = all(row.is_ours for row in held) and not _was_wanted(before, ours_of(rows))
    return Heard.SAME if is_same else Heard.OPEN


def _was_wanted(before: Row | None, ours: Row | None) -> bool:
    """Whether the version that a device had until now may have been a ticket. What it has now need
    not be one: it may be of a kind that is not kept here, or, after a withdrawal, what we have."""
    if before is None or before.apart or before.is_ours:
        return False
    return ours is None or ours.entry.rank < before.entry.rank


def withdrawn(index_view: IndexView, bit: int, path: str) -> bool:
    """The device of `bit` keeps the path no more. That is no delete: it has no version any more.
    Returns whether it had one."""
    mask, rows = 1 << bit, index_view.all_rows(path)
    before = next((row for row in rows if row.holders & mask), None)
    if before is None:
        return False
    readers = index_view.readers if index_view.readers_known else 0
    if before.holders & ~readers == mask:
        index_view.outdated(before.entry)
        rows = index_view.all_rows(path)
    index_view.change_row(rows, before, replace(before, holders=before.holders & ~mask))
    return True


def _acknowledged(
    index_view: IndexView, mask: int, entry: Entry, readers: int, *, anew: bool
) -> Heard:
    """The device of these bits, which may only read the folder, has `entry`. Its bit moves to the
    row of exactly that version, or to one of its own, which counts for nothing. What it says of
    other versions that this one has seen is its own word alone, so vectors are not joined."""
    rows = index_view.all_rows(entry.path)
    before = next((row for row in rows if row.holders & mask), None)
    if before is not None and before.entry.rank > entry.rank and not anew:
        return Heard.OLDER
    after = [replace(r, holders=r.holders & ~mask) if r is before else r for r in rows]
    same = next((r for r in after if r.entry.rank == entry.rank), None)
    if same is None:
        after.append(index_view.new_row(entry, mask))
    else:
        after[after.index(same)] = replace(same, holders=same.holders | mask)
    index_view.change(rows, after)
    return Heard.SAME if all(row.is_ours for row in counting(after, readers)) else Heard.OPEN
