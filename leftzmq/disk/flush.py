"""What must be durable before the index may commit: staged files, attributes, folders.

A few things are flushed one by one, many of them by one flush of the whole file system; what lies
on a file system that is mounted inside the share is always flushed by itself.

Knows which operation touched which folder. Must not know what the operations are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leftzmq.disk.root import File, Root, Stat

GROUP_FROM: Final = 8
"""So many staged files, attributes or folders, and more, share one flush of the file system."""


class Flushes:
    """The flushes of one batch. `at` is the position of the operation being carried out.

    group_from: so many things, and more, are flushed by one call
    """

    def __init__(self, root: Root, group_from: int = GROUP_FROM) -> None:
        self.at = 0
        self._root, self._group_from = root, group_from
        self._touched: dict[str, list[int]] = {}
        self._waiting: list[int] = []
        with root.folder("") as top:
            self._device = top.own_stat().device

    def touch(self, folder: str) -> None:
        """Operation `at` changed names in this folder."""
        self._touched.setdefault(folder, []).append(self.at)

    def many(self, count: int) -> bool:
        """Whether so many things are flushed by one call."""
        return count >= self._group_from

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
            self._root.flush_all()
        except OSError as error:
            return error
        return None

    def finish(self) -> dict[int, str]:
        """Flush each touched folder once. The operations that did not become durable, and why."""
        failed: dict[int, str] = {}
        waiting = list(self._waiting)
        together = self.many(len(self._touched))
        for path, positions in self._touched.items():
            left, error = self._folder(path, together)
            if left:
                waiting.extend(positions)
            _blame(failed, positions, error)
        if waiting:
            _blame(failed, waiting, self.everything())
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


def _blame(failed: dict[int, str], positions: Iterable[int], error: OSError | None) -> None:
    if error is not None:
        failed.update(dict.fromkeys(positions, error.strerror or str(error)))
