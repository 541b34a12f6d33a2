"""Files with more than one name: a write through one name changes what is under all of them, and
the watcher reports that one name only.

When one name changes, the other names that our index knows are looked at, too. A file may have
names outside of the share, which the index does not know. Such a file is polled, and looked at when
somebody wants to be sure. Files with one name cost nothing: the index has a list of the others.

Knows our index and time. Must not know how a look is made.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import Final

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.index.store import Store
from leftzmq.tree.entry import Kind, ScanKey

POLL_PERIOD_S: Final = 30.0
STEP_S: Final = 1.0
STEP_NAMES: Final = 256
"""Names polled in one step: 7,680 names are polled in one period; more names take longer."""
MAX_NAMES: Final = 4_096
"""The names of one file that are looked at together. Walks find further names."""
MAX_TWINS: Final = 64


class HardLinks:
    """The hard links of one folder.

    urgent: somebody wants to be sure, and not every file has been looked at since
    unsure: a file has names that the index does not have as names of it. They may be in the index
            as what they were before, and only a walk of everything finds out
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after = b""
        self._next: float | None = 0.0  # when the next step is due; None: no file is to be polled
        self._some = False  # whether this round found a file to poll
        self.urgent = self.unsure = False

    def deadline(self) -> float | None:
        """When `due` has something (monotonic)."""
        return self._next

    # -- what was seen -----------------------------------------------------------------------

    def others(self, settled: Collection[Sighting], now: float) -> list[str]:
        """The other names of files that were found changed, as far as our index does not have the
        new state under them yet."""
        linked = [seen for seen in settled if _has_more_names(seen)]
        if not linked:
            return []
        seen_now = {seen.path for seen in settled}
        found: dict[str, None] = {}
        for key, path in {seen.key: seen.path for seen in linked}.items():
            assert key is not None
            names = self._store.names_of(key.inode, MAX_NAMES)
            known = {path, *(name for name, _ in names)}
            others = [name for name, scan in names if scan != key]
            if len(known) < key.links:
                more = self._before_the_link(linked, key)
                known.update(more)
                others += more
            if len(known) < key.links:
                self._poll(now)
                self.unsure |= path not in {name for name, _ in names}
            found.update(dict.fromkeys(others))
        return [name for name in found if name not in seen_now]

    def left_behind(self, seen: Collection[Sighting]) -> list[str]:
        """The other names of files of which one name is gone, or belongs to another file by now.
        What was written through that name before is under the others, and no event tells of it."""
        if not self._store.has_linked:
            return []
        changed = [s for s in seen if s.sight in (Sight.FOUND, Sight.LARGE, Sight.GONE)]
        before = self._store.scan_keys(s.path for s in changed)
        found: dict[str, None] = {}
        for sighting in changed:
            was, now_is = before.get(sighting.path), sighting.key
            if was is None or was.kind is not Kind.FILE or was.links < 2:
                continue
            is_gone = sighting.sight is Sight.GONE or now_is is None
            if is_gone or (now_is is not None and now_is.inode != was.inode):
                names = self._store.names_of(was.inode, MAX_NAMES)
                found.update(dict.fromkeys(name for name, _ in names))
        seen_now = {sighting.path for sighting in seen}
        return [name for name in found if name not in seen_now]

    def _before_the_link(self, linked: Collection[Sighting], key: ScanKey) -> list[str]:
        """Names that the index knows as the only name of this file: no event tells that the file
        got another one. The rows have the file's bytes, unless somebody has written to it since."""
        contents = {s.observed.content for s in linked if s.key == key and s.observed is not None}
        rows = [row for content in contents for row in self._store.twins(content, MAX_TWINS)]
        same = [row for row in rows if row.scan is not None and row.scan.inode == key.inode]
        return [row.entry.path for row in same]

    # -- polling -------------------------------------------------------------------------------

    def look_at_all(self, now: float) -> None:
        """Somebody wants to be sure: looks at all polled files now."""
        if self._next is not None:
            self._after, self._next, self.urgent = b"", now, True

    def walked_all(self) -> None:
        """A walk of everything has begun."""
        self.unsure = False

    def due(self, now: float) -> list[str]:
        """The paths to be looked at now: one step, with one name of each file."""
        if self._next is None or now < self._next:
            return []
        rows = self._store.linked_after(self._after, STEP_NAMES)
        files = [list(names) for _, names in groupby(rows, lambda row: row[1].inode)]
        is_end = len(rows) < STEP_NAMES
        if not is_end and len(files) > 1:
            files.pop()  # the last file may have more names
        paths = [
            names[0][0] for names in files if any(len(names) < key.links for _, key, _ in names)
        ]
        self._some = self._some or bool(paths)
        if not is_end:
            self._after = files[-1][0][2]
            self._next = now if self.urgent else now + STEP_S
            return paths
        self._next = now + POLL_PERIOD_S if self._some else None
        self._after, self._some, self.urgent = b"", False, False
        return paths

    def _poll(self, now: float) -> None:
        if self._next is None:
            self._next = now + POLL_PERIOD_S


def _has_more_names(seen: Sighting) -> bool:
    key = seen.key
    return seen.sight is Sight.FOUND and key is not None and key.kind is Kind.FILE and key.links > 1


def unsettled(seen: Collection[Sighting], settled: Collection[Sighting]) -> list[Sighting]:
    """Files with more than one name that have not settled. Of the 64 paths of a look hardly one is
    such a file, so the other paths are not compared."""
    return [each for each in seen if _has_more_names(each) and each not in settled]
