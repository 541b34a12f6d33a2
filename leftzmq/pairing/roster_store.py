"""Where the statements of rosters and the secrets of epochs are kept: one SQLite file for all
folders.

It is not part of an index: an index is set aside when it is damaged, and is built again from the
share. A removal that is forgotten lets a device in again, and without the secret of its epoch
nothing of a folder can be read or said.

Knows slots, numbers, and the order in which statements and secrets came. Must not know what a
statement means, nor which of them count (sync/peers/roster does). Only the thread of the loop uses
it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zlib import crc32

from msgspec import Struct

from leftzmq.content.ids import STATEMENT_ID_BYTES, StatementId
from leftzmq.content.keys import SECRET_BYTES, TAG_BYTES
from leftzmq.errors import ConfigError, IndexFault, Refused, RosterNotKept
from leftzmq.index.connection import fault_of
from leftzmq.index.schema import BUSY_TIMEOUT_MS
from leftzmq.statedir import make_private
from leftzmq.wire.statements import Signed, decode, encode

FORM: Final = 2
"""Of the file. A later form is refused: what it holds is not known. Form 1 had no epochs."""
PUT_BACK: Final = (
    "put back a copy of it; without one, move away what begins with its name: its folders must "
    "then be joined again"
)

_EPOCHS: Final = f"""
CREATE TABLE epoch(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  folder BLOB NOT NULL,     -- the identity tag, 16 bytes
  secret BLOB NOT NULL,
  crc    INTEGER NOT NULL,  -- of folder and secret
  UNIQUE(folder, secret));

PRAGMA user_version = {FORM};
"""

_TABLES: Final = f"""
CREATE TABLE pin(           -- where a roster begins for this device
  folder BLOB NOT NULL,     -- the identity tag, 16 bytes
  id     BLOB NOT NULL,
  crc    INTEGER NOT NULL,  -- of the other columns
  PRIMARY KEY(folder, id)) WITHOUT ROWID;

