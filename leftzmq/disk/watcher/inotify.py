"""Watches a share with inotify: with the lowest layer of watchdog 7, and our own table of watches.

watchdog's observers above that layer delay an unpaired move for half a second, pass every event
through two more threads, ignore silently a folder that could not be watched, and do not report
an overflow of the kernel's queue. Of `InotifyFD` only the descriptor, the reading thread and its
end are used.

A new folder is not lost, because it is watched first. Then its subfolders are listed and watched
in the same way, then it is reported as MADE. That report leads to a walk, which finds the content
from before the watch; later changes have an event of their own.
"""

from __future__ import annotations

import errno
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from watchdog.observers.inotify_c import InotifyConstants as IN
from watchdog.observers.inotify_c import (
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
    inotify_add_watch,
    inotify_rm_watch,
)

from leftzmq.disk.fs.real import MountTable, PollEnd, RealRoot
from leftzmq.disk.watcher.mount_table import Mounted, mounts_near
from leftzmq.disk.watcher.reports import (
    COOKIE_PREFIX,
    CookieReport,
    Lost,
    Remounted,
    ReportBatch,
    Reporter,
    TouchReport,
    Watched,
    why_not_watched,
)
from leftzmq.disk.watcher.rests import Rests, is_lefting
from leftzmq.disk.watcher.watches import Watch, Watches
from leftzmq.tree.path import is_within
from leftzmq.tree.rules import LEFT_DIRECTORY

MOUNTS_REST_S: Final = 0.02
"""Shortest time between two reads of the mount table: containers mount and unmount by the
hundred."""
MAX_POLLED: Final = 64
"""How many subtrees are polled one by one; with one more, the whole share is polled."""

RETRY_S: Final = 60.0
"""Time between two attempts to watch the polled subtrees: the limit may have been raised."""

_APPEARS: Final = IN.IN_CREATE | IN.IN_MOVED_TO
_LEAVES: Final = IN.IN_DELETE | IN.IN_MOVED_FROM
_WRITTEN: Final = IN.IN_CLOSE_WRITE | IN.IN_MODIFY | IN.IN_ATTRIB
_SELF: Final = IN.IN_DELETE_SELF | IN.IN_MOVE_SELF
_HOW: Final = IN.IN_ONLYDIR | IN.IN_DONT_FOLLOW | IN.IN_EXCL_UNLINK
_FOLDER: Final = Mask(_APPEARS | _LEAVES | _WRITTEN | _HOW)
_TOP: Final = Mask(_FOLDER | _SELF)
_COOKIES: Final = Mask(_APPEARS | _HOW)

_LEFT: Final = LEFT_DIRECTORY.encode()
_COOKIE: Final = COOKIE_PREFIX.encode()
_NOT_HERE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP))
"""The folder was deleted or replaced: that has an event of its own."""


