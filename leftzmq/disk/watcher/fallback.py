"""Watches a share where there is no inotify, with watchdog's observer for this platform.

Its events have no certain order and may be merged, so a cookie means nothing here.
"""

from __future__ import annotations

from typing import Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from leftzmq.disk.watcher.reports import Reporter, Touched, TouchReport, Watched
from leftzmq.tree.rules import LEFT_DIRECTORY, LEFTING_SUFFIX

_KINDS: Final = {
    "created": TouchReport.MADE,
    "attrib": TouchReport.MADE,
    "modified": TouchReport.MODIFIED,
    # All systems without inotify behave alike: has_close is False.
    "closed": TouchReport.MODIFIED,
    "deleted": TouchReport.GONE,
    "moved": TouchReport.GONE,
}


class Fallback(FileSystemEventHandler):
    """Reports changes below `base`, an absolute path."""

    is_whole = False
    count = 0  # this system counts none

    def __init__(self, base: str, report: Reporter) -> None:
        self._base, self._report = base.rstrip("/") + "/", report
        self._observer = Observer()
        self._observer.schedule(self, base, recursive=True)

    def start(self) -> None:
        self._observer.start()

    def stop(self) -> None:
        self._observer.stop()

    def join(self) -> None:
        self._observer.join()

    def watch_anew(self, path: str) -> None:
        """All is watched, whatever is ignored."""
        self._report(Watched(path))

    def on_any_event(self, event: FileSystemEvent) -> None:
        what = _KINDS.get(event.event_type)
        if what is None or (what is TouchReport.MODIFIED and event.is_directory):
            return
        self._touch(event.src_path, what, event.is_directory)
        if event.dest_path:
            self._touch(event.dest_path, TouchReport.MADE, event.is_directory)

    def _touch(self, full: bytes | str, what: TouchReport, folder: bool) -> None:
        text = full.decode(errors="surrogateescape") if isinstance(full, bytes) else full
        if not text.startswith(self._base):
            return
        path = text[len(self._base) :]
        names = path.split("/")
        if names[0] == LEFT_DIRECTORY or any(n.lower().endswith(LEFTING_SUFFIX) for n in names):
            return
        while not _is_utf8(path):  # report the innermost folder whose path is valid UTF-8
            path, what, folder = path.rpartition("/")[0], TouchReport.MADE, True
        self._report(Touched(path, what, folder))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
