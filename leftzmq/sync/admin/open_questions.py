"""How many questions of the command line are open, so that nobody can ask more than is bearable.

Knows who asked. Must not know what was asked, nor what becomes of a question.
"""

from __future__ import annotations

from typing import Final

MAX_OPEN: Final = 256
MAX_OPEN_OF_ONE: Final = 16  # asker: one connection to the admin socket


class OpenQuestions:
    """Of the agent. Every question is opened, and every answer closes one of its asker."""

    def __init__(self) -> None:
        self._of: dict[bytes, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether there are more than MAX_OPEN."""
        return self._count > MAX_OPEN

    def opened(self, asker: bytes) -> bool:
        """False: this asker has too many of them."""
        self._count += 1
        self._of[asker] = self._of.get(asker, 0) + 1
        return self._of[asker] <= MAX_OPEN_OF_ONE

    def answered(self, asker: bytes) -> None:
        """The machines answer every question once, and nothing else."""
        self._count -= 1
        self._of[asker] -= 1
        if not self._of[asker]:
            del self._of[asker]
