"""Watches a share and reports its changes as they happen, from watchdog's events.

Knows events and paths. Must not know what a report leads to. No other package uses watchdog.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from watchdog.utils import BaseThread

from leftzmq.disk.fs.real import RealRoot, real_path
from leftzmq.disk.watcher.fallback import Fallback
from leftzmq.disk.watcher.reports import (
    COOKIE_PREFIX,
    CookieReport,
    Lost,
    Remounted,
    Report,
    Reporter,
    Touched,
    TouchReport,
    Watched,
    why_not_watched,
)

if sys.platform == "linux":
    from leftzmq.disk.watcher.inotify import Inotify

__all__ = [
    "COOKIE_PREFIX",
    "CookieReport",
    "Lost",
    "Remounted",
    "Report",
    "TouchReport",
    "Touched",
    "Watched",
    "Watcher",
]


RETRY_S: Final = 60.0
"""Time between two attempts to watch, where nothing can be watched at all."""


class _Trying(BaseThread):
    """Calls `begin` every RETRY_S until it returns True."""

    def __init__(self, begin: Callable[[], bool]) -> None:
        super().__init__()
        self._begin = begin

    def run(self) -> None:
        while not self.stopped_event.wait(RETRY_S) and not self._begin():
            pass


class Watcher:
    """Watches one share from `start` to `stop`.

    report: called in watchdog's thread. Folders that cannot be watched from the beginning are
    reported in the caller's thread, before `start` returns. It must be quick, must not raise and
    must not call `stop`.

    ignores: whether a folder is not watched, nor what is in it; called in any thread
    has_close: whether the end of a write is reported. Without it (no inotify: native=True, and
    every system but Linux) a file is believed only after it has not changed for a while.
    """

    def __init__(
        self,
        path: Path,
        report: Reporter,
        *,
        native: bool = False,
        ignores: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self._ignores = ignores
        self.has_close = sys.platform == "linux" and not native
        self._path, self._report = path, report
        self._root: RealRoot | None = None
        self._source: Inotify | Fallback | None = None
        self._trying: _Trying | None = None

    @property
    def watches(self) -> bool:
        """Whether all of the share is watched, and a cookie is reported after all events before
        it."""
        return self._source is not None and self._source.is_whole

    @property
    def count(self) -> int:
        """How many directories are watched, as far as the system counts them."""
        return 0 if self._source is None else self._source.count

    def start(self) -> None:
        """Begin. All changes in the share after this call returns are reported. Blocks until every
        folder is watched. Raises OSError if the share cannot be opened."""
        assert self._source is None and self._trying is None
        root = RealRoot(self._path)
        try:
            self._begin(root)
        except OSError as error:
            self._report(Lost("", True, why_not_watched(error)))
            self._trying = _Trying(self._try_again)
            self._trying.start()

    def watch_anew(self, path: str) -> None:
        """Other folders at `path` and below it are ignored now. When what is not ignored there is
        watched, `Watched` is reported, or `Lost` where it cannot be watched. Nothing is reported
        while nothing can be watched at all: then all is polled."""
        if self._source is not None:
            self._source.watch_anew(path)

    def _try_again(self) -> bool:
        """Try to begin. Returns whether that worked."""
        with suppress(OSError):
            self._begin(RealRoot(self._path))
            self._report(Watched(""))
            return True
        return False

    def _begin(self, root: RealRoot) -> None:
        """Raises OSError; then `root` is closed."""
        try:
            if self.has_close:
                where = real_path(self._path)
                self._source = Inotify(root, bytes(self._path), where, self._report, self._ignores)
                self._source.watch_mounts()
                self._source.watch_all()
            else:
                self._source = Fallback(str(self._path), self._report)
            self._source.start()
            self._root = root
        except OSError:
            root.close()
            self._source = None
            raise

    def stop(self) -> None:
        """Stop; no report is made after this call returns."""
        if self._trying is not None:
            self._trying.stop()
            self._trying.join()
            self._trying = None
        if self._source is not None:
            self._source.stop()
            self._source.join()
        if self._root is not None:
            self._root.close()
        self._source = self._root = None
