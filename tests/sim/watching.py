"""Reports what the watcher of one device would report: touches in batches, late, sometimes lost.

Knows changes of a disk. Must not know who made them: the agent's own changes are reported like a
user's.
"""

from __future__ import annotations

from leftzmq.disk.watcher.reports import Lost, Report, ReportBatch, Touched
from leftzmq.disk.watcher.reports import TouchReport as Seen
from leftzmq.sync.facts import Fact, MountChanged, PathsTouched, Touch, WatchLost
from leftzmq.tree.rules import LEFT_DIRECTORY, LEFTING_SUFFIX

from .disk import Disk, Inode

_MEANS = {
    "written": Seen.MODIFIED,
    "closed": Seen.CLOSED,
    "moved here": Seen.CLOSED,
    "made": Seen.MADE,
    "left": Seen.GONE,
}
_APPEARS = frozenset(("made", "moved here"))


class Watching:
    """Collects changes; `take` returns them, as facts."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk, self._folder = disk, folder
        self.on = False
        self._reports: list[Report] = []
        self._batch = ReportBatch(self._reports.append)
        self._came = 0
        self._remounts: list[str] = []
        disk.watched, disk.remounted = self._saw, self._mounted

    def __len__(self) -> int:
        return self._came

    def start(self) -> None:
        self.on = True
        self._forget()

    def stop(self) -> None:
        self.on = False
        self._forget()

    def lose(self) -> None:
        """The kernel's queue overflowed; mounts are reported separately."""
        remounts = list(self._remounts)
        self._forget()
        self._remounts = remounts
        self._came = 1
        self._reports.append(Lost("", False, "the queue ran over"))

    def take(self) -> list[Fact]:
        self._batch.flush()
        touches: list[tuple[str, Touch]] = []
        out: list[Fact] = []
        for report in self._reports:
            match report:
                case Touched(path, what):
                    touches.append((path, Touch[what.name]))
                case Lost(prefix, polled, why):
                    out.append(WatchLost(self._folder, prefix, polled, why))
        if touches:
            out.append(PathsTouched(self._folder, tuple(touches)))
        out += [MountChanged(self._folder, path) for path in self._remounts]
        self._remounts.clear()
        self._reports.clear()
        self._came = 0
        return out

    def _mounted(self, folder: Inode, name: bytes) -> None:
        above = self._disk.path_of(folder)
        if self.on and above is not None:
            self._came += 1
            self._remounts.append(f"{above}/{name.decode()}" if above else name.decode())

    def _forget(self) -> None:
        self._batch.flush()
        self._remounts.clear()
        self._reports.clear()
        self._came = 0

    def _saw(self, folder: Inode, name: bytes, what: str, is_folder: bool) -> None:
        if not self.on:
            return
        above = self._disk.path_of(folder)
        if above is None:
            return
        try:
            last = name.decode()
        except UnicodeDecodeError:
            if what in _APPEARS:
                self._came += 1
                self._batch.touch(above, Seen.MADE, True)
            return
        if last.endswith(LEFTING_SUFFIX):
            return
        path = f"{above}/{last}" if above else last
        if path.split("/", 1)[0] == LEFT_DIRECTORY:
            return
        self._came += 1
        if is_folder:
            if what in _APPEARS:
                self._batch.touch(path, Seen.MADE, True)
            elif what == "left":
                self._batch.touch(path, Seen.GONE, True)
            elif what == "attributes":
                self._batch.attributes(path)
        elif what == "attributes":
            self._batch.attributes(path)
        else:
            self._batch.touch(path, _MEANS[what])
