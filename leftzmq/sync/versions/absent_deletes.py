"""Takes over deletes of paths that are not here: those below a directory before its own.

Deletes are announced in the order in which they are taken over. A device that receives the delete
of a directory, and still has something in it that nobody told it to delete, brings the directory
back.

Knows the tombstones that other devices hold, and which paths are locked. Must not know devices, nor
the disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leftzmq.index.rows import best_of, ours_of
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.entry import Kind

# Tombstones taken over for one directory in one turn of the loop (about 50 us each).
GRAVES_AT_ONCE: Final = 64


class AbsentDeletes:
    """The absent deletes of one folder of the config."""

    def __init__(self, index_view: IndexView, resolver: Resolver, locks: PathLocks) -> None:
        self._index_view, self._resolver, self._locks = index_view, resolver, locks
        # A locked path -> the directories above it that wait for the lock.
        self._waiting: dict[str, dict[str, None]] = {}

    def first(self, folder: str) -> list[str]:
        """The winning version at `folder` is a delete, and nothing is here. Returns the paths that
        are to be considered first, in this order. An empty list: `folder` itself may be considered.
        """
        if not self._index_view.is_walked(folder) or not self._is_open(folder):
            return []
        taken, busy = self.take_below(folder)
        if busy:
            self._waiting.setdefault(busy, {})[folder] = None
            return [*taken, busy]  # when the work at `busy` ends, all of them are considered
        return [*taken, folder] if taken else []

    def take_below(self, folder: str) -> tuple[list[str], str]:
        """Takes over the tombstones below `folder`, where nothing is on disk, up to the first path
        that is locked. Returns the paths taken, and the locked path or ""."""
        readers = self._index_view.readers
        below = self._index_view.store.graves_below(folder, GRAVES_AT_ONCE, readers)
        self._index_view.recall(below)
        taken: list[str] = []
        for path in below:
            if self._locks.is_changing(path):
                return taken, path
            if self._resolver.bury(path):
                taken.append(path)
        return taken, ""

    def waited_for(self, path: str) -> Iterable[str]:
        """The directories that waited for the end of the work at `path`."""
        return self._waiting.pop(path, ())

    def _is_open(self, path: str) -> bool:
        """Whether another device's delete of a directory wins at `path`, and nothing is here."""
        rows = self._index_view.rows(path)
        ours, best = ours_of(rows), best_of(rows, self._index_view.reach)
        if best is None or best.is_ours or not best.entry.deleted:
            return False
        is_here = ours is not None and not ours.entry.deleted
        return not is_here and best.entry.kind is Kind.DIRECTORY
