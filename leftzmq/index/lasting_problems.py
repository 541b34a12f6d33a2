"""The problems that outlive a start: nothing on the disk says again what they said.

Knows paths, kinds and details. Must not know what a kind means, nor which kinds last.
"""

from __future__ import annotations

from collections.abc import Callable

from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.connection import Connection
from leftzmq.index.statements import Ask


class LastingProblems:
    """The table `problem` of one index. Its writing connection alone changes it."""

    def __init__(self, connection: Connection, ask: Ask, begin: Callable[[], None]) -> None:
        """ask: a query of the store; begin: begins its transaction, unless one is running"""
        self._db, self._ask, self._begin = connection, ask, begin

    def all(self, folder: str) -> list[Problem]:
        """What is known, in the order of the paths. folder: to which they belong. Of a kind that
        this leftzmq does not know it says nothing."""
        found = self._ask("SELECT path, kind, detail FROM problem ORDER BY path", ()).fetchall()
        return [
            Problem(folder, path.decode(errors="surrogateescape"), ProblemKind[kind], detail)
            for path, kind, detail in found
            if kind in ProblemKind.__members__
        ]

    def remember(self, problem: Problem) -> None:
        """Of each path one is known: the one that was shown last."""
        self._begin()
        self._db.execute(
            "INSERT OR REPLACE INTO problem(path, kind, detail) VALUES (?, ?, ?)",
            (problem.path.encode(errors="surrogateescape"), problem.kind.name, problem.detail),
        )

    def forget(self, path: str) -> None:
        """It is solved."""
        self._begin()
        self._db.execute(
            "DELETE FROM problem WHERE path = ?", (path.encode(errors="surrogateescape"),)
        )
