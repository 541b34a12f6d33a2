"""Paths that cannot be here beside another spelling of them, because this device's disk takes both
for one name (docs/decisions/0012).

An operation finds such a clash. Until the other spelling is deleted, the path is not tried again.
So its version is not taken, and nothing that lies under the other spelling counts as a version of
it.

Knows paths and whether something of ours is at them. Must not know the disk, nor how a ticket is
carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from msgspec import Struct

from leftzmq.index.reader import Reader
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.tree.entry import Kind, Observed
from leftzmq.tree.path import folded, is_within, join, parent_of, path_of_key
from leftzmq.tree.version import DEVICE_MARK_BYTES

FOLDS: Final = "folds"
"""The key in the index of what the disk under the share did at the last start: b"1" (it folds
names) or b"0"."""
SAID_AFTER_S: Final = 2.0
"""The news that the other spelling is to be deleted mostly follows at once. Until then no problem
is reported."""
RESPELL_WAIT_S: Final = 10.0
"""The delete of a directory is announced after the deletes of all that is in it. While the
directory may only have been spelled otherwise, nothing in it is removed, but for no longer than
this."""
MAX_RESPELLED: Final = 64
KEYS_AT_ONCE: Final = 1000


def doubles(reader: Reader) -> Iterator[str]:
    """Paths of ours that some disks cannot tell from other paths of ours, or that lie below such a
    path."""
    seen: set[int] = set()
    double: set[int] = set()
    for path in _ours(reader):
        mark = hash(folded(path))
        (double if mark in seen else seen).add(mark)
    if double:
        for path in _ours(reader):
            at = path
            while at:
                if hash(folded(at)) in double:
                    yield path
                    break
                at = parent_of(at)


def _ours(reader: Reader) -> Iterator[str]:
    after = b""
    while found := reader.alive_after(after, KEYS_AT_ONCE):
        yield from (path_of_key(key) for key, _ in found)
        after = found[-1][0]


class Apart(Struct, frozen=True):
    """path: what cannot be here, a path or a directory above it
    other: the spelling that is here
    """

    path: str
    other: str


class UnhavePath(Protocol):
    """sync/versions/resolver.Resolver.unhave."""

    def __call__(self, path: str) -> bool: ...


class NameClashes:
    """The name clashes of one folder. They are in memory alone: after a start the first operation
    finds each of them again."""

    def __init__(self, index_view: IndexView) -> None:
        self._index_view = index_view
        self._others: dict[str, tuple[str, float]] = {}  # the spelling that is here, and since when
        self._by_other: dict[str, set[str]] = {}
        self._respelled: dict[str, str] = {}
        self._walked: set[str] = set()  # those of them whose moved content has all been found
        index_view.apart = self._others.keys()

    def __bool__(self) -> bool:
        return bool(self._others)

    def stands(self, path: str, other: str, now: float) -> None:
        """`path` could not be made: `other` is there, and the disk takes both for one name."""
        before = self._others.get(path)
        since = before[1] if before is not None and before[0] == other else now
        self.not_apart(path)
        self._others[path] = other, since
        self._by_other.setdefault(other, set()).add(path)

    def not_apart(self, path: str) -> bool:
        """`path` is here, or is not wanted any more. Returns whether it was known to be apart."""
        before = self._others.pop(path, None)
        if before is None:
            return False
        waiting = self._by_other[before[0]]
        waiting.discard(path)
        if not waiting:
            del self._by_other[before[0]]
        return True

    def apart(self, path: str) -> Apart | None:
        """Why `path` cannot be here, or None if it can."""
        at = path if self._others else ""
        while at:
            if (other := self.other(at)) is not None:
                return Apart(at, other)
            at = parent_of(at)
        return None

    def other(self, path: str) -> str | None:
        """The other spelling of this very path that is here."""
        found = self._others.get(path)
        return found[0] if found is not None and self.is_here(found[0]) else None

    def waiting(self, path: str) -> tuple[str, ...]:
        """The paths that cannot be here while `path` is."""
        return tuple(self._by_other.get(path, ()))

    def said_at(self, path: str) -> float:
        """When it is to be reported that `path` cannot be here, if it still cannot (monotonic
        seconds)."""
        return self._others[path][1] + SAID_AFTER_S

    def freed(self, path: str) -> bool:
        """Whether something waited for the delete of `path`, and `path` has been deleted."""
        waiting = self._by_other.get(path)
        if not waiting or self.is_here(path):
            return False
        for each in list(waiting):
            self.not_apart(each)
        return True

    def disk_folds(self, folds: bool, is_there: Callable[[str], bool], unhave: UnhavePath) -> None:
        """At a start: what the disk under the share does. If it takes two spellings for one name,
        and the last disk did not, a copy of the share lost the files that the new disk could not
        hold. Nobody deleted those files."""
        store, now = self._index_view.store, b"1" if folds else b"0"
        if folds and store.meta(FOLDS) != now:
            for path in [path for path in doubles(store) if not is_there(path)]:
                unhave(path)
        store.put_meta(FOLDS, now)

    # -- directories that are spelled otherwise --------------------------------------------------

    def may_be_respelled(self, path: str, now: float) -> bool:
        """Whether a directory above `path` may only be about to get another spelling, together with
        everything in it. This is not known yet."""
        at = parent_of(path) if self._by_other else ""
        while at:
            for each in self._by_other.get(at, ()):
                if now < self._others[each][1] + RESPELL_WAIT_S and self.is_here(at):
                    return True
            at = parent_of(at)
        return False

    def respelled(self, path: str, other: str) -> None:
        """The directory `other` is called `path` now, with all that is in it."""
        while len(self._respelled) >= MAX_RESPELLED:
            self._forget_respelled(next(iter(self._respelled)))
        self._walked.discard(path)
        self._respelled[path] = other

    def on_walk_ended(self, prefix: str) -> bool:
        """Whether a walk has found what moved with a respelled directory."""
        found = [path for path in self._respelled if is_within(path, prefix)]
        self._walked.update(found)
        return bool(found)

    def end_respelling(self, is_busy: Callable[[str], bool]) -> None:
        """What appears below a respelled directory from now on did not move with it. is_busy:
        whether something that moved with it is still to be removed, and may be looked at again."""
        for path in [path for path in self._walked if not is_busy(path)]:
            self._forget_respelled(path)

    def _forget_respelled(self, path: str) -> None:
        del self._respelled[path]
        self._walked.discard(path)

    def may_have_come(self, path: str) -> bool:
        """Whether something may already be at `path`, because a directory above it was spelled
        otherwise and no walk has looked since."""
        above = self._respelled_above(path) if self._respelled else ""
        return bool(above) and above not in self._walked

    def went_along(self, path: str) -> bool:
        """Whether what was at `path` is there no more, because a directory above it was spelled
        otherwise and no walk has looked since."""
        fresh = (other for new, other in self._respelled.items() if new not in self._walked)
        return any(is_within(path, other) for other in fresh)

    def carried(self, observed: Observed) -> bool:
        """Whether this file is at its path only because a directory above was spelled otherwise
        here: it is what was at the path before, and another device deleted it there. Not for
        directories: a directory that is to be removed, while what is in it waits to be moved to its
        other spelling, would be looked at for ever."""
        if observed.kind is not Kind.FILE:
            return False
        what = observed.kind, observed.content
        before = self._before(observed.path) if self._respelled else None
        row = None if before is None else self._index_view.ours(before)
        if row is None or (row.entry.kind, row.entry.content) != what:
            return False
        life = self._index_view.store.heads.life
        graves = [each.entry for each in self._index_view.rows(before or "") if each.entry.deleted]
        others = (
            each for each in graves if each.writer[:DEVICE_MARK_BYTES] != life[:DEVICE_MARK_BYTES]
        )
        return any((each.kind, each.content) == what for each in others)

    def _before(self, path: str) -> str | None:
        """The path that this one had before a directory above it was spelled otherwise."""
        above = self._respelled_above(path)
        return join(self._respelled[above], path[len(above) + 1 :]) if above else None

    def _respelled_above(self, path: str) -> str:
        """The nearest directory above `path` that was spelled otherwise; "" if there is none."""
        at = parent_of(path)
        while at and at not in self._respelled:
            at = parent_of(at)
        return at

    def is_here(self, path: str) -> bool:
        """Whether something of ours is at `path`."""
        row = self._index_view.ours(path)
        return row is not None and not row.entry.deleted
