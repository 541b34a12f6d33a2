"""When each path that was touched is looked at: how long it rests after a close, how patience with
one that is written again and again grows, and the order in which looks are due.

Knows paths and times. Must not know what was seen at a path, nor whether it may be looked at now.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

from leftzmq.config import PATIENCE_S
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.path import is_within

SETTLE_S: Final = 0.025
"""The time from a close to the first look: more than the 20 ms in which a stat
cannot be trusted."""
EDIT_S: Final = 0.001
"""The time from the close of a file of ours to the look, where that may be at once: a program that
saves a file writes another one and renames it right after."""
QUIET_S: Final = 1.0
EAGER_S: Final = 2.0
"""A path that is touched for longer than this delays nothing else: no walk, no rename, no guard."""
PATIENCE_MAX_S: Final = 60.0
MAX_TRIES: Final = 12  # 2**12 * SETTLE_S is more than PATIENCE_MAX_S


@dataclass(slots=True)
class TouchedPath:
    """A path that was touched and has not settled yet.

    closed: a close or move ended the last change: no need to wait for quiet
    since:  when the path was touched first, or when its state was last taken although it was being
            written (monotonic)
    bound:  when the path is looked at at the latest, whatever happens to it; what is seen counts
    patience_s: from `since` to `bound`; doubled each time that the state is taken during writing
    rest_s: how long to wait for the next look while nothing touches the path
    tries:  how often the file could not be read in one piece since the bound was reached
    key:    what the last look saw, to tell whether the path has stood still since
    key_at: when that key was seen first (monotonic)
    due:    when to look (monotonic); `due_at` sets it
    place:  the number of its place in the order of looks, which may be earlier; 0: it has none
    slow:   the path has shown that it will not settle soon
    written: the file that is being cut is taken although it is being written
    again:  the path was touched while it was being looked at
    edit:   the next look tells at once what is there
    """

    closed: bool
    since: float
    patience_s: float
    bound: float
    rest_s: float = QUIET_S
    tries: int = 0
    key: ScanKey | None = None
    key_at: float = 0.0
    due: float = 0.0
    place: int = 0
    slow: bool = False
    written: bool = False
    again: bool = False
    edit: bool = False

    def touched(self, now: float, rest_s: float) -> float:
        """When to look (monotonic) after a touch that wants a look `rest_s` later. This may be
        sooner or later than before, but not after the bound. What looks saw before the touch says
        nothing of how long to wait after the next one."""
        if now + QUIET_S >= self.bound:
            # Right after a write is the longest time until the next one.
            self.bound = min(self.bound, now + SETTLE_S)
        self.slow = self.slow or self.is_long(now)
        self.rest_s = QUIET_S
        return min(now + rest_s, self.bound)

    def rested(self, now: float) -> float:
        """When to look (monotonic) if nothing touches the path."""
        return min(now + self.rest_s, self.bound)

    def is_long(self, now: float) -> bool:
        """Whether the path has been touched for so long that nothing need wait for it."""
        return now - self.since > EAGER_S

    def is_overdue(self, now: float) -> bool:
        """Whether the state of the path is to be taken now, although it is being written."""
        return now >= self.bound

    def note(self, key: ScanKey | None, now: float) -> ScanKey | None:
        """A look saw this. Returns what the look before saw."""
        before, self.key = self.key, key
        if before != key:
            self.key_at = now
        return before

    def stood_still(self, key: ScanKey, now: float) -> bool:
        """Whether a look saw the same bytes, as far as a stat tells, at least QUIET_S ago."""
        before = self.key
        if before is None or now - self.key_at < QUIET_S:
            return False
        return (before.size, before.mtime_ns) == (key.size, key.mtime_ns)

    def saw(self, key: ScanKey, patience_s: float, now: float) -> bool:
        """A look saw this, and it is not to be trusted yet. Returns whether the path has changed
        since the look before. If another file has this name now, the waiting starts anew."""
        before = self.note(key, now)
        if before is None or before == key:
            return False
        if (before.kind, before.inode) != (key.kind, key.inode):
            self.rest_s, self.patience_s, self.tries = QUIET_S, patience_s, 0
            self.bound = min(self.bound, now + patience_s)
            return False
        self.rest_s, self.slow = min(2 * self.rest_s, PATIENCE_MAX_S), True
        return True

    def state_taken(self, key: ScanKey, now: float) -> None:
        """The state of the path was taken, and somebody is still writing it."""
        self.note(key, now)
        self.slow = True
        self.rest_s, self.tries = QUIET_S, 0
        self.patience_s = max(self.patience_s, min(2 * self.patience_s, PATIENCE_MAX_S))
        self.since, self.bound = now, now + self.patience_s

    def not_taken(self, now: float) -> None:
        """The path was overdue, and could not be read in one piece."""
        self.slow = True
        self.bound = now + min(SETTLE_S * 2**self.tries, PATIENCE_MAX_S)
        self.tries = min(self.tries + 1, MAX_TRIES)


class TouchedPaths:
    """path -> TouchedPath, of one folder. patience_s: how long to wait for a file that does not
    stand still"""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self._by_path: dict[str, TouchedPath] = {}
        self._slow: set[str] = set()
        self._due: list[tuple[float, int, str]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._by_path)

    @property
    def any_eager(self) -> bool:
        """Whether a path waits that has not yet shown that it will not settle soon."""
        return len(self._by_path) > len(self._slow)

    def new(self, now: float, *, closed: bool) -> TouchedPath:
        """A path that is touched now for the first time."""
        return TouchedPath(closed, now, self.patience_s, now + self.patience_s)

    def keep(self, path: str, touched: TouchedPath) -> None:
        """The path waits for something else than a look that is due."""
        self._by_path[path] = touched
        if touched.slow:
            self._slow.add(path)

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def get(self, path: str) -> TouchedPath | None:
        return self._by_path.get(path)

    def pop(self, path: str) -> TouchedPath | None:
        touched = self._by_path.pop(path, None)
        self._slow.discard(path)
        if touched is not None:
            touched.place = 0
        return touched

    def due_at(self, path: str, touched: TouchedPath, due: float) -> None:
        """The path waits, and is to be looked at at `due` (monotonic)."""
        is_put_off = touched.place != 0 and due >= touched.due
        self.keep(path, touched)
        touched.due = due
        # A path that is put off keeps its place until that place comes up. A file that is written
        # for a minute is put off thousands of times, and each place is a turn of the loop when it
        # comes up.
        if not is_put_off:
            self._put(path, touched)

    def first_due(self) -> float | None:
        """When a look is due. If that path has settled meanwhile, no look is made."""
        return self._due[0][0] if self._due else None

    def take_due(self, now: float) -> str | None:
        """The next path that is due. It still waits, but is due again only
        after another `due_at`."""
        while self._due and self._due[0][0] <= now:
            _, place, path = heapq.heappop(self._due)
            touched = self._by_path.get(path)
            if touched is None or touched.place != place:
                continue  # the path has settled, or was given an earlier place, meanwhile
            if touched.due <= now:
                touched.place = 0
                return path
            self._put(path, touched)
        return None

    def _put(self, path: str, touched: TouchedPath) -> None:
        self._order += 1
        touched.place = self._order
        heapq.heappush(self._due, (touched.due, touched.place, path))

    def is_eager(self, path: str) -> bool:
        """Whether the path waits, and has not yet shown that it will not settle soon."""
        touched = self._by_path.get(path)
        return touched is not None and not touched.slow

    def first_eager(self, prefix: str) -> str:
        """A path at or below `prefix` that is eager; "" if there is none. Searches all waiting
        paths."""
        for path, touched in self._by_path.items():
            if not touched.slow and is_within(path, prefix):
                return path
        return ""
