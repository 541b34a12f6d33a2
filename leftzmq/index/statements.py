"""One statement for many values or records.

Every step of SQLite releases the interpreter lock and queues for it again, behind workers that are
mostly in system calls: one step for many values saves more than a better query plan would.

Knows how many of them are sent at once. Must not know a table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from leftzmq.index.connection import Connection

VALUES_AT_ONCE: Final = (1, 16, 128)
_RECORDS_AT_ONCE: Final = (64, 8, 1)

Ask: TypeAlias = Callable[[str, Sequence[object]], sqlite3.Cursor]


def among(
    ask: Ask, question: str, values: Iterable[object], end: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Answers to `question IN (values)`, in as few steps of SQLite as it takes."""
    left = list(values)
    while left:
        some, left = left[: VALUES_AT_ONCE[-1]], left[VALUES_AT_ONCE[-1] :]
        # NULLs fill up the list, so that few statements are prepared; NULL equals no value.
        size = next(size for size in VALUES_AT_ONCE if size >= len(some))
        some += [None] * (size - len(some))
        marks = ",".join("?" * size)
        yield from ask(f"{question} ({marks}){end}", some).fetchall()


def write_all(db: Connection, statement: str, records: Sequence[tuple[object, ...]]) -> None:
    """Runs `statement` with as many records at once as _RECORDS_AT_ONCE allows; each size is
    prepared once."""
    at = 0
    for size in _RECORDS_AT_ONCE:
        while len(records) - at >= size:
            some = records[at : at + size]
            marks = "(" + ",".join("?" * len(some[0])) + ")"
            db.execute(statement.format(",".join([marks] * size)), [v for r in some for v in r])
            at += size
