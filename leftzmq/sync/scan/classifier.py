"""What a sighting means: the path has settled, is to be looked at once more, or is a Problem.

Knows sightings, and our index as scan keys. Must not know when looks and walks are made, nor what a
version is. A settled sighting is reported when nothing speaks against it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.store import Store
from leftzmq.sync.actions import Outputs
from leftzmq.sync.facts import PathsSettled
from leftzmq.sync.problems import Problems
from leftzmq.sync.scan.look_queue import LookQueue
from leftzmq.sync.scan.look_times import QUIET_S, SETTLE_S, TouchedPath
from leftzmq.sync.scan.pending_deletes import PendingDeletes
from leftzmq.sync.scan.read_retries import ReadRetries
from leftzmq.sync.scan.unseen_parts import UnseenParts
from leftzmq.sync.scan.walks import Walks
from leftzmq.sync.versions.held_sightings import still_true
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.tree.entry import Kind, ScanKey

QUIET_NS: Final = 1_000_000_000
OTHER_SPELLING_S: Final = 1.5
"""The kernel caches for a second (the default of libfuse) what a FUSE file system said of a file
under one spelling, whatever was written to the file under another one."""
ENTERED_MAX: Final = 1_000
RENAMED_MAX: Final = 10_000
OF_TICKETS: Final = frozenset(
    (ProblemKind.UNWRITABLE, ProblemKind.NAME_FOLDS, ProblemKind.MODE_NOT_SET)
)
"""Problems of paths at which a version cannot be put. That nothing is there does not solve them."""
NOT_IN_A_STAT: Final = frozenset(
    (
        ProblemKind.ACCESS_LOST,
        ProblemKind.ROTTEN,
        ProblemKind.IGNORED_IN_THE_WAY,
        ProblemKind.MODE_NOT_SET,
    )
)
"""Problems that a stat cannot solve, even when it is still the stat of our index."""
TRIED_AGAIN: Final = frozenset((ProblemKind.UNREADABLE, ProblemKind.FLUSH_FAILED))
NOT_SEEN: Final = TRIED_AGAIN | {ProblemKind.MOUNT_GONE}
"""Nobody knows what is at a path with one of these, nor below it."""


class Classifier:
    """The classifier of one folder.

    pending_deletes: paths that were found gone; their deletes are not reported yet
    read_retries: what could not be read, and is tried again
    unseen: what could not be looked at since the start
    """

    def __init__(
        self,
        store: Store,
        locks: PathLocks,
        problems: Problems,
        look_queue: LookQueue,
        walks: Walks,
    ) -> None:
        self.folder, self._store, self._locks = problems.folder, store, locks
        self._problems, self._look_queue, self._walks = problems, look_queue, walks
        self.pending_deletes, self.read_retries = PendingDeletes(), ReadRetries()
        self.unseen = UnseenParts()
        self._made: set[str] = set()  # touched with MADE, and not looked at since
        # Directories found with this key, walked into, and not ours since.
        self._entered: dict[str, ScanKey] = {}
        # New names whose files had another one, which is looked at first.
        self._renamed: set[str] = set()
        self._was_empty = False

    def start(self) -> None:
        """The first walk begins."""
        self._was_empty = not self._store.has_alive_below("")

    def made_here(self, path: str) -> None:
        """`path` was made or moved here: there may be more to find below it than its next look
        sees."""
        self._made.add(path)

    # -- what was seen ---------------------------------------------------------------------------

    def judge(self, sighting: Sighting, now: float, settled: list[Sighting]) -> Outputs:
        """Judges what a look saw. What has settled is added to `settled`."""
        path = sighting.path
        touched = self._look_queue.touched.pop(path)
        made = path in self._made
        # If touched again, the path was perhaps made after the look.
        if touched is None or not touched.again:
            self._made.discard(path)
        if touched is None:
            touched = self._look_queue.touched.new(now, closed=False)
        touched.edit = False
        if sighting.sight is not Sight.PROBLEM:
            self.read_retries.tried(path)
        entered = self._entered.pop(path, None)
        match sighting.sight:
            case Sight.SAME:
                if made and path == "":
                    self._walks.soon(now)
                elif made and sighting.key is not None and sighting.key.kind is Kind.DIRECTORY:
                    # A directory that was removed and made anew may have the same inode, or the
                    # applier was faster. What was put in it before it was watched has no event of
                    # its own. Neither has a file that cannot be opened by its name.
                    self._walk_into(sighting)
                clear = self._problems.kind_of(path) not in NOT_IN_A_STAT
                return self.finish(path, touched, now, clear=clear)
            case Sight.GONE:
                self._walks.poll_no_more(path)
                if sighting.other:
                    # The path that was touched under this name is there under another spelling.
                    self._look_queue.touch(sighting.other, now + OTHER_SPELLING_S, closed=True)
                is_held = path in self.pending_deletes
                is_news = not is_held or self.pending_deletes.was_doubted(path)
                if is_news and self._store.has_alive_below(path):
                    self._walks.later(path)
                if not is_held and not self.pending_deletes.hold_delete(sighting, now):
                    settled.append(sighting)
                told = self._problems.kind_of(path) in OF_TICKETS
                return self.finish(path, touched, now, clear=not told)
            case Sight.IGNORED:
                return self.finish(path, touched, now)
            case Sight.PROBLEM:
                assert sighting.problem is not None
                shown = self.problem(sighting.problem, now)
                # The problem may be that of the mount which this path is on. This path does not
                # wait any more then, and once the mount is back a walk passes what is as our index
                # has it: nothing would ever tell that nobody writes here.
                is_written = self._problems.kind_of(path) is ProblemKind.BEING_WRITTEN
                return shown + self.finish(path, touched, now, clear=is_written)
            case Sight.RESTLESS:
                return self.restless(path, touched, sighting.key, now)
            case Sight.FOUND | Sight.LARGE:
                return self._found(sighting, touched, now, settled, None if made else entered)

    def _found(
        self,
        sighting: Sighting,
        touched: TouchedPath,
        now: float,
        settled: list[Sighting],
        entered: ScanKey | None,
    ) -> Outputs:
        path, key = sighting.path, sighting.key
        assert key is not None
        written = self._under_a_pen(touched, sighting, key, now)
        overdue = touched.is_overdue(now)
        if written and not overdue:
            return self._put_off(path, touched, key, now)
        if sighting.sight is Sight.LARGE:
            touched.written = written
            self._look_queue.cut(path, touched, key, grows=overdue)
            return []
        if key.kind is Kind.DIRECTORY:
            # The walk finds the directory itself again, as long as it is not ours.
            if key != entered:
                self._walk_into(sighting)
            if len(self._entered) >= ENTERED_MAX:
                self._entered.clear()
            self._entered[path] = key
        settled.append(sighting)
        if sighting.young:
            touched.note(key, now)
            self._look_queue.look_at(path, touched, now + SETTLE_S)
            return []
        return (
            self.state_taken(path, touched, key, now)
            if written
            else self.finish(path, touched, now)
        )

    def _walk_into(self, sighting: Sighting) -> None:
        """Walks the directory. If it is empty on disk and in our index, there is nothing to find:
        what appears in it later has events of its own."""
        if not (sighting.empty and self._is_empty(sighting.path)):
            self._walks.later(sighting.path)

    def _under_a_pen(
        self, touched: TouchedPath, sighting: Sighting, key: ScanKey, now: float
    ) -> bool:
        """The file is young, not closed, and has not yet been seen standing still for a second."""
        if touched.closed or key.kind is not Kind.FILE or sighting.age_ns >= QUIET_NS:
            return False
        return not touched.stood_still(key, now)

    def _put_off(self, path: str, touched: TouchedPath, key: ScanKey, now: float) -> Outputs:
        """The file is being written: looks again when it stands still, or at its bound."""
        changed = touched.saw(key, self._look_queue.touched.patience_s, now)
        self._look_again(path, touched, now)
        return self._being_written(path) if changed and touched.is_long(now) else []

    def state_taken(self, path: str, touched: TouchedPath, key: ScanKey, now: float) -> Outputs:
        """The state of the file at `key` is taken, although the file is being written. The next
        look tells whether it still is."""
        touched.state_taken(key, now)
        self._look_again(path, touched, now)
        return self._being_written(path)

    def restless(self, path: str, touched: TouchedPath, key: ScanKey | None, now: float) -> Outputs:
        """The file changed while it was read, or is too young for its stat to be trusted."""
        if touched.is_overdue(now):
            return self._overdue(path, touched, key, now)
        if touched.closed and touched.key != key:
            # The first look was too early by a few milliseconds: looks once more, soon.
            touched.note(key, now)
            self._look_queue.look_at(path, touched, min(now + SETTLE_S, touched.bound))
            return []
        if not touched.again:
            touched.closed = False
        if key is None:
            self._look_again(path, touched, now)
            return []
        return self._put_off(path, touched, key, now)

    def _overdue(self, path: str, touched: TouchedPath, key: ScanKey | None, now: float) -> Outputs:
        """The state of the file is due, and no look can read it in one piece. A file that only
        grows may be taken as it was at the look before. Any other file is looked at again, less and
        less often."""
        before = touched.note(key, now)
        if not touched.again:
            touched.closed = False
        if before is not None and key is not None and before.size and before.has_grown(key):
            self._look_queue.cut(path, touched, before, grows=True)
            return []
        touched.not_taken(now)
        self._look_again(path, touched, now)
        return self._being_written(path)

    def _look_again(self, path: str, touched: TouchedPath, now: float) -> None:
        """Looks again when nothing touches the path for a while, and sooner if something touched it
        during the look."""
        due = touched.rested(now)
        if touched.again:
            due = touched.touched(now, SETTLE_S if touched.closed else QUIET_S)
        self._look_queue.look_at(path, touched, due)

    def _being_written(self, path: str) -> Outputs:
        return self._problems.show(Problem(self.folder, path, ProblemKind.BEING_WRITTEN))

    def finish(self, path: str, touched: TouchedPath, now: float, *, clear: bool = True) -> Outputs:
        """This look is over. A touch that arrived during the look counts anew."""
        self._look_queue.finish(path, touched, now)
        if self._walks.is_polled(path) and self._problems.kind_of(path) is ProblemKind.WATCH_LIMIT:
            return []  # the directory itself has no problem
        return self._problems.clear(path) if clear else []

    def problem(self, problem: Problem, now: float) -> Outputs:
        """A look or a walk found this problem. What could not be read or flushed is tried again,
        and so is a mount that is away since the start."""
        path = "" if problem.path == "." else problem.path
        is_unseen = problem.kind in NOT_SEEN and self.unseen.not_seen(
            path, is_new=not self._walks.first_done
        )
        if problem.kind in TRIED_AGAIN or is_unseen:
            # A mount that is back is walked at once. But a look that began before may be answered
            # after that walk.
            self.read_retries.read_failed(path, now)
        return self._problems.show(problem)

    # -- what may be reported ------------------------------------------------------------------

    def report_pending(self, now: float, *, quiet: bool) -> Outputs:
        """Reports the pending deletes that may be reported now. quiet: nothing else is being looked
        at."""
        gone, doubted = self.pending_deletes.to_report(now, self._is_empty, quiet=quiet)
        for path in doubted:
            self._look_queue.touch(path, now, closed=True, rest_s=0.0)
        said = self._still_true(gone, now)
        return [PathsSettled(self.folder, said)] if said else []

    def report(self, settled: list[Sighting], held: set[str], now: float) -> Outputs:
        """Reports those of the settled sightings that may be reported, each behind the delete of
        the path that its file had before. held: paths whose deletes were pending when they were
        looked at."""
        alone = self._without_replacements(self._after_old_names(settled, now), held, now)
        with_origins = self.pending_deletes.with_origins(alone, now)
        for path in {seen.path for seen in with_origins}.difference(seen.path for seen in alone):
            # The look that found the file elsewhere may be out of date. Where the file is back, a
            # walk has passed it: our index had it still.
            self._look_queue.touch(path, now, closed=True)
        together = self._still_true(with_origins, now)
        return [PathsSettled(self.folder, together)] if together else []

    def _after_old_names(self, settled: list[Sighting], now: float) -> list[Sighting]:
        """Leaves out new small files that had another name in our index, where no look has found
        them gone yet, as it sorts behind the new one: both are looked at, the old name first. Once:
        what is at the old name may never be known. A large file is not read twice for that: while
        it was read, its old name was looked at."""
        if self._was_empty and not self._walks.first_done:
            return settled  # our index has only what this walk found
        likely = [seen for seen in settled if self._may_be_renamed(seen)]
        known = self._store.scan_keys(seen.path for seen in likely) if likely else {}
        new = {seen.path for seen in likely if known.get(seen.path) is None}
        out: list[Sighting] = []
        for seen in settled:
            is_second = seen.path in self._renamed
            self._renamed.discard(seen.path)
            old = self._old_name(seen) if seen.path in new and not is_second else ""
            if not old:
                out.append(seen)
                continue
            if len(self._renamed) >= RENAMED_MAX:
                self._renamed.clear()
            self._renamed.add(seen.path)
            self._look_queue.touch(old, now, closed=True, rest_s=0.0)
            self._look_queue.touch(seen.path, now, closed=True, rest_s=0.0)
        return out

    def _may_be_renamed(self, seen: Sighting) -> bool:
        """Whether this is a small file with one name, which was not made a moment ago, and of which
        no look has found an old name gone."""
        key, observed = seen.key, seen.observed
        if key is None or observed is None or key.kind is not Kind.FILE:
            return False
        if observed.depth or key.links > 1 or abs(key.ctime_ns - key.mtime_ns) < QUIET_NS:
            return False
        return not self.pending_deletes.has_origin(seen)

    def _old_name(self, seen: Sighting) -> str:
        """The name that this new file had, as far as our index says; "": none."""
        assert seen.key is not None and seen.observed is not None
        inode, twins = seen.key.inode, self._store.twins(seen.observed.content)
        names = (row.entry.path for row in twins if row.scan and row.scan.inode == inode)
        return next((name for name in names if name != seen.path), "")

    def _without_replacements(
        self, settled: list[Sighting], held: set[str], now: float
    ) -> list[Sighting]:
        """Leaves out files and links in the place of directories below which our index has
        something. A walk finds that it is gone. The index may not have the directory itself: what
        is in it may have been looked at, and reported, before it. held: the paths for which such a
        walk has begun already."""
        files = {
            seen.path
            for seen in settled
            if seen.observed is not None and seen.observed.kind is not Kind.DIRECTORY
        }
        keys = self._store.scan_keys(files) if files else {}
        folders = {path for path, key in keys.items() if key and key.kind is Kind.DIRECTORY}
        out: list[Sighting] = []
        for seen in settled:
            # Nothing is made or taken in what is not ours. And every new file gets here.
            is_empty = self._is_empty if seen.path in folders else self._has_nothing_below
            if seen.path not in files or is_empty(seen.path):
                out.append(seen)
                continue
            self.pending_deletes.hold_replacement(seen, now)
            if seen.path not in held:
                self._walks.later(seen.path)
        return out

    def _still_true(self, sightings: Sequence[Sighting], now: float) -> tuple[Sighting, ...]:
        """Those of them that may be reported. The paths of the others are looked at once more."""
        true, changed = still_true(sightings, self._store, self._locks, _is_held_delete)
        for path in changed:
            self._look_queue.touch(path, now, closed=True)
        return tuple(true)

    def _is_empty(self, path: str) -> bool:
        """Whether everything below `path` was reported as gone, and no operation changes anything
        there."""
        is_busy = any(each != path for each in self._locks.changing(path))
        return not is_busy and self._has_nothing_below(path)

    def _has_nothing_below(self, path: str) -> bool:
        return not self._store.has_alive_below(path)


def _is_held_delete(seen: Sighting) -> bool:
    return seen.sight is Sight.GONE and seen.key is not None
