"""At any time at most one of settler and applier works at a path.

A look that ran while the same path was being applied would find bytes that no index knows yet,
and call them a user's. A claim is refused, never waited for: who was refused tries again when
claims are released.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto


class Claimant(Enum):
    SETTLER = auto()
    APPLIER = auto()


class Claims:
    """The paths of one folder that somebody works at."""

    def __init__(self) -> None:
        self._by: dict[str, Claimant] = {}
        self._refused: set[Claimant] = set()

    def take(self, path: str, claimant: Claimant) -> bool:
        """Claim a path; False while the other one has it (who has it already keeps it)."""
        holder = self._by.setdefault(path, claimant)
        if holder is claimant:
            return True
        self._refused.add(claimant)
        return False

    def release(self, paths: Iterable[str], claimant: Claimant) -> None:
        for path in paths:
            if self._by.get(path) is claimant:
                del self._by[path]

    def was_refused(self, claimant: Claimant) -> bool:
        """Whether a claim of his was refused since he last asked: then he should try again."""
        refused = claimant in self._refused
        self._refused.discard(claimant)
        return refused

    def count(self, claimant: Claimant) -> int:
        return sum(1 for holder in self._by.values() if holder is claimant)
