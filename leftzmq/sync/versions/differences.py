"""Where a folder that only sends, or only receives, is otherwise here than elsewhere, and a user
decides: what the others have is taken here, or what is here is everybody's (docs/decisions/0028).

Knows the rows of these paths. Must not know how anything gets its bytes (sync/apply does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from leftzmq.index.rows import ANYBODY, best_of, ours_of
from leftzmq.sync.facts import (
    Fact,
    FoundDeleted,
    FoundDeletedBytes,
    PathsReconsidered,
    RescanWanted,
)
from leftzmq.sync.jobs import Winner
from leftzmq.sync.versions.index_view import OURS, IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.withheld import WhyWithheld
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import Entry, Kind, private
from leftzmq.tree.path import folders_above, is_within, sort_key
from leftzmq.tree.plan import Held

A_TURN: Final = 64  # paths (about 60 us each)
READ_AT_ONCE: Final = 4096
BUSY_RETRY_S: Final = 0.1


class Differences:
    """Those of one folder."""

    def __init__(
        self, folder: str, index_view: IndexView, locks: PathLocks, resolver: Resolver
    ) -> None:
        self._folder, self._index_view, self._locks = folder, index_view, locks
        self._resolver = resolver
        # Both are taken from the end: what is in a folder comes before the folder.
        self._to_revert: list[str] = []
        self._waiting: dict[str, Entry] = {}  # by path: what is to be given up when work there ends
        self._to_override: list[Winner] = []
        self._first = 0  # the first sequence of what is published over the others' versions
        self._staying: list[str] = []  # nothing of others can come in their place
        self._not_before = 0.0

    @property
    def busy(self) -> bool:
        return bool(self._to_revert or self._to_override)

    def start(self) -> None:
        """Before the first fact of a life: if the folder tells now what is changed here, what was
        kept back so far is told: as edits above what each of them was made from. What is missing
        here is fetched again."""
        view = self._index_view
        if view.author.receives:
            return
        # What lies there is as what a first walk finds, when the path is kept again.
        view.store.drop_private_bases()
        for path in self._all(""):
            rows = view.rows(path)
            ours = ours_of(rows)
            if ours is None or not ours.entry.is_private:
                continue
            if ours.entry.deleted:
                view.change_row(rows, ours, replace(ours, holders=0, seq=None, scan=None))
            else:
                entry, sequence = view.author.tell(ours.entry)
                view.set_ours(rows, entry, sequence, ours.scan, ours.noise)

    def revert(self, path: str) -> int:
        """Begin to take what the others have at `path` and below it ("": everywhere) in the place
        of what was changed here, which moves to the trash. Returns at how many paths."""
        found = self._all(path)
        for each in found:
            self._waiting.pop(each, None)  # what is there by now is listed
        self._to_revert = sorted({*self._to_revert, *found}, key=sort_key)
        return len(found)

    def override(self, winners: Sequence[Winner]) -> None:
        """Begin to publish what is here above these versions, which a user has seen."""
        if not self._to_override:
            self._first = self._index_view.store.heads.sequence + 1
        self._to_override += winners

    def deadline(self, now: float) -> float | None:
        if not self.busy:
            return None
        return now if self._to_override else max(now, self._not_before)

    def on_time_passed(self, now: float) -> list[Fact]:
        out = self._override_some()
        return out + self._revert_some(now) if now >= self._not_before else out

    def _override_some(self) -> list[Fact]:
        some = [self._to_override.pop() for _ in range(min(A_TURN, len(self._to_override)))]
        done = [winner.path for winner in some if self._publish_over(winner)]
        if not done:
            return []
        # Whoever said that this is meant need not say so of the deletes among it once more.
        life, last = self._index_view.store.heads.life, self._index_view.store.heads.sequence
        self._index_view.accept(Accepted(((life, self._first, last),)))
        return [PathsReconsidered(self._folder, tuple(done))]

    def _revert_some(self, now: float) -> list[Fact]:
        out: list[Fact] = []
        busy: list[str] = []
        for _ in range(min(A_TURN, len(self._to_revert))):
            path = self._to_revert.pop()
            if self._stays(path):
                self._staying.append(path)
            elif self._locks.is_changing(path) or any(is_within(each, path) for each in busy):
                busy.append(path)  # and the folders that it is in
                self._waits(path)
            else:
                out += self._give_up(path)
        if busy:
            self._to_revert += reversed(busy)
            self._not_before = now + BUSY_RETRY_S
        if not self._to_revert:
            self._staying.clear()
            self._waiting.clear()
        return out

    def _waits(self, path: str) -> None:
        ours = self._index_view.ours(path)
        if ours is not None:
            self._waiting.setdefault(path, ours.entry)

    def _all(self, at: str) -> list[str]:
        """In path order: folders before what is in them."""
        found: list[str] = []
        after = b""
        while some := self._index_view.store.private_after(after, READ_AT_ONCE):
            after = some[-1][0]
            found += [path for _, path in some if is_within(path, at)]
        return found

    def _publish_over(self, winner: Winner) -> bool:
        """Returns whether it did. Not where others changed something since the list was made: that
        was not seen, and is in the next list."""
        view = self._index_view
        rows = view.rows(winner.path)
        ours, theirs = ours_of(rows), best_of([row for row in rows if not row.is_ours], ANYBODY)
        if theirs is None or (theirs.entry.stamp, theirs.entry.writer) != winner.rank:
            return False
        live = ours if ours is not None and not ours.entry.deleted else None
        if live is None and theirs.entry.deleted:
            return False
        listed = [row.entry for row in rows if not row.is_ours]
        entry, sequence = view.author.over(live.entry if live else None, listed)
        scan, noise = (live.scan, live.noise) if live else (None, False)
        view.set_ours(rows, entry, sequence, scan, noise)
        if live is not None:
            self._resolver.stays_above(winner.path)  # listed or not: others need what it is in
        return True

    def _stays(self, path: str) -> bool:
        """Whether nothing of others can be put in its place, although some have something there:
        others, who have not heard of that, have no folder there. Or whether such a thing is in this
        folder."""
        theirs = best_of(self._index_view.rows(path), ~OURS)
        is_live = theirs is not None and not theirs.entry.deleted
        if is_live and not self._has_place(path):
            return True
        return any(is_within(each, path) for each in self._staying)

    def _has_place(self, path: str) -> bool:
        """Whether others have all folders above `path`."""
        for folder in folders_above(path):
            rows = self._index_view.rows(folder)
            ours = ours_of(rows)
            best = ours if ours and not ours.entry.is_private else best_of(rows, ~OURS)
            if best is None or best.entry.deleted or best.entry.kind is not Kind.DIRECTORY:
                return False
        return True

    def _give_up(self, path: str) -> list[Fact]:
        view = self._index_view
        rows = view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, ~OURS)
        if ours is None or not ours.entry.is_private:
            return []
        before = self._waiting.get(path)
        if before is not None and not before.same_content(ours.entry):
            return []  # its user changed it since: nobody said that of the new one
        entry, key, out = ours.entry, ours.scan, list[Fact]()
        if not entry.deleted:
            if key is None:
                return [RescanWanted(self._folder, (path,))]  # it stays private
            is_wanted = theirs is not None and not theirs.entry.deleted
            grave = None if theirs is None or is_wanted else theirs.entry
            grave = grave or private(view.author.delete(entry, 0)[0], entry, None)
            view.given_up[path] = found = FoundDeleted(grave, Held(key, entry.content))
            if is_wanted and entry.kind is not Kind.DIRECTORY:
                view.held.withhold(path, key, WhyWithheld.GIVES_WAY)
            else:
                out.append(FoundDeletedBytes(self._folder, found))
        view.change_row(rows, ours, replace(ours, holders=0, seq=None, scan=None))
        return out or [PathsReconsidered(self._folder, (path,))]
