"""Paths that were touched and have not settled yet, in the order in which their looks are due.

Knows paths and times. Must not know what was seen at a path, nor whether it may be looked at now.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

from leftzmq.tree.entry import ScanKey
from leftzmq.tree.path import is_within

QUIET_S: Final = 1.0
PATIENCE_MAX_S: Final = 60.0


@dataclass(slots=True)
class Waiting:
    """A path that was touched and not yet settled.

    closed: a close or move ended the last change: no need to wait for quiet
    patience_s: how long to wait when it is still restless
    key:    what the last look saw, to tell whether it stood still since
    due:    when to look (monotonic); `due_at` says it
    place:  the number of its place in the order of looks, which may be earlier; 0: it has none
    """

    closed: bool
    patience_s: float = QUIET_S
    key: ScanKey | None = None
    due: float = 0.0
    place: int = 0
    again: bool = False  # touched while it was being looked at

    @property
    def eager(self) -> bool:
        """Whether it has not yet shown that it will not settle soon."""
        return self.patience_s <= QUIET_S

    def lose_patience(self) -> None:
        self.patience_s = min(self.patience_s * 2, PATIENCE_MAX_S)


class WaitingPaths:
    """path -> Waiting, of one folder."""

    def __init__(self) -> None:
        self._by_path: dict[str, Waiting] = {}
        self._due: list[tuple[float, int, str]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._by_path)

    def keep(self, path: str, waiting: Waiting) -> None:
        """It waits for something else than a look that is due."""
        self._by_path[path] = waiting

    def get(self, path: str) -> Waiting | None:
        return self._by_path.get(path)

    def pop(self, path: str) -> Waiting | None:
        waiting = self._by_path.pop(path, None)
        if waiting is not None:
            waiting.place = 0
        return waiting

    def due_at(self, path: str, waiting: Waiting, due: float) -> None:
        """It waits, and is to be looked at then (monotonic)."""
        is_put_off = waiting.place != 0 and due >= waiting.due
        self._by_path[path] = waiting
        waiting.due = due
        # What is put off keeps its place until that comes up: a file that is written for a minute
        # is put off thousands of times, and each place is a turn of the loop when it comes up.
        if not is_put_off:
            self._put(path, waiting)

    def first_due(self) -> float | None:
        """When a look is due; nothing may come of it, if that path has settled meanwhile."""
        return self._due[0][0] if self._due else None

    def take_due(self, now: float) -> str | None:
        """The next path that is due. It goes on waiting, but is due again only when it is
        said to be."""
        while self._due and self._due[0][0] <= now:
            _, place, path = heapq.heappop(self._due)
            waiting = self._by_path.get(path)
            if waiting is None or waiting.place != place:
                continue  # it has settled, or was given an earlier place, meanwhile
            if waiting.due <= now:
                waiting.place = 0
                return path
            self._put(path, waiting)
        return None

    def _put(self, path: str, waiting: Waiting) -> None:
        self._order += 1
        waiting.place = self._order
        heapq.heappush(self._due, (waiting.due, waiting.place, path))

    def is_eager(self, path: str) -> bool:
        """Whether it waits, and has not yet shown that it will not settle soon."""
        waiting = self._by_path.get(path)
        return waiting is not None and waiting.eager

    def first_eager(self, prefix: str) -> str:
        """A path at or below `prefix` that is eager; "" if there is none. Goes through them all."""
        for path, waiting in self._by_path.items():
            if waiting.eager and is_within(path, prefix):
                return path
        return ""
