"""A connection to an index whose errors are values: every error of SQLite is one of four faults.

After its first fault a connection is rolled back and cannot be used: every later call fails the
same way. The owner opens the index again, as after a crash. Knows SQLite's codes. Must not know
tables, nor what follows from a fault.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from leftzmq.errors import IndexFailed, IndexFault

BROKEN: Final = ".broken"
"""A file beside an index that SQLite called damaged. The next open sets both aside."""

_PRIMARY: Final = 0xFF  # the bits of the primary result code; the other bits give details
_FAULTS: Final[dict[int, IndexFault]] = {
    sqlite3.SQLITE_FULL: IndexFault.FULL,
    # The map of the log (-shm) could not be made as large as it must be: there is no room for it.
    sqlite3.SQLITE_IOERR_SHMSIZE: IndexFault.FULL,
    sqlite3.SQLITE_IOERR: IndexFault.IO,
    sqlite3.SQLITE_CANTOPEN: IndexFault.IO,
    sqlite3.SQLITE_READONLY: IndexFault.IO,  # what a disk that had errors becomes
    sqlite3.SQLITE_PERM: IndexFault.IO,
    sqlite3.SQLITE_NOMEM: IndexFault.IO,
    sqlite3.SQLITE_BUSY: IndexFault.LOCKED,
    sqlite3.SQLITE_LOCKED: IndexFault.LOCKED,
    sqlite3.SQLITE_PROTOCOL: IndexFault.LOCKED,  # a race for the -wal's locks, lost for seconds
    sqlite3.SQLITE_CORRUPT: IndexFault.CORRUPT,
    sqlite3.SQLITE_NOTADB: IndexFault.CORRUPT,
    sqlite3.SQLITE_FORMAT: IndexFault.CORRUPT,
}
"""An error that is not listed here (a wrong statement, a broken constraint) is a bug, and is
raised."""


class Connection(sqlite3.Connection):
    """Raises IndexFailed where SQLite could not do what was asked. index/schema makes it."""

    file: Path
    fault: IndexFailed | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self.fault is not None:
            raise self.fault
        try:
            cursor = self.cursor(_Cursor)
            return cursor.execute(sql, parameters)
        except sqlite3.Error as error:
            raise self.fault_of(error) from error

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        try:
            return super().executescript(sql_script)
        except sqlite3.Error as error:
            raise self.fault_of(error) from error

    def fault_of(self, error: sqlite3.Error) -> Exception:
        """Returns the exception to raise for an error of SQLite: the error itself if it is a bug.
        For any other error everything uncommitted is rolled back."""
        fault = fault_of(error)
        if fault is None:
            return error
        self.fault = index_failed(fault, self.file, str(error))
        with suppress(sqlite3.Error):
            if self.in_transaction:
                super().execute("ROLLBACK")
        if fault is IndexFault.CORRUPT:
            condemn(self.file)
        return self.fault


class _Cursor(sqlite3.Cursor):
    """A cursor whose fetches, too, raise IndexFailed: rows are read when they are fetched."""

    connection: Connection

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise self.connection.fault_of(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise self.connection.fault_of(error) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise self.connection.fault_of(error) from error


def fault_of(error: sqlite3.Error) -> IndexFault | None:
    """The fault of an error. None: neither the disk nor the file, but a bug."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else _FAULTS.get(code) or _FAULTS.get(code & _PRIMARY)


def index_failed(fault: IndexFault, file: Path, said: str) -> IndexFailed:
    """said: the message of the system or of SQLite."""
    return IndexFailed(fault, said, str(file))


@contextmanager
def disk_errors(file: Path) -> Iterator[None]:
    """Turns errors of the disk into faults of the index, as for SQLite's own errors."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        fault = IndexFault.FULL if full else IndexFault.IO
        raise index_failed(fault, file, error.strerror or str(error)) from error


# ---- a damaged index ----------------------------------------------------------------------------


def condemn(file: Path) -> None:
    """Marks the index as damaged, also for a later process. If no mark can be made, the damage is
    found again."""
    with suppress(OSError):
        _mark(file).touch(0o600)


def set_aside(file: Path) -> Path | None:
    """Moves a condemned index out of the way, with the files that belong to it. Returns where it is
    then, or None if it was not condemned. An index that was set aside before is replaced. Raises
    IndexFailed.

    Nobody may have the index open.
    """
    if not _mark(file).exists():
        return None
    aside = file.with_name(f"{file.name}{BROKEN}-index")
    with disk_errors(file):
        # The database is moved last: while it is there, a second call can complete the first.
        for end in ("-wal", "-shm", ""):
            part = file.with_name(file.name + end)
            if part.exists():
                part.replace(aside.with_name(aside.name + end))
        _mark(file).unlink()
    return aside


def _mark(file: Path) -> Path:
    return file.with_name(file.name + BROKEN)
