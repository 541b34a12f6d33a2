"""The reports of a watcher, as values. Each is only a hint to scan, never a fact by itself."""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from msgspec import Struct

COOKIE_PREFIX: Final = "cookie-"
"""Files with this prefix in `.left/` are reported; nothing else in `.left/` is."""


class TouchReport(Enum):
    """What happened to a path."""

    CLOSED = auto()  # closed after writing, or moved here
    MODIFIED = auto()  # written to, still open
    MADE = auto()  # a folder, file or link was made, or attributes changed
    GONE = auto()  # deleted or moved away


class Touched(Struct, frozen=True):
    """Something happened to `path` ("" is the share's root). folder: it is, or was, a folder. Its
    content appeared, changed or disappeared with it, and is not reported separately."""

    path: str
    what: TouchReport
    folder: bool = False


class Lost(Struct, frozen=True):
    """Events below `prefix` ("" is the whole share) were lost: walk it. polled: there are no events
    below it from now on, so it must be polled."""

    prefix: str
    polled: bool
    why: str


class Watched(Struct, frozen=True):
    """Everything below `prefix` ("" is the whole share) was polled, and is watched from now on:
    walk it once."""

    prefix: str


class CookieReport(Struct, frozen=True):
    """All changes in the share before this cookie was made have been reported."""

    name: str


class Remounted(Struct, frozen=True):
    """Something was mounted or unmounted at `path`; the folder there now is watched. "": at the
    share itself, or above it."""

    path: str


Report = Touched | Lost | Watched | CookieReport | Remounted
Reporter = Callable[[Report], None]


class ReportBatch:
    """The touches of one read of the kernel's queue, one for each path.

    Several events of one path lead to one scan; the last event decides how long the scan waits.
    """

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._touches: dict[str, tuple[TouchReport, bool]] = {}

    def touch(self, path: str, what: TouchReport, folder: bool = False) -> None:
        before = self._touches.get(path)
        self._touches[path] = (what, folder or (before is not None and before[1]))

    def attributes(self, path: str) -> None:
        """The attributes of `path` changed. A file that was closed in this batch stays CLOSED."""
        self._touches.setdefault(path, (TouchReport.MADE, False))

    def flush(self) -> None:
        touches, self._touches = self._touches, {}
        for path, (what, folder) in touches.items():
            self._report(Touched(path, what, folder))

    def say(self, report: Report) -> None:
        """Report something, after all the touches before it."""
        self.flush()
        self._report(report)

    def only_write(self) -> str | None:
        """The path, if all touches are writes to one file; else None."""
        if len(self._touches) != 1:
            return None
        path, (what, _) = next(iter(self._touches.items()))
        return path if what is TouchReport.MODIFIED else None


def why_not_watched(error: OSError) -> str:
    """A sentence: why watching failed, and what the user can do about it."""
    if error.errno == errno.ENOSPC:
        return "the limit of watched folders is reached: raise fs.inotify.max_user_watches"
    if error.errno == errno.EMFILE:
        return "the limit of watchers is reached: raise fs.inotify.max_user_instances"
    return error.strerror or str(error)
