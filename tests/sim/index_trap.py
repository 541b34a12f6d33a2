"""Raises errors of SQLite at a chosen statement, where SQLite would raise them.

Knows connections and their statements. Must not know what an index is used for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from leftzmq.errors import IndexFault
from leftzmq.index.connection import Connection, fault_of, index_failed

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


@dataclass(slots=True)
class _Arm:
    fault: IndexFault
    left: int
    lasting: bool
    sprung: Callable[[], None]
    has_sprung: bool = False


class IndexTrap:
    """Active while it is entered. sql: the statement at which the last fault happened"""

    def __init__(self) -> None:
        self._arms: dict[Path, _Arm] = {}
        self._suspended = False
        self.sql = ""

    def __enter__(self) -> IndexTrap:
        self._real = real = Connection.execute
        trap = self

        def execute(connection: Connection, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if connection.fault is None and (error := trap._error_at(connection.file, sql)):
                raise connection.fault_of(error)
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

    def set(
        self,
        file: Path,
        statements: int,
        fault: IndexFault,
        *,
        lasting: bool = False,
        sprung: Callable[[], None] = lambda: None,
    ) -> None:
        """After so many more statements of this index, one fails. lasting: all later statements of
        every connection, and every flush, fail too, until `clear`. sprung: called at the first
        failure"""
        self._arms[file] = _Arm(fault, statements, lasting, sprung)

    def is_set(self, file: Path) -> bool:
        return file in self._arms

    def clear(self, file: Path) -> None:
        self._arms.pop(file, None)

    def flushed(self, file: Path) -> None:
        """A flush of this index: raises IndexFailed while the index's disk fails."""
        arm = self._arms.get(file)
        if arm is not None and arm.has_sprung:
            raise index_failed(arm.fault, file, "said by a test")

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """No faults happen while a test looks at an index."""
        self._suspended = True
        try:
            yield
        finally:
            self._suspended = False

    def _error_at(self, file: Path, sql: str) -> sqlite3.Error | None:
        arm = self._arms.get(file)
        if arm is None or self._suspended or sql.startswith("PRAGMA"):
            return None
        arm.left -= 1
        if arm.left >= 0:
            return None
        self.sql = sql
        if not arm.lasting:
            del self._arms[file]
        if not arm.has_sprung:
            arm.has_sprung = True
            arm.sprung()
        return _error(arm.fault)
