"""The tickets that are worked at: a window of them. The rest is found again in the index.

Knows which path is at which stage, and when it is to be looked at again. Must not know what a
ticket leads to: the applier does.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Final

from leftzmq.index.store import Store
from leftzmq.tree.conflict import HEX_DIGITS
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Operation, Staged

WINDOW_TICKETS: Final = 4096
CONSIDER_A_TURN: Final = 64  # tickets derived in one turn of the loop (about 20 us each)


class Stage(Enum):
    """Where a ticket is on its way."""

    WANTED = auto()  # the downloader has it
    READY = auto()  # an operation can be made of it
    APPLYING = auto()  # it is part of a batch
    WAITING = auto()  # for a retry, a folder, or a look of the settler


@dataclass(slots=True)
class Doing:
    """A ticket in the window.

    operation: set for what a scan found (FoundDeleted), else made from the ticket
    retry_at: monotonic; 0: it waits for something else than time
    walked: the folder was not empty, and a walk has looked what is in it
    digits: of the content id in the name of the conflict copy
    in_heap: it lies in one of the heaps of ready tickets
    source: a path that is to go and has the bytes: to be moved
    fetch: moving it did not work
    """

    stage: Stage
    entry: Entry
    staged: Staged | None = None
    operation: Operation | None = None
    retry_at: float = 0.0
    walked: bool = False
    digits: int = HEX_DIGITS
    in_heap: bool = False
    source: str = ""
    fetch: bool = False


class Window:
    """Of one folder: path -> Doing, and what is to be considered next."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.doing: dict[str, Doing] = {}
        self._below: dict[str, list[str]] = {}  # a folder to be made -> what waits for it
        self._next: deque[str] = deque()
        self._queued: set[str] = set()
        self._retries: list[tuple[float, str]] = []
        self._behind, self._cursor = True, b""  # there may be tickets after the cursor

    @property
    def idle(self) -> bool:
        return not (self.doing or self._next or self._behind)

    @property
    def considered(self) -> bool:
        """Whether every path at which there may be a ticket was considered."""
        return not (self._next or self._behind)

    def deadline(self, now: float) -> float | None:
        if self._next or (self._behind and len(self.doing) < WINDOW_TICKETS // 2):
            return now
        return self._retries[0][0] if self._retries else None

    def consider(self, path: str) -> None:
        """There may be a ticket at `path`."""
        if path in self._queued:
            return
        if path not in self.doing and len(self._next) >= WINDOW_TICKETS:
            self._behind, self._cursor = True, b""  # it is found again in the index
            return
        self._queued.add(path)
        self._next.append(path)

    def consider_all(self) -> None:
        """There may be a ticket at any path."""
        self._behind, self._cursor = True, b""
        for path in self.doing:
            self.consider(path)

    def take(self) -> list[str]:
        """The paths to be considered in this turn, after a look into the index for more."""
        self._refill()
        paths = list(islice(self._next, CONSIDER_A_TURN))
        for path in paths:
            self._next.popleft()
            self._queued.discard(path)
        return paths

    def wait(self, doing: Doing, until: float) -> None:
        """It is considered again at `until` (monotonic)."""
        doing.stage, doing.retry_at = Stage.WAITING, until
        heapq.heappush(self._retries, (until, doing.entry.path))

    def wait_for_folder(self, doing: Doing, folder: str, until: float) -> None:
        """It is considered again when `folder`, which is in the window too, was made, and at
        `until` at the latest."""
        self.wait(doing, until)
        self._below.setdefault(folder, []).append(doing.entry.path)

    def folder_made(self, folder: str) -> None:
        """What waited for it is possible now."""
        for path in self._below.pop(folder, ()):
            doing = self.doing.get(path)
            if doing is not None and doing.stage is Stage.WAITING:
                doing.retry_at = 0.0
                self.consider(path)

    def drop(self, path: str) -> Doing | None:
        """It is a ticket no more; what waits for it finds out by itself."""
        doing = self.doing.pop(path, None)
        if doing is not None:
            self._below.pop(path, None)
        return doing

    def wake(self, now: float) -> Iterator[str]:
        """Those whose time has come."""
        while self._retries and self._retries[0][0] <= now:
            until, path = heapq.heappop(self._retries)
            doing = self.doing.get(path)
            if doing is not None and doing.stage is Stage.WAITING and doing.retry_at == until:
                doing.retry_at = 0.0
                yield path

    def _refill(self) -> None:
        if not self._behind or len(self.doing) + len(self._next) >= WINDOW_TICKETS // 2:
            return
        groups = self._store.paths(self._cursor, CONSIDER_A_TURN)
        if not groups:
            self._behind, self._cursor = False, b""
            return
        for rows in groups:
            best = max(rows, key=lambda row: row.entry.rank)
            if not best.is_ours or len(rows) > 1:
                self.consider(best.entry.path)
        self._cursor = groups[-1][-1].sort_key
