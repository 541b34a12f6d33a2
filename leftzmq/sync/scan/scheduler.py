"""When to look at which path: paths that were touched wait here until they stand still.

Knows touches, sightings and time. Must not know what a version is: settled sightings are passed on
to the announcer.

A path is looked at when it is due: at once after a close, after a second without one. A file that
keeps changing is looked at again with doubling patience and shown as a Problem. The paths that
walks find are treated the same way, so everything that is read passes through here, one look at a
time.
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
from leftzmq.sync.actions import Outputs, Work
from leftzmq.sync.facts import (
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
from leftzmq.sync.scan.classifier import TRIED_AGAIN, Classifier
from leftzmq.sync.scan.hard_links import HardLinks, unsettled
from leftzmq.sync.scan.keeping import Keeping
from leftzmq.sync.scan.look_queue import LookQueue
from leftzmq.sync.scan.look_times import QUIET_S
from leftzmq.sync.scan.mount_polls import MountPolls
from leftzmq.sync.scan.scan_counts import ScanCounts
from leftzmq.sync.scan.walks import Walks
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.tree.entry import ID_BYTES, ContentId, Kind, Observed, ScanKey
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Staged


class Scheduler:
    """The scheduler of one folder.

    may_look: False while what a crash left half done waits to be repaired: a look would take it for
              a user's change
    keeping: which paths are kept
    strange: tells which operations left the `.lefting` files that a walk found and our index does
             not know
    write_down: notes the modes of paths that are otherwise as our index has them
    patience_s: how long to wait for a file that does not stand still

    `counts`: what it did so far
    """

    def __init__(
        self,
        folder: str,
        store: Store,
        keys: FolderKeys,
        locks: PathLocks,
        problems: Problems,
        keeping: Keeping,
        may_look: Callable[[], bool],
        strange: Callable[[Sequence[Staged]], Outputs],
        write_down: Callable[[Sequence[tuple[str, int]]], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.folder, self._store, self._keys = folder, store, keys
        self._locks, self._problems, self._may_look = locks, problems, may_look
        self._keeping = keeping
        self._strange, self._write_down = strange, write_down
        self._look_queue = LookQueue(locks, patience_s)
        self._mount_polls, self._hard_links = MountPolls(store), HardLinks(store)
        self._last_walk = 0  # the number of the last walk that began
        self._walk_began = 0.0  # monotonic
        self.counts = ScanCounts()
        self.walks = Walks()
        self._classifier = Classifier(store, locks, problems, self._look_queue, self.walks)
        self._pending_deletes, self._read_retries = (
            self._classifier.pending_deletes,
            self._classifier.read_retries,
        )
        self._unseen = self._classifier.unseen
        self.stopped = self.tells_each_change = False

    def tune(self, patience_s: float) -> None:
        """How long to wait for files that are touched from now on."""
        self._look_queue.touched.patience_s = patience_s

    # -- questions -------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether no path waits, is looked at or walked."""
        busy = (
            self._look_queue
            or self.walks.under_way
            or self._pending_deletes
            or self._hard_links.urgent
        )
        return not busy

    def is_idle_at(self, path: str) -> bool:
        """Whether nothing at `path` or below it waits, is looked at or walked, as far as is known.
        A file that is only being written on and on counts as a problem, and not as a path that
        waits."""
        waits = self._look_queue.touched.first_eager(path)
        return not (waits or self.walks.under_way or self._pending_deletes)

    def has_to_look(self, path: str) -> bool:
        """Whether what is at `path` is still to be looked at, as far as is known, or what a look
        saw there is not reported yet."""
        is_walked = self.walks.first_done and not self.walks.under_way
        waits = self._look_queue.waits(path) or path in self._pending_deletes
        return waits or not is_walked or path in self._unseen

    @property
    def read_all(self) -> bool:
        """Whether nothing is left to be looked at, as far as is known, except files that are being
        written."""
        return not (self._look_queue.busy or self.walks.under_way)

    @property
    def unsure(self) -> bool:
        """Whether only a walk of everything tells what was written under other names."""
        return self._hard_links.unsure

    def is_unseen(self, path: str) -> bool:
        """Whether nobody could look at `path` since the start, although the first walk may be
        over."""
        return path in self._unseen

    def deadline(self) -> float | None:
        """When something is due next (monotonic)."""
        if self.stopped or not self._may_look():
            return None
        times = (
            self._look_queue.first_due(),
            self._look_queue.cuts.deadline(),
            self.walks.deadline(),
            self._pending_deletes.deadline(),
            self._read_retries.deadline(),
            self._mount_polls.deadline(),
            self._hard_links.deadline() if self._polls_linked else None,
        )
        return min((time for time in times if time is not None), default=None)

    # -- facts -------------------------------------------------------------------------------

    def start(self, now: float) -> Outputs:
        """The first walk: everything that changed while no agent ran."""
        self._classifier.start()
        self.walks.start(now)
        return self.go_on(now)

    def on_paths_touched(self, fact: PathsTouched, now: float) -> Outputs:
        gone = [path for path, touch in fact.touches if touch is Touch.GONE]
        for folder in self._keeping.shells(map(parent_of, gone)):
            self.walks.later(folder)  # perhaps it can go now, as what went was ignored
        for path, touch in fact.touches:
            if self._keeping.ignores_all_at(path):
                continue
            if self._look_queue.is_full and path not in self._look_queue.touched:
                # Names appear and disappear faster than anyone can look at them. A walk finds those
                # that are left, and whatever else was touched meanwhile.
                self.walks.later("")
                continue
            match touch:
                case Touch.CLOSED if self._is_edit(path):
                    self._look_queue.edited(path, now)
                case Touch.CLOSED | Touch.GONE | Touch.MADE:
                    self._look_queue.touch(path, now, closed=touch is Touch.CLOSED)
                    if touch is Touch.MADE:
                        self._classifier.made_here(path)
                case Touch.MODIFIED:
                    self._look_queue.touch(path, now, closed=False, rest_s=QUIET_S)
        return self.go_on(now)

    def _is_edit(self, path: str) -> bool:
        """Whether what was closed is a file of ours, and may be told at once. A name that is new
        waits: it may be the one that a program writes before it renames it."""
        if not (self.tells_each_change and self._look_queue.is_calm):
            return False
        known = self._store.scan_keys((path,)).get(path)
        return known is not None and known.kind is Kind.FILE and not is_rule_file(path)

    def on_paths_cleared(self, fact: PathsCleared, now: float) -> None:
        """Our index has these now."""
        self._pending_deletes.told((s.path for s in fact.sightings if s.sight is Sight.GONE), now)

    def on_rescan_wanted(self, fact: RescanWanted, now: float) -> Outputs:
        for path in fact.paths:
            # The report may be of a file that is being written: such a file still counts as that.
            self._look_queue.touch(
                path, now, closed=None if path in self._look_queue.touched else True
            )
            if fact.walk:
                self.walks.later(path)
        return self.go_on(now)

    def on_watch_lost(self, fact: WatchLost, now: float) -> Outputs:
        kind = ProblemKind.WATCH_LIMIT if fact.polled else ProblemKind.WATCH_LOST
        problem = Problem(self.folder, fact.prefix or ".", kind, fact.why)
        out = self._problems.show(problem)
        if fact.polled:
            self.walks.poll(fact.prefix, now)
        else:
            self.counts.overflows += 1
        self._look_queue.look_again_below(fact.prefix)
        self.walks.later(fact.prefix)
        return out + self.go_on(now)

    def on_watch_regained(self, fact: WatchRegained, now: float) -> Outputs:
        self.walks.poll_no_more(fact.prefix)
        self._look_queue.look_again_below(fact.prefix)
        self.walks.later(fact.prefix)
        return self._solve(fact.prefix, ProblemKind.WATCH_LIMIT) + self.go_on(now)

    def on_mount_changed(self, fact: MountChanged, now: float) -> Outputs:
        """What is at the path now is watched, and looked at as soon as possible. At the share
        itself, any look tells whether it is still the share that we know."""
        if fact.path:
            self._mount_polls.is_watched(fact.path)
            self._look_queue.look_again_below(fact.path)
            self.walks.later(fact.path)
        else:
            self._look_queue.touch("", now, closed=True, rest_s=0.0)
        return self.go_on(now)

    def look_at_linked(self, now: float) -> Outputs:
        """Somebody wants to be sure: looks at files that may be written to under a name that is not
        watched."""
        self._hard_links.look_at_all(now)
        return self.go_on(now)

    def walk_all(self, now: float) -> Outputs:
        """Somebody wants to be sure: walks everything now."""
        self.walks.later("")
        return self.go_on(now)

    def on_time_passed(self, now: float) -> Outputs:
        if self.stopped:
            return []
        self.walks.on_time_passed(now)
        for path in self._read_retries.due(now):
            if is_rule_file(path):  # a walk of the file alone does not read its rules
                self._look_queue.touch(path, now, closed=True, rest_s=0.0)
            else:
                self.walks.later(path)
        self._look_for_mounts(now)
        return self.go_on(now)

    def on_walked(self, fact: Walked, now: float) -> Outputs:
        self.walks.stepped()
        self.counts.paths += fact.seen
        foreign = self._store.leftings.foreign(fact.foreign)
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        out = self._keeping.on_rules_read(fact.rules, now)
        out += self._mounted(fact, now)
        self._unseen.stepped(fact.walk)
        for problem in fact.problems:
            out += self._classifier.problem(problem, now)
        out += self._strange(foreign)
        if fact.modes:
            self._write_down(fact.modes)
        for path in fact.dirty:
            self._look_queue.touch(path, now, closed=None, rest_s=0.0)
        for path in self._locks.changing(fact.prefix):
            # The walk compared what it saw there with an index that does not know of the change
            # yet.
            self._look_queue.touch(path, now, closed=True)
        if fact.done:
            self.counts.walks += 1
            self.counts.walk_s += now - self._walk_began
            self.walks.walked(fact.prefix)
            self._unseen.passed(fact.prefix)
            out += self._solve(fact.prefix, ProblemKind.WATCH_LOST)
            if fact.seen and all(problem.path != fact.prefix for problem in fact.problems):
                # A look that began while the mount was away may have been answered after it was
                # back.
                out += self._solve(fact.prefix, ProblemKind.MOUNT_GONE)
        return out + self.go_on(now)

    def on_looked(self, fact: Looked, now: float) -> Outputs:
        self._look_queue.answered()
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        rules = [seen.rules for seen in fact.sightings if seen.rules is not None]
        out = self._keeping.on_rules_read(rules, now) if rules else []
        settled: list[Sighting] = []
        held = {seen.path for seen in fact.sightings if seen.path in self._pending_deletes}
        for path in self._hard_links.left_behind(fact.sightings):
            self._look_queue.touch(path, now, closed=True)
        gone = {seen.path for seen in fact.sightings if seen.sight is Sight.GONE}
        files = {
            seen.path
            for seen in fact.sightings
            if seen.key is not None and seen.key.kind is not Kind.DIRECTORY
        }
        self._look_queue.saw_no_folders(gone | files, gone)
        # Deletes are judged first: the same file may be found elsewhere.
        for sighting in sorted(fact.sightings, key=lambda seen: seen.sight is not Sight.GONE):
            self._count_hashed(sighting)
            self._look_queue.not_looked_at(sighting.path)
            is_replaced = self._pending_deletes.is_replaced(sighting.path)
            # What took a directory's place stays held while it is read: the walk for what was in
            # the directory began already, and another one would lead to another read.
            stays = Sight.LARGE if is_replaced else Sight.GONE
            if sighting.sight is not stays:
                self._pending_deletes.seen_again(sighting.path)
            out += self._classifier.judge(sighting, now, settled)
            problem = sighting.problem
            if problem is not None and problem.kind is ProblemKind.MOUNT_GONE:
                self._missed(problem.path)
        for path in fact.left:
            self._look_queue.not_looked_at(path)
            self._look_queue.look_again(path, now)
        self._look_at_other_names(settled, now)
        for path in self._hard_links.others(unsettled(fact.sightings, settled), now):
            # What was written through a name, before that name became another file's, is under the
            # other names.
            self._look_queue.touch(path, now, closed=None, rest_s=QUIET_S)
        return [*out, *self._classifier.report(settled, held, now), *self.go_on(now)]

    def _count_hashed(self, sighting: Sighting) -> None:
        """Of a file that was read by the look itself."""
        key = sighting.key
        if sighting.sight is Sight.FOUND and key is not None and key.kind is Kind.FILE:
            self.counts.hashed_files += 1
            self.counts.hashed_bytes += key.size

    def _look_at_other_names(self, settled: list[Sighting], now: float) -> None:
        """What was written through one name is under the other names, too, and no event tells of
        it."""
        for path in self._hard_links.others(settled, now):
            self._look_queue.touch(path, now, closed=True)
        if self._hard_links.unsure and self.walks.first_done:
            self.walks.soon(now)

    def on_slice_cut(self, fact: SliceCut, now: float) -> Outputs:
        part = fact.slice
        self.counts.hashed_bytes += part.end - part.offset
        self.counts.hashed_files += part.offset < part.end == part.key.size
        if not self._look_queue.cuts.take_slice(part, now) or self._look_queue.cuts.rests(
            part.path
        ):
            return self.go_on(now)
        grows = self._look_queue.cuts.may_grow(part.path)
        if part.still and (offset := self._look_queue.cuts.next_offset(part.path)) is not None:
            return [Work(CutSlice(self.folder, part.path, part.key, offset, grows))]
        cut = self._look_queue.cuts.result_of(part.path)
        packed = cut.rows
        touched = self._look_queue.touched.pop(part.path)
        assert touched is not None, "what is cut waits"
        if part.why:
            problem = Problem(self.folder, part.path, ProblemKind.UNREADABLE, part.why)
            out = self._classifier.problem(problem, now)
            out += self._classifier.finish(part.path, touched, now, clear=False)
            return [*out, *self.go_on(now)]
        if not part.still or cut.torn:
            return self._classifier.restless(part.path, touched, part.key, now) + self.go_on(now)
        if len(packed) > MAX_ROWS * ROW_BYTES:
            problem = Problem(self.folder, part.path, ProblemKind.TOO_LARGE)
            out = self._classifier.finish(part.path, touched, now, clear=False)
            return [*out, *self._problems.show(problem), *self.go_on(now)]
        key, (content, depth) = part.key, self._content(part.key, packed)
        observed = Observed(
            part.path,
            Kind.FILE,
            key.size,
            key.mtime_ns,
            key.exec,
            content,
            depth,
            cut.noise,
            key.mode,
        )
        settled = Sighting(part.path, Sight.FOUND, key, observed)
        if cut.grew or touched.written:
            out = self._classifier.state_taken(part.path, touched, key, now)
        else:
            out = self._classifier.finish(part.path, touched, now)
        held = {part.path} if part.path in self._pending_deletes else set()
        self._pending_deletes.seen_again(part.path)
        self._look_at_other_names([settled], now)
        return [*out, *self._classifier.report([settled], held, now), *self.go_on(now)]

    def _content(self, key: ScanKey, packed: bytes) -> tuple[ContentId, int]:
        """Content and depth of a file with these rows. Its chunk lists are put in the index."""
        if key.size <= ONE_CHUNK_MAX_BYTES:
            return ContentId(packed[:ID_BYTES]), 0
        listed = build(self._keys, packed)
        for id, rows in listed.lists:
            self._store.put_list(id, rows)
        return listed.content, listed.depth

    # -- starting work -------------------------------------------------------------------------

    def go_on(self, now: float) -> Outputs:
        """Starts whatever can be started now."""
        if self.stopped or not self._may_look():
            return []
        out = self._classifier.report_pending(now, quiet=self.read_all)
        if self._polls_linked:
            for path in self._hard_links.due(now):
                self._look_queue.touch(path, now, closed=None, rest_s=0.0)
        for paths in self._look_queue.next_looks(now):
            edits = self._look_queue.edits(paths)
            out.append(Work(Look(self.folder, paths, self._keeping.rules, edits)))
        for path, key, grows in self._look_queue.cuts.files_to_begin(now):
            out.append(Work(CutSlice(self.folder, path, key, 0, grows)))
        if (walk := self.walks.step(room=self._look_queue.has_room)) is not None:
            if walk[0] != self._last_walk:
                self._last_walk, self._walk_began = walk[0], now
                self._pending_deletes.doubt_anew(self._look_queue.walk_begins(walk[1]))
                if walk[1] == "":
                    self._problems.walk_begins()
                    self._hard_links.walked_all()
            self._store.leftings.before_walk()
            out.append(Work(Walk(self.folder, *walk, self._keeping.rules)))
        return out + self._ended()

    @property
    def _polls_linked(self) -> bool:
        return self.walks.first_done and self._look_queue.has_room

    def _ended(self) -> Outputs:
        if self._look_queue.reading or self._pending_deletes:
            return []
        over = self.walks.prefixes_done(self._look_queue.touched)
        out: Outputs = []
        for prefix in over:
            if self._read_retries.tried(prefix):
                for kind in TRIED_AGAIN:
                    out += self._solve(prefix, kind)
            if prefix == "":
                out += self._problems.settled_by_walk()
        return out + [WalkEnded(self.folder, each, self._unseen.settled(each)) for each in over]

    def _mounted(self, fact: Walked, now: float) -> Outputs:
        """A mount that appeared since the first walk, without an event, is not watched: it is
        polled."""
        self._mount_polls.on_walked(fact, now)
        out: Outputs = []
        for path in fact.came:
            if self.walks.first_done and path not in self._mount_polls.watched:
                self.walks.poll(path, now)
            out += self._solve(path, ProblemKind.MOUNT_GONE)
        return out

    def _missed(self, path: str) -> None:
        """A look found that this mount is gone. A mount that no walk has found is looked for only
        by a walk."""
        if path not in self._mount_polls:
            self.walks.later(path)

    def _look_for_mounts(self, now: float) -> None:
        for path in self._mount_polls.due(now):
            if self._problems.kind_of(path) is ProblemKind.MOUNT_GONE:
                self.walks.later(path)
            else:
                self._look_queue.touch(path, now, closed=True, rest_s=0.0)

    def _solve(self, prefix: str, kind: ProblemKind) -> Outputs:
        """A walk of `prefix` solved the problem there, if it is of this kind."""
        path = prefix or "."
        return self._problems.clear(path) if self._problems.kind_of(path) is kind else []
