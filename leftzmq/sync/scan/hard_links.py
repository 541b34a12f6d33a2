"""Files with more than one name: what is written through one of them is under all of them, and the
watcher tells of that one only.

The names that our index knows are looked at with the one that changed. A file that has names which
it does not know, outside of the share, is polled; and looked at when somebody wants to be sure.
Files with one name cost nothing: the index has a list of the others.

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
"""Polled in one step: 7,680 names are gone through in a period, more of them take longer."""
MAX_NAMES: Final = 4_096
"""Of one file, looked at together; what has more is found by walks."""
MAX_TWINS: Final = 64


class HardLinks:
    """Of one folder.

    urgent: somebody wants to be sure: not all was looked at yet since
    unsure: a file has names that are nowhere in the index as names of it: perhaps they are there
            as what they were before, and only a walk of everything finds out
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after = b""
        self._next: float | None = 0.0  # when the next step is due; None: nothing is to be polled
        self._some = False  # in this round
        self.urgent = self.unsure = False

    def deadline(self) -> float | None:
        """When `due` has something (monotonic)."""
        return self._next

    # -- what was seen -----------------------------------------------------------------------

    def others(self, settled: Collection[Sighting], now: float) -> list[str]:
        """The other names of files that were found changed, where our index does not say the same
        of them yet."""
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
        """The other names of files of which one name is gone, or another file's, by now. What was
        written through that one before is under them, and nothing else tells of it."""
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
        """Names that the index knows as the only one of this file: no event tells of them that it
        got another one. They have its bytes, if nobody has written to it since."""
        contents = {s.observed.content for s in linked if s.key == key and s.observed is not None}
        rows = [row for content in contents for row in self._store.twins(content, MAX_TWINS)]
        same = [row for row in rows if row.scan is not None and row.scan.inode == key.inode]
        return [row.entry.path for row in same]

    # -- polling -------------------------------------------------------------------------------

    def look_at_all(self, now: float) -> None:
        """Somebody wants to be sure: everything that is polled is looked at now."""
        if self._next is not None:
            self._after, self._next, self.urgent = b"", now, True

    def walked_all(self) -> None:
        """A walk of everything began."""
        self.unsure = False

    def due(self, now: float) -> list[str]:
        """What is to be looked at now: one name of each file, a step."""
        if self._next is None or now < self._next:
            return []
        rows = self._store.linked_after(self._after, STEP_NAMES)
        files = [list(names) for _, names in groupby(rows, lambda row: row[1].inode)]
        is_end = len(rows) < STEP_NAMES
        if not is_end and len(files) > 1:
            files.pop()  # there may be more names of the last one
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
    """Those of files with more than one name that have not settled. Of 64 in a look hardly one has:
    the others are not compared."""
    return [each for each in seen if _has_more_names(each) and each not in settled]
