"""What a watcher reports, as values. All of it is a hint to look, none of it is the record."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

COOKIE_PREFIX: Final = "cookie-"
"""Files of this prefix, made in `.left/`, are reported; nothing else in there is."""


class TouchReport(Enum):
    """What happened to a path."""

    CLOSED = auto()  # closed after writing, or moved here
    MODIFIED = auto()  # written to, still open
    MADE = auto()  # a folder, file or link appeared, or attributes changed
    GONE = auto()  # deleted or moved away


@dataclass(frozen=True, slots=True)
class Touched:
    """folder: it is, or was, a folder: what is below it came, changed or went with it, and is
    not reported by itself. "" is the share's root."""

    path: str
    what: TouchReport
    folder: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Events below `prefix` ("" is all) were lost; polled: and none will come. Walk it."""

    prefix: str
    polled: bool
    why: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What is below `prefix` ("" is all) could not be watched, and is from now on. Walk it once."""

    prefix: str


@dataclass(frozen=True, slots=True)
class CookieReport:
    """All that happened in the share before this cookie was made has been reported."""

    name: str


@dataclass(frozen=True, slots=True)
class Remounted:
    """Something was mounted at `path`, or is not any more; what is there now is watched. "": at
    the share itself, or above it."""

    path: str


Report = Touched | Lost | Watched | CookieReport | Remounted
Reporter = Callable[[Report], None]


class ReportBatch:
    """The touches of one read of the kernel's queue, one for each path.

    Several events of one path lead to one look; the last of them says how long to wait with it.
    """

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._touches: dict[str, tuple[TouchReport, bool]] = {}

    def touch(self, path: str, what: TouchReport, folder: bool = False) -> None:
        before = self._touches.get(path)
        self._touches[path] = (what, folder or (before is not None and before[1]))

    def attributes(self, path: str) -> None:
        """They open no file again: one that was closed in this batch stays so."""
        self._touches.setdefault(path, (TouchReport.MADE, False))

    def flush(self) -> None:
        touches, self._touches = self._touches, {}
        for path, (what, folder) in touches.items():
            self._report(Touched(path, what, folder))

    def say(self, report: Report) -> None:
        """Report something behind all that came before it."""
        self.flush()
        self._report(report)

    def only_write(self) -> str | None:
        """The path, if all that came is writes to one file."""
        if len(self._touches) != 1:
            return None
        path, (what, _) = next(iter(self._touches.items()))
        return path if what is TouchReport.MODIFIED else None


def why_not_watched(error: OSError) -> str:
    """What kept us from watching, and what the user can do about it."""
    if error.errno == errno.ENOSPC:
        return "the limit of watched folders is reached: raise fs.inotify.max_user_watches"
    if error.errno == errno.EMFILE:
        return "the limit of watchers is reached: raise fs.inotify.max_user_instances"
    return error.strerror or str(error)
