"""The writing side of one folder's index. The loop owns it; nobody else writes.

Invariants: a path has at most one row with our bit, and it alone has a sequence; no row is
without holders; sequences only grow, and what `commit` returned has survives a killed process.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from leftzmq.index.heads import Heads
from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row, columns_of, pack_scan
from leftzmq.index.schema import open_index
from leftzmq.tree.conflict import CONFLICT_MARK
from leftzmq.tree.path import path_of_key, sort_key
from leftzmq.tree.plan import Staged


class Store(Reader):
    """Rows, lists, staging and heads of one folder."""

    def __init__(self, file: Path) -> None:
        super().__init__(open_index(file))
        self.file = file
        self._open = False
        self.heads = Heads(self._db, self.begin)

    def begin(self) -> None:
        """Start a transaction unless one is running. Every writing method calls it."""
        if not self._open:
            self._db.execute("BEGIN IMMEDIATE")
            self._open = True

    def commit(self) -> None:
        """End the transaction. Sequences given in it are ours from here on."""
        if self._open:
            self.heads.save()
            self._db.execute("COMMIT")
            self._open = False

    def close(self) -> None:
        self.commit()
        super().close()

    # -- rows ------------------------------------------------------------------------------

    def put(self, row: Row) -> Row:
        """Insert a row (id 0) or store its vector, holders, seq and scan anew; the row as it is
        stored."""
        self.begin()
        if row.id == 0:
            inserted = self._db.execute(
                "INSERT INTO version(path, kind, size, mtime_ns, exec, content, depth, vector,"
                " writer, stamp, deleted, holders, seq, scan)"
                " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                columns_of(row),
            )
            assert inserted.lastrowid is not None
            return replace(row, id=inserted.lastrowid)
        self._db.execute(
            "UPDATE version SET vector = ?, holders = ?, seq = ?, scan = ? WHERE id = ?",
            (row.entry.vector.pack(), row.holders, row.seq, pack_scan(row.scan), row.id),
        )
        return row

    def remove(self, row: Row) -> None:
        """Forget a version that nobody holds any more."""
        self.begin()
        self._db.execute("DELETE FROM version WHERE id = ?", (row.id,))

    def replace(self, before: list[Row], after: list[Row]) -> list[Row]:
        """Make the rows of one path `after`, and return them as they are stored; rows without
        holders are dropped.

        Removals come first, so that a sequence that moves from row to row stays unique.
        """
        kept = {row.id: row for row in after if row.id and row.holders}
        for row in before:
            if row.id not in kept:
                self.remove(row)
            elif row.seq is not None and kept[row.id].seq is None:
                self.put(kept[row.id])
        known = {row.id: row for row in before}
        return [row if known.get(row.id) == row else self.put(row) for row in after if row.holders]

    def sweep(self, bit: int) -> None:
        """Take a bit from all rows, drop those without holders, and free the bit."""
        self.begin()
        self._db.execute(
            "UPDATE version SET holders = holders & ~? WHERE holders & ? != 0", (1 << bit, 1 << bit)
        )
        self._db.execute("DELETE FROM version WHERE holders = 0")
        self.heads.free(bit)

    # -- lists and staging --------------------------------------------------------------------

    def put_list(self, id: bytes, rows: bytes) -> None:
        self.begin()
        self._db.execute("INSERT OR REPLACE INTO list(id, rows) VALUES(?, ?)", (id, rows))

    def put_staged(self, *found: tuple[str, Staged, bytes]) -> None:
        """(target, its `.lefting`, the content it is to become), each instead of an older one."""
        self.begin()
        self._db.executemany(
            "INSERT OR REPLACE INTO staging(path, lefting, inode, content) VALUES(?,?,?,?)",
            [(sort_key(path), staged.path, staged.inode, id) for path, staged, id in found],
        )

    def drop_staged(self, *paths: str) -> None:
        self.begin()
        self._db.executemany(
            "DELETE FROM staging WHERE path = ?", [(sort_key(path),) for path in paths]
        )

    # -- meta ---------------------------------------------------------------------------------

    def meta(self, key: str) -> bytes | None:
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def put_meta(self, key: str, value: bytes) -> None:
        self.begin()
        self._db.execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", (key, value))

    def conflict_copies(self, limit: int = 1000) -> list[str]:
        """Paths of live files of ours that carry the name of a conflict copy."""
        found = self._db.execute(
            "SELECT path FROM version WHERE seq IS NOT NULL AND deleted = 0 AND kind != 1"
            " AND instr(path, ?) > 0 ORDER BY path LIMIT ?",
            (CONFLICT_MARK.encode(), limit),
        )
        return [path_of_key(path) for (path,) in found]
