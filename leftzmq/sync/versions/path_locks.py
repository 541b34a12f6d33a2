"""Locks on paths: at most one of scheduler, applier and set_aside works at a path at any time.

A look that ran while the same path was being applied would find bytes that no index knows yet, and
call them a user's. A lock is refused, and nobody stands still for it. A look may take seconds, and
a file may be read for minutes. So work that was refused a lock can be named when that is released:
thousands of tickets that try again by the clock would leave the processor no rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from leftzmq.tree.path import is_within


class LockOwner(Enum):
    SETTLER = auto()
    APPLIER = auto()
    LEAVER = auto()  # what lies at the path is being let go (sync/apply/letting_go)
    ASIDE = auto()  # the file that lay at the path waits to be put back (sync/apply/set_aside)


class PathLocks:
    """The locked paths of one folder."""

    def __init__(self) -> None:
        self._by: dict[str, LockOwner] = {}
        # A locked path -> the paths at which work waits for that lock.
        self._waiting: dict[str, dict[str, None]] = {}
        self._freed: dict[str, None] = {}

    def lock(self, path: str, claimant: LockOwner) -> bool:
        """Locks a path. Returns False while anybody has a lock on it, the claimant included: the
        conflict copy of one file may be the very path at which another operation writes."""
        if path in self._by:
            return False
        self._by[path] = claimant
        return True

    def is_locked_by(self, path: str, claimant: LockOwner) -> bool:
        return self._by.get(path) is claimant

    def is_changing(self, path: str) -> bool:
        """Whether somebody changes what is at a path, or is about to. Every owner of a lock does so
        except the scheduler."""
        return self._by.get(path, LockOwner.SETTLER) is not LockOwner.SETTLER

    def changing(self, prefix: str) -> list[str]:
        """The paths at and below `prefix` at which somebody changes what is
        there, or is about to."""
        changing = [path for path, by in self._by.items() if by is not LockOwner.SETTLER]
        return [path for path in changing if is_within(path, prefix)]

    def release(self, paths: Iterable[str], claimant: LockOwner) -> None:
        for path in paths:
            if self.is_locked_by(path, claimant):
                del self._by[path]
                self._freed.update(self._waiting.pop(path, {}))

    # -- work that was refused a lock --------------------------------------------------------------

    def wait_for(self, path: str, work: str) -> None:
        """The lock of `path`, which somebody has, was refused to the work at the path `work`. When
        it is released, `take_freed` names that work."""
        self._waiting.setdefault(path, {})[work] = None

    @property
    def has_freed(self) -> bool:
        """Whether `take_freed` would return anything."""
        return bool(self._freed)

    def take_freed(self) -> list[str]:
        """The paths at which work can be tried again, since the last call. Somebody else may have
        the lock by now."""
        freed, self._freed = list(self._freed), {}
        return freed
