"""What becomes of tickets: bytes are wanted, operations are carried out, and their ends mean
something.

Knows what each end of an operation leads to. Must not know how bytes arrive (the downloader does)
or how an operation is carried out (disk/apply does).
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final

from leftzmq.disk.outcome import Ending, Outcome
from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.actions import Action, Tell, Work, tell_entry
from leftzmq.sync.batches import Batches
from leftzmq.sync.claims import Claimant, Claims
from leftzmq.sync.facts import (
    Fact,
    FileHeldUp,
    FileNotWanted,
    FileStaged,
    FileWanted,
    FolderStopped,
    FoundDeletedBytes,
    PathsReconsidered,
    RescanWanted,
    WalkEnded,
)
from leftzmq.sync.indexes import Indexes
from leftzmq.sync.jobs import (
    Applied,
    Apply,
    ClearStaging,
    Discard,
    Discarded,
    StagingCleared,
)
from leftzmq.sync.moves import Moves
from leftzmq.sync.problems import Problems
from leftzmq.sync.replica import Replica
from leftzmq.sync.ticket import Ticket
from leftzmq.sync.versions import Versions
from leftzmq.sync.window import Doing, Stage, Window
from leftzmq.tree.conflict import HEX_DIGITS
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Moved, Operation, Staged, Verb
from leftzmq.wire.local import EventKind

ENDS_A_TURN: Final = 32  # of operations (about 70 us each): a batch's are handled in slices
REMOVE_REST_S: Final = 0.25
"""A file that is to go stays so long: where it was renamed, the news of its new name follows."""
CHANGED_RETRY_S: Final = 2.0
FULL_RETRY_S: Final = 5.0
FOLDER_RETRY_S: Final = 0.2
FAILED_RETRY_S: Final = 30.0


class Applier:
    """Of one folder."""

    def __init__(
        self,
        folder: str,
        indexes: Indexes,
        versions: Versions,
        replica: Replica,
        claims: Claims,
        problems: Problems,
    ) -> None:
        self.folder, self._store, self._replica = folder, indexes.store, replica
        self._indexes, self._versions = indexes, versions
        self._claims, self._problems = claims, problems
        self._window = Window(self._store)
        self._moves = Moves(self._store, versions, claims, self._window)
        self._batches = Batches(indexes, versions, claims, self._window, self._moves)
        self._ends: deque[Outcome] = deque()
        self._waiting_walks: set[str] = set()
        self._below: dict[str, list[str]] = {}  # a folder to be made -> what waits for it
        self._clearing = False
        self._resumable: dict[str, tuple[Staged, bytes]] = {}  # of an earlier life, with content
        self.stopped = False

    @property
    def idle(self) -> bool:
        return self._window.idle and not self._clearing

    def deadline(self, now: float) -> float | None:
        if self.stopped or self._clearing:
            return None
        return now if self._ends else self._window.deadline(now)

    def clear_staging(self) -> list[Action | Fact]:
        """At the start, before anything new is staged: `.lefting` files of an earlier life. Those
        of large files that somebody wants stay: what they hold is verified then."""
        useless: list[Staged] = []
        for path, staged, content in list(self._store.all_staged()):
            if staged.inode and self._may_go_on(path, content):
                self._resumable[path] = (staged, content)
            else:
                useless.append(staged)
        self._clearing = bool(useless or self._resumable)
        if not self._clearing:
            return []
        resumable = tuple(staged for staged, _ in self._resumable.values())
        return [Work(ClearStaging(self.folder, tuple(useless), resumable))]

    def _may_go_on(self, path: str, content: bytes) -> bool:
        """Whether a `.lefting` of an earlier life, of a large file, may be wanted once more: also
        while those who have the winning version are away."""
        winner = max(self._indexes.rows(path), key=lambda row: row.entry.rank, default=None)
        if winner is None or winner.is_ours or winner.entry.deleted:
            return False
        return winner.entry.depth > 0 and winner.entry.content == content

    # -- facts ---------------------------------------------------------------------------------

    def reconsider(self, fact: PathsReconsidered, now: float) -> list[Action | Fact]:
        """These paths may be tickets now; no paths: who can be reached changed, all may be."""
        if not fact.paths and self._indexes.tally.tickets:
            self._window.consider_all()
        for path in fact.paths:
            self._window.consider(path)
        return self.go_on(now)

    def found_deleted(self, fact: FoundDeletedBytes, now: float) -> list[Action | Fact]:
        entry = fact.found.entry
        operation = Operation(Verb.REMOVE, entry, fact.found.held)
        self._window.doing[entry.path] = doing = Doing(Stage.READY, entry, operation=operation)
        self._batches.push(entry.path, doing)
        return self.go_on(now)

    def staged(self, fact: FileStaged, now: float) -> list[Action | Fact]:
        doing = self._window.doing.get(fact.entry.path)
        if doing is None or doing.entry.content != fact.entry.content:
            return self._discard(fact.staged)
        doing.staged = fact.staged
        if doing.stage is not Stage.APPLYING:
            self._batches.push(fact.entry.path, doing)
        return []

    def discarded(self, fact: Discarded) -> list[Action | Fact]:
        self._store.drop_staged(*fact.staged)
        return []

    def staging_cleared(self, fact: StagingCleared, now: float) -> list[Action | Fact]:
        self._store.drop_staged(*fact.gone)
        self._clearing = False
        return self.go_on(now)

    def held_up(self, fact: FileHeldUp, now: float) -> list[Action | Fact]:
        doing = self._window.doing.get(fact.entry.path)
        if doing is None:
            return []
        if fact.problem.kind is ProblemKind.WAITING_FOR_FOLDER:
            parent = parent_of(fact.entry.path)
            row = self._indexes.ours(parent)
            if row is not None and not row.entry.deleted and row.entry.kind is Kind.DIRECTORY:
                self._window.wait(doing, now + FOLDER_RETRY_S)  # it was made meanwhile
                return []
            if parent in self._window.doing:
                self._window.wait(doing, now + FULL_RETRY_S)
                self._below.setdefault(parent, []).append(fact.entry.path)
                return []
        self._window.wait(doing, now + FULL_RETRY_S)
        return self._problems.show(fact.problem)

    def walk_ended(self, fact: WalkEnded, now: float) -> list[Action | Fact]:
        if fact.prefix == "" and not self._versions.walked:
            self._versions.walked = True
            self._window.consider_all()
        if fact.prefix in self._waiting_walks:
            self._waiting_walks.discard(fact.prefix)
            self._window.consider(fact.prefix)
        return self.go_on(now)

    def tick(self, now: float) -> list[Action | Fact]:
        for path in self._window.wake(now):
            self._window.consider(path)
        return self.go_on(now)

    def applied(self, fact: Applied, now: float) -> list[Action | Fact]:
        self._batches.ended(fact.batch)
        if not fact.alive:
            self.stopped = True
            return [FolderStopped(self.folder, fact.why)]
        self._ends.extend(fact.outcomes)
        return self.go_on(now)

    def go_on(self, now: float) -> list[Action | Fact]:
        """Handle some ends, derive some tickets, start batches."""
        if self.stopped or self._clearing:
            return []
        out = self._some_ends(now)
        if not out:  # else in the next turn: each is half a turn
            paths = self._window.take()
            self._indexes.recall(paths)
            for path in paths:
                out += self._consider(path, now)
            out = self._at_home(out)
        self._batches.unstick()
        for number, operations in self._batches.start(now):
            out += [
                tell_entry(EventKind.START_RENAME, self.folder, o.entry, verb=o.verb.value)
                for o in operations
            ]
            out.append(Work(Apply(self.folder, number, operations)))
        return out

    # -- deriving tickets ------------------------------------------------------------------------

    def _at_home(self, out: list[Action | Fact]) -> list[Action | Fact]:
        """What lies at home already is moved, if it is to go from there, or copied."""
        wanted = [fact for fact in out if isinstance(fact, FileWanted)]
        homes = self._moves.find(wanted)
        if not homes:
            return out
        left: list[Action | Fact] = []
        for each in out:
            if isinstance(each, FileWanted) and (home := homes.get(each.entry.path)):
                if self._move(each.entry.path, home):
                    continue
                each = replace(each, home=home)
            left.append(each)
        return left

    def _move(self, path: str, home: str) -> bool:
        doing, ticket = self._window.doing[path], self._versions.ticket(path)
        if doing.fetch or ticket is None or not self._moves.goes(home, ticket):
            return False
        doing.source = home
        self._batches.push(path, doing)
        return True

    def _consider(self, path: str, now: float) -> list[Action | Fact]:
        doing = self._window.doing.get(path)
        if doing is not None and doing.stage is Stage.APPLYING:
            return []  # its end is considered
        if path in self._resumable and not self._may_go_on(path, self._resumable[path][1]):
            return self._discard(self._resumable.pop(path)[0]) + self._consider(path, now)
        if doing is not None and doing.operation is not None:
            return self._reready(path, doing)
        ticket = self._versions.ticket(path)
        if ticket is None:
            return self._drop(path)
        if doing is not None and doing.entry.rank == ticket.entry.rank:
            if (
                doing.stage is Stage.WAITING
                and not doing.retry_at
                and path not in self._waiting_walks
            ):
                return self._reready(path, doing)
            return []
        out = self._drop(path)
        self._window.doing[path] = doing = Doing(Stage.WAITING, ticket.entry)
        out.append(tell_entry(EventKind.TICKET, self.folder, ticket.entry))
        if ticket.entry.deleted and ticket.entry.kind is Kind.FILE:
            self._window.wait(doing, now + REMOVE_REST_S)
            return out
        return out + self._reready(path, doing, ticket)

    def _reready(
        self, path: str, doing: Doing, ticket: Ticket | None = None
    ) -> list[Action | Fact]:
        """Its way (again): to the downloader, or straight to an operation."""
        ticket = ticket or (None if doing.operation else self._versions.ticket(path))
        if ticket is not None and _needs_bytes(ticket) and doing.staged is None:
            doing.stage = Stage.WANTED
            self._resumable.pop(path, None)  # the downloader cares for it from now on
            previous = ticket.ours.entry if ticket.ours else None
            return [FileWanted(self.folder, ticket.entry, previous)]
        self._batches.push(path, doing)
        return []

    def _drop(self, path: str) -> list[Action | Fact]:
        doing = self._window.doing.pop(path, None)
        if doing is None:
            return []
        self._below.pop(path, None)  # they find out by themselves
        out = self._problems.clear(path)
        if doing.staged is not None:
            out += self._discard(doing.staged)
        elif doing.stage is Stage.WANTED or not doing.entry.deleted:
            out.append(FileNotWanted(self.folder, path))
        return out

    # -- ends ----------------------------------------------------------------------------------

    def _some_ends(self, now: float) -> list[Action | Fact]:
        """What the next few operations that ended mean; what they did is ours now."""
        outcomes = [self._ends.popleft() for _ in range(min(ENDS_A_TURN, len(self._ends)))]
        if not outcomes:
            return []
        done = [o.operation for o in outcomes if o.ending is Ending.DONE]
        self._store.drop_staged(*(o.staged for o in done if o.staged))
        self._replica.took(outcomes)
        out: list[Action | Fact] = []
        for outcome in outcomes:
            self._claims.release((outcome.operation.path,), Claimant.APPLIER)
            if outcome.operation.moved is not None:
                out += self._moved(outcome.operation.moved, outcome.ending)
            out += self._ended(outcome, now)
            if outcome.copied_to is not None:
                self._window.consider(outcome.copied_to)
        return out

    def _ended(self, outcome: Outcome, now: float) -> list[Action | Fact]:
        path = outcome.operation.path
        doing = self._window.doing[path]
        doing.stage = Stage.WAITING
        if outcome.operation.moved is not None and outcome.ending is not Ending.DONE:
            doing.source, doing.fetch = "", True
            self._window.consider(path)
            return []
        match outcome.ending:
            case Ending.DONE:
                return self._done(outcome, doing)
            case Ending.CHANGED:
                if outcome.operation.copy_to is not None:
                    doing.digits = min(doing.digits + HEX_DIGITS, 64)
                doing.operation = None
                self._window.wait(doing, now + CHANGED_RETRY_S)
                return [RescanWanted(self.folder, (path,))]
            case Ending.NOT_EMPTY:
                return self._not_empty(path, doing)
            case Ending.NO_PARENT:
                self._window.wait(doing, now + CHANGED_RETRY_S)
                return [RescanWanted(self.folder, (parent_of(path),))] if "/" in path else []
            case Ending.NO_STAGED | Ending.FLUSH_FAILED:
                return self._begin_anew(outcome, doing, now)
            case Ending.DISK_FULL:
                self._window.wait(doing, now + FULL_RETRY_S)
                return self._show(path, ProblemKind.DISK_FULL, outcome.why)
            case Ending.FAILED:
                self._window.wait(doing, now + FAILED_RETRY_S)
                return self._show(path, ProblemKind.UNWRITABLE, outcome.why)

    def _begin_anew(self, outcome: Outcome, doing: Doing, now: float) -> list[Action | Fact]:
        """Its `.lefting` is of no use, or got its name and the flush of a folder failed then: a
        look tells which; what is found there is taken for what it is."""
        operation, staged = outcome.operation, doing.staged
        doing.staged = None
        self._window.wait(doing, now + CHANGED_RETRY_S)
        out: list[Action | Fact] = []
        if staged is not None:
            out += self._discard(staged)
        if outcome.ending is Ending.FLUSH_FAILED:
            paths = (operation.path, *((operation.copy_to,) if operation.copy_to else ()))
            out.append(RescanWanted(self.folder, paths))
            out += self._show(operation.path, ProblemKind.FLUSH_FAILED, outcome.why)
        return out

    def _done(self, outcome: Outcome, doing: Doing) -> list[Action | Fact]:
        path = outcome.operation.path
        del self._window.doing[path]
        self._window.consider(path)
        for below in self._below.pop(path, ()):
            waiting = self._window.doing.get(below)
            if waiting is not None and waiting.stage is Stage.WAITING:
                waiting.retry_at = 0.0
                self._window.consider(below)
        out = self._problems.clear(path)
        out.append(tell_entry(EventKind.FINISHED, self.folder, outcome.operation.entry))
        if outcome.copied_to is not None:
            fields = {"folder": self.folder, "path": path, "copy": outcome.copied_to}
            out.append(Tell(EventKind.CONFLICT, fields))
        return out

    def _moved(self, moved: Moved, ending: Ending) -> list[Action | Fact]:
        """The other end of a move."""
        self._claims.release((moved.path,), Claimant.APPLIER)
        self._window.consider(moved.path)
        if ending is not Ending.DONE:
            self._window.doing[moved.path].stage = Stage.WAITING
            return [RescanWanted(self.folder, (moved.path,))]
        del self._window.doing[moved.path]
        finished = tell_entry(EventKind.FINISHED, self.folder, moved.entry)
        return [*self._problems.clear(moved.path), finished]

    def _not_empty(self, path: str, doing: Doing) -> list[Action | Fact]:
        if doing.walked:
            # A walk found nothing below it that could be synced: what is there stays, so the
            # folder does (case c).
            doing.walked = False
            self._versions.keep_folder(path)
            self._window.consider(path)
            return self._show(path, ProblemKind.NOT_EMPTY, "")
        doing.walked = True
        self._waiting_walks.add(path)
        return [RescanWanted(self.folder, (path,), walk=True)]

    def _discard(self, staged: Staged) -> list[Action | Fact]:
        self._store.doom_staged(staged)
        return [Work(Discard(self.folder, (staged,)))]

    def _show(self, path: str, kind: ProblemKind, why: str) -> list[Action | Fact]:
        return self._problems.show(Problem(self.folder, path, kind, why))


def _needs_bytes(ticket: Ticket) -> bool:
    entry = ticket.entry
    return entry.kind is Kind.FILE and not entry.deleted and not ticket.attributes
