"""Turns the reports of watchers into facts, in the order of their arrival.

Knows what a watcher reports. Must not know what follows from it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from leftzmq.disk.watcher import CookieReport as CookieReport
from leftzmq.disk.watcher import Lost, Remounted, Report, Touched, Watched
from leftzmq.sync.facts import (
    CookieSeen,
    Fact,
    MountChanged,
    PathsTouched,
    Touch,
    WatchLost,
    WatchRegained,
)

REPORTS_A_TURN: Final = 2000
REPORTS_MAX: Final = 65_536
"""Touches that wait for the loop; four times what the kernel queues for us. If there are more, a
walk finds the changes."""
_TOO_MANY: Final = "more changes at a time than can be looked at one by one"


class WatchInbox:
    """The reports of all folders' watchers, until the loop takes them.

    wake: called in a watcher's thread after each report.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[tuple[str, object, Report]] = deque()
        self._heard: dict[str, object] = {}  # the current watcher of each folder
        self._lossy: dict[str, object] = {}  # watchers of which touches were left out

    def __bool__(self) -> bool:
        return bool(self._waiting or self._lossy)

    def reporter(self, folder: str) -> Callable[[Report], None]:
        """Return the function that a new watcher calls in its thread. Reports of earlier watchers
        of this folder are ignored from now on."""
        watcher = self._heard[folder] = object()

        def put(report: Report) -> None:
            if len(self._waiting) >= REPORTS_MAX and isinstance(report, Touched):
                self._lossy[folder] = watcher
                return
            self._waiting.append((folder, watcher, report))
            self._wake()

        return put

    def facts(self) -> Iterator[Fact]:
        """Yield the facts of at most REPORTS_A_TURN reports; the touches of a folder are one
        fact."""
        touches: dict[str, list[tuple[str, Touch]]] = {}
        for _ in range(min(len(self._waiting), REPORTS_A_TURN)):
            folder, watcher, report = self._waiting.popleft()
            if watcher is not self._heard[folder]:
                continue
            match report:
                case Touched(path, what):
                    touches.setdefault(folder, []).append((path, Touch[what.name]))
                case Lost(prefix, polled, why):
                    yield WatchLost(folder, prefix, polled, why)
                case Watched(prefix):
                    yield WatchRegained(folder, prefix)
                case Remounted(path):
                    yield MountChanged(folder, path)
                case CookieReport(name):
                    # Touches before the cookie must be handled before it.
                    yield from _touched(touches)
                    touches.clear()
                    yield from self._left_out(folder)
                    yield CookieSeen(folder, name)
        yield from _touched(touches)
        if len(self._waiting) < REPORTS_MAX // 2:
            for folder in list(self._lossy):
                yield from self._left_out(folder)

    def _left_out(self, folder: str) -> Iterator[Fact]:
        if (watcher := self._lossy.pop(folder, None)) is None:
            return
        if watcher is self._heard[folder]:
            yield WatchLost(folder, "", False, _TOO_MANY)


def _touched(touches: dict[str, list[tuple[str, Touch]]]) -> Iterator[Fact]:
    for folder, found in touches.items():
        yield PathsTouched(folder, tuple(found))