class Inotify(InotifyFD):
    """The watches of one share, and the thread that reads their events.

    Once the thread runs, only it uses the table. Raises OSError (EMFILE) if there are too many
    watchers.
    """

    def __init__(
        self,
        root: RealRoot,
        base: bytes,
        where: bytes,
        report: Reporter,
        ignores: Callable[[str], bool],
    ) -> None:
        """base: the share's path. where: the same without links, as in the mount table. ignores:
        whether a folder is not watched, nor what is in it."""
        super().__init__()
        self._root, self._base, self._where = root, base, where
        self._ignores = ignores
        self._poll_end = PollEnd()
        self._to_watch_anew: deque[str] = deque()
        assert self._poller is not None, "Linux has poll"
        self._poller.register(self._poll_end.fd, select.POLLIN)
        self._batch = ReportBatch(report)
        self._watches = Watches()
        self._cookies = -1  # the watch on `.left`
        self._polled: set[str] = set()
        self._again_at = 0.0  # when the polled subtrees are tried again (monotonic)
        self._trying: str | None = None
        self._complete = False  # all folders have been visited
        self._broken = False
        self._rests = Rests()
        self._table: MountTable | None = None
        self._mounted: frozenset[Mounted] = frozenset()
        self._table_changed = False

    @property
    def is_whole(self) -> bool:
        """Whether every change in the share is reported. Other threads read this."""
        return self._complete and self._cookies >= 0 and not self._polled and not self._broken

    @property
    def count(self) -> int:
        """How many watches there are. Other threads read this."""
        return len(self._watches) + (self._cookies >= 0)

    # ---- the thread ---------------------------------------------------------------------------

    def run(self) -> None:
        try:
            while self.should_keep_running():
                events = self.read_events()
                for event in events:
                    self.handle_event(event)
                rest_s = self._rests.after(events, self._batch.only_write())
                if self._table_changed:
                    self._look_at_mounts()
                    rest_s = max(rest_s, MOUNTS_REST_S)
                if self._polled and time.monotonic() >= self._again_at:
                    self._try_again()
                while self._to_watch_anew:
                    self._watch_anew(self._to_watch_anew.popleft())
                self._batch.flush()
                self.stopped_event.wait(rest_s)
        except Exception as error:
            # Without this thread there are no events, so its end is always reported.
            self._broken = True
            if self.should_keep_running():
                self._batch.say(Lost("", True, f"the watcher broke: {error!r}"))
        finally:
            if self._table is not None:
                self._table.close()
            self._poll_end.close()

    def watch_anew(self, path: str) -> None:
        """Other folders below `path` are ignored now. What is to be watched there is watched, then
        `Watched` is reported. Any thread may call it."""
        self._to_watch_anew.append(path)
        self._poll_end.signal()

    def _watch_anew(self, path: str) -> None:
        watch = self._watches.at(path)
        if watch is not None:
            before = {each.wd for each in watch.everything()}
            now = {watch.wd} | self._watch_inside([watch]) if path else self.watch_all()
            for number in before - now:
                ended = self._watches.get(number)
                if ended is not None:
                    self._end(self._watches.drop(ended))
        if not any(is_within(path, polled) for polled in self._polled):
            self._batch.say(Watched(path))

    def _check_inotify_fd(self) -> bool:
        """Called by read_events, to wait. A change of the mount table ends the wait, too."""
        assert self._poller is not None, "Linux has poll"
        wait_ms = None
        if self._polled:
            wait_ms = max(0.0, self._again_at - time.monotonic()) * 1000
        ready = dict(self._poller.poll(wait_ms))
        if self._poll_end.fd in ready:
            self._poll_end.clear()
        self._table_changed = self._table is not None and self._table.fd in ready
        return self._inotify_fd in ready

    def handle_event(self, event: InotifyEvent) -> None:
        mask = event.mask
        if mask & IN.IN_Q_OVERFLOW:
            self._overflowed()
            return
        if event.wd == self._cookies:
            self._in_left(event)
            return
        watch = self._watches.get(event.wd)
        if watch is None:
            return
        if event.name:
            self._named(watch, event.name, mask)
        elif mask & IN.IN_IGNORED:
            self._watches.watch_ended(watch)
        elif mask & IN.IN_UNMOUNT:
            self._batch.say(Lost(watch.path, False, "the file system was unmounted"))
        elif watch is self._watches.top and mask & _SELF:
            self._not_watched("", "the share was moved or deleted")

    def _in_left(self, event: InotifyEvent) -> None:
        if event.mask & IN.IN_IGNORED:
            self._cookies = -1
        elif event.mask & _APPEARS and event.name.startswith(_COOKIE):
            self._batch.say(CookieReport(event.name.decode(errors="replace")))

    def _named(self, watch: Watch, raw: bytes, mask: int) -> None:
        """Something happened to `raw` in a watched folder."""
        if watch is self._watches.top and raw == _LEFT:
            if mask & _APPEARS:
                self._watch_left()
            return
        if is_lefting(raw):
            return
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            if mask & _APPEARS:  # the walk of its folder reports the name
                self._batch.touch(watch.path, TouchReport.MADE, folder=True)
            return
        if mask & IN.IN_ISDIR:
            self._folder(watch, name, mask)
        elif mask & (IN.IN_CLOSE_WRITE | IN.IN_MOVED_TO):
            self._batch.touch(watch.path_of(name), TouchReport.CLOSED)
        elif mask & IN.IN_MODIFY:
            self._batch.touch(watch.path_of(name), TouchReport.MODIFIED)
        elif mask & _LEAVES:
            self._batch.touch(watch.path_of(name), TouchReport.GONE)
        elif mask & IN.IN_ATTRIB:
            self._batch.attributes(watch.path_of(name))
        elif mask & IN.IN_CREATE:
            self._batch.touch(watch.path_of(name), TouchReport.MADE)

    def _folder(self, watch: Watch, name: str, mask: int) -> None:
        path = watch.path_of(name)
        if mask & _LEAVES:
            gone = watch.below.get(name)
            if gone is not None:
                self._end(self._watches.drop(gone))
            self._polled = {p for p in self._polled if not is_within(p, path)}
            self._batch.touch(path, TouchReport.GONE, folder=True)
        elif mask & _APPEARS or name not in watch.below:
            # A change of attributes counts, too: the folder may have become readable.
            if not self._ignores(path):
                self._watch_below(watch, name)
            self._batch.touch(path, TouchReport.MADE, folder=True)
        elif mask & IN.IN_ATTRIB:
            self._batch.attributes(path)

    def _overflowed(self) -> None:
        """Folders may have been made or deleted without an event: watch all of them anew, then
        report that all must be walked."""
        self._batch.flush()
        before = self._watches.numbers()
        now = self.watch_all()
        for wd in before - now:
            watch = self._watches.get(wd)
            if watch is not None:
                self._end(self._watches.drop(watch))
        why = "the kernel's queue overflowed: raise fs.inotify.max_queued_events"
        self._batch.say(Lost("", False, why))

    # ---- mounts -------------------------------------------------------------------------------

    def watch_mounts(self) -> None:
        """Report from now on every mount in the share, on it or above it. Call this before
        `watch_all`, so that no mount is missed. Without a mount table none is reported."""
        try:
            self._table = MountTable()
            self._mounted = mounts_near(self._table.read(), self._where)
        except OSError:
            return  # a walk finds mounts, and their content is polled
        assert self._poller is not None, "Linux has poll"
        self._poller.register(self._table.fd, select.POLLPRI | select.POLLERR)

    def _look_at_mounts(self) -> None:
        assert self._table is not None
        before, self._mounted = self._mounted, mounts_near(self._table.read(), self._where)
        for path in sorted({each.path for each in before ^ self._mounted}):
            if path:
                self._watch_at(path)
            self._batch.say(Remounted(path))

    def _watch_at(self, path: str) -> None:
        """Watch the folder that is at `path` now, and all folders in it."""
        above, _, name = path.rpartition("/")
        parent = self._watches.at(above)
        if parent is not None and not self._ignores(path):
            self._watch_below(parent, name)

    # ---- watching ----------------------------------------------------------------------------

    def watch_all(self) -> set[int]:
        """Watch every folder of the share. Returns the numbers of all its watches."""
        self._complete = False
        self._polled.clear()
        self._watch_left()
        numbers: set[int] = set()
        try:
            # The share's own path may contain a link: the user chose it.
            wd = self._add(self._base + b"/.", _TOP)
        except OSError as error:
            self._not_watched("", why_not_watched(error))
        else:
            if wd < 0:
                self._not_watched("", "the share cannot be read")
            else:
                self._watches.put_top(wd)
                numbers = {wd} | self._watch_inside([self._watches.top])
        self._complete = True
        return numbers

    def _watch_left(self) -> None:
        try:
            self._cookies = self._add(self._base + b"/" + _LEFT, _COOKIES)
        except OSError:
            self._cookies = -1  # no cookie will be seen: `is_whole` says so

    def _watch_below(self, parent: Watch, name: str) -> None:
        watch = self._watch(parent, name)
        if watch is not None:
            self._watch_inside([watch])

    def _watch_inside(self, todo: list[Watch]) -> set[int]:
        """Watch all folders in these watched ones. Each is listed only after it is watched."""
        numbers: set[int] = set()
        while todo:
            parent = todo.pop()
            for name in self._folders_in(parent):
                watch = self._watch(parent, name)
                if watch is not None:
                    numbers.add(watch.wd)
                    todo.append(watch)
        return numbers

    def _folders_in(self, watch: Watch) -> list[str]:
        path = watch.path
        try:
            with self._root.folder(path) as folder:
                found = folder.folders()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []  # deleted, or the walk reports it
        except OSError as error:
            self._not_watched(path, why_not_watched(error))
            return []
        names = []
        for raw in found:
            if (path or raw != _LEFT) and not is_lefting(raw):
                try:
                    name = raw.decode()
                except UnicodeDecodeError:
                    continue  # nothing below it can be synced
                if not self._ignores(watch.path_of(name)):
                    names.append(name)
        return names

    def _watch(self, parent: Watch, name: str) -> Watch | None:
        path = parent.path_of(name)
        try:
            wd = self._add(self._base + b"/" + path.encode(), _FOLDER)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                self._not_watched(path, why_not_watched(error))
            return None
        if wd < 0:
            return None
        watch, ended = self._watches.put(wd, parent, name)
        self._end(ended)
        return watch

    def _add(self, path: bytes, mask: Mask) -> int:
        """The number of the watch, or -1 if the folder may not be read: the walk reports that.
        OSError."""
        # Under this lock the descriptor stays open.
        with self._lock:
            if self._closed:
                raise OSError(errno.ENOENT, "the watcher was stopped")
            wd = inotify_add_watch(self._inotify_fd, path, mask)
            if wd == -1:
                self._raise_error()
            return wd

    def _not_watched(self, path: str, why: str) -> None:
        """Have everything below `path` polled. This is always reported, once for a subtree."""
        if self._trying is not None and is_within(path, self._trying):
            self._polled.add(self._trying)  # already reported
        if any(is_within(path, p) for p in self._polled):
            return
        if not self._polled:
            self._again_at = time.monotonic() + RETRY_S
        if len(self._polled) >= MAX_POLLED:
            self._polled.clear()
            path = ""
        self._polled.add(path)
        self._batch.say(Lost(path, True, why))

    def _try_again(self) -> None:
        """Try to watch the polled subtrees."""
        self._again_at = time.monotonic() + RETRY_S
        for path in sorted(self._polled):
            self._trying = path
            self._polled.discard(path)
            if path:
                self._watch_at(path)
            else:
                self.watch_all()
            self._trying = None
            if path not in self._polled:
                self._batch.say(Watched(path))

    def _end(self, numbers: list[int]) -> None:
        with self._lock:
            if not self._closed:
                for number in numbers:
                    inotify_rm_watch(self._inotify_fd, WatchDescriptor(number))
