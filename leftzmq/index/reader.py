"""Queries of the index. The loop queries on the writing connection; each worker has its own.

Every query may raise IndexFailed (index/connection).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from leftzmq.index.connection import Connection
from leftzmq.index.lefting_states import LeftingState
from leftzmq.index.rows import (
    COLUMNS,
    Row,
    entry_of,
    pack_inode,
    row_of,
    unpack_scan,
)
from leftzmq.index.schema import (
    ENTRY_COLUMNS,
    INODE,
    LINKED,
    NOTHING_LIES,
    OURS,
    PRIVATE_ROW,
    connect,
)
from leftzmq.index.statements import among
from leftzmq.tree.change import Change
from leftzmq.tree.conflict import CONFLICT_MARK, copies_between, is_conflict_name, is_copy_of
from leftzmq.tree.entry import Entry, Kind, ScanKey
from leftzmq.tree.path import keys_below, path_of_key, sort_key
from leftzmq.tree.plan import Staged

_TOLD: Final = f"NOT ({PRIVATE_ROW})"
_RANK: Final = (
    "({0}.stamp, {0}.writer, {0}.content, {0}.deleted, {0}.kind,"
    " coalesce({0}.permissions, x''), {0}.exec, {0}.mtime_ns, {0}.size, {0}.depth)"
)
_HIGHEST: Final = (
    "apart = 0 AND holders & ~? != 0"
    " AND NOT EXISTS (SELECT 1 FROM version AS other WHERE other.path = v.path"
    " AND other.apart = 0 AND other.holders & ~? != 0"
    f" AND {_RANK.format('other')} > {_RANK.format('v')})"
)
"""Of each path the highest version that somebody holds, given twice who does not count."""
"""The rank of a version, as tree/entry defines it: SQLite compares rows as
Python compares tuples."""
_COLUMNS_OF_V: Final = ", ".join(f"v.{column.strip()}" for column in COLUMNS.split(","))
_MADE: Final = f"lefting WHERE state = '{LeftingState.MADE.value}'"


class Reader:
    """Read-only queries. Every path given or returned is a share-relative str."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def _ask(self, question: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._db.execute(question, values)

    @classmethod
    def open(cls, file: Path) -> Reader:
        """Opens a connection for one worker thread."""
        return cls(connect(file, read_only=True))

    def close(self) -> None:
        self._db.close()

    def rows(self, path: str) -> list[Row]:
        """All versions of a path that some device holds, in no order."""
        found = self._ask(
            f"SELECT {COLUMNS} FROM version WHERE path = ?", (sort_key(path),)
        ).fetchall()
        return [row_of(columns) for columns in found]

    def ours(self, path: str) -> Row | None:
        """The version of a path that we have. A tombstone, too, is a version that we have."""
        return next((row for row in self.rows(path) if row.is_ours), None)

    def rows_of(self, paths: Iterable[str]) -> dict[str, list[Row]]:
        """The rows of many paths at once; an empty list where no device holds anything."""
        rows: dict[str, list[Row]] = {path: [] for path in paths}
        for columns in among(
            self._ask, f"SELECT {COLUMNS} FROM version WHERE path IN", map(sort_key, rows)
        ):
            row = row_of(columns)
            rows[row.entry.path].append(row)
        return rows

    def scan_keys(self, paths: Iterable[str]) -> dict[str, ScanKey | None]:
        """The known stats of our live versions of these paths. Where something is withheld at a
        path, its stat."""
        keys = [sort_key(path) for path in paths]
        ours = "SELECT path, scan FROM version WHERE seq IS NOT NULL AND deleted = 0 AND path IN"
        held = f"SELECT path, scan FROM held WHERE why != {NOTHING_LIES} AND path IN"
        return {
            path_of_key(key): unpack_scan(scan)
            for question in (ours, held)
            for key, scan in among(self._ask, question, keys)
        }

    def alive_after(
        self, key: bytes, limit: int, before: bytes = b"\xff"
    ) -> list[tuple[bytes, ScanKey | None]]:
        """(sort key, ScanKey) of our live versions, in key order strictly after `key` and before
        `before`. Where something is withheld at a path, its stat."""
        found = self._ask(
            "SELECT version.path, coalesce(held.scan, version.scan)"
            " FROM version INDEXED BY version_path LEFT JOIN held ON held.path = version.path"
            " WHERE version.path > ? AND version.path < ? AND seq IS NOT NULL AND deleted = 0"
            " ORDER BY version.path LIMIT ?",
            (key, before, limit),
        )
        return [(path, unpack_scan(scan)) for path, scan in found]

    def has_alive_below(self, folder: str) -> bool:
        """Whether we have something live below `folder`."""
        low, high = keys_below(folder)
        found = self._ask(
            "SELECT 1 FROM version INDEXED BY version_path"
            " WHERE path > ? AND path < ? AND seq IS NOT NULL AND deleted = 0 LIMIT 1",
            (low, high),
        ).fetchone()
        return found is not None

    def has_winner_below(self, folder: str, readers: int = 0) -> bool:
        """Whether we have something live below `folder` above which nobody has anything. readers:
        the bits of devices that do not count."""
        low, high = keys_below(folder)
        found = self._ask(
            "SELECT 1 FROM version AS v INDEXED BY version_path"
            " WHERE path > ? AND path < ? AND seq IS NOT NULL AND deleted = 0"
            " AND NOT EXISTS (SELECT 1 FROM version AS other WHERE other.path = v.path"
            " AND other.apart = 0 AND other.holders & ~? != 0"
            f" AND {_RANK.format('other')} > {_RANK.format('v')}) LIMIT 1",
            (low, high, readers),
        ).fetchone()
        return found is not None

    def graves_below(self, folder: str, limit: int, readers: int = 0) -> list[str]:
        """Paths below `folder` of which another device, and not we, holds a tombstone: children
        before their directories. readers: the bits of devices that do not count."""
        low, high = keys_below(folder)
        found = self._ask(
            "SELECT DISTINCT path FROM version INDEXED BY version_path WHERE path > ? AND path < ?"
            " AND seq IS NULL AND deleted = 1 AND apart = 0 AND holders & ~? != 0"
            " ORDER BY path DESC LIMIT ?",
            (low, high, readers, limit),
        )
        return [path_of_key(key) for (key,) in found]

    def changes(self, after: int, upto: int, limit: int) -> list[Change]:
        """What our index says under sequences with after < sequence <= upto, ascending. A path that
        is kept again after a withdrawal is there twice if both are in the run: the version says
        that it follows, and who hears the run in parts must have heard the withdrawal by then."""
        found = self._ask(
            f"SELECT {_COLUMNS_OF_V}, coalesce(w.seq, 0) FROM version AS v"
            " LEFT JOIN withdrawn AS w ON w.path = v.path"
            f" WHERE v.seq > ? AND v.seq <= ? AND {_TOLD} ORDER BY v.seq LIMIT ?",
            (after, upto, limit),
        ).fetchall()
        changes = [
            Change(columns[14], path_of_key(columns[1]), entry_of(columns), columns[-1])
            for columns in found
        ]
        withdrawn = self._ask(
            "SELECT seq, path FROM withdrawn WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (after, upto, limit),
        ).fetchall()
        if withdrawn:
            changes += [Change(seq, path_of_key(key), None, seq) for seq, key in withdrawn]
            changes.sort(key=lambda change: change.sequence)
        return changes[:limit]

    def base(self, path: str) -> tuple[Entry, ScanKey | None] | None:
        """The version that we had of a path before we stopped keeping it, and its stat."""
        found = self._ask(
            f"SELECT NULL, {ENTRY_COLUMNS}, scan FROM base WHERE path = ?", (sort_key(path),)
        ).fetchone()
        return None if found is None else (entry_of(found), unpack_scan(found[-1]))

    def bases(self, folder: str, after: bytes, limit: int) -> list[tuple[bytes, Kind]]:
        """(sort key, kind) of the versions that we had at paths below `folder` that we stopped
        keeping, in key order strictly after `after`."""
        low, high = keys_below(folder)
        found = self._ask(
            "SELECT path, kind FROM base WHERE path > ? AND path < ? ORDER BY path LIMIT ?",
            (max(low, after), high, limit),
        )
        return [(key, Kind(kind)) for key, kind in found]

    @property
    def has_apart(self) -> bool:
        """Whether there is a row of a path that this device does not keep."""
        found = self._ask("SELECT 1 FROM version WHERE apart = 1 LIMIT 1").fetchone()
        return found is not None

    def not_kept(self, nobody: int) -> tuple[int, int]:
        """The number of paths of which others have something, and that this device does not keep;
        and of paths of which our version was withdrawn. nobody: the bits of devices that do not
        count, and ours."""
        theirs = self._ask(
            "SELECT count(DISTINCT path) FROM version INDEXED BY version_apart"
            " WHERE apart = 1 AND deleted = 0 AND holders & ~? != 0",
            (nobody,),
        ).fetchone()
        ours = self._ask("SELECT count(*) FROM base").fetchone()
        return theirs[0], ours[0]

    def private_after(
        self, key: bytes, limit: int, before: bytes = b"\xff"
    ) -> list[tuple[bytes, str]]:
        """(sort key, path) of our private versions, in key order strictly after `key` and before
        `before`. limit: -1: none."""
        found = self._ask(
            "SELECT path FROM version INDEXED BY version_private WHERE path > ? AND path < ?"
            f" AND {PRIVATE_ROW} ORDER BY path LIMIT ?",
            (key, before, limit),
        )
        return [(path, path_of_key(path)) for (path,) in found]

    def rule_scans(self, paths: Iterable[str]) -> dict[str, ScanKey | None]:
        """The stats with which these files of ignore rules were read last."""
        question = "SELECT path, scan FROM rules WHERE path IN"
        found = among(self._ask, question, map(sort_key, paths))
        return {path_of_key(key): unpack_scan(scan) for key, scan in found}

    @property
    def has_bases(self) -> bool:
        return self._ask("SELECT 1 FROM base LIMIT 1").fetchone() is not None

    def rule_files(self) -> list[tuple[str, ScanKey, bytes]]:
        """Path, stat and bytes of each file of ignore rules, as it was read last."""
        found = self._ask("SELECT path, scan, data FROM rules").fetchall()
        files = [(path_of_key(key), unpack_scan(scan), data) for key, scan, data in found]
        return [(path, scan, data) for path, scan, data in files if scan is not None]

    def newest(self, limit: int) -> list[Row]:
        """Our rows of the last `limit` changes, the last one first."""
        found = self._ask(
            f"SELECT {COLUMNS} FROM version WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT ?",
            (limit,),
        ).fetchall()
        return [row_of(columns) for columns in found]

    def twins(self, content: bytes, limit: int = 4) -> list[Row]:
        """Live files of ours with this content."""
        found = self._ask(
            f"SELECT {COLUMNS} FROM version INDEXED BY version_content WHERE content = ?"
            " AND seq IS NOT NULL AND kind = 0 AND deleted = 0 LIMIT ?",
            (content, limit),
        ).fetchall()
        return [row_of(columns) for columns in found]

    def names_of(self, inode: int, limit: int) -> list[tuple[str, ScanKey]]:
        """(path, ScanKey) of our live files of this inode that had other names, too, at their last
        look."""
        found = self._ask(
            f"SELECT path, scan FROM version INDEXED BY version_linked WHERE {INODE} = ?"
            f" AND {LINKED} LIMIT ?",
            (pack_inode(inode), limit),
        )
        return [(path, key) for path, key, _ in map(_linked, found)]

    @property
    def has_linked(self) -> bool:
        """Whether we have any live file with other names."""
        found = self._ask(
            f"SELECT 1 FROM version INDEXED BY version_linked WHERE {LINKED} LIMIT 1"
        ).fetchone()
        return found is not None

    def linked_after(self, after: bytes, limit: int) -> list[tuple[str, ScanKey, bytes]]:
        """(path, ScanKey, cursor) of our live files with other names, inode by inode. The cursor is
        the `after` of the query that goes on behind that inode. after b"": from the beginning."""
        found = self._ask(
            f"SELECT path, scan FROM version INDEXED BY version_linked WHERE {INODE} > ?"
            f" AND {LINKED} ORDER BY {INODE} LIMIT ?",
            (after, limit),
        )
        return [_linked(columns) for columns in found]

    def homes(self, contents: Iterable[bytes]) -> dict[bytes, str]:
        """content -> the path of a live file of ours that has it, where there is one. One step for
        each content: tens of thousands of files may have the same."""
        twins = {content: self.twins(content, 1) for content in contents}
        return {content: rows[0].entry.path for content, rows in twins.items() if rows}

    def paths(self, after: bytes, limit: int) -> list[list[Row]]:
        """The next `limit` rows in path order after the sort key `after`, grouped by path.

        The last path may be cut off by the limit; it is left out unless it is the only one.
        """
        found = self._ask(
            f"SELECT {COLUMNS} FROM version INDEXED BY version_path"
            " WHERE path > ? ORDER BY path LIMIT ?",
            (after, limit),
        ).fetchall()
        groups: list[list[Row]] = []
        last = b""
        for columns in found:
            if columns[1] != last:
                groups.append([])
                last = columns[1]
            groups[-1].append(row_of(columns))
        if len(found) == limit and len(groups) > 1:
            groups.pop()
        return groups

    def paths_lacked(self, mask: int, after: bytes, limit: int) -> tuple[list[bytes], bytes | None]:
        """Look at the next `limit` rows in path order after the sort key `after`. Returns the sort
        keys of those whose version no device of these bits has; and the last key that was looked
        at, None: there are no more rows."""
        found = self._ask(
            "SELECT path, holders & ? = 0 FROM version INDEXED BY version_path"
            " WHERE path > ? ORDER BY path LIMIT ?",
            (mask, after, limit),
        ).fetchall()
        lacked = dict.fromkeys(key for key, is_lacked in found if is_lacked)
        return list(lacked), found[-1][0] if len(found) == limit else None

    def lacking(
        self, mask: int, path: str, limit: int, silent: int = 0, done: int = 0
    ) -> tuple[int, int, tuple[str, ...]]:
        """What we have at `path` and below it ("": everywhere) and the device of this bit (as a set
        of bits; 0: it has nothing) lacks. Returns how many paths, the sizes of our versions in
        bytes, and the first paths, in path order. Where the device has a higher version than ours
        it lacks nothing; nor a version that only devices of `silent` hold, nor what it passed over
        up to the sequence `done`."""
        where, values = _at(path)
        return self._summed(
            f"FROM version AS v WHERE {where} AND seq > ? AND holders & ? = 0"
            f" AND holders & ~? != 0 AND {_TOLD}"
            " AND NOT EXISTS (SELECT 1 FROM version AS other WHERE other.path = v.path"
            f" AND other.holders & ? != 0 AND {_RANK.format('other')} > {_RANK.format('v')})",
            (*values, done, mask, silent, mask),
            limit,
        )

    def coming(self, path: str, limit: int, silent: int = 0) -> tuple[int, int, tuple[str, ...]]:
        """The same for what other devices have and we lack: for the highest
        version of each path that this device keeps. What other devices of `silent` alone hold does
        not count."""
        readers = silent & ~OURS
        where, values = _at(path)
        return self._summed(
            f"FROM version AS v WHERE {where} AND seq IS NULL AND {_HIGHEST}",
            (*values, readers, readers),
            limit,
        )

    def above_ours(
        self, path: str, limit: int, readers: int = 0
    ) -> list[tuple[str, tuple[int, bytes]]]:
        """(path, (stamp, writer)) of the versions that `coming` counts, in path order."""
        where, values = _at(path)
        found = self._ask(
            f"SELECT path, stamp, writer FROM version AS v WHERE {where} AND seq IS NULL"
            f" AND {_HIGHEST} ORDER BY path LIMIT ?",
            (*values, readers, readers, limit),
        )
        return [(path_of_key(key), (stamp, writer)) for key, stamp, writer in found]

    def _summed(
        self, which: str, values: tuple[object, ...], limit: int
    ) -> tuple[int, int, tuple[str, ...]]:
        count, size = self._ask(f"SELECT count(*), sum(size) {which}", values).fetchone()
        if not count:
            return 0, 0, ()
        first = self._ask(f"SELECT path {which} ORDER BY path LIMIT ?", (*values, limit))
        return count, size, tuple(path_of_key(key) for (key,) in first.fetchall())

    def conflict_copies(self, after: bytes = b"", limit: int = 1000) -> list[Row]:
        """Our live files and links that have the name of a conflict copy, in path order strictly
        after the sort key `after`."""
        found = self._ask(
            f"SELECT {COLUMNS} FROM version WHERE path > ? AND seq IS NOT NULL AND deleted = 0"
            " AND kind != 1 AND instr(path, ?) > 0 ORDER BY path",
            (after, CONFLICT_MARK.encode()),
        )
        # A file in a directory of such a name is no copy, nor one whose name is only similar.
        rows = (row for row in map(row_of, found) if is_conflict_name(row.entry.path))
        return list(islice(rows, limit))

    def copies_of(self, path: str) -> list[Row]:
        """The conflict copies of a path, in path order. If `path` is itself a copy, that copy."""
        if is_conflict_name(path):
            row = self.ours(path)
            alive = row is not None and not row.entry.deleted
            return [row] if row is not None and alive and row.entry.kind != 1 else []
        low, high = copies_between(path)
        found = self._ask(
            f"SELECT {COLUMNS} FROM version INDEXED BY version_path"
            " WHERE path > ? AND path < ? AND seq IS NOT NULL AND deleted = 0 AND kind != 1"
            " ORDER BY path",
            (sort_key(low), sort_key(high)),
        )
        rows = [row_of(columns) for columns in found]
        return [row for row in rows if is_copy_of(row.entry.path, path)]

    def list_rows(self, id: bytes) -> bytes | None:
        """A stored list by its id."""
        found = self._ask("SELECT rows FROM list WHERE id = ?", (id,)).fetchone()
        return found[0] if found else None

    def resumable(self, *leftings: str) -> list[Staged]:
        """Those of these `.lefting` files that exist, as far as we know, and are not to be
        deleted."""
        found = among(self._ask, f"SELECT file, inode FROM {_MADE} AND file IN", leftings)
        return [Staged(file, inode) for file, inode in found]

    def staged_as(self, content: bytes) -> list[tuple[Staged, str]]:
        """Our `.lefting` files that are to become this content, and their targets."""
        question = f"SELECT file, inode, target FROM {_MADE} AND content = ?"
        found = self._ask(question, (content,)).fetchall()
        return [(Staged(file, inode), path_of_key(key)) for file, inode, key in found]


def _linked(columns: tuple[bytes, bytes]) -> tuple[str, ScanKey, bytes]:
    path, scan = columns
    key = unpack_scan(scan)
    assert key is not None, "only what has a stat has more names"
    return path_of_key(path), key, pack_inode(key.inode)


def _at(path: str) -> tuple[str, tuple[object, ...]]:
    """A condition for `path` and all below it, and its values."""
    if not path:
        return "1", ()
    return "(path = ? OR (path > ? AND path < ?))", (sort_key(path), *keys_below(path))
