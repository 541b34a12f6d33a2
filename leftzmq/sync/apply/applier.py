"""Carries out tickets: asks for their bytes, and makes operations of them.

Knows at which stage a ticket is. Must not know how bytes arrive (the downloader does), how an
operation is carried out (disk/apply does) or what follows from its end (`results` does).
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.scan.sighting import Sight
from leftzmq.errors import Problem, ProblemKind, Shortage
from leftzmq.sync.actions import Action, Outputs, Tell, Work, tell_entry
from leftzmq.sync.apply.active_ticket import ActiveTicket, AtWork, TicketMove, TicketStage
from leftzmq.sync.apply.batches import Batches
from leftzmq.sync.apply.leftings import Leftings
from leftzmq.sync.apply.renames import Renames
from leftzmq.sync.apply.results import FAILED_RETRY_S, FULL_RETRY_S, Results, Source
from leftzmq.sync.apply.set_aside import GOING_BACK
from leftzmq.sync.apply.space_waits import SpaceWaits
from leftzmq.sync.apply.work_window import WorkWindow
from leftzmq.sync.exchange.announcer import Announcer
from leftzmq.sync.facts import (
    Fact,
    FileHeldUp,
    FileLeft,
    FileNotWanted,
    FileStaged,
    FileWanted,
    FolderStopped,
    FoundDeletedBytes,
    HoldersChanged,
    PathsCleared,
    PathsReconsidered,
    RescanWanted,
    WalkEnded,
)
from leftzmq.sync.guard.guard import Guard
from leftzmq.sync.guard.hold import Hold
from leftzmq.sync.guard.remote_deletes import GuardVerdict
from leftzmq.sync.jobs import (
    Applied,
    Apply,
    Discarded,
    Looked,
    RoomMade,
    RoomSeen,
    StagingCleared,
)
from leftzmq.sync.problems import Problems
from leftzmq.sync.scan.classifier import TRIED_AGAIN
from leftzmq.sync.scan.keeping import Keeping
from leftzmq.sync.versions.absent_deletes import AbsentDeletes
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import rules_are_back
from leftzmq.sync.versions.name_clashes import Apart, NameClashes
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import folders_above, is_within, parent_of
from leftzmq.tree.plan import Operation, Verb
from leftzmq.wire.local import EventKind, Scalar

REMOVE_REST_S: Final = 0.25
"""A file that is to be removed stays for this time: if it was renamed, the news of its new name
follows."""
FOLDER_RETRY_S: Final = 0.2
FOLDER_LATE_S: Final = 10.0
_RULES_UNREAD: Final = "it is new, and a file of ignore rules above it cannot be read"
NOT_IN_THE_WINDOW: Final = frozenset((ProblemKind.LOW_SPACE, ProblemKind.FAR_FUTURE))
"""What has one of these is found again in the index, as long as somebody holds it."""
_LIES: Final = "what lies there is not what it was: `touch` it to keep it as it is"
_FULL: Final = (Ending.DISK_FULL, Ending.FULL_AT_FLUSH)


class Applier:
    """The applier of one folder. While the folder is held, no ticket is taken up: nothing is asked
    for, staged, moved or copied."""

    def __init__(
        self,
        folder: str,
        index_view: IndexView,
        resolver: Resolver,
        name_clashes: NameClashes,
        absent_deletes: AbsentDeletes,
        announcer: Announcer,
        keeping: Keeping,
        guard: Guard,
        locks: PathLocks,
        problems: Problems,
        source: Source,
        hold: Hold,
    ) -> None:
        self._hold, self._locks, self._keeping = hold, locks, keeping
        self.folder, self._guard, self._problems = folder, guard, problems
        self._absent_deletes = absent_deletes
        self._index_view, self._resolver = index_view, resolver
        self._window = window = WorkWindow(index_view)
        self._renames = Renames(index_view.store, resolver, locks, window)
        self._name_clashes = name_clashes
        self._batches = Batches(index_view, resolver, name_clashes, locks, window, self._renames)
        self.leftings = Leftings(folder, index_view, problems)
        self._results = Results(
            folder,
            window,
            resolver,
            name_clashes,
            announcer,
            guard,
            self.leftings,
            locks,
            problems,
            source,
        )
        self._set_aside = self._results.set_aside
        self._space_waits = SpaceWaits(folder, holds=lambda: guard.holds)
        self.stopped = False

    @property
    def considered(self) -> bool:
        """Whether every ticket has been looked at."""
        return self._window.considered

    @property
    def idle(self) -> bool:
        leftings = self.leftings.clearing or self._index_view.turned
        waits = leftings or self._space_waits.waited_for or self._set_aside
        return self._window.idle and not waits

    def at_work(self, path: str) -> AtWork | None:
        """Return how far the ticket of `path` is; None: it is not worked at."""
        if self._set_aside.holds(path):
            return AtWork(TicketStage.APPLYING)
        active = self._window.active.get(path)
        if active is None:
            return None
        return AtWork(active.stage, active.since, active.no_folder_since is not None)

    def spelled_otherwise(self, path: str) -> str:
        """Return the other spelling that keeps `path` away from this disk; "": none does."""
        apart = self._name_clashes.apart(path)
        return "" if apart is None else apart.other

    @property
    def _rests(self) -> bool:
        """Whether nothing may be begun now."""
        return self.stopped or self._hold.holds or self.leftings.clearing

    def deadline(self, now: float) -> float | None:
        if self._rests:
            return None
        if self._results or self._index_view.turned or self._locks.has_freed:
            return now
        waiting = (self._space_waits, self.leftings, self._set_aside)
        times = [self._window.deadline(now), self._batches.source_pace.deadline()]
        times += (each.deadline() for each in waiting)
        return min((time for time in times if time is not None), default=None)

    # -- beginning ------------------------------------------------------------------------------

    def clear(self) -> Outputs:
        """At the start, before anything else: clears up what an earlier life left behind. Paths
        where something may have been left since before the folder was stopped are looked at,
        because a walk skips a path at which nothing is."""
        out = self.leftings.clear(spare=self._set_aside.holds)
        unsure = tuple(sorted(self._index_view.unsure))
        return [*out, RescanWanted(self.folder, unsure)] if unsure else out

    def goes_on_after(self, before: Applier) -> None:
        """This applier takes the place of the one that was stopped."""
        self.leftings.go_on_after(before.leftings)
        self._set_aside.go_on_after(before._set_aside)

    # -- facts ---------------------------------------------------------------------------------

    def on_paths_cleared(self, fact: PathsCleared, now: float) -> None:
        """Somebody else than the applier changed our share: no device may take all the time now."""
        self._batches.source_pace.user_changed(now)
        for seen in fact.sightings:
            if seen.observed is not None and seen.observed.kind is Kind.DIRECTORY:
                self._window.folder_made(seen.path)

    def on_looked(self, fact: Looked, now: float) -> Outputs:
        """Work can go on at paths that were looked at, and at those that waited for the look."""
        for seen in fact.sightings:
            is_told = seen.sight is Sight.SAME and self._resolver.stands(seen.path)
            if seen.sight is Sight.IGNORED and seen.key is not None:
                is_told = self._resolver.saw_ignored(seen.path, seen.key.kind)
            if is_told:
                self._window.consider(seen.path)
        return [*self._in_the_way(fact, now), *self.go_on(now)]

    def _in_the_way(self, fact: Looked, now: float) -> Outputs:
        """Something that is ignored has the name of what is to be put there: the ticket waits."""
        ignored = (seen.path for seen in fact.sightings if seen.sight is Sight.IGNORED)
        return [each for path in ignored for each in self._waits_for_way(path, "", now)]

    def on_untold(self, fact: PathsCleared, now: float) -> Outputs:
        """The same, where something has that name that is new below rules that cannot be read: it
        is told to nobody."""
        active = self._window.active
        lie = (seen for seen in fact.sightings if seen.path in active and seen.observed is not None)
        untold = (seen.path for seen in lie if not self._keeping.may_tell(seen))
        return [each for path in untold for each in self._waits_for_way(path, _RULES_UNREAD, now)]

    def _waits_for_way(self, path: str, why: str, now: float) -> Outputs:
        active = self._window.active.get(path)
        if active is None or not active.retry_at:
            return []
        self._window.put_off(active, now + FAILED_RETRY_S)
        problem = Problem(self.folder, path, ProblemKind.IGNORED_IN_THE_WAY, why)
        return self._problems.show(problem)

    def on_paths_reconsidered(self, fact: PathsReconsidered, now: float) -> Outputs:
        """These paths may be tickets now. No paths: the set of reachable devices changed, and every
        path may be one. Also called without a ticket left: what is in the work window may be no
        ticket any more."""
        if not fact.paths:
            self._index_view.held.let_be_unwanted(self._index_view.readers)
            for problem in self._problems.all():
                if problem.kind in NOT_IN_THE_WINDOW:
                    self._window.consider(problem.path)  # nor in the index, if nobody has it
        # Where a folder only sends, what others changed is no ticket. But what we have in its place
        # may have to be published again, now that somebody is there who has the other version.
        if not fact.paths and (self._index_view.counters.tickets or self._window.active):
            self._window.consider_all()
        for path in fact.paths:
            self._window.consider(path, fact.source)
        return self.go_on(now)

    def on_found_deleted_bytes(self, fact: FoundDeletedBytes, now: float) -> Outputs:
        entry = fact.found.entry
        verb = Verb.REMOVE if entry.deleted else Verb.SET_ATTRIBUTES
        ends = self._batches.ends_with_folder(entry)
        operation = Operation(verb, entry, fact.found.held, ends_folder=ends)
        active = self._window.active.get(entry.path)
        out: Outputs = []
        if active is not None and active.operation is not None:
            active.found_again(entry, operation)  # by the walk below it
        else:
            out = self._drop(entry.path)  # a version that was to be put there may have a .lefting
            active = ActiveTicket(TicketStage.WAITING, entry, operation=operation)
            self._window.active[entry.path] = active
        if active.stage is not TicketStage.APPLYING and not self._results.awaits_walk(entry.path):
            self._batches.push(entry.path, active)
        return [*out, *self.go_on(now)]

    def on_file_staged(self, fact: FileStaged, now: float) -> Outputs:
        path = fact.entry.path
        if fact.noise:
            self._index_view.is_noise(fact.entry)
        active = self._window.active.get(path)
        if active is None or active.entry.content != fact.entry.content:
            return self.leftings.discard(fact.staged)
        active.bytes_came(fact.staged)
        if active.stage is TicketStage.APPLYING:
            return []
        ticket = self._resolver.ticket(path) if fact.noise else None
        if ticket is not None and ticket.entry.rank == active.entry.rank:
            if ticket.ours is None:
                self._guard.noise_came(path)
            elif not self._goes(ticket, now):
                return self._drop(path)
        self._batches.push(path, active)
        if self._name_clashes.apart(path):
            self._window.consider(path)  # when it is to be said that it cannot be here
        return []

    def _goes(self, ticket: Ticket, now: float) -> bool:
        """Whether the guard lets the ticket pass. If not, the ticket is found again in the index,
        or is none any more."""
        way = self._guard.way(ticket, now)
        if way is GuardVerdict.REVERT:
            self._resolver.stay(ticket.entry.path)
        return way is GuardVerdict.GO

    def on_file_left(self, fact: FileLeft, now: float) -> Outputs:
        if self._name_clashes.apart(fact.entry.path):
            return self.leftings.discard(fact.staged)
        return self.leftings.ticket_ended(fact.entry, fact.staged)

    def on_discarded(self, fact: Discarded, now: float) -> Outputs:
        return self.leftings.on_discarded(fact, now)

    def on_staging_cleared(self, fact: StagingCleared, now: float) -> Outputs:
        out = self.leftings.on_staging_cleared(fact, now)
        out += [each for leftover in fact.swapped for each in self._set_aside.swapped(leftover)]
        return [*out, *self.go_on(now)]

    def on_file_held_up(self, fact: FileHeldUp, now: float) -> Outputs:
        active = self._window.active.get(fact.entry.path)
        if active is None or active.stage is TicketStage.APPLYING:
            return []
        if active.entry.content != fact.entry.content:
            return []  # it is another ticket by now
        if fact.problem.kind is ProblemKind.WAITING_FOR_FOLDER:
            return self._wait_for_folder(active, fact.problem, now)
        if isinstance(fact.problem, Shortage):
            # Not kept in the window, which would fill with waiting tickets: it is found again in
            # the index.
            self._space_waits.refused(fact.problem, fact.entry, now)
            self._window.drop(fact.entry.path)
            if self._space_waits.hopes:
                return []
        elif fact.problem.kind is ProblemKind.NOT_GIVEN:
            self._window.put_off(active, now + FAILED_RETRY_S)
            ticket = self._resolver.ticket(fact.entry.path)
            if ticket is not None and ticket.lies is not None:
                detail = f"{fact.problem.detail}; {_LIES}"
                return self._problems.show(replace(fact.problem, detail=detail))
        else:
            self._window.put_off(active, now + FULL_RETRY_S)
        asked: Outputs = []
        if fact.problem.kind is ProblemKind.DISK_FULL:
            asked += self._space_waits.disk_full(fact.entry.path, fact.entry.size, now)
        return asked + self._problems.show(fact.problem)

    def _wait_for_folder(self, active: ActiveTicket, problem: Problem, now: float) -> Outputs:
        """Waits until the directory is made. Only if it has not been made for a while is a Problem
        shown: the directory may be announced later than what is in it, wait for another one, or be
        a user's who has just removed it."""
        parent = parent_of(active.entry.path)
        row = self._index_view.ours(parent)
        is_made = row is not None and not row.entry.deleted and row.entry.kind is Kind.DIRECTORY
        out: Outputs = []
        if active.no_folder_since is None:
            active.no_folder_since = now
            if is_made:  # since the file was staged; or a user removed it and nobody looked yet
                out.append(RescanWanted(self.folder, (parent,)))
        is_late = now >= active.no_folder_since + FOLDER_LATE_S
        retry_s = FOLDER_RETRY_S if is_made and not is_late else FULL_RETRY_S
        # Something ignored may lie in the place of the folder for ever, also under another spelling
        # of its name, or, on a device that may only read, something of its user's: then the bytes
        # are fetched again when that is over, not again and again.
        may_lie_there = self._index_view.we_read or self._is_ignored_in_the_way(parent)
        for_ever = is_late and not is_made and may_lie_there
        self._window.wait_for_folder(active, parent, None if for_ever else now + retry_s)
        return out + self._problems.show(problem) if is_late else out

    def _is_ignored_in_the_way(self, folder: str) -> bool:
        kinds = {self._problems.kind_of(path) for path in (folder, *folders_above(folder))}
        return not kinds.isdisjoint((ProblemKind.IGNORED_IN_THE_WAY, ProblemKind.NAME_FOLDS))

    def on_room_seen(self, fact: RoomSeen, now: float) -> Outputs:
        if self._space_waits.on_room_seen(fact, now):
            self._window.consider_all()
        elif (first := self._space_waits.first) and self._resolver.ticket(first) is None:
            # The holder of `first` may have gone offline: no fact reports the paths of that.
            self._window.consider(first)
        return self.go_on(now)

    def on_room_made(self, fact: RoomMade, now: float) -> Outputs:
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        work, all_may = self._space_waits.on_room_made(fact, now)
        if all_may:
            self._window.consider_all()
        out: Outputs = [*work]
        if fact.files:
            fields: dict[str, Scalar] = {"folder": self.folder, "batches": 0, "bytes": fact.bytes}
            out.append(Tell(EventKind.SWEPT, fields | {"files": fact.files}))
        return out + self.go_on(now)

    def on_walk_ended(self, fact: WalkEnded, now: float) -> Outputs:
        is_first = fact.prefix == "" and not self._resolver.walked
        if is_first or (fact.saw_more and self._resolver.walked):
            self._index_view.all_walked()
            self._window.consider_all()
        self._results.on_walk_ended(fact.prefix)
        if fact.prefix == "":
            self._index_view.held.let_be_unwanted(self._index_view.readers)
        if self._name_clashes.on_walk_ended(fact.prefix):
            self._window.consider_all()
        return self.go_on(now)

    def _may_be_found_below(self, folder: str) -> bool:
        """Whether something that a walk found below `folder` is still to be removed, or something
        there could not be looked at."""
        if self._window.is_found_below(folder):
            return True
        shown = (problem for problem in self._problems.all() if problem.kind in TRIED_AGAIN)
        return any(is_within(problem.path, folder) for problem in shown)

    def on_time_passed(self, now: float) -> Outputs:
        self._name_clashes.end_respelling(self._may_be_found_below)
        # Those that waited for a lock go on here, not when it is released: a look releases its
        # locks before our index has what it saw.
        for path in (*self._window.wake(now), *self._locks.take_freed()):
            self._window.consider(path)
        again = [] if self.stopped else self.leftings.on_time_passed(now)
        left = [each for path in self._window.stale(now) for each in self._drop(path)]
        return [*self._space_waits.on_time_passed(now), *again, *left, *self.go_on(now)]

    def on_applied(self, fact: Applied, now: float) -> Outputs:
        if fact.batch != GOING_BACK:
            self._batches.batch_ended(fact.batch, now)
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        if fact.batch == GOING_BACK:
            return [*self._set_aside.on_applied(fact, now), *self.go_on(now)]
        self._results.add(fact.outcomes)
        full = [o.operation for o in fact.outcomes if o.ending in _FULL]
        asked = (
            self._space_waits.disk_full(full[0].path, max(o.entry.size for o in full), now)
            if full
            else []
        )
        return [*asked, *self.go_on(now)]

    def go_on(self, now: float) -> Outputs:
        """Handles some results, derives some tickets, starts batches."""
        if self._rests:
            return []
        out = [*self._set_aside.start(now), *self._results.handle_some(now)]
        for path in self.leftings.turned():
            if not self._is_under_way(path):
                out += self.leftings.useless(path)
            if self._name_clashes.other(path) is not None:
                self._window.consider(path)  # perhaps no device has it any more
        if not out:  # else in the next turn: each of the two takes half a turn
            paths = self._window.next_paths(now)
            self._index_view.recall(paths)
            for path in paths:
                out += [*self._consider(path, now), *self._look_at_rules_left(path)]
            out, moving = self._renames.at_home(out)
            for path in moving:
                self._batches.push(path, self._window.active[path])
            out = [known for each in out for known in self._as_room_is(each)]
        self._batches.unstick()
        for number, operations in self._batches.start(now):
            self.leftings.meant(operations)
            out += [
                tell_entry(EventKind.START_RENAME, self.folder, o.entry, verb=o.verb.value)
                for o in operations
            ]
            out.append(Work(Apply(self.folder, number, operations, self._keeping.rules)))
        return out

    # -- deriving tickets ------------------------------------------------------------------------

    def _consider(self, path: str, now: float) -> Outputs:
        active = self._window.active.get(path)
        if self._name_clashes.freed(path):
            self._window.consider_all()  # what could not be here, or what lies below that
        for waits in self._name_clashes.waiting(path):
            # `path` may be about to be removed now, or not any more.
            self._window.consider_within(waits)
        if self._is_under_way(path):
            return []  # the path is considered when the work ends
        for above in self._absent_deletes.waited_for(path):
            self._window.consider(above)
        if before := self._absent_deletes.first(path):
            for each in before:
                self._window.consider(each)
            return []
        if useless := self.leftings.useless(path):
            return useless + self._consider(path, now)
        if active is not None and active.operation is not None:
            return [] if self._results.awaits_walk(path) else self._reready(path, active)
        ticket = self._resolver.ticket(path)
        for above in self._resolver.made_way():
            self._window.consider(above)
        if self._space_waits.not_wanted(path, ticket.entry if ticket else None):
            return [FileNotWanted(self.folder, path), *self._consider(path, now)]
        solved: Outputs = []
        if ticket is None or not ticket.needs_bytes:
            solved = self._solved(path, ProblemKind.LOW_SPACE)
            if ticket is not None and solved:
                return solved + self._consider(path, now)
        if ticket is None or ticket.entry.deleted:
            if self._name_clashes.not_apart(path):
                self._window.consider_all()  # what lies below it
        elif apart := self._name_clashes.apart(path):
            if not self._batches.goes(apart.other):
                return self._cannot_be_beside(path, apart, now)
            if active is not None and active.retry_at == self._name_clashes.said_at(apart.path):
                active.retry_at = 0.0  # it waited for the other one alone, not after a failure
        if ticket is None:
            solved += self._drop(path)
            return solved + self._far_future(path) + self._solved(path, ProblemKind.NAME_FOLDS)
        if ticket.ours is None and ticket.needs_bytes and self._may_lie_here(path, ticket):
            return self._drop(path)  # the end of the walk considers all
        if active is not None and active.entry.rank == ticket.entry.rank:
            if (
                active.stage is TicketStage.WAITING
                and not active.retry_at
                and not self._results.awaits_walk(path)
            ):
                return self._reready(path, active)
            return [HoldersChanged(self.folder, path)] if active.stage is TicketStage.WANTED else []
        out = self._drop(path)
        holders = self._holders(ticket.entry)
        if not self._window.has_place(path, holders, ticket.needs_bytes):
            return out  # the ticket is found again in the index
        if not self._goes(ticket, now) or self._lies_below_what_waits(path):
            return out
        active = self._window.come(ticket.entry, holders, ticket.needs_bytes, now)
        out.append(tell_entry(EventKind.TICKET, self.folder, ticket.entry))
        if ticket.entry.deleted and ticket.entry.kind is Kind.FILE:
            self._window.put_off(active, now + REMOVE_REST_S)
            return out
        return out + self._reready(path, active, ticket)

    def _is_under_way(self, path: str) -> bool:
        """Whether an operation works at `path` now, or an old version waits to
        be put back there."""
        active = self._window.active.get(path)
        applying = active is not None and active.stage is TicketStage.APPLYING
        return applying or self._set_aside.holds(path)

    def _holders(self, wanted: Entry) -> int:
        """The bits of the reachable devices that have this version."""
        holders = 0
        for row in self._index_view.rows(wanted.path):
            entry = row.entry
            if entry is wanted or entry.rank == wanted.rank or entry.same_content(wanted):
                holders |= row.holders
        return holders & self._index_view.reach

    def _lies_below_what_waits(self, path: str) -> bool:
        """Whether a file of ours, which the guard keeps, is in the place of a directory above
        `path`."""
        if not self._guard.waits_elsewhere:
            return False
        while path := parent_of(path):
            row = self._index_view.ours(path)
            if row is not None and not row.entry.deleted:
                return row.entry.kind is Kind.FILE
        return False

    def _far_future(self, path: str) -> Outputs:
        if self._resolver.leap(path):
            return self._problems.show(Problem(self.folder, path, ProblemKind.FAR_FUTURE))
        return self._solved(path, ProblemKind.FAR_FUTURE)

    def _solved(self, path: str, kind: ProblemKind) -> Outputs:
        return self._problems.clear(path) if self._problems.kind_of(path) is kind else []

    def _look_at_rules_left(self, path: str) -> Outputs:
        """A folder may be here for all again, after a delete of it, or a file of rules may have
        stayed in one that did not go. A look makes the files of rules ours again that stayed."""
        files = (path, *self._keeping.rules.files_in(path))
        back = tuple(file for file in files if rules_are_back(self._index_view, file))
        return [RescanWanted(self.folder, back)] if back else []

    def _may_lie_here(self, path: str, ticket: Ticket) -> bool:
        if self._resolver.may_find:
            return True
        return ticket.lies is None and self._name_clashes.may_have_come(path)

    def _cannot_be_beside(self, path: str, apart: Apart, now: float) -> Outputs:
        """Stops the work at `path`, which cannot be here beside another spelling. The Problem is
        shown at the path that has the clash itself; it covers what is below that path, too."""
        active = self._window.active.get(path)
        out: Outputs = []
        if active is not None and now < (said_at := self._name_clashes.said_at(apart.path)):
            self._window.put_off(active, said_at)
            return out
        if active is not None and (staged := active.give_up_staged()) is not None:
            out = self.leftings.discard(staged)
        out += self._drop(path)
        if path != apart.path:
            return out + self._solved(path, ProblemKind.LOW_SPACE)  # that is not why it waits
        beside = Problem(self.folder, path, ProblemKind.NAME_FOLDS, f"here is {apart.other}")
        return out + self._problems.show(beside)

    def _reready(self, path: str, active: ActiveTicket, ticket: Ticket | None = None) -> Outputs:
        """Passes the ticket on (again): to the downloader, or straight to an operation."""
        ticket = ticket or (None if active.operation else self._resolver.ticket(path))
        if ticket is not None and ticket.needs_bytes and active.staged is None:
            active.move(TicketMove.WANT)
            previous = ticket.ours.entry if ticket.ours else None
            if ticket.lies is not None:
                previous = ticket.entry  # the file that it replaces may hold most of its bytes
            return [FileWanted(self.folder, ticket.entry, previous)]
        self._batches.push(path, active)
        return []

    def _with_kept(self, each: Action | Fact) -> Action | Fact:
        if not isinstance(each, FileWanted):
            return each
        kept = self.leftings.hand_over(each.entry)
        return replace(each, kept=kept) if kept is not None else each

    def _as_room_is(self, each: Action | Fact) -> Outputs:
        """Passes `each` on. If it wants bytes for which there is no space, a Problem is returned
        instead. Every ticket except a move needs space."""
        if not isinstance(each, FileWanted) or self._space_waits.may_come(each.entry):
            return [self._with_kept(each)]
        path, kind = each.entry.path, ProblemKind.LOW_SPACE
        self._window.drop(path)  # the ticket is found again in the index
        if self._space_waits.hopes:
            return []
        return self._problems.show(
            Problem(self.folder, path, kind, self._space_waits.why(each.entry))
        )

    def _drop(self, path: str) -> Outputs:
        active = self._window.drop(path)
        if active is None:
            return []
        out = self._problems.clear(path)
        if active.staged is not None:
            out += self.leftings.ticket_ended(active.entry, active.staged)
        elif active.stage is TicketStage.WANTED or not active.entry.deleted:
            out.append(FileNotWanted(self.folder, path))
        return out
