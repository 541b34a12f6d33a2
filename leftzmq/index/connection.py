"""A connection to an index whose errors are values: every error of SQLite is one of four faults.

After its first fault a connection is rolled back and of no use: whatever is asked of it then fails
the same way. Who owned it opens the index anew, as after a crash. Knows SQLite's codes. Must not
know tables, nor what follows from a fault.
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
"""Beside an index that SQLite called damaged; the next who opens it sets both aside."""

_PRIMARY: Final = 0xFF  # of a result code; the rest says more of the same
_FAULTS: Final[dict[int, IndexFault]] = {
    sqlite3.SQLITE_FULL: IndexFault.FULL,
    sqlite3.SQLITE_IOERR: IndexFault.IO,
    sqlite3.SQLITE_CANTOPEN: IndexFault.IO,
    sqlite3.SQLITE_READONLY: IndexFault.IO,  # what a disk becomes that had errors
    sqlite3.SQLITE_PERM: IndexFault.IO,
    sqlite3.SQLITE_NOMEM: IndexFault.IO,
    sqlite3.SQLITE_BUSY: IndexFault.LOCKED,
    sqlite3.SQLITE_LOCKED: IndexFault.LOCKED,
    sqlite3.SQLITE_PROTOCOL: IndexFault.LOCKED,  # a race for the -wal's locks, lost for seconds
    sqlite3.SQLITE_CORRUPT: IndexFault.CORRUPT,
    sqlite3.SQLITE_NOTADB: IndexFault.CORRUPT,
    sqlite3.SQLITE_FORMAT: IndexFault.CORRUPT,
}
"""What is not here (a wrong statement, a broken constraint) is a mistake of ours, and is raised."""


class Connection(sqlite3.Connection):
    """Raises IndexFailed where SQLite could not do what was asked. Made by index/schema."""

    file: Path
    fault: IndexFailed | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self.fault is not None:
            raise self.fault
        try:
            cursor = self.cursor(_Cursor)
            return cursor.execute(sql, parameters)
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        try:
            return super().executescript(sql_script)
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def failed(self, error: sqlite3.Error) -> Exception:
        """What to raise for an error of SQLite: the error itself, where it is a mistake of ours.
        Else nothing that was not committed stays."""
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
    """Rows are read when they are fetched, and that may fail, too."""

    connection: Connection

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise self.connection.failed(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise self.connection.failed(error) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise self.connection.failed(error) from error


def fault_of(error: sqlite3.Error) -> IndexFault | None:
    """None: not the disk, nor the file, but a mistake of ours."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else _FAULTS.get(code & _PRIMARY)


def index_failed(fault: IndexFault, file: Path, said: str) -> IndexFailed:
    """said: by the system or by SQLite."""
    return IndexFailed(fault, said, str(file))


@contextmanager
def disk_errors(file: Path) -> Iterator[None]:
    """What the disk refuses here is a fault of the index, as when SQLite is refused."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        fault = IndexFault.FULL if full else IndexFault.IO
        raise index_failed(fault, file, error.strerror or str(error)) from error


# ---- a damaged index ----------------------------------------------------------------------------


def condemn(file: Path) -> None:
    """Note that it is damaged, also for a later process. What cannot be noted is found again."""
    with suppress(OSError):
        _mark(file).touch(0o600)


def set_aside(file: Path) -> Path | None:
    """Move a condemned index out of the way, with what belongs to it; where it lies then, or None
    where it was not condemned. What was set aside before goes. Raises IndexFailed.

    Nobody has it open.
    """
    if not _mark(file).exists():
        return None
    aside = file.with_name(f"{file.name}{BROKEN}-index")
    with disk_errors(file):
        for end in ("-wal", "-shm", ""):  # the database last: as long as it lies there, go on
            part = file.with_name(file.name + end)
            if part.exists():
                part.replace(aside.with_name(aside.name + end))
        _mark(file).unlink()
    return aside


def _mark(file: Path) -> Path:
    return file.with_name(file.name + BROKEN)
