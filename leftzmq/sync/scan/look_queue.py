"""Which paths wait for a look, are looked at or cut, or are to be looked at again; and their locks.

When a path is due is in `look_times`. Knows paths, times and locks. Must not know what was seen at
a path, nor what it means: `classifier` does. One look at a path at a time, and none while somebody
else has a lock on it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from leftzmq.config import PATIENCE_S
from leftzmq.sync.scan.chunking import Cuts
from leftzmq.sync.scan.look_times import EDIT_S, SETTLE_S, TouchedPath, TouchedPaths
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import is_below, is_within, parent_of

LOOK_PATHS: Final = 64
LOOKS_AT_ONCE: Final = 2
WALK_AHEAD_PATHS: Final = 4096
"""A walk pauses while this many paths wait, so that a million new files are not held in memory."""

RULES_FIRST_S: Final = 10.0
"""For so long a file of ignore rules is looked at before anything else below its folder: what
follows it may be what it ignores."""

EDITS_MAX: Final = 8
"""Where more paths than these wait, no edit is looked at at once: it is looked at twice."""

TOUCHED_PATHS_MAX: Final = 16_384
"""A walk finds further paths. So many paths are looked at in 2 s, and take 10 MB."""


class LookQueue:
    """The look queue of one folder.

    touched: the paths that were touched and have not settled yet
    cuts:    those of them that are being cut, which takes more than one look
    """

    def __init__(self, locks: PathLocks, patience_s: float = PATIENCE_S) -> None:
        self._locks = locks
        self.touched, self.cuts = TouchedPaths(patience_s), Cuts()
        self._looking: set[str] = set()
        self._unanswered = 0
        # Files of ignore rules that wait, and until when others wait for them; and those others.
        self._rule_files: dict[str, float] = {}
        self._behind_rules: dict[str, list[str]] = {}
        self._next_claims = 0.0  # when the paths that the applier has locked are tried again

    def __bool__(self) -> bool:
        """Whether a path waits, is looked at or cut."""
        return bool(self.touched or self._looking or self.cuts)

    @property
    def busy(self) -> bool:
        """The same, without paths that have shown that they will not settle soon."""
        return self.touched.any_eager or self.reading

    @property
    def reading(self) -> bool:
        """Whether a path is being looked at or cut."""
        return bool(self._looking or self.cuts)

    def waits(self, path: str) -> bool:
        """Whether this path waits, is looked at or cut."""
        return path in self.touched or path in self._looking or path in self.cuts

    @property
    def has_room(self) -> bool:
        """Whether the queue has space for what a walk finds."""
        return len(self.touched) + len(self._looking) < WALK_AHEAD_PATHS

    @property
    def is_calm(self) -> bool:
        """Whether so few paths wait that one more may be looked at twice."""
        return len(self.touched) + len(self._looking) < EDITS_MAX

    @property
    def is_full(self) -> bool:
        """Whether no more touched paths are added."""
        return len(self.touched) >= TOUCHED_PATHS_MAX

    def first_due(self) -> float | None:
        """When `next_looks` may have something (monotonic)."""
        if self._unanswered >= LOOKS_AT_ONCE:
            return None
        times = [self.touched.first_due(), *map(self._rule_files.get, self._behind_rules)]
        return min((time for time in times if time is not None), default=None)

    # -- looking ---------------------------------------------------------------------------------

    def next_looks(self, now: float) -> list[tuple[str, ...]]:
        """The paths of each look that is to be made now."""
        begun: list[tuple[str, ...]] = []
        while self._unanswered < LOOKS_AT_ONCE and (paths := self._due_now(now)):
            self._unanswered += 1
            begun.append(tuple(paths))
        return begun

    def _due_now(self, now: float) -> list[str]:
        paths: list[str] = []
        if self._rule_files:
            self._let_pass(now)
        while len(paths) < LOOK_PATHS and (path := self.touched.take_due(now)) is not None:
            if path in self._looking or path in self.cuts:
                continue
            if self._rule_files and (file := self._rules_before(path)) is not None:
                self._behind_rules.setdefault(file, []).append(path)
                continue
            if self._locks.lock(path, LockOwner.SETTLER):
                self._looking.add(path)
                paths.append(path)
            else:
                # All paths at one time: a time for each path would be a turn of the loop for each.
                if now >= self._next_claims:
                    self._next_claims = now + SETTLE_S
                self.look_again(path, self._next_claims)
        return paths

    def _rules_before(self, path: str) -> str | None:
        """The file of ignore rules that may rule over this path and is to be looked at first."""
        if is_rule_file(path):
            return None
        return next((file for file in self._rule_files if is_below(path, parent_of(file))), None)

    def _let_pass(self, now: float) -> None:
        """What waited for files of rules that were looked at, or for long enough, is due now."""
        over = [
            file
            for file, until in self._rule_files.items()
            if until <= now or file not in self.touched
        ]
        for file in over:
            del self._rule_files[file]
            for path in self._behind_rules.pop(file, ()):
                if path in self.touched:
                    self.look_again(path, now)

    def edits(self, paths: Collection[str]) -> tuple[str, ...]:
        """Those of these paths, of which a look begins, whose files are told at once."""
        touched = ((path, self.touched.get(path)) for path in paths)
        return tuple(path for path, each in touched if each is not None and each.edit)

    def answered(self) -> None:
        """One of the looks that were begun is over: `not_looked_at` is called for each of its
        paths."""
        self._unanswered -= 1

    def not_looked_at(self, path: str) -> None:
        """The path is not being looked at any more."""
        self._looking.discard(path)

    def cut(self, path: str, touched: TouchedPath, key: ScanKey, *, grows: bool) -> None:
        """The file is cut when it is its turn, and waits for the end of that.
        grows: see CutSlice."""
        self.touched.keep(path, touched)
        self.cuts.wants(path, key, grows=grows)

    # -- waiting paths -------------------------------------------------------------------------

    def touch(
        self, path: str, now: float, *, closed: bool | None, rest_s: float = SETTLE_S
    ) -> None:
        """The path was touched: it is looked at `rest_s` seconds later, or at its bound. If it is
        being looked at now, it is looked at once more.

        closed: the change is over, so the path need not stand still first. None: as the path was
        before, or False if it did not wait.
        """
        if is_rule_file(path):
            self._rule_files.setdefault(path, now + RULES_FIRST_S)
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

    def edited(self, path: str, now: float) -> None:
        """A user saved a file of ours: it is looked at at once, if nobody looked at it since it was
        touched first."""
        touched = self.touched.get(path)
        is_first = touched is None or touched.key is None
        is_first = is_first and path not in self._looking and path not in self.cuts
        self.touch(path, now, closed=True, rest_s=EDIT_S if is_first else SETTLE_S)
        touched = self.touched.get(path)
        if is_first and touched is not None:
            touched.edit = True

    def look_again(self, path: str, due: float) -> None:
        """This look had no result. If the path still waits, it is looked at again at `due`."""
        touched = self.touched.get(path)
        if touched is None:
            self._locks.release((path,), LockOwner.SETTLER)
        else:
            self.look_at(path, touched, due)

    def look_again_below(self, prefix: str) -> None:
        """The paths below `prefix` that are being looked at may have been deleted after the look.
        No walk misses them, because our index does not have them yet."""
        for path in (*self._looking, *self.cuts):
            touched = self.touched.get(path)
            if touched is not None and is_within(path, prefix):
                touched.again = True

    def walk_begins(self, prefix: str) -> list[str]:
        """The same, for all that is below `prefix`: what these looks saw may change before the walk
        gets there. The walk compares with an index that does not have yet what they saw, and so
        passes what was put back. Returns the paths."""
        again: list[str] = []
        for path in (*self._looking, *self.cuts):
            # The prefix itself has touches of its own, and looks at it begin walks: not for ever.
            touched = self.touched.get(path) if is_below(path, prefix) else None
            if touched is not None:
                touched.again = True
                again.append(path)
        return again

    def saw_no_folders(self, paths: Collection[str], gone: Collection[str]) -> None:
        """The same: a look found no directory at these paths, and what is below them may have been
        looked at before. gone: paths that the same look found gone."""
        for path in (*self._looking, *self.cuts):
            touched, above = self.touched.get(path), parent_of(path)
            while above and above not in paths:
                above = parent_of(above)
            if touched is not None and above and path not in gone:
                touched.again = True

    def look_at(self, path: str, touched: TouchedPath, due: float) -> None:
        """This look is over. The path is looked at again at `due`."""
        touched.again = False
        self._locks.release((path,), LockOwner.SETTLER)
        self.touched.due_at(path, touched, due)

    def finish(self, path: str, touched: TouchedPath, now: float) -> None:
        """This look is over. A touch that arrived during the look counts anew."""
        self._locks.release((path,), LockOwner.SETTLER)
        if touched.again:
            self.touch(path, now, closed=touched.closed)
