"""What to look at, and when: paths that were touched wait here until they stand still.

Knows touches, sightings and time. Must not know what a version is: what has settled goes on to
the replica.

A path is taken up when it is due: at once after a close, after a second without one. A file that
keeps changing is looked at again with doubling patience and shown as a Problem. Walks yield paths
that are treated the same way, so everything that is read comes through here, one look at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leftzmq.config import PATIENCE_S
from leftzmq.content.cut import ONE_CHUNK_MAX_BYTES
from leftzmq.content.keys import FolderKeys
from leftzmq.content.lists import MAX_ROWS, ROW_BYTES, build
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.store import Store
from leftzmq.sync.actions import Action, Work
from leftzmq.sync.facts import (
    Fact,
    FolderStopped,
    MountChanged,
    PathsCleared,
    PathsTouched,
    RescanWanted,
    Touch,
    WalkEnded,
    WatchLost,
    WatchRegained,
)
from leftzmq.sync.jobs import CutSlice, Look, Looked, SliceCut, Walk, Walked
from leftzmq.sync.problems import Problems
from leftzmq.sync.scan.classifier import TRIED_AGAIN, Judging
from leftzmq.sync.scan.hard_links import Linked, unsettled
from leftzmq.sync.scan.look_queue import Looks
from leftzmq.sync.scan.mount_polls import Mounting
from leftzmq.sync.scan.touched_paths import QUIET_S
from leftzmq.sync.scan.walks import Walks
from leftzmq.sync.versions.path_locks import Claims
from leftzmq.tree.entry import ID_BYTES, ContentId, Kind, Observed, ScanKey
from leftzmq.tree.plan import Staged


class Settler:
    """Of one folder. may_look: False while what a crash left half done waits to be put in order: a
    look would take it for a user's doing. strange: says whose the `.lefting` files are that a walk
    found and our index does not know. patience_s: so long a file that does not stand still is
    waited for."""

    def __init__(
        self,
        folder: str,
        store: Store,
        keys: FolderKeys,
        claims: Claims,
        problems: Problems,
        may_look: Callable[[], bool],
        strange: Callable[[Sequence[Staged]], list[Action | Fact]],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.folder, self._store, self._keys = folder, store, keys
        self._claims, self._problems, self._may_look = claims, problems, may_look
        self._strange = strange
        self._looks = Looks(claims, patience_s)
        self._mounting, self._linked = Mounting(store), Linked(store)
        self._whole_walk = 0  # the number of the last one
        self.walks = Walks()
        self._judging = Judging(store, claims, problems, self._looks, self.walks)
        self._departed, self._unreadable = self._judging.departed, self._judging.unreadable
        self.stopped = False

    # -- questions -------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing waits, is looked at or walked."""
        busy = self._looks or self.walks.under_way or self._departed or self._linked.urgent
        return not busy

    def is_idle_at(self, path: str) -> bool:
        """Whether nothing at `path` or below it waits, is looked at or walked, as far as is known.
        What only goes on being written counts as a problem."""
        waits = self._looks.waiting.first_eager(path)
        return not (waits or self.walks.under_way or self._departed)

    @property
    def read_all(self) -> bool:
        """Nothing is left to be looked at, as far as is known, but what is being written."""
        return not (self._looks.busy or self.walks.under_way)

    @property
    def unsure(self) -> bool:
        """Whether only a walk of everything tells what was written under other names."""
        return self._linked.unsure

    def deadline(self) -> float | None:
        """When something is due next (monotonic)."""
        if self.stopped or not self._may_look():
            return None
        times = (
            self._looks.first_due(),
            self._looks.cuts.deadline(),
            self.walks.deadline(),
            self._departed.deadline(),
            self._unreadable.deadline(),
            self._mounting.deadline(),
            self._linked.deadline() if self._polls_linked else None,
        )
        return min((time for time in times if time is not None), default=None)

    # -- facts -------------------------------------------------------------------------------

    def start(self, now: float) -> list[Action | Fact]:
        """The first walk: everything that changed while no agent ran."""
        self.walks.start(now)
        return self.go_on(now)

    def touched(self, fact: PathsTouched, now: float) -> list[Action | Fact]:
        for path, touch in fact.touches:
            if self._looks.is_full and path not in self._looks.waiting:
                # Names that come and go faster than anyone can look at them; a walk finds what is
                # left of them, and whatever else was touched meanwhile.
                self.walks.later("")
                continue
            match touch:
                case Touch.CLOSED | Touch.GONE | Touch.MADE:
                    self._looks.wait(path, now, closed=touch is Touch.CLOSED)
                    if touch is Touch.MADE:
                        self._judging.made(path)
                case Touch.MODIFIED:
                    self._looks.wait(path, now, closed=False, rest_s=QUIET_S)
        return self.go_on(now)

    def told(self, fact: PathsCleared, now: float) -> None:
        """Our index has these now."""
        self._departed.told((s.path for s in fact.sightings if s.sight is Sight.GONE), now)

    def rescan(self, fact: RescanWanted, now: float) -> list[Action | Fact]:
        for path in fact.paths:
            # Who found out may have found a file that is being written: that goes on to be so.
            self._looks.wait(path, now, closed=None if path in self._looks.waiting else True)
            if fact.walk:
                self.walks.later(path)
        return self.go_on(now)

    def lost(self, fact: WatchLost, now: float) -> list[Action | Fact]:
        kind = ProblemKind.WATCH_LIMIT if fact.polled else ProblemKind.WATCH_LOST
        problem = Problem(self.folder, fact.prefix or ".", kind, fact.why)
        out = self._problems.show(problem)
        if fact.polled:
            self.walks.poll(fact.prefix, now)
        self._looks.look_again_below(fact.prefix)
        self.walks.later(fact.prefix)
        return out + self.go_on(now)

    def regained(self, fact: WatchRegained, now: float) -> list[Action | Fact]:
        self.walks.poll_no_more(fact.prefix)
        self._looks.look_again_below(fact.prefix)
        self.walks.later(fact.prefix)
        return self._solve(fact.prefix, ProblemKind.WATCH_LIMIT) + self.go_on(now)

    def mount_changed(self, fact: MountChanged, now: float) -> list[Action | Fact]:
        """What is there now is watched, and looked at as soon as may be. At the share itself any
        look tells whether it is still the one that we know."""
        if fact.path:
            self._mounting.is_watched(fact.path)
            self._looks.look_again_below(fact.path)
            self.walks.later(fact.path)
        else:
            self._looks.wait("", now, closed=True, rest_s=0.0)
        return self.go_on(now)

    def look_at_linked(self, now: float) -> list[Action | Fact]:
        """Somebody wants to be sure: look at what may be written to under a name that is not
        watched."""
        self._linked.look_at_all(now)
        return self.go_on(now)

    def walk_all(self, now: float) -> list[Action | Fact]:
        """Somebody wants to be sure: walk everything now."""
        self.walks.later("")
        return self.go_on(now)

    def tick(self, now: float) -> list[Action | Fact]:
        if self.stopped:
            return []
        self.walks.tick(now)
        for path in self._unreadable.due(now):
            self.walks.later(path)
        self._look_for_mounts(now)
        return self.go_on(now)

    def walked(self, fact: Walked, now: float) -> list[Action | Fact]:
        self.walks.stepped()
        foreign = self._store.foreign(fact.foreign)
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        out = self._mounted(fact, now)
        for problem in fact.problems:
            out += self._judging.problem(problem, now)
        out += self._strange(foreign)
        for path in fact.dirty:
            self._looks.wait(path, now, closed=None, rest_s=0.0)
        for path in self._claims.changing(fact.prefix):
            # The walk held what it saw there against an index that does not know of it yet.
            self._looks.wait(path, now, closed=True)
        if fact.done:
            self.walks.walked(fact.prefix)
            out += self._solve(fact.prefix, ProblemKind.WATCH_LOST)
            if fact.seen and all(problem.path != fact.prefix for problem in fact.problems):
                # A look that began while it was away may have been answered after it came.
                out += self._solve(fact.prefix, ProblemKind.MOUNT_GONE)
        return out + self.go_on(now)

    def looked(self, fact: Looked, now: float) -> list[Action | Fact]:
        self._looks.answered()
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        out: list[Action | Fact] = []
        settled: list[Sighting] = []
        held = {seen.path for seen in fact.sightings if seen.path in self._departed}
        for path in self._linked.left_behind(fact.sightings):
            self._looks.wait(path, now, closed=True)
        # What is gone comes first: it may be what is found elsewhere.
        for sighting in sorted(fact.sightings, key=lambda seen: seen.sight is not Sight.GONE):
            self._looks.left(sighting.path)
            if sighting.sight is not Sight.GONE or self._departed.is_replaced(sighting.path):
                self._departed.forget(sighting.path)
            out += self._judging.judge(sighting, now, settled)
            problem = sighting.problem
            if problem is not None and problem.kind is ProblemKind.MOUNT_GONE:
                self._missed(problem.path)
        for path in fact.left:
            self._looks.left(path)
            self._looks.look_again(path, now)
        self._look_at_other_names(settled, now)
        for path in self._linked.others(unsettled(fact.sightings, settled), now):
            # What was written through a name before that became another file's is under the others.
            self._looks.wait(path, now, closed=None, rest_s=QUIET_S)
        return [*out, *self._judging.settle(settled, held, now), *self.go_on(now)]

    def _look_at_other_names(self, settled: list[Sighting], now: float) -> None:
        """What was written through one name is under the others, too, and no event tells."""
        for path in self._linked.others(settled, now):
            self._looks.wait(path, now, closed=True)
        if self._linked.unsure and self.walks.first_done:
            self.walks.soon(now)

    def slice_cut(self, fact: SliceCut, now: float) -> list[Action | Fact]:
        part = fact.slice
        if not self._looks.cuts.take(part, now) or self._looks.cuts.rests(part.path):
            return self.go_on(now)
        grows = self._looks.cuts.may_grow(part.path)
        if part.still and (offset := self._looks.cuts.next_offset(part.path)) is not None:
            return [Work(CutSlice(self.folder, part.path, part.key, offset, grows))]
        cut = self._looks.cuts.end(part.path)
        packed = cut.rows
        waiting = self._looks.waiting.pop(part.path)
        assert waiting is not None, "what is cut waits"
        if part.why:
            problem = Problem(self.folder, part.path, ProblemKind.UNREADABLE, part.why)
            out = self._judging.problem(problem, now)
            out += self._judging.finish(part.path, waiting, now, clear=False)
            return [*out, *self.go_on(now)]
        if not part.still or cut.torn:
            return self._judging.restless(part.path, waiting, part.key, now) + self.go_on(now)
        if len(packed) > MAX_ROWS * ROW_BYTES:
            problem = Problem(self.folder, part.path, ProblemKind.TOO_LARGE)
            out = self._judging.finish(part.path, waiting, now, clear=False)
            return [*out, *self._problems.show(problem), *self.go_on(now)]
        key, (content, depth) = part.key, self._content(part.key, packed)
        observed = Observed(
            part.path, Kind.FILE, key.size, key.mtime_ns, key.exec, content, depth, cut.noise
        )
        settled = Sighting(part.path, Sight.FOUND, key, observed)
        if cut.grew or waiting.written:
            out = self._judging.taken(part.path, waiting, key, now)
        else:
            out = self._judging.finish(part.path, waiting, now)
        held = {part.path} if part.path in self._departed else set()
        self._look_at_other_names([settled], now)
        return [*out, *self._judging.settle([settled], held, now), *self.go_on(now)]

    def _content(self, key: ScanKey, packed: bytes) -> tuple[ContentId, int]:
        """Content and depth of a file with these rows; its lists are in the index then."""
        if key.size <= ONE_CHUNK_MAX_BYTES:
            return ContentId(packed[:ID_BYTES]), 0
        listed = build(self._keys, packed)
        for id, rows in listed.lists:
            self._store.put_list(id, rows)
        return listed.content, listed.depth

    # -- going on -----------------------------------------------------------------------------

    def go_on(self, now: float) -> list[Action | Fact]:
        """Whatever can be started now."""
        if self.stopped or not self._may_look():
            return []
        out = self._judging.let_go(now, quiet=self.read_all)
        if self._polls_linked:
            for path in self._linked.due(now):
                self._looks.wait(path, now, closed=None, rest_s=0.0)
        for paths in self._looks.begin(now):
            out.append(Work(Look(self.folder, paths)))
        for path, key, grows in self._looks.cuts.begin(now):
            out.append(Work(CutSlice(self.folder, path, key, 0, grows)))
        if (walk := self.walks.step(room=self._looks.has_room)) is not None:
            if walk[1] == "" and walk[0] != self._whole_walk:
                self._whole_walk = walk[0]
                self._problems.walk_begins()
                self._linked.walked_all()
            self._store.before_walk()
            out.append(Work(Walk(self.folder, *walk)))
        return out + self._ended()

    @property
    def _polls_linked(self) -> bool:
        return self.walks.first_done and self._looks.has_room

    def _ended(self) -> list[Action | Fact]:
        if self._looks.reading or self._departed:
            return []
        over = self.walks.over(self._looks.waiting)
        out: list[Action | Fact] = []
        for prefix in over:
            if self._unreadable.tried(prefix):
                for kind in TRIED_AGAIN:
                    out += self._solve(prefix, kind)
            if prefix == "":
                out += self._problems.settled_by_walk()
        return out + [WalkEnded(self.folder, prefix) for prefix in over]

    def _mounted(self, fact: Walked, now: float) -> list[Action | Fact]:
        """A mount that came since the first walk, and that nobody told us of, is not watched."""
        self._mounting.walked(fact)
        out: list[Action | Fact] = []
        for path in fact.came:
            if self.walks.first_done and path not in self._mounting.watched:
                self.walks.poll(path, now)
            out += self._solve(path, ProblemKind.MOUNT_GONE)
        return out

    def _missed(self, path: str) -> None:
        """A look came upon it. One that no walk has found is looked for by nobody but a walk."""
        if path not in self._mounting:
            self.walks.later(path)

    def _look_for_mounts(self, now: float) -> None:
        for path in self._mounting.due(now):
            if self._problems.kind_of(path) is ProblemKind.MOUNT_GONE:
                self.walks.later(path)
            else:
                self._looks.wait(path, now, closed=True, rest_s=0.0)

    def _solve(self, prefix: str, kind: ProblemKind) -> list[Action | Fact]:
        """A walk of `prefix` made good what its problem was, if it is of this kind."""
        path = prefix or "."
        return self._problems.clear(path) if self._problems.kind_of(path) is kind else []
