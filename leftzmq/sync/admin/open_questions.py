"""Counts the open questions of the command line, so that nobody can ask more than the agent can
bear.

Knows who asked. Must not know what was asked, nor what becomes of a question.
"""

from __future__ import annotations

from typing import Final

MAX_OPEN: Final = 256
MAX_OPEN_OF_ONE: Final = 16  # asker: one connection to the admin socket


class OpenQuestions:
    """One per agent. Every question is opened here, and every answer closes one question of its
    asker."""

    def __init__(self) -> None:
        self._of: dict[bytes, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether more than MAX_OPEN questions are open."""
        return self._count > MAX_OPEN

    def opened(self, asker: bytes) -> bool:
        """Count a question. Return False if this asker has too many open questions."""
        self._count += 1
        self._of[asker] = self._of.get(asker, 0) + 1
        return self._of[asker] <= MAX_OPEN_OF_ONE

    def answered(self, asker: bytes) -> None:
        """Close a question. The machines answer every question once, and answer nothing else."""
        self._count -= 1
        self._of[asker] -= 1
        if not self._of[asker]:
            del self._of[asker]
