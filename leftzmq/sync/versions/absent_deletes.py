"""Deletes of what is not here: those below a folder are taken over before the folder's own.

They are told on in the order in which they are taken over, and who hears of a folder's delete, and
still has something in it that nobody told him to delete, brings the folder back.

Knows tombstones that others hold, and which paths are worked at. Must not know devices, nor the
disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leftzmq.index.rows import best_of, ours_of
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.entry import Kind

GRAVES_AT_ONCE: Final = 64  # taken over for one folder in one turn of the loop (about 50 us each)


class AbsentDeletes:
    """Of one folder of the config."""

    def __init__(self, index_view: IndexView, resolver: Resolver, locks: PathLocks) -> None:
        self._index_view, self._resolver, self._locks = index_view, resolver, locks
        # A path that is worked at -> the folders above it that wait for it.
        self._waiting: dict[str, dict[str, None]] = {}

    def first(self, folder: str) -> list[str]:
        """What is to be considered, in this order, instead of the delete of what is not here at
        `folder`; nothing: it may be considered itself."""
        if not self._resolver.walked or not self._is_open(folder):
            return []
        taken, busy = self.take_below(folder)
        if busy:
            self._waiting.setdefault(busy, {})[folder] = None
            return [*taken, busy]  # at its end all of them are considered
        return [*taken, folder] if taken else []

    def take_below(self, folder: str) -> tuple[list[str], str]:
        """Nothing lies below `folder`: take them over as far as nobody works there. Returns those,
        and the path where somebody does, or ""."""
        below = self._index_view.store.graves_below(folder, GRAVES_AT_ONCE)
        self._index_view.recall(below)
        taken: list[str] = []
        for path in below:
            if self._locks.is_changing(path):
                return taken, path
            if self._resolver.bury(path):
                taken.append(path)
        return taken, ""

    def ended(self, path: str) -> Iterable[str]:
        """The folders that waited for it."""
        return self._waiting.pop(path, ())

    def _is_open(self, path: str) -> bool:
        """Whether others' delete of a folder is the winner, and nothing is here."""
        rows = self._index_view.rows(path)
        ours, best = ours_of(rows), best_of(rows, self._index_view.reach)
        if best is None or best.is_ours or not best.entry.deleted:
            return False
        is_here = ours is not None and not ours.entry.deleted
        return not is_here and best.entry.kind is Kind.DIRECTORY
