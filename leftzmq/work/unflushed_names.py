"""Remembers names in a share that a power cut may undo: the flush of their folder failed, or an
earlier life may have ended before the flush.

The result of a look is told to all devices. If a power cut then undoes the change, that looks like
an act of the user: a delete that the others carry out, or a deleted file that is back. So these
folders are flushed before the result of a look there is believed.

It also remembers a failed syncfs: the kernel reports its error to one caller only, although bytes
of other callers may be lost, too (disk/apply/flush).

Knows folders and the paths that depend on them. Must not know what was done there, nor what was
seen.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from leftzmq.disk.fs.errno_meaning import is_gone, raise_if_short
from leftzmq.disk.fs.interface import Identity, Root
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.tree.path import is_below

_NEWS = frozenset((Sight.FOUND, Sight.LARGE, Sight.GONE))
"""The results of a look that the index may not have yet."""


@dataclass(frozen=True, slots=True, eq=False)
class _Doubt:
    """A path of folders whose flush failed. paths: depend on that flush, in addition to all paths
    below the folder. folders: which ones had that path, as far as known. Each failure makes a new
    object."""

    paths: frozenset[str]
    folders: frozenset[Identity]


class UnflushedNames:
    """The unflushed names of one share, for all its workers.

    everything: an earlier life may have left any name unflushed
    """

    def __init__(self, *, everything: bool = False) -> None:
        self._everything = everything
        self._by_folder: dict[str, _Doubt] = {}
        self._is_sick = False
        self._lock, self._one_flush = threading.Lock(), threading.Lock()

    def flush_failed(
        self, where: str, paths: Iterable[str], folders: Iterable[Identity] = ()
    ) -> None:
        """Note that the names in the folder at `where` could not be flushed. The changes at
        `paths`, and all paths below the folder, depend on them. folders: those that had that path
        when they were changed."""
        with self._lock:
            before = self._by_folder.get(where, _Doubt(frozenset(), frozenset()))
            known = before.paths.union(paths), before.folders.union(folders)
            self._by_folder[where] = _Doubt(*known)

    @property
    def together(self) -> bool:
        """Whether no syncfs has failed here (disk/apply/flush)."""
        return not self._is_sick

    def flush_all(self, root: Root) -> None:
        """Flush the whole file system. OSError, also if another caller's syncfs has failed since
        `together` was read: that call may have got the error for these bytes, and this one would
        not get it."""
        with self._one_flush:
            if self._is_sick:
                raise OSError(errno.EIO, "another flush of everything failed")
            self._flush_all(root)

    def _flush_names(self, root: Root) -> None:
        """Flush the whole file system, for the names. An earlier failed syncfs does not matter
        here: it loses no names. OSError."""
        with self._one_flush:
            self._flush_all(root)

    def _flush_all(self, root: Root) -> None:
        try:
            root.flush_all()
        except OSError:
            self._is_sick = True
            raise

    def believed(self, root: Root, id: str, sightings: Iterable[Sighting]) -> list[Sighting]:
        """The sightings that are durable now; a Problem for each of the others. id: of the folder.
        Raises OSError if the error says nothing about a path: then discard the whole look."""
        seen = list(sightings)
        if not (self._everything or self._by_folder):
            return seen
        news = [each.path for each in seen if each.sight in _NEWS]
        if news and self._everything:
            self._flush_names(root)
            self._everything = False
        doubted = self._flush(root, news)
        return [self._problem(id, each, doubted) or each for each in seen]

    def _flush(self, root: Root, paths: Sequence[str]) -> dict[str, str]:
        """Flush the folders that `paths` depend on. Returns path -> why, for the paths that are
        still not durable."""
        with self._lock:
            known = dict(self._by_folder)
        doubted: dict[str, str] = {}
        for folder, doubt in known.items():
            asked = [path for path in paths if path in doubt.paths or is_below(path, folder)]
            if not asked:
                continue
            why = self._flushed(root, folder, doubt.folders)
            if why:
                doubted.update(dict.fromkeys(asked, why))
                continue
            with self._lock:
                if self._by_folder.get(folder) is doubt:  # else the flush failed again meanwhile
                    del self._by_folder[folder]
        return doubted

    def _problem(self, id: str, seen: Sighting, doubted: dict[str, str]) -> Sighting | None:
        why = doubted.get(seen.path) if seen.sight in _NEWS else None
        if why is None:
            return None
        problem = Problem(id, seen.path, ProblemKind.FLUSH_FAILED, why)
        return Sighting(seen.path, Sight.PROBLEM, problem=problem)

    def _flushed(self, root: Root, where: str, folders: frozenset[Identity]) -> str:
        """Flush these folders, which had the path `where`. Returns why that failed; "" if it
        worked."""
        try:
            with root.folder(where) as held:
                held.flush()
                is_elsewhere = not folders <= {held.identity()}
        except OSError as error:
            raise_if_short(error)
            if not is_gone(error):
                return error.strerror or str(error)
            is_elsewhere = True
        if is_elsewhere:  # it may have another name now
            self._flush_names(root)
        return ""


class FlushBatch(Struct, frozen=True):
    """One batch of operations on a share, for disk/apply/flush. paths: by position, the paths that
    each operation concerns."""

    share: UnflushedNames
    paths: Sequence[Sequence[str]]

    @property
    def together(self) -> bool:
        return self.share.together

    def flush_all(self, root: Root) -> None:
        self.share.flush_all(root)

    def unflushed(
        self, where: str, positions: frozenset[int], folders: frozenset[Identity]
    ) -> None:
        paths = (path for at in positions for path in self.paths[at])
        self.share.flush_failed(where, paths, folders)
