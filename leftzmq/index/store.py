"""The writing side of one folder's index. The loop owns it; nobody else writes.

Invariants: a path has at most one row with our bit, and this row alone has a sequence; no row is
without holders; sequences only grow, and the changes that `commit` wrote survive a killed process.

Every read or write may raise IndexFailed. Then the transaction is lost, and the store cannot be
used any more: the values in memory are ahead of the disk. A new store is opened.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from leftzmq.errors import IndexFailed, IndexFault
from leftzmq.index.connection import index_failed
from leftzmq.index.flush import flush, log_bytes
from leftzmq.index.heads import Heads
from leftzmq.index.reader import Reader
from leftzmq.index.rows import COLUMNS, Row, columns_of, entry_of, pack_scan, unpack_scan
from leftzmq.index.schema import CHECKPOINT_BYTES, IN_MEMORY, open_index
from leftzmq.tree.entry import Entry, ScanKey
from leftzmq.tree.path import name_of, parent_of, path_of_key, sort_key
from leftzmq.tree.plan import Staged
from leftzmq.tree.version import Life

SWEEP_ROWS: Final = 2048  # in one step: 1 to 2 ms
CUT_BYTES: Final = 2 << 20
"""The most that is cut at once: a commit takes 1 to 4 ms for it, and 26 ms for 120 MB (2 cores,
ext4, other work)."""
MAX_REPLACED: Final = 1_000
"""As MAX_STRAYS of sync/apply/leftings, which takes them over at the next walk that finds one."""
MEANT: Final = b"meant"  # no content's id: the job that is to make the file knows its content
_RECORDS_AT_ONCE: Final = (64, 8, 1)
_BEGUN: Final = "path, kind, size, mtime_ns, exec, content, depth, vector, writer, stamp, deleted"
_PUT_ROWS: Final = (
    f"INSERT INTO version({COLUMNS}) VALUES {{}} ON CONFLICT(id) DO UPDATE SET"
    " vector = excluded.vector, holders = excluded.holders, seq = excluded.seq,"
    " scan = excluded.scan, noise = excluded.noise"
)


class Store(Reader):
    """Rows, chunk lists, staging and heads of one folder."""

    def __init__(self, file: Path) -> None:
        """set_aside: where a damaged index is now, if this one replaces it."""
        connection, self.set_aside = open_index(file)
        super().__init__(connection)
        self.file = file
        self._open = False
        self.log_bytes = 0  # of the -wal: bytes not in the database yet, as far as is known
        self.log_length = 0  # of the -wal file, including what is in the database
        self.commits = 0  # the number of commits since it was opened
        self._dropped: set[str] | None = None  # since a walk began to look for `.lefting` files
        self._meant: Counter[str] = Counter()  # `.lefting` files that are about to be made
        # Existing files; one with the same name and inode is being deleted.
        self._reborn: set[Staged] = set()
        self._doubted: set[str] = set()  # `.lefting` files whose name another one may have by now
        self._leftings: dict[str, tuple[str, Staged, bytes]] = {}  # by name: those that exist
        self._replaced: dict[Staged, None] = {}  # those of them whose name another one has now
        self._changed: dict[int, Row | None] = {}  # not in SQLite yet; None: to be deleted
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM version").fetchone()
        self._last_id: int = last
        self.heads = Heads(self._db, self.begin_transaction)
        for path, staged, content in self.all_staged():
            if staged.inode:
                self._leftings[staged.path] = path, Staged(staged.path, abs(staged.inode)), content

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
        """Inserts a row (id 0) or stores its vector, holders, seq, scan and noise anew. Returns the
        row as it is stored. It is written to SQLite together with many others, before the next
        query or commit."""
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
        self._write("DELETE FROM version WHERE id IN (VALUES {})", gone)
        for ours in (False, True):
            some = [(row.id, *columns_of(row)) for row in rows if (row.seq is not None) is ours]
            self._write(_PUT_ROWS, some)

    def _write(self, statement: str, records: Sequence[tuple[object, ...]]) -> None:
        """Runs `statement` with as many records at once as _RECORDS_AT_ONCE allows; each size is
        prepared once."""
        at = 0
        for size in _RECORDS_AT_ONCE:
            while len(records) - at >= size:
                some = records[at : at + size]
                marks = "(" + ",".join("?" * len(some[0])) + ")"
                self._db.execute(
                    statement.format(",".join([marks] * size)), [v for r in some for v in r]
                )
                at += size

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

    # -- lists and staging --------------------------------------------------------------------

    def put_list(self, id: bytes, rows: bytes) -> None:
        self.begin_transaction()
        self._db.execute("INSERT OR REPLACE INTO list(id, rows) VALUES(?, ?)", (id, rows))

    def intend_staged(self, *meant: tuple[str, str, bytes]) -> None:
        """Stores (target, the `.lefting` that is about to be made for it, the content that it is to
        become). A row of an existing file of that name stays: that file may be deleted before the
        new one is made. Each call must be followed by `intent_over`."""
        self.begin_transaction()
        self._meant.update(lefting for _, lefting, _ in meant)
        self._write(
            "INSERT OR IGNORE INTO staging(path, lefting, inode, content) VALUES {}",
            [(sort_key(path), lefting, 0, id) for path, lefting, id in meant],
        )
        self._doubt(*(lefting for _, lefting, _ in meant))

    def intend_to_go_on(self, lefting: str) -> None:
        """As `intend_staged`, for the file that exists already. Must be
        followed by `intent_over`."""
        self._meant[lefting] += 1

    def put_staged(self, *found: tuple[str, Staged, bytes]) -> None:
        """Stores (target, its `.lefting`, the content that it is to become). If a file that is
        being deleted has this very name and inode, that file is gone, and the new file got both."""
        for _, staged, content in found:
            if content and self._leftings.get(staged.path, ("", None, b""))[1:] == (staged, b""):
                self._reborn.add(staged)
            self._replaces(staged)
        self._leftings.update((each[1].path, each) for each in found)
        self.begin_transaction()
        self._write(
            "INSERT OR REPLACE INTO staging(path, lefting, inode, content) VALUES {}",
            [(sort_key(path), staged.path, staged.inode, id) for path, staged, id in found],
        )

    def _replaces(self, made: Staged) -> None:
        """Another file has the name: the one that had it is not there, and may be in a directory
        that was renamed. Who is deleting a file says himself where it was not."""
        _, staged, content = self._leftings.get(made.path, ("", made, b""))
        if content and 0 < abs(staged.inode) != made.inode:
            self._replaced[Staged(staged.path, abs(staged.inode))] = None
            if len(self._replaced) > MAX_REPLACED:
                del self._replaced[next(iter(self._replaced))]

    def take_replaced(self) -> list[Staged]:
        """Those that gave way to others since the last call, and were not said to be gone. From
        memory."""
        replaced, self._replaced = list(self._replaced), {}
        return replaced

    def intent_over(self, *leftings: str) -> None:
        """The jobs that meant to make these files have ended: each made its file, or another one,
        or none. Another job may still mean to make one; and a file that a crash left under the name
        may still wait for its deletion."""
        self.begin_transaction()
        self._meant.subtract(leftings)
        over = [lefting for lefting in leftings if self._meant[lefting] <= 0]
        for lefting in over:
            del self._meant[lefting]
        for lefting in self._doubted.intersection(over):
            self._doubted.discard(lefting)
            self._db.execute(
                "UPDATE staging SET inode = -inode WHERE lefting = ? AND inode < 0", (lefting,)
            )
        self.drop_staged(*self.intended(*over))
        self._doubt(*(lefting for lefting in leftings if self.is_meant(lefting)))

    def is_meant(self, lefting: str) -> bool:
        """Whether a job is about to make this `.lefting`, or another one in its place."""
        return self._meant[lefting] > 0

    def doom_staged(self, staged: Staged) -> None:
        """The file is about to be deleted: no transfer is to continue with it."""
        if self._is_known(staged):
            self._leftings[staged.path] = *self._leftings[staged.path][:2], b""
        self.begin_transaction()
        self._db.execute(
            "UPDATE staging SET content = x'' WHERE lefting = ? AND inode IN (?, ?)",
            (staged.path, staged.inode, -staged.inode),
        )

    def _doubt(self, *leftings: str) -> None:
        """A `.lefting` of each of these names exists, and a second one may get the name once the
        first is deleted. After a crash the name may hold either file. As long as that is so, the
        row's inode is negative."""
        for staged in self.staged(*leftings):
            if staged.inode > 0:
                self._doubted.add(staged.path)
                self._db.execute(
                    "UPDATE staging SET inode = -inode WHERE lefting = ?", (staged.path,)
                )

    def _now_only_meant(self, gone: Sequence[Staged]) -> None:
        """The first file of the name is deleted; the second one may exist."""
        names = self._doubted.intersection(staged.path for staged in gone)
        for each in [each for each in gone if each.path in names]:
            done = self._db.execute(
                "UPDATE staging SET inode = 0, content = ? WHERE lefting = ? AND inode = ?",
                (MEANT, each.path, -each.inode),
            )
            if done.rowcount:
                self._doubted.discard(each.path)

    def drop_staged(self, *gone: Staged) -> None:
        """Deletes the rows of these files, which have another name now, or none. Never called
        before that: only the row tells that a file that a crash leaves behind is ours. Another file
        that got the name since keeps its row, even if it also got the inode."""
        reborn = self._reborn.intersection(gone)
        self._reborn -= reborn
        gone = tuple(staged for staged in gone if staged not in reborn)
        for staged in gone:
            self._replaced.pop(Staged(staged.path, abs(staged.inode)), None)
            if self._is_known(staged):
                del self._leftings[staged.path]
        known = set(self.staged(*(staged.path for staged in gone)))
        names = [staged.path for staged in gone if staged in known]
        self.begin_transaction()
        self._now_only_meant(gone)
        self._write("DELETE FROM staging WHERE lefting IN (VALUES {})", [(n,) for n in names])
        if self._dropped is not None:
            self._dropped.update(names)

    def leftings(self) -> list[tuple[str, Staged, bytes]]:
        """(target, `.lefting`, content) of all that exist, from memory: also what was not
        committed, and also after the index failed."""
        return list(self._leftings.values())

    def _is_known(self, staged: Staged) -> bool:
        known = self._leftings.get(staged.path)
        return known is not None and known[1].inode == abs(staged.inode)

    def before_walk(self) -> None:
        """A walk begins to look what lies in the share. A `.lefting` of ours that it sees may have
        its final name, or be deleted, by the time its result arrives."""
        self._dropped = set()

    def foreign(self, found: Iterable[Staged]) -> list[Staged]:
        """Of the `.lefting` files found since `before_walk`, those whose paths were never ours. A
        hidden file in a directory where one is about to be made may be ours: it may have got
        another name than was meant."""
        dropped, self._dropped = self._dropped or (), None
        unknown = [
            each for each in found if each.path not in dropped and not self.is_staging(each.path)
        ]
        busy = {parent_of(lefting) for lefting in self._meant} if unknown else ()
        return [
            each
            for each in unknown
            if not (name_of(each.path).startswith(".") and parent_of(each.path) in busy)
        ]

    # -- versions that may be on disk ----------------------------------------------------------

    def all_begun(self) -> dict[str, Entry]:
        found = self._ask(f"SELECT NULL, {_BEGUN} FROM begun").fetchall()
        return {entry.path: entry for entry in map(entry_of, found)}

    def put_begun(self, entry: Entry) -> None:
        self.begin_transaction()
        columns = columns_of(Row(entry, 0))[: len(_BEGUN.split(","))]
        marks = ", ".join("?" * len(columns))
        self._db.execute(f"INSERT OR REPLACE INTO begun({_BEGUN}) VALUES({marks})", columns)

    def drop_begun(self, path: str) -> None:
        self.begin_transaction()
        self._db.execute("DELETE FROM begun WHERE path = ?", (sort_key(path),))

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

    def held_for_nobody(self, why: int, limit: int) -> list[str]:
        """Paths where something is withheld for this reason, and of which no device, reachable or
        not, has a version any more."""
        found = self._ask(
            "SELECT path FROM held WHERE why = ? AND NOT EXISTS"
            " (SELECT 1 FROM version WHERE version.path = held.path) LIMIT ?",
            (why, limit),
        )
        return [path_of_key(key) for (key,) in found]

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

    # -- meta ---------------------------------------------------------------------------------

    def meta(self, key: str) -> bytes | None:
        found = self._ask("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def put_meta(self, key: str, value: bytes) -> None:
        self.begin_transaction()
        self._db.execute("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", (key, value))
