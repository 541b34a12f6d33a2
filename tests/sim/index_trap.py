"""Errors of SQLite at a statement of one's choice, raised where SQLite would raise them.

Knows connections and their statements. Must not know what an index is used for.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from leftzmq.errors import IndexFault
from leftzmq.index.connection import Connection, fault_of

CODES: Final = {
    IndexFault.FULL: sqlite3.SQLITE_FULL,
    IndexFault.IO: sqlite3.SQLITE_IOERR_WRITE,
    IndexFault.LOCKED: sqlite3.SQLITE_BUSY,
    IndexFault.CORRUPT: sqlite3.SQLITE_CORRUPT,
}


def _error(fault: IndexFault) -> sqlite3.Error:
    error = sqlite3.OperationalError(f"{fault.name.lower()}, said by a test")
    error.sqlite_errorcode = CODES[fault]
    return error


ERRORS: Final = {fault_of(_error(fault)): fault for fault in IndexFault}


class IndexTrap:
    """While it is entered. left: statements until the fault comes. sql: where it came"""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._fault = IndexFault.IO
        self.left = 0
        self.lasting = False
        self.sql = ""

    def __enter__(self) -> IndexTrap:
        self._real = real = Connection.execute
        trap = self

        def execute(connection: Connection, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if connection.fault is None and trap._springs(connection.file, sql):
                raise connection.failed(_error(trap._fault))
            return real(connection, sql, parameters)

        Connection.execute = execute  # type: ignore[method-assign]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        Connection.execute = self._real  # type: ignore[method-assign]

    @property
    def is_set(self) -> bool:
        return self._file is not None

    def set(self, file: Path, statements: int, fault: IndexFault, *, lasting: bool = False) -> None:
        """The statement after so many more of this index fails; lasting: and all that follow, of
        every connection, until `clear`."""
        self._file, self.left, self._fault, self.lasting = file, statements, fault, lasting

    def clear(self) -> None:
        self._file = None

    def _springs(self, file: Path, sql: str) -> bool:
        if file != self._file or sql.startswith("PRAGMA"):
            return False
        self.left -= 1
        if self.left >= 0:
            return False
        self.sql = sql
        if not self.lasting:
            self._file = None
        return True
