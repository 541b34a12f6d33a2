"""Which paths wait for a look, are looked at or cut, or are to be looked at again; their claims.

Knows paths, times and claims. Must not know what was seen at a path, nor what it means: `judging`
does. One look at a path at a time, and none while somebody else works there.
"""

from __future__ import annotations

from typing import Final

from leftzmq.config import PATIENCE_S
from leftzmq.sync.scan.chunking import Cuts
from leftzmq.sync.scan.touched_paths import SETTLE_S, TouchedPath, TouchedPaths
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.path import is_within

LOOK_PATHS: Final = 64
LOOKS_AT_ONCE: Final = 2
WALK_AHEAD_PATHS: Final = 4096
"""A walk pauses while so many paths wait, so that a million new files do not lie in memory."""

TOUCHED_PATHS_MAX: Final = 16_384
"""Of more a walk finds out: they are looked at in 2 s, and take 10 MB."""


class LookQueue:
    """Of one folder.

    waiting: the paths that were touched and have not settled yet
    cuts:    those of them that are being cut, which takes more than one look
    """

    def __init__(self, locks: PathLocks, patience_s: float = PATIENCE_S) -> None:
        self._locks = locks
        self.touched, self.cuts = TouchedPaths(patience_s), Cuts()
        self._looking: set[str] = set()
        self._unanswered = 0
        self._next_claims = 0.0  # when what the applier works at is claimed again

    def __bool__(self) -> bool:
        """Whether a path waits, is looked at or cut."""
        return bool(self.touched or self._looking or self.cuts)

    @property
    def busy(self) -> bool:
        """The same, but for paths that have shown that they will not settle soon."""
        return self.touched.any_eager or self.reading

    @property
    def reading(self) -> bool:
        """Whether a path is being looked at or cut."""
        return bool(self._looking or self.cuts)

    @property
    def has_room(self) -> bool:
        """Whether what a walk finds has a place to wait."""
        return len(self.touched) + len(self._looking) < WALK_AHEAD_PATHS

    @property
    def is_full(self) -> bool:
        """Whether no more touched paths are noted."""
        return len(self.touched) >= TOUCHED_PATHS_MAX

    def first_due(self) -> float | None:
        """When `begin` may have something (monotonic)."""
        return self.touched.first_due() if self._unanswered < LOOKS_AT_ONCE else None

    # -- looking ---------------------------------------------------------------------------------

    def begin(self, now: float) -> list[tuple[str, ...]]:
        """The paths of each look that is to be made now."""
        begun: list[tuple[str, ...]] = []
        while self._unanswered < LOOKS_AT_ONCE and (paths := self._due_now(now)):
            self._unanswered += 1
            begun.append(tuple(paths))
        return begun

    def _due_now(self, now: float) -> list[str]:
        paths: list[str] = []
        while len(paths) < LOOK_PATHS and (path := self.touched.take_due(now)) is not None:
            if path in self._looking or path in self.cuts:
                continue
            if self._locks.take(path, LockOwner.SETTLER):
                self._looking.add(path)
                paths.append(path)
            else:
                if now >= self._next_claims:  # in step: each by itself would be a turn of the loop
                    self._next_claims = now + SETTLE_S
                self.look_again(path, self._next_claims)
        return paths

    def answered(self) -> None:
        """One of the looks that were begun is over: its paths are `left` one by one."""
        self._unanswered -= 1

    def left(self, path: str) -> None:
        """It is not being looked at any more."""
        self._looking.discard(path)

    def cut(self, path: str, touched: TouchedPath, key: ScanKey, *, grows: bool) -> None:
        """It is cut when it is its turn, and waits for the end of that. grows: see CutSlice"""
        self.touched.keep(path, touched)
        self.cuts.wants(path, key, grows=grows)

    # -- waiting ---------------------------------------------------------------------------------

    def wait(self, path: str, now: float, *, closed: bool | None, rest_s: float = SETTLE_S) -> None:
        """It was touched: look so much later (seconds), or at its bound; once more, if it is being
        looked at now.

        closed: the change is over, so it need not stand still first; None: as it was, or, if it did
        not wait, no
        """
        touched = self.touched.get(path)
        if touched is None:
            if path not in self._looking:
                touched = self.touched.new(now, closed=bool(closed))
                self.touched.due_at(path, touched, now + rest_s)
            return
        touched.closed = touched.closed if closed is None else closed
        if path in self._looking or path in self.cuts:
            touched.again = True
            self.cuts.touched(path, now)
        else:
            self.touched.due_at(path, touched, touched.touched(now, rest_s))

    def look_again(self, path: str, due: float) -> None:
        """This look came to nothing; another one is to come then, if the path still waits."""
        touched = self.touched.get(path)
        if touched is None:
            self._locks.release((path,), LockOwner.SETTLER)
        else:
            self.look_at(path, touched, due)

    def look_again_below(self, prefix: str) -> None:
        """What is being looked at there may have gone since it was seen, and no walk misses it: our
        index lacks it yet."""
        for path in (*self._looking, *self.cuts):
            touched = self.touched.get(path)
            if touched is not None and is_within(path, prefix):
                touched.again = True

    def look_at(self, path: str, touched: TouchedPath, due: float) -> None:
        """This look is over; another one is to come then."""
        touched.again = False
        self._locks.release((path,), LockOwner.SETTLER)
        self.touched.due_at(path, touched, due)

    def finish(self, path: str, touched: TouchedPath, now: float) -> None:
        """Nothing more is to be seen of this look; a touch that came meanwhile counts anew."""
        self._locks.release((path,), LockOwner.SETTLER)
        if touched.again:
            self.wait(path, now, closed=touched.closed)
