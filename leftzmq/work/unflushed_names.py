"""Names in a share that a power cut may take back: the flush of their folder failed, or an earlier
life may have ended before it.

Whoever tells what a look found says to all that it is so. If a power cut takes it back then, it
looks like a user's doing: a delete that the others carry out, or a file that comes back. So those
folders are flushed before what was seen there is believed.

And bytes that are lost although nobody is told any more: the error of a flush of everything is told
to one of those that wait for theirs (disk/apply/flush).

Knows folders and the paths that depend on them. Must not know what was done there, nor what was
seen.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leftzmq.disk.fs.errno_meaning import is_gone, raise_if_short
from leftzmq.disk.fs.interface import Root
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.tree.path import is_below

_NEWS = frozenset((Sight.FOUND, Sight.LARGE, Sight.GONE))
"""What a look can tell that the index does not say yet."""


@dataclass(frozen=True, slots=True, eq=False)
class _Doubt:
    """paths: those that depend on the flush of a folder, beside what lies below it. Another one
    each time that it fails."""

    paths: frozenset[str]


class UnflushedNames:
    """Of one share, for all its workers.

    everything: an earlier life may have left anything so
    """

    def __init__(self, *, everything: bool = False) -> None:
        self._everything = everything
        self._by_folder: dict[str, _Doubt] = {}
        self._is_sick = False
        self._lock, self._one_flush = threading.Lock(), threading.Lock()

    def failed(self, folder: str, paths: Iterable[str]) -> None:
        """The names in `folder` could not be flushed; what was done at these paths, and what lies
        below the folder, depends on them."""
        with self._lock:
            before = self._by_folder.get(folder)
            known = before.paths if before else frozenset()
            self._by_folder[folder] = _Doubt(known.union(paths))

    @property
    def together(self) -> bool:
        """Whether no flush of everything has failed here (disk/apply/flush)."""
        return not self._is_sick

    def flush_all(self, root: Root) -> None:
        """Flush everything. OSError, also where a flush of somebody else failed since `together`
        was asked: it may have been told of these bytes, and this one would not be."""
        with self._one_flush:
            if self._is_sick:
                raise OSError(errno.EIO, "another flush of everything failed")
            self._flush_all(root)

    def _flush_names(self, root: Root) -> None:
        """Flush everything, for the names: these are not lost where that failed before. OSError."""
        with self._one_flush:
            self._flush_all(root)

    def _flush_all(self, root: Root) -> None:
        try:
            root.flush_all()
        except OSError:
            self._is_sick = True
            raise

    def believed(self, root: Root, id: str, sightings: Iterable[Sighting]) -> list[Sighting]:
        """What was seen, where it is durable now; else a Problem. id: of the folder. OSError where
        it says nothing of a path: then nothing of the look counts."""
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
        """Flush what these depend on: those of them that are in doubt still, and why."""
        with self._lock:
            known = dict(self._by_folder)
        doubted: dict[str, str] = {}
        for folder, doubt in known.items():
            asked = [path for path in paths if path in doubt.paths or is_below(path, folder)]
            if not asked:
                continue
            why = self._flushed(root, folder)
            if why:
                doubted.update(dict.fromkeys(asked, why))
                continue
            with self._lock:
                if self._by_folder.get(folder) is doubt:  # else it failed again meanwhile
                    del self._by_folder[folder]
        return doubted

    def _problem(self, id: str, seen: Sighting, doubted: dict[str, str]) -> Sighting | None:
        why = doubted.get(seen.path) if seen.sight in _NEWS else None
        if why is None:
            return None
        problem = Problem(id, seen.path, ProblemKind.FLUSH_FAILED, why)
        return Sighting(seen.path, Sight.PROBLEM, problem=problem)

    def _flushed(self, root: Root, folder: str) -> str:
        """Why not; "" if it was."""
        try:
            with root.folder(folder) as held:
                held.flush()
        except OSError as error:
            raise_if_short(error)
            if not is_gone(error):
                return error.strerror or str(error)
            self._flush_names(root)  # it may have another name now
        return ""


@dataclass(frozen=True, slots=True)
class FlushBatch:
    """One batch of operations on a share, for disk/apply/flush. paths: those that each of them
    concerns, by position."""

    share: UnflushedNames
    paths: Sequence[Sequence[str]]

    @property
    def together(self) -> bool:
        return self.share.together

    def flush_all(self, root: Root) -> None:
        self.share.flush_all(root)

    def unflushed(self, folder: str, positions: frozenset[int]) -> None:
        self.share.failed(folder, (path for at in positions for path in self.paths[at]))
