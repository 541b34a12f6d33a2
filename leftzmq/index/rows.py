"""Rows of the index as values, and back."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from leftzmq.index.schema import ENTRY_COLUMNS, OURS
from leftzmq.tree.attributes import NO_MODE
from leftzmq.tree.entry import ContentId, Entry, Kind, ScanKey
from leftzmq.tree.path import path_of_key, sort_key
from leftzmq.tree.permissions import Permissions
from leftzmq.tree.version import Life, Vector

COLUMNS: Final = f"id, {ENTRY_COLUMNS}, holders, seq, scan, noise, apart"

_SCAN = struct.Struct("<BQqqQ?I")  # kind, size, mtime, ctime, inode, exec, links
_MODE = struct.Struct("<H")  # after that; not where it was not written down
_INODE = struct.Struct("<Q")
_UINT32 = 0xFFFFFFFF
# The numbers of a row, and what SQLite keeps for a row and for its entries in indexes.
ROW_BYTES: Final = 120


ANYBODY: Final = -1  # as a set of devices


class Row(Struct, frozen=True, gc=False):
    """One version of one path, and which devices hold it.

    id:   of the row; 0: not stored yet
    seq:  ours: the sequence under which it entered our index, else None
    scan: ours and live: the stat when the bytes were these, if known
    noise: these bytes were read, here or while they arrived, and look encrypted
    apart: this device does not keep the path, where something of this kind is at it: for what is
        decided here the row does not count
    """

    entry: Entry
    holders: int
    id: int = 0
    seq: int | None = None
    scan: ScanKey | None = None
    noise: bool = False
    apart: bool = False

    @property
    def is_ours(self) -> bool:
        return self.holders & OURS != 0

    @property
    def sort_key(self) -> bytes:
        return sort_key(self.entry.path)


def counting(rows: Iterable[Row], readers: int) -> list[Row]:
    """The rows that count here: of paths that this device keeps, those that a full member holds, or
    we. A row that only `readers` hold, the devices that may only read the folder, is their
    acknowledgement and nobody's offer."""
    return [row for row in rows if row.holders & ~readers and not row.apart]


def ours_of(rows: Iterable[Row]) -> Row | None:
    """The row of the version that we have."""
    for row in rows:  # asked a dozen times for each file that comes
        if row.holders & OURS:
            return row
    return None


def best_of(rows: Sequence[Row], holders: int) -> Row | None:
    """The highest version of a path that one of these devices holds and that may be taken: not one
    that leaps (tree/entry)."""
    row_of_ours = ours_of(rows)
    ours = row_of_ours.entry if row_of_ours else None
    best: Row | None = None
    for row in rows:
        if row.holders & holders and not row.entry.leaps(ours):
            best = row if best is None or row.entry.rank > best.entry.rank else best
    return best


def theirs_of(rows: Iterable[Row], content: bytes) -> Entry | None:
    """The highest version of a file with these bytes that others hold, and we do not."""
    others = [row.entry for row in rows if not row.is_ours]
    files = [entry for entry in others if entry.kind is Kind.FILE and not entry.deleted]
    same = [entry for entry in files if entry.content == content]
    return max(same, key=lambda entry: entry.rank, default=None)


def row_bytes(entry: Entry) -> int:
    """About how many bytes the entry's row takes, with what indexes repeat of it."""
    path = len(entry.path.encode())
    return 2 * path + 20 * len(entry.vector.pairs) + 2 * len(entry.content) + ROW_BYTES


def pack_scan(key: ScanKey | None) -> bytes | None:
    if key is None:
        return None
    packed = _SCAN.pack(
        key.kind,
        key.size,
        key.mtime_ns,
        key.ctime_ns,
        key.inode,
        key.exec,
        min(key.links, _UINT32),
    )
    return packed if key.mode == NO_MODE else packed + _MODE.pack(key.mode)


def pack_inode(inode: int) -> bytes:
    """The inode as it is in a packed scan."""
    return _INODE.pack(inode)


def unpack_scan(packed: bytes | None) -> ScanKey | None:
    if packed is None:
        return None
    kind, size, mtime_ns, ctime_ns, inode, exec_, links = _SCAN.unpack_from(packed)
    mode = _MODE.unpack_from(packed, _SCAN.size)[0] if len(packed) > _SCAN.size else NO_MODE
    return ScanKey(Kind(kind), size, mtime_ns, ctime_ns, inode, exec_, links, mode)


def row_of(columns: tuple[Any, ...]) -> Row:
    """A Row from COLUMNS, in their order."""
    entry, scan = entry_of(columns), unpack_scan(columns[15])
    noise, apart = bool(columns[16]), bool(columns[17])
    return Row(entry, columns[13], columns[0], columns[14], scan, noise, apart)


def entry_of(columns: tuple[Any, ...]) -> Entry:
    """The entry in COLUMNS, in their order."""
    _, path, kind, size, mtime_ns, exec_, content, depth, vector, writer, stamp, deleted, said = (
        columns[:13]
    )
    return Entry(
        path_of_key(path),
        Kind(kind),
        size,
        mtime_ns,
        bool(exec_),
        ContentId(content),
        depth,
        Vector.unpack(vector),
        Life(writer),
        stamp,
        bool(deleted),
        None if said is None else Permissions.unpack(said),
    )


def columns_of_entry(entry: Entry) -> tuple[Any, ...]:
    """ENTRY_COLUMNS, in their order."""
    return (
        sort_key(entry.path),
        int(entry.kind),
        entry.size,
        entry.mtime_ns,
        entry.exec,
        entry.content,
        entry.depth,
        entry.vector.pack(),
        entry.writer,
        entry.stamp,
        entry.deleted,
        None if entry.permissions is None else entry.permissions.pack(),
    )


def columns_of(row: Row) -> tuple[Any, ...]:
    """COLUMNS without the id, in their order."""
    return (
        *columns_of_entry(row.entry),
        row.holders,
        row.seq,
        pack_scan(row.scan),
        row.noise,
        row.apart,
    )
