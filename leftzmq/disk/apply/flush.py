"""Flushes what must be durable before the index may commit: staged files, attributes, folders.

A few items are flushed one by one; many are flushed by one syncfs of the whole file system. Items
on a file system that is mounted inside the share are always flushed one by one.

A failed syncfs does not say whose bytes were lost. The kernel reports the error to one caller only:
the next syncfs says nothing about it. A flush of the file alone still reports it. So after a failed
syncfs every item is flushed alone.

A power cut may delete a folder that could not be flushed, with all its content. So changes below it
are not durable either, even if their own folder was flushed. So the name of a new folder is durable
before anything is moved into it. Else the flush of the folder that a file left would make only its
leaving durable: the file would have neither name.

Folders are flushed by their paths, and a user may move one before its flush. It then has another
path, or another folder has its own: so the folder at the path is compared with those that were
touched there. One that is not there, and that no operation of the batch removed, is reached by a
flush of everything only.

Knows which operation touched which folder. Must not know what the operations are.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from leftzmq.disk.fs.interface import Directory, File, Identity, Root, Stat
from leftzmq.tree.path import parent_of

GROUP_FROM: Final = 8
"""From this many staged files, attributes or folders on, one syncfs flushes them all."""


class Beside(Protocol):
    """State that the batches of one share have in common."""

    @property
    def together(self) -> bool:
        """Whether the result of a syncfs still says if everything waited for is durable."""

    def flush_all(self, root: Root) -> None:
        """Flush the whole file system. OSError if that fails, or while `together` is False."""

    def unflushed(
        self, where: str, positions: frozenset[int], folders: frozenset[Identity]
    ) -> None:
        """A folder of this path could not be flushed. The operations in it or below it have these
        positions in their batch. folders: which ones were touched at that path."""


class Alone:
    """For a batch without others: only its caller has to know of a failed flush."""

    together = True

    def flush_all(self, root: Root) -> None:
        root.flush_all()

    def unflushed(
        self, where: str, positions: frozenset[int], folders: frozenset[Identity]
    ) -> None:
        pass


ALONE: Final = Alone()


class Flushes:
    """The flushes of one batch. `at` is the position of the operation being carried out.

    group_from: from this many items on, one call flushes them all
    """

    def __init__(
        self,
        root: Root,
        group_from: int = GROUP_FROM,
        beside: Beside = ALONE,
    ) -> None:
        self.at = 0
        self._root, self._group_from, self._beside = root, group_from, beside
        self._touched: dict[str, list[int]] = {}
        self._folders: dict[str, set[Identity]] = {}  # path -> touched there, not flushed since
        self._made: dict[str, None] = {}  # folders in which folders were made, not flushed since
        self._settled: set[str] = set()  # folders that were not touched since they were flushed
        self._lost: dict[str, OSError] = {}  # folders that could not be flushed
        self._waiting: list[int] = []
        with root.folder("") as top:
            self._device = top.own_stat().device

    def touch(self, where: str, folder: Directory) -> None:
        """Operation `at` changed names in this folder, whose path was `where`."""
        self._touched.setdefault(where, []).append(self.at)
        self._folders.setdefault(where, set()).add(folder.identity())
        self._settled.discard(where)

    def made(self, where: str, folder: Directory) -> None:
        """Operation `at` made a folder in this folder."""
        self.touch(where, folder)
        self._made[where] = None

    def removed(self, where: str, folder: Identity) -> None:
        """Operation `at` removed this folder, and touches the one above it."""
        self._folders.get(where, set()).discard(folder)

    def settle(self, folders: Iterable[str], *, at_once: bool = False) -> None:
        """Make durable what was made in these folders, before something is moved into it. Where so
        much was touched that one call flushes all of it, that call does this, too, unless it must
        be `at_once`. OSError."""
        together = self.many(len(self._touched)) and not at_once
        for path in folders:
            self._made[path] = None
            waits, error = self._folder(path, together)
            if waits and not together:
                error = self.everything()
            if error is not None:
                self._lost[path] = error
                raise error
            if not (waits and together):
                del self._made[path]
                self._folders.pop(path, None)
                self._settled.add(path)

    def settle_way(self, where: str, *, at_once: bool = False) -> None:
        """The same, for what was made on the way to the folder `where`. OSError."""
        above = list(_upwards(parent_of(where)))[::-1] if where else []
        self.settle([path for path in above if path in self._made], at_once=at_once)

    def many(self, count: int) -> bool:
        """Whether one call flushes `count` items."""
        return count >= self._group_from and self._beside.together

    def file(self, file: File, together: bool) -> bool:
        """Flush the file now and return False. If one call flushes many items `together` and
        reaches this file, leave it for `everything` and return True. OSError."""
        if together and self.reaches(file.stat(), together):
            return True
        file.flush()
        return False

    def reaches(self, found: Stat, together: bool) -> bool:
        """Whether the one call for many items makes the file of this stat durable."""
        return together and found.device == self._device

    def cover(self) -> None:
        """Note that `finish` makes durable what operation `at` wrote."""
        self._waiting.append(self.at)

    def everything(self) -> OSError | None:
        """Flush the whole file system. Returns the error, or None."""
        try:
            self._beside.flush_all(self._root)
        except OSError as error:
            return error
        return None

    def finish(self) -> dict[int, str]:
        """Flush each touched folder once. Returns position -> why, for each operation that did not
        become durable."""
        failed: dict[int, str] = {}
        left: list[str] = []
        lost = dict(self._lost)  # the kernel may say once only that a flush failed
        together = self.many(len(self._touched))
        for path in dict.fromkeys((*self._made, *self._touched)):
            if path in self._settled:
                continue
            waits, error = self._folder(path, together)
            if waits:
                left.append(path)
            if error is not None:
                lost[path] = error
        if left or self._waiting:
            error = self.everything()
            if error is not None:
                _blame(failed, self._waiting, error)
                lost.update(dict.fromkeys(left, error))
        for path, positions in self._touched.items() if lost else ():
            for where in filter(lost.__contains__, _upwards(path)):
                _blame(failed, positions, lost[where])
                touched = frozenset(self._folders.get(where, ()))
                self._beside.unflushed(where, frozenset(positions), touched)
        return failed

    def _folder(self, path: str, together: bool) -> tuple[bool, OSError | None]:
        """Returns (whether the folder is left for `everything`, the error if its flush failed).
        Where it is not `together`, it is left only if it is not at its path any more."""
        elsewhere, waits = set(self._folders.get(path, ())), False
        try:
            with self._root.folder(path) as folder:
                elsewhere.discard(folder.identity())
                waits = together and folder.own_stat().device == self._device
                if not waits:
                    folder.flush()
        except (FileNotFoundError, NotADirectoryError):
            pass  # an operation removed it, or a user did, or he moved it
        except OSError as error:
            return False, error
        if any(device != self._device for device, _ in elsewhere):
            return False, OSError(errno.ESTALE, "its folder is not at its path any more")
        return waits or bool(elsewhere), None


def _blame(failed: dict[int, str], positions: Iterable[int], error: OSError) -> None:
    failed.update(dict.fromkeys(positions, error.strerror or str(error)))


def _upwards(path: str) -> Iterator[str]:
    """The folder at `path` and all above it, up to the root ("")."""
    yield path
    while path:
        path = parent_of(path)
        yield path
