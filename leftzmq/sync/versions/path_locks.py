"""At any time at most one of settler, applier and asides works at a path, and does one thing there.

A look that ran while the same path was being applied would find bytes that no index knows yet,
and call them a user's. A claim is refused, never waited for: who was refused tries again a
little later.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from leftzmq.tree.path import is_within


class LockOwner(Enum):
    SETTLER = auto()
    APPLIER = auto()
    ASIDE = auto()  # what lay at the path waits to be put back (sync/apply/set_aside)


class PathLocks:
    """The paths of one folder that somebody works at."""

    def __init__(self) -> None:
        self._by: dict[str, LockOwner] = {}

    def take(self, path: str, claimant: LockOwner) -> bool:
        """Claim a path; False while it is claimed, by whomever: the conflict copy of one file may
        be itself what another operation puts there."""
        if path in self._by:
            return False
        self._by[path] = claimant
        return True

    def has(self, path: str, claimant: LockOwner) -> bool:
        return self._by.get(path) is claimant

    def is_changing(self, path: str) -> bool:
        """Whether somebody works at a path who changes what is there, or will: all but the
        settler."""
        return self._by.get(path, LockOwner.SETTLER) is not LockOwner.SETTLER

    def changing(self, prefix: str) -> list[str]:
        """The paths at and below `prefix` at which somebody changes what is there, or will."""
        changing = [path for path, by in self._by.items() if by is not LockOwner.SETTLER]
        return [path for path in changing if is_within(path, prefix)]

    def release(self, paths: Iterable[str], claimant: LockOwner) -> None:
        for path in paths:
            if self.has(path, claimant):
                del self._by[path]
