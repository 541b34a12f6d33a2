"""What must be durable before the index may commit: staged files, attributes, folders.

A few things are flushed one by one, many of them by one flush of the whole file system; what lies
on a file system that is mounted inside the share is always flushed by itself.

When a flush of everything fails, nobody is told whose bytes were lost, and the kernel says so to
one caller only: the next such flush is silent about them. The file itself still says it, when it
is flushed alone. So after that nothing goes together any more.

A folder that could not be flushed may be gone after a power cut, with all that lies in it: what was
done below it is not durable either, however well its own folder was flushed.

Knows which operation touched which folder. Must not know what the operations are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from leftzmq.disk.fs.interface import File, Root, Stat
from leftzmq.tree.path import parent_of

GROUP_FROM: Final = 8
"""So many staged files, attributes or folders, and more, share one flush of the file system."""


class Beside(Protocol):
    """What the batches of one share must know of each other."""

    @property
    def together(self) -> bool:
        """Whether a flush of everything still tells whether all that is waited for is durable."""

    def flush_all(self, root: Root) -> None:
        """Flush everything, where it tells that. OSError."""

    def unflushed(self, folder: str, positions: frozenset[int]) -> None:
        """This folder could not be flushed; the operations in it or below it are at these
        positions."""


class Alone:
    """No other batch is beside this one, and only who asked for it has to know."""

    together = True

    def flush_all(self, root: Root) -> None:
        root.flush_all()

    def unflushed(self, folder: str, positions: frozenset[int]) -> None:
        pass


ALONE: Final = Alone()


class Flushes:
    """The flushes of one batch. `at` is the position of the operation being carried out.

    group_from: so many things, and more, are flushed by one call
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
        self._waiting: list[int] = []
        with root.folder("") as top:
            self._device = top.own_stat().device

    def touch(self, folder: str) -> None:
        """Operation `at` changed names in this folder."""
        self._touched.setdefault(folder, []).append(self.at)

    def many(self, count: int) -> bool:
        """Whether so many things are flushed by one call."""
        return count >= self._group_from and self._beside.together

    def file(self, file: File, together: bool) -> bool:
        """Flush it now, or, if many go `together` and one call reaches it, leave it for
        `everything` and return True. OSError."""
        if together and self.reaches(file.stat(), together):
            return True
        file.flush()
        return False

    def reaches(self, found: Stat, together: bool) -> bool:
        """Whether the one call that many share makes the file of this stat durable."""
        return together and found.device == self._device

    def wait(self) -> None:
        """What operation `at` wrote becomes durable in `finish`."""
        self._waiting.append(self.at)

    def everything(self) -> OSError | None:
        """Flush the whole file system. The error, if that failed."""
        try:
            self._beside.flush_all(self._root)
        except OSError as error:
            return error
        return None

    def finish(self) -> dict[int, str]:
        """Flush each touched folder once. The operations that did not become durable, and why."""
        failed: dict[int, str] = {}
        left: list[str] = []
        lost: dict[str, OSError] = {}
        together = self.many(len(self._touched))
        for path in self._touched:
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
            for folder in filter(lost.__contains__, _upwards(path)):
                _blame(failed, positions, lost[folder])
                self._beside.unflushed(folder, frozenset(positions))
        return failed

    def _folder(self, path: str, together: bool) -> tuple[bool, OSError | None]:
        """(whether it is left for `everything`, the error if its flush failed)."""
        try:
            with self._root.folder(path) as folder:
                if together and folder.own_stat().device == self._device:
                    return True, None
                folder.flush()
        except (FileNotFoundError, NotADirectoryError):
            return False, None  # removed since: what held it was touched by that
        except OSError as error:
            return False, error
        return False, None


def _blame(failed: dict[int, str], positions: Iterable[int], error: OSError) -> None:
    failed.update(dict.fromkeys(positions, error.strerror or str(error)))


def _upwards(path: str) -> Iterator[str]:
    """The folder at `path` and all above it, up to the root ("")."""
    yield path
    while path:
        path = parent_of(path)
        yield path
