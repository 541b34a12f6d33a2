"""The writing side of one folder's index. The loop owns it; nobody else writes.

Invariants: a path has at most one row with our bit, and this row alone has a sequence; no row is
without holders; sequences only grow, and the changes that `commit` wrote survive a killed process.

Every read or write may raise IndexFailed. Then the transaction is lost, and the store cannot be
used any more: the values in memory are ahead of the disk. A new store is opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from leftzmq.errors import IndexFailed, IndexFault
from leftzmq.index.connection import index_failed
from leftzmq.index.flush import flush, log_bytes
from leftzmq.index.heads import Heads
from leftzmq.index.lasting_problems import LastingProblems
from leftzmq.index.lefting_ledger import LeftingLedger
from leftzmq.index.reader import Reader
from leftzmq.index.rows import (
    COLUMNS,
    Row,
    columns_of,
    columns_of_entry,
    entry_of,
    pack_scan,
    unpack_scan,
)
from leftzmq.index.schema import CHECKPOINT_BYTES, ENTRY_COLUMNS, IN_MEMORY, PRIVATE_ROW, open_index
from leftzmq.index.statements import write_all
from leftzmq.tree.entry import Entry, ScanKey
from leftzmq.tree.path import keys_below, path_of_key, sort_key
from leftzmq.tree.version import Life

SWEEP_ROWS: Final = 2048  # in one step: 1 to 2 ms
CUT_BYTES: Final = 2 << 20
"""The most that is cut at once: a commit takes 1 to 4 ms for it, and 26 ms for 120 MB (2 cores,
ext4, other work)."""
_MARKS: Final = ", ".join("?" * len(ENTRY_COLUMNS.split(",")))
_PUT_ROWS: Final = (
    f"INSERT INTO version({COLUMNS}) VALUES {{}} ON CONFLICT(id) DO UPDATE SET"
    " vector = excluded.vector, permissions = excluded.permissions,"
    " holders = excluded.holders, seq = excluded.seq, scan = excluded.scan,"
    " noise = excluded.noise, apart = excluded.apart"
)


class Store(Reader):
    """Rows, chunk lists, heads and `.lefting` files of one folder."""

    def __init__(self, file: Path) -> None:
        """set_aside: where a damaged index is now, if this one replaces it."""
        connection, self.set_aside = open_index(file)
        super().__init__(connection)
        self.file = file
        self._open = False
        self.log_bytes = 0  # of the -wal: bytes not in the database yet, as far as is known
        self.log_length = 0  # of the -wal file, including what is in the database
        self.commits = 0  # the number of commits since it was opened
        self._changed: dict[int, Row | None] = {}  # not in SQLite yet; None: to be deleted
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM version").fetchone()
        self._last_id: int = last
        self.heads = Heads(self._db, self.begin_transaction)
        self.leftings = LeftingLedger(self._db, self._ask, self.begin_transaction)
        self.problems = LastingProblems(self._db, self._ask, self.begin_transaction)

    @property
    def last_id(self) -> int:
        """The id of the row that was made last. Ids only grow while the store is open."""
        return self._last_id

    def begin_transaction(self) -> None:
        """Starts a transaction unless one is running. Every writing method calls it."""
        if not self._open:
            self._db.execute("BEGIN IMMEDIATE")
            self._open = True

    def commit(self) -> None:
        """Ends the transaction. Sequences given in it are ours from here on."""
        self._write_rows()
        if self._open:
            self.heads.save()
            self._db.execute("COMMIT")
            self._open = False
            self.log_bytes = self.log_length = log_bytes(self.file)
            self.commits += 1

    def flushed(self) -> None:
        """Everything committed before the flush is in the database, if it was much. The next commit
        shows whether SQLite could start the -wal again from the beginning."""
        self.log_bytes = 0

    def cut_log(self) -> None:
        """Writes a row whose commit cuts at most CUT_BYTES off the end of the -wal. All of the -wal
        must be in the database (https://www.sqlite.org/pragma.html#pragma_journal_size_limit)."""
        limit = max(CHECKPOINT_BYTES, self.log_length - CUT_BYTES)
        self._db.execute(f"PRAGMA journal_size_limit = {limit}").fetchone()
        self.put_meta("log cut", b"")

    def begin_life(self, life: Life) -> None:
        """Begins the life of a new start. After this, what a killed process committed is durable,
        so that its last sequence may be announced."""
        self.heads.begin_life(life)
        self.commit()
        flush(self.file)

    def close(self) -> None:
        """Commits what can be committed, and closes the file."""
        with suppress(IndexFailed):
            self.commit()
        super().close()

    @property
    def failed(self) -> IndexFailed | None:
        """Why the store cannot be used any more, or None if it can."""
        return self._db.fault

    def give_up(self) -> None:
        """The store is not to be used any more: every later call fails, and what was not committed
        is lost. The connection is closed at once: if it were closed after its file was set aside,
        it would delete the -wal of the new file."""
        if self._db.fault is None:
            self._db.fault = index_failed(IndexFault.IO, self.file, "it was given up")
        self._db.close()

    @classmethod
    def empty(cls) -> Store:
        """A store in memory alone, in place of an index that could not be opened."""
        return cls(Path(IN_MEMORY))

    # -- rows ------------------------------------------------------------------------------

    def put(self, row: Row) -> Row:
        """Inserts a row (id 0), or stores anew what may change of one: its vector, holders, seq,
        scan, noise and apart. Returns the row as it is stored. It is written to SQLite together
        with many others, before the next query or commit."""
        if row.id == 0:
            self._last_id += 1
            row = replace(row, id=self._last_id)
        self._changed[row.id] = row
        return row

    def remove(self, row: Row) -> None:
        """Deletes a version that no device holds any more."""
        self._changed[row.id] = None

    def replace(self, before: list[Row], after: list[Row]) -> list[Row]:
        """Replaces the rows of one path with `after`, and returns them as they are stored. Rows
        without holders are dropped."""
        known = {row.id: row for row in before}
        kept = {row.id for row in after if row.holders}
        for row in before:
            if row.id not in kept:
                self.remove(row)
        return [row if known.get(row.id) == row else self.put(row) for row in after if row.holders]

    def _ask(self, question: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        self._write_rows()
        return super()._ask(question, values)

    def _write_rows(self) -> None:
        """Writes the rows that changed since the last time, in few steps of SQLite. Rows that are
        deleted or lose their sequence are written first, so that a sequence is never in two rows.
        """
        if not self._changed:
            return
        self.begin_transaction()
        changed, self._changed = self._changed, {}
        gone = [(id,) for id, row in changed.items() if row is None]
        rows = [row for row in changed.values() if row is not None]
        write_all(self._db, "DELETE FROM version WHERE id IN (VALUES {})", gone)
        for ours in (False, True):
            some = [(row.id, *columns_of(row)) for row in rows if (row.seq is not None) is ours]
            write_all(self._db, _PUT_ROWS, some)

    def sweep(self, *bits: int) -> None:
        """Removes these bits from all rows, deletes rows without holders, and frees the bits."""
        at = 0
        while (end := self.sweep_some(bits, at)) is not None:
            at = end

    def sweep_some(self, bits: Collection[int], after: int) -> int | None:
        """Sweeps some of the rows: those with ids above `after`. Returns the id to go on from, or
        None when these were the last and the bits are free."""
        self._write_rows()
        self.begin_transaction()
        end = after + SWEEP_ROWS
        mask = sum(1 << bit for bit in bits)
        self._db.execute(
            "UPDATE version SET holders = holders & ~? WHERE id > ? AND id <= ? AND holders & ?",
            (mask, after, end, mask),
        )
        self._db.execute(
            "DELETE FROM version WHERE id > ? AND id <= ? AND holders = 0", (after, end)
        )
        if end < self._last_id:
            return end
        for bit in bits:
            self.heads.free(bit)
        return None

    # -- lists --------------------------------------------------------------------------------

    def put_list(self, id: bytes, rows: bytes) -> None:
        self.begin_transaction()
        self._db.execute("INSERT OR REPLACE INTO list(id, rows) VALUES(?, ?)", (id, rows))

    # -- versions that may be on disk ----------------------------------------------------------

    def all_begun(self) -> dict[str, tuple[Entry, ...]]:
        question = f"SELECT NULL, {ENTRY_COLUMNS} FROM put_there ORDER BY path, stamp"
        found: dict[str, tuple[Entry, ...]] = {}
        for entry in map(entry_of, self._ask(question).fetchall()):
            found[entry.path] = (*found.get(entry.path, ()), entry)
        return found

    def put_begun(self, entry: Entry) -> None:
        self.begin_transaction()
        self._db.execute(
            f"INSERT OR REPLACE INTO put_there({ENTRY_COLUMNS}) VALUES({_MARKS})",
            columns_of_entry(entry),
        )

    def drop_begun(self, path: str) -> None:
        self.begin_transaction()
        self._db.execute("DELETE FROM put_there WHERE path = ?", (sort_key(path),))

    # -- withheld files ------------------------------------------------------------------------

    def held(self, path: str) -> tuple[ScanKey, int, tuple[int, bytes]] | None:
        """The stat of what lies at `path` and is not announced, the reason
        (sync/versions/withheld), and stamp and writer of the version that we had."""
        found = self._ask(
            "SELECT scan, why, stamp, writer FROM held WHERE path = ?", (sort_key(path),)
        ).fetchone()
        if found is None:
            return None
        key = unpack_scan(found[0])
        assert key is not None, "what is held has a stat"
        return key, found[1], (found[2], found[3])

    def held_for_nobody(self, why: int, limit: int, readers: int = 0) -> list[str]:
        """Paths where something is withheld for this reason, and of which no device, reachable or
        not, has a version any more that we may take: none below the one that we had announced.
        readers: the bits of devices that do not count."""
        found = self._ask(
            "SELECT path FROM held WHERE why = ? AND NOT EXISTS"
            " (SELECT 1 FROM version WHERE version.path = held.path AND holders & ~? != 0"
            " AND (held.writer = x''"
            " OR (version.stamp, version.writer) >= (held.stamp, held.writer))) LIMIT ?",
            (why, readers, limit),
        )
        return [path_of_key(key) for (key,) in found]

    def wanted_back(self, folder: str, after: bytes, limit: int) -> list[bytes]:
        """The sort keys of paths below `folder` of which others were told a version that we do not
        have any more, in order strictly after `after`."""
        low, high = keys_below(folder)
        found = self._ask(
            "SELECT path FROM held WHERE path > ? AND path < ? AND writer != x''"
            " ORDER BY path LIMIT ?",
            (max(low, after), high, limit),
        )
        return [key for (key,) in found]

    def put_withheld(
        self, path: str, key: ScanKey, why: int, had: tuple[int, bytes] = (0, b"")
    ) -> None:
        self.begin_transaction()
        self._db.execute(
            "INSERT OR REPLACE INTO held(path, scan, why, stamp, writer) VALUES(?, ?, ?, ?, ?)",
            (sort_key(path), pack_scan(key), why, *had),
        )

    def drop_withheld(self, path: str) -> None:
        """Nothing is withheld at `path` any more."""
        self.begin_transaction()
        self._db.execute("DELETE FROM held WHERE path = ?", (sort_key(path),))

    def let_go_of(self, why: int, told: int) -> None:
        """Nothing is withheld for the reason `why` any more. told: the new reason where we had a
        version."""
        self.begin_transaction()
        self._db.execute("UPDATE held SET why = ? WHERE why = ? AND writer != x''", (told, why))
        self._db.execute("DELETE FROM held WHERE why = ?", (why,))

    def count_held(self) -> dict[int, int]:
        """The number of withheld paths, by reason."""
        return dict(self._ask("SELECT why, count(*) FROM held GROUP BY why").fetchall())

    # -- paths that are not kept -----------------------------------------------------------------

    def put_base(self, entry: Entry, scan: ScanKey | None) -> None:
        """We had this version, and do not keep its path any more."""
        self.begin_transaction()
        self._db.execute(
            f"INSERT OR REPLACE INTO base({ENTRY_COLUMNS}, scan) VALUES({_MARKS}, ?)",
            (*columns_of_entry(entry), pack_scan(scan)),
        )

    def drop_private_bases(self) -> None:
        """Bases that were private versions: they were told to nobody."""
        self.begin_transaction()
        self._db.execute(f"DELETE FROM base WHERE {PRIVATE_ROW}")

    def drop_base(self, path: str) -> None:
        self.begin_transaction()
        self._db.execute("DELETE FROM base WHERE path = ?", (sort_key(path),))

    def put_withdrawn(self, path: str, sequence: int) -> None:
        """Under this sequence we say that we do not keep the path any more."""
        self.begin_transaction()
        self._db.execute(
            "INSERT OR REPLACE INTO withdrawn(path, seq) VALUES(?, ?)", (sort_key(path), sequence)
        )

    def put_rules(self, path: str, scan: ScanKey, data: bytes) -> None:
        """A file of ignore rules was read."""
        self.begin_transaction()
        self._db.execute(
            "INSERT OR REPLACE INTO rules(path, scan, data) VALUES(?, ?, ?)",
            (sort_key(path), pack_scan(scan), data),
        )

    def drop_rules(self, path: str) -> None:
        self.begin_transaction()
        self._db.execute("DELETE FROM rules WHERE path = ?", (sort_key(path),))

    # -- meta ---------------------------------------------------------------------------------

    def meta(self, key: str) -> bytes | None:
        found = self._ask("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def put_meta(self, key: str, value: bytes) -> None:
        self.begin_transaction()
        self._db.execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", (key, value))
