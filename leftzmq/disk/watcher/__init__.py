"""What happens in a share, as it happens: reports out of watchdog's events.

Knows events and paths. Must not know what a report leads to. The only door to watchdog.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leftzmq.disk.fs import RealRoot, real_path
from leftzmq.disk.watcher.native import Native
from leftzmq.disk.watcher.reports import (
    COOKIE_PREFIX,
    CookieSeen,
    Lost,
    Remounted,
    Report,
    Reporter,
    Touch,
    Touched,
    why_not_watched,
)

if sys.platform == "linux":
    from leftzmq.disk.watcher.inotify import Inotify

__all__ = [
    "COOKIE_PREFIX",
    "CookieSeen",
    "Lost",
    "Remounted",
    "Report",
    "Touch",
    "Touched",
    "Watcher",
]


class Watcher:
    """Watches one share from `start` to `stop`.

    report: called in watchdog's thread (in the caller's, before `start` returns, for what cannot
    be watched from the beginning). It must be quick, must not raise and must not call `stop`.

    has_close: whether the end of a write is reported. Without it (no inotify: native=True, and
    every system but Linux) a file has to stand still before it can be believed.
    """

    def __init__(self, path: Path, report: Reporter, *, native: bool = False) -> None:
        self.has_close = sys.platform == "linux" and not native
        self._path, self._report = path, report
        self._root: RealRoot | None = None
        self._source: Inotify | Native | None = None

    @property
    def watches(self) -> bool:
        """Whether all of the share is watched, and a cookie reported after what came before."""
        return self._source is not None and self._source.is_whole

    def start(self) -> None:
        """Begin; what is done in the share after this returned is reported. Blocks while it
        watches every folder that is there. Raises OSError if the share cannot be opened."""
        assert self._source is None
        root = RealRoot(self._path)
        try:
            if self.has_close:
                where = real_path(self._path)
                self._source = Inotify(root, bytes(self._path), where, self._report)
                self._source.watch_mounts()
                self._source.watch_all()
            else:
                self._source = Native(str(self._path), self._report)
            self._source.start()
            self._root = root
        except OSError as error:
            root.close()
            self._source = None
            self._report(Lost("", True, why_not_watched(error)))

    def stop(self) -> None:
        """No report comes after this returned."""
        if self._source is not None:
            self._source.stop()
            self._source.join()
        if self._root is not None:
            self._root.close()
        self._source = self._root = None
