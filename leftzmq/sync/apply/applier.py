"""What becomes of tickets: bytes are wanted, and operations are made of them.

Knows at which stage a ticket is. Must not know how bytes arrive (the downloader does), how an
operation is carried out (disk/apply does) or what its end leads to (`ends`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leftzmq.disk.apply.outcome import Ending
from leftzmq.errors import Problem, ProblemKind, Shortage
from leftzmq.sync.actions import Action, Tell, Work, tell_entry
from leftzmq.sync.apply.batches import Batches
from leftzmq.sync.apply.leftings import Leftings
from leftzmq.sync.apply.renames import Moves
from leftzmq.sync.apply.results import FAILED_RETRY_S, FULL_RETRY_S, Ends, Source
from leftzmq.sync.apply.set_aside import GOING_BACK
from leftzmq.sync.apply.space_waits import Room
from leftzmq.sync.apply.work_window import Doing, Stage, Window
from leftzmq.sync.exchange.announcer import Replica
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
from leftzmq.sync.guard.remote_deletes import Way
from leftzmq.sync.jobs import Applied, Apply, Discarded, RoomMade, RoomSeen, StagingCleared
from leftzmq.sync.problems import Problems
from leftzmq.sync.scan.classifier import TRIED_AGAIN
from leftzmq.sync.versions.absent_deletes import Graves
from leftzmq.sync.versions.index_view import Indexes
from leftzmq.sync.versions.name_clashes import Apart, Spellings
from leftzmq.sync.versions.path_locks import Claims
from leftzmq.sync.versions.resolver import Versions
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import is_within, parent_of
from leftzmq.tree.plan import Operation, Verb
from leftzmq.wire.local import EventKind, Scalar

REMOVE_REST_S: Final = 0.25
"""A file that is to go stays so long: where it was renamed, the news of its new name follows."""
FOLDER_RETRY_S: Final = 0.2
FOLDER_LATE_S: Final = 10.0
_LIES: Final = "what lies there is not what it was: `touch` it to keep it as it is"
_FULL: Final = (Ending.DISK_FULL, Ending.FULL_AT_FLUSH)


class Applier:
    """Of one folder."""

    def __init__(
        self,
        folder: str,
        indexes: Indexes,
        versions: Versions,
        spellings: Spellings,
        graves: Graves,
        replica: Replica,
        guard: Guard,
        claims: Claims,
        problems: Problems,
        source: Source,
    ) -> None:
        self.folder, self._guard, self._problems = folder, guard, problems
        self._graves = graves
        self._indexes, self._versions = indexes, versions
        self._window = window = Window(indexes)
        self._moves = Moves(indexes.store, versions, claims, window)
        self._spellings = spellings
        self._batches = Batches(indexes, versions, spellings, claims, window, self._moves)
        self.leftings = Leftings(folder, indexes, problems)
        self._ends = Ends(
            folder,
            window,
            versions,
            spellings,
            replica,
            guard,
            self.leftings,
            claims,
            problems,
            source,
        )
        self._asides = self._ends.asides
        self._room = Room(folder, holds=lambda: bool(guard.status()))
        self.stopped = False

    @property
    def considered(self) -> bool:
        """Whether every ticket there is was looked at."""
        return self._window.considered

    @property
    def idle(self) -> bool:
        leftings = self.leftings.clearing or self._indexes.turned
        waits = leftings or self._room.waited_for or self._asides
        return self._window.idle and not waits

    def deadline(self, now: float) -> float | None:
        if self.stopped or self.leftings.clearing:
            return None
        if self._ends or self._indexes.turned:
            return now
        waiting = (self._room, self.leftings, self._asides)
        times = [self._window.deadline(now), self._batches.pace.deadline()]
        times += (each.deadline() for each in waiting)
        return min((time for time in times if time is not None), default=None)

    # -- beginning ------------------------------------------------------------------------------

    def clear(self) -> list[Action | Fact]:
        """At the start, before anything else: what an earlier life left behind; and what may lie
        there since before the folder was stopped is looked for: a walk passes where nothing is."""
        out = self.leftings.clear(spare=self._asides.holds)
        unsure = tuple(sorted(self._indexes.unsure))
        return [*out, RescanWanted(self.folder, unsure)] if unsure else out

    def goes_on_after(self, before: Applier) -> None:
        """It takes the place of the one that was stopped."""
        self.leftings.go_on_after(before.leftings)
        self._asides.go_on_after(before._asides)

    # -- facts ---------------------------------------------------------------------------------

    def user_changed(self, fact: PathsCleared, now: float) -> None:
        """Our share, by others than the applier: no device may take all the time now."""
        self._batches.pace.user_changed(now)
        for seen in fact.sightings:
            if seen.observed is not None and seen.observed.kind is Kind.DIRECTORY:
                self._window.folder_made(seen.path)

    def reconsider(self, fact: PathsReconsidered, now: float) -> list[Action | Fact]:
        """These paths may be tickets now; no paths: who can be reached changed, all may be. Also
        without a ticket left: what is in the window may be none any more."""
        if not fact.paths:
            self._indexes.held.let_be_unwanted()
        if not fact.paths and (self._indexes.tally.tickets or self._window.doing):
            self._window.consider_all()
        for path in fact.paths:
            self._window.consider(path, fact.source)
        return self.go_on(now)

    def found_deleted(self, fact: FoundDeletedBytes, now: float) -> list[Action | Fact]:
        entry = fact.found.entry
        verb = Verb.REMOVE if entry.deleted else Verb.SET_ATTRIBUTES
        operation = Operation(verb, entry, fact.found.held)
        doing = self._window.doing.get(entry.path)
        out: list[Action | Fact] = []
        if doing is not None and doing.operation is not None:
            doing.entry, doing.operation = entry, operation  # found again, by the walk below it
        else:
            out = self._drop(entry.path)  # what was to come there has a .lefting, perhaps
            doing = Doing(Stage.WAITING, entry, operation=operation)
            self._window.doing[entry.path] = doing
        if doing.stage is not Stage.APPLYING and not self._ends.awaits_walk(entry.path):
            self._batches.push(entry.path, doing)
        return [*out, *self.go_on(now)]

    def staged(self, fact: FileStaged, now: float) -> list[Action | Fact]:
        path = fact.entry.path
        if fact.noise:
            self._indexes.is_noise(fact.entry)
        doing = self._window.doing.get(path)
        if doing is None or doing.entry.content != fact.entry.content:
            return self.leftings.discard(fact.staged)
        doing.staged, doing.no_folder_since = fact.staged, None
        if doing.stage is Stage.APPLYING:
            return []
        ticket = self._versions.ticket(path) if fact.noise else None
        if ticket is not None and ticket.entry.rank == doing.entry.rank:
            if ticket.ours is None:
                self._guard.noise_came(path)
            elif not self._goes(ticket, now):
                return self._drop(path)
        self._batches.push(path, doing)
        return []

    def _goes(self, ticket: Ticket, now: float) -> bool:
        """Whether the guard lets it; if not it is found again in the index, or is none any more."""
        way = self._guard.way(ticket, now)
        if way is Way.REVERT:
            self._versions.stay(ticket.entry.path)
        return way is Way.GO

    def left(self, fact: FileLeft) -> list[Action | Fact]:
        if self._spellings.apart(fact.entry.path):
            return self.leftings.discard(fact.staged)
        return self.leftings.left(fact.entry, fact.staged)

    def discarded(self, fact: Discarded, now: float) -> list[Action | Fact]:
        return self.leftings.discarded(fact, now)

    def staging_cleared(self, fact: StagingCleared, now: float) -> list[Action | Fact]:
        out = self.leftings.cleared(fact, now)
        out += [each for leftover in fact.swapped for each in self._asides.swapped(leftover)]
        return [*out, *self.go_on(now)]

    def held_up(self, fact: FileHeldUp, now: float) -> list[Action | Fact]:
        doing = self._window.doing.get(fact.entry.path)
        if doing is None:
            return []
        if fact.problem.kind is ProblemKind.WAITING_FOR_FOLDER:
            return self._wait_for_folder(doing, fact.problem, now)
        if isinstance(fact.problem, Shortage):
            # Not in the window, which would fill with what waits: it is found again in the index.
            self._room.refused(fact.problem, fact.entry, now)
            self._window.drop(fact.entry.path)
            if self._room.hopes:
                return []
        elif fact.problem.kind is ProblemKind.NOT_GIVEN:
            self._window.wait(doing, now + FAILED_RETRY_S)
            ticket = self._versions.ticket(fact.entry.path)
            if ticket is not None and ticket.lies is not None:
                detail = f"{fact.problem.detail}; {_LIES}"
                return self._problems.show(replace(fact.problem, detail=detail))
        else:
            self._window.wait(doing, now + FULL_RETRY_S)
        asked: list[Action | Fact] = []
        if fact.problem.kind is ProblemKind.DISK_FULL:
            asked += self._room.full(fact.entry.path, fact.entry.size, now)
        return asked + self._problems.show(fact.problem)

    def _wait_for_folder(self, doing: Doing, problem: Problem, now: float) -> list[Action | Fact]:
        """Until it is made. That it has not come for a while is worth a word, and not before: it
        may be told later than what is in it, wait for another one, or be a user's, just removed."""
        parent = parent_of(doing.entry.path)
        row = self._indexes.ours(parent)
        is_made = row is not None and not row.entry.deleted and row.entry.kind is Kind.DIRECTORY
        out: list[Action | Fact] = []
        if doing.no_folder_since is None:
            doing.no_folder_since = now
            if is_made:  # since this was staged, or a user has removed it and nobody looked yet
                out.append(RescanWanted(self.folder, (parent,)))
        is_late = now >= doing.no_folder_since + FOLDER_LATE_S
        retry_s = FOLDER_RETRY_S if is_made and not is_late else FULL_RETRY_S
        self._window.wait_for_folder(doing, parent, now + retry_s)
        return out + self._problems.show(problem) if is_late else out

    def room_seen(self, fact: RoomSeen, now: float) -> list[Action | Fact]:
        if self._room.seen(fact, now):
            self._window.consider_all()
        elif (first := self._room.first) and self._versions.ticket(first) is None:
            self._window.consider(first)  # its holder may be away: of that no path is told
        return self.go_on(now)

    def room_made(self, fact: RoomMade, now: float) -> list[Action | Fact]:
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        work, all_may = self._room.made(fact, now)
        if all_may:
            self._window.consider_all()
        out: list[Action | Fact] = [*work]
        if fact.files:
            fields: dict[str, Scalar] = {"folder": self.folder, "batches": 0, "bytes": fact.bytes}
            out.append(Tell(EventKind.SWEPT, fields | {"files": fact.files}))
        return out + self.go_on(now)

    def walk_ended(self, fact: WalkEnded, now: float) -> list[Action | Fact]:
        if fact.prefix == "" and not self._versions.walked:
            self._indexes.all_walked()
            self._window.consider_all()
        self._ends.walk_ended(fact.prefix)
        if fact.prefix == "":
            self._indexes.held.let_be_unwanted()
        if self._spellings.walk_ended(fact.prefix):
            self._window.consider_all()
        return self.go_on(now)

    def _may_be_found_below(self, folder: str) -> bool:
        """Whether what a walk found there is still to go, or something could not be looked at."""
        if self._window.is_found_below(folder):
            return True
        shown = (problem for problem in self._problems.all() if problem.kind in TRIED_AGAIN)
        return any(is_within(problem.path, folder) for problem in shown)

    def tick(self, now: float) -> list[Action | Fact]:
        self._spellings.settle(self._may_be_found_below)
        for path in self._window.wake(now):
            self._window.consider(path)
        again = [] if self.stopped else self.leftings.tick(now)
        left = [each for path in self._window.stale(now) for each in self._drop(path)]
        return [*self._room.tick(now), *again, *left, *self.go_on(now)]

    def applied(self, fact: Applied, now: float) -> list[Action | Fact]:
        if fact.batch != GOING_BACK:
            self._batches.ended(fact.batch, now)
        if fact.stop is not None:
            return [FolderStopped(self.folder, fact.stop)]
        if fact.batch == GOING_BACK:
            return [*self._asides.ended(fact, now), *self.go_on(now)]
        self._ends.add(fact.outcomes)
        full = [o.operation for o in fact.outcomes if o.ending in _FULL]
        asked = self._room.full(full[0].path, max(o.entry.size for o in full), now) if full else []
        return [*asked, *self.go_on(now)]

    def go_on(self, now: float) -> list[Action | Fact]:
        """Handle some ends, derive some tickets, start batches."""
        if self.stopped or self.leftings.clearing:
            return []
        out = [*self._asides.start(now), *self._ends.handle_some(now)]
        for path in self.leftings.turned():
            if not self._is_under_way(path):
                out += self.leftings.useless(path)
            if self._spellings.other(path) is not None:
                self._window.consider(path)  # perhaps nobody has it any more
        if not out:  # else in the next turn: each is half a turn
            paths = self._window.take(now)
            self._indexes.recall(paths)
            for path in paths:
                out += self._consider(path, now)
            out, moving = self._moves.at_home(out)
            for path in moving:
                self._batches.push(path, self._window.doing[path])
            out = [known for each in out for known in self._as_room_is(each)]
        self._batches.unstick()
        for number, operations in self._batches.start(now):
            self.leftings.meant(operations)
            out += [
                tell_entry(EventKind.START_RENAME, self.folder, o.entry, verb=o.verb.value)
                for o in operations
            ]
            out.append(Work(Apply(self.folder, number, operations)))
        return out

    # -- deriving tickets ------------------------------------------------------------------------

    def _consider(self, path: str, now: float) -> list[Action | Fact]:
        doing = self._window.doing.get(path)
        if self._spellings.freed(path):
            self._window.consider_all()  # what could not be here, or lies below that
        for waits in self._spellings.waiting(path):
            self._window.consider_within(waits)  # it may go now, or not go any more
        if self._is_under_way(path):
            return []  # its end is considered
        for above in self._graves.ended(path):
            self._window.consider(above)
        if before := self._graves.first(path):
            for each in before:
                self._window.consider(each)
            return []
        if useless := self.leftings.useless(path):
            return useless + self._consider(path, now)
        if doing is not None and doing.operation is not None:
            return [] if self._ends.awaits_walk(path) else self._reready(path, doing)
        ticket = self._versions.ticket(path)
        if self._room.not_wanted(path, ticket.entry if ticket else None):
            return [FileNotWanted(self.folder, path), *self._consider(path, now)]
        solved: list[Action | Fact] = []
        if ticket is None or not ticket.needs_bytes:
            solved = self._solved(path, ProblemKind.LOW_SPACE)
            if ticket is not None and solved:
                return solved + self._consider(path, now)
        if ticket is None or ticket.entry.deleted:
            if self._spellings.forget(path):
                self._window.consider_all()  # what lies below it
        elif apart := self._spellings.apart(path):
            if not self._batches.goes(apart.other):
                return self._cannot_be_beside(path, apart, now)
            if doing is not None:
                doing.retry_at = 0.0
        if ticket is None:
            solved += self._drop(path)
            return solved + self._far_future(path) + self._solved(path, ProblemKind.NAME_FOLDS)
        if ticket.ours is None and ticket.needs_bytes and self._may_lie_here(path, ticket):
            return self._drop(path)  # the end of the walk considers all
        if doing is not None and doing.entry.rank == ticket.entry.rank:
            if (
                doing.stage is Stage.WAITING
                and not doing.retry_at
                and not self._ends.awaits_walk(path)
            ):
                return self._reready(path, doing)
            return [HoldersChanged(self.folder, path)] if doing.stage is Stage.WANTED else []
        out = self._drop(path)
        holders = self._holders(ticket.entry)
        if not self._window.has_place(path, holders, ticket.needs_bytes):
            return out  # it is found again in the index
        if not self._goes(ticket, now) or self._lies_below_what_waits(path):
            return out
        doing = self._window.come(ticket.entry, holders, ticket.needs_bytes, now)
        out.append(tell_entry(EventKind.TICKET, self.folder, ticket.entry))
        if ticket.entry.deleted and ticket.entry.kind is Kind.FILE:
            self._window.wait(doing, now + REMOVE_REST_S)
            return out
        return out + self._reready(path, doing, ticket)

    def _is_under_way(self, path: str) -> bool:
        """Whether something is done there now, or waits to go back."""
        doing = self._window.doing.get(path)
        applying = doing is not None and doing.stage is Stage.APPLYING
        return applying or self._asides.holds(path)

    def _holders(self, wanted: Entry) -> int:
        """The bits of the reachable devices that have this version."""
        holders = 0
        for row in self._indexes.rows(wanted.path):
            if row.entry.rank == wanted.rank or row.entry.same_content(wanted):
                holders |= row.holders
        return holders & self._indexes.reach

    def _lies_below_what_waits(self, path: str) -> bool:
        """Whether a file of ours, which the guard keeps, is in the place of a folder above it."""
        if not self._guard.waits_elsewhere:
            return False
        while path := parent_of(path):
            row = self._indexes.ours(path)
            if row is not None and not row.entry.deleted:
                return row.entry.kind is Kind.FILE
        return False

    def _far_future(self, path: str) -> list[Action | Fact]:
        if self._versions.leap(path):
            return self._problems.show(Problem(self.folder, path, ProblemKind.FAR_FUTURE))
        return self._solved(path, ProblemKind.FAR_FUTURE)

    def _solved(self, path: str, kind: ProblemKind) -> list[Action | Fact]:
        return self._problems.clear(path) if self._problems.kind_of(path) is kind else []

    def _may_lie_here(self, path: str, ticket: Ticket) -> bool:
        if self._versions.may_find:
            return True
        return ticket.lies is None and self._spellings.may_have_come(path)

    def _cannot_be_beside(self, path: str, apart: Apart, now: float) -> list[Action | Fact]:
        """It is none to be worked at; said of what cannot be here itself, which names what is below
        it, too."""
        doing = self._window.doing.get(path)
        out: list[Action | Fact] = []
        if doing is not None and now < (said_at := self._spellings.said_at(apart.path)):
            self._window.wait(doing, said_at)
            return out
        if doing is not None and doing.staged is not None:
            out, doing.staged = self.leftings.discard(doing.staged), None
        out += self._drop(path)
        if path != apart.path:
            return out + self._solved(path, ProblemKind.LOW_SPACE)  # not that is why it waits
        beside = Problem(self.folder, path, ProblemKind.NAME_FOLDS, f"here is {apart.other}")
        return out + self._problems.show(beside)

    def _reready(
        self, path: str, doing: Doing, ticket: Ticket | None = None
    ) -> list[Action | Fact]:
        """Its way (again): to the downloader, or straight to an operation."""
        ticket = ticket or (None if doing.operation else self._versions.ticket(path))
        if ticket is not None and ticket.needs_bytes and doing.staged is None:
            doing.stage = Stage.WANTED
            previous = ticket.ours.entry if ticket.ours else None
            if ticket.lies is not None:
                previous = ticket.entry  # what gives way to it may hold most of it
            return [FileWanted(self.folder, ticket.entry, previous)]
        self._batches.push(path, doing)
        return []

    def _with_kept(self, each: Action | Fact) -> Action | Fact:
        if not isinstance(each, FileWanted):
            return each
        kept = self.leftings.taken(each.entry.path)
        return replace(each, kept=kept) if kept is not None else each

    def _as_room_is(self, each: Action | Fact) -> list[Action | Fact]:
        """The same; where bytes are wanted for which there is no room (for all but a move there
        must be) a Problem instead."""
        if not isinstance(each, FileWanted) or self._room.may_come(each.entry):
            return [self._with_kept(each)]
        path, kind = each.entry.path, ProblemKind.LOW_SPACE
        self._window.drop(path)  # it is found again in the index
        if self._room.hopes:
            return []
        return self._problems.show(Problem(self.folder, path, kind, self._room.why(each.entry)))

    def _drop(self, path: str) -> list[Action | Fact]:
        doing = self._window.drop(path)
        if doing is None:
            return []
        out = self._problems.clear(path)
        if doing.staged is not None:
            out += self.leftings.left(doing.entry, doing.staged)
        elif doing.stage is Stage.WANTED or not doing.entry.deleted:
            out.append(FileNotWanted(self.folder, path))
        return out