CREATE TABLE statement(
  number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
  folder BLOB NOT NULL,
  slot   BLOB NOT NULL,
  signed BLOB NOT NULL,     -- as wire/statements writes it
  crc    INTEGER NOT NULL,  -- of folder, slot and signed
  UNIQUE(folder, slot));
{_EPOCHS}"""


class Kept(Struct, frozen=True):
    """A statement to be kept. slot: what it replaces is the statement with the same one."""

    slot: bytes
    signed: Signed


@dataclass(frozen=True, slots=True)
class KeptRoster:
    """What is kept of a folder's roster. statements: in the order in which they came, each with its
    number, which grows. epochs: the secrets of epochs, in the order in which they came."""

    pins: tuple[StatementId, ...] = ()
    statements: tuple[tuple[int, Signed], ...] = ()
    epochs: tuple[bytes, ...] = field(default=(), repr=False)


class RosterStore:
    """One per agent. folder: the identity tag of a folder, 16 bytes, wherever it is named here.

    What was kept is on the disk when the call returns. With a WAL that is one flush (4.6 ms for a
    statement, one run on a virtual disk). With a rollback journal it would be several (16 ms), and
    with synchronous=FULL a power cut could undo the last one.

    After an error the store goes on: the next call tries the disk again. What could not be kept may
    be there after all if the agent ends before the next call that succeeds.
    """

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection, self._file = connection, file

    @classmethod
    def open(cls, path: Path) -> RosterStore:
        """Open the file, or make it. Raises ConfigError if it cannot be used, is damaged, or is of
        a later form."""
        log = path.with_name(f"{path.name}-wal")
        try:
            if not path.exists():
                # SQLite would take it for the log of the new file.
                if log.exists():
                    raise ConfigError(f"is missing, and {log.name} is there", str(path), PUT_BACK)
                make_private(path, _new_file())
            path.chmod(0o600)
        except OSError as error:
            raise _unusable(path, error.strerror or str(error)) from None
        with _reading(path):
            connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, cached_statements=16
            )
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    def close(self) -> None:
        self._connection.close()

    def load(self, folder: bytes) -> KeptRoster:
        """Return what is kept of a folder; nothing, if nothing is known of it. Raises ConfigError
        if the file cannot be read, or a row of it is no statement."""
        assert len(folder) == TAG_BYTES
        with _reading(self._file):
            pins = self._connection.execute(
                "SELECT id FROM pin WHERE folder = ? ORDER BY id", (folder,)
            ).fetchall()
            rows = self._connection.execute(
                "SELECT number, signed FROM statement WHERE folder = ? ORDER BY number", (folder,)
            ).fetchall()
            epochs = self._connection.execute(
                "SELECT secret FROM epoch WHERE folder = ? ORDER BY number", (folder,)
            ).fetchall()
        return KeptRoster(
            tuple(StatementId(id) for (id,) in pins),
            tuple((number, self._signed(number, row, folder)) for number, row in rows),
            tuple(secret for (secret,) in epochs),
        )

    def keep(
        self, folder: bytes, kept: Sequence[Kept], pins: Collection[StatementId] = ()
    ) -> tuple[int, ...]:
        """Keep these statements, in this order, and these pins, in addition to those that are
        there. Return the numbers of the statements. A statement that replaces another one comes
        last, as a new one does. Raises RosterNotKept; then nothing of it is kept."""
        assert len(folder) == TAG_BYTES
        assert all(len(pin) == STATEMENT_ID_BYTES for pin in pins)
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO pin(folder, id, crc) VALUES(?, ?, ?)",
                [(folder, pin, crc32(folder + pin)) for pin in pins],
            )
            numbers = []
            for one in kept:
                row = (folder, one.slot, encode(one.signed))
                cursor = connection.execute(
                    "INSERT OR REPLACE INTO statement(folder, slot, signed, crc) "
                    "VALUES(?, ?, ?, ?)",
                    (*row, crc32(b"".join(row))),
                )
                assert cursor.lastrowid is not None
                numbers.append(cursor.lastrowid)
        return tuple(numbers)

    def keep_epoch(self, folder: bytes, secret: bytes, forgotten: Collection[bytes] = ()) -> None:
        """Keep the secret of an epoch, and forget these. Raises RosterNotKept; then nothing of it
        is done."""
        assert len(folder) == TAG_BYTES and len(secret) == SECRET_BYTES
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM epoch WHERE folder = ? AND secret = ?",
                [(folder, each) for each in forgotten],
            )
            connection.execute(
                "INSERT OR IGNORE INTO epoch(folder, secret, crc) VALUES(?, ?, ?)",
                (folder, secret, crc32(folder + secret)),
            )

    def retain(self, folder: bytes, slots: Collection[bytes]) -> None:
        """Forget the statements of a folder in all other slots than these. The rest stays. Raises
        RosterNotKept; then nothing is forgotten."""
        wanted = frozenset(slots)
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT number, slot FROM statement WHERE folder = ?", (folder,)
            ).fetchall()
            connection.executemany(
                "DELETE FROM statement WHERE number = ?",
                [(number,) for number, slot in rows if slot not in wanted],
            )

    def forget(self, folder: bytes) -> None:
        """Forget all of a folder. Raises RosterNotKept; then nothing is forgotten."""
        with self._writing() as connection:
            connection.execute("DELETE FROM pin WHERE folder = ?", (folder,))
            connection.execute("DELETE FROM statement WHERE folder = ?", (folder,))
            connection.execute("DELETE FROM epoch WHERE folder = ?", (folder,))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, on the disk, or nothing. Raises RosterNotKept."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # SQLite has rolled back itself after some errors
                self._connection.execute("ROLLBACK")
            fault = fault_of(error) if isinstance(error, sqlite3.Error) else None
            if fault is None:
                raise
            raise RosterNotKept(fault, str(error), str(self._file)) from error

    def _signed(self, number: int, row: bytes, folder: bytes) -> Signed:
        try:
            return decode(row, folder)
        except Refused as refused:
            raise _damaged(self._file, f"statement {number}: {refused}") from None


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    """Set the connection up, and check the whole file: a part that is damaged would else be found
    only when its folder is read."""
    # Nobody else uses the file. So SQLite needs no shared memory beside it, for which a full disk
    # may have no room.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if form > FORM:
        what = f"is of a later version of leftzmq: its form is {form}, this one knows {FORM}"
        raise ConfigError(what, str(file), "use the leftzmq that wrote it")
    if form < 1:
        raise _damaged(file, "it is no file of rosters")
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise _damaged(file, " ".join(found.split()))
    # SQLite does not see that a byte of a row has changed.
    pins = connection.execute("SELECT folder, id, crc FROM pin").fetchall()
    rows = connection.execute("SELECT folder, slot, signed, crc FROM statement").fetchall()
    epochs = []
    if form > 1:
        epochs = connection.execute("SELECT folder, secret, crc FROM epoch").fetchall()
    for *row, crc in (*pins, *rows, *epochs):
        if any(type(part) is not bytes for part in row) or crc32(b"".join(row)) != crc:
            raise _damaged(file, "a row holds other bytes than were kept")
    if any(len(secret) != SECRET_BYTES for _, secret, _ in epochs):
        raise _damaged(file, "a secret has another length than secrets have")
    connection.execute("PRAGMA synchronous = FULL")
    if form == 1:
        connection.executescript(f"BEGIN IMMEDIATE; {_EPOCHS} COMMIT;")
    # What an earlier life kept is moved into the file. Where a flush of the WAL failed, the kernel
    # may count it as flushed. On a full disk it stays where it is, and is read from there.
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        if fault_of(error) not in (IndexFault.FULL, IndexFault.IO):
            raise
    connection.execute("PRAGMA journal_mode = WAL").fetchone()


def _new_file() -> bytes:
    """Return a file without rows, which is then written whole: one that is empty or cut off is
    damaged."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript(_TABLES)
        return made.serialize()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn errors of SQLite into ConfigErrors."""
    try:
        yield
    except sqlite3.Error as error:
        match fault_of(error):
            case IndexFault.LOCKED:
                do = "end that program"
                raise ConfigError("another program keeps it locked", str(file), do) from error
            case IndexFault.FULL | IndexFault.IO:
                raise _unusable(file, str(error)) from error
            case IndexFault.CORRUPT | None:  # None: a table is missing, or has other columns
                raise _damaged(file, str(error)) from error


def _damaged(file: Path, said: str) -> ConfigError:
    return ConfigError(f"is damaged: {said}", str(file), PUT_BACK)


def _unusable(file: Path, said: str) -> ConfigError:
    do = "look at the disk of the state directory, and who may read and write there"
    return ConfigError(f"cannot be used: {said}", str(file), do)
