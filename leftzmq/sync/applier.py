"""Tickets into operations, operations into batches, and what their ends mean.

Knows tickets, plans and claims. Must not know how bytes arrive (the downloader does) or how an
operation is carried out (disk/apply does).

Only a window of the tickets is in memory; the rest is found again in the index when there is room.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Final

from leftzmq.disk.outcome import Ending, Outcome
from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.store import Store
from leftzmq.sync.actions import Action, Tell, Work, tell_entry
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
from leftzmq.sync.jobs import Applied, Apply, Discard
from leftzmq.sync.problems import Problems
from leftzmq.sync.replica import Replica
from leftzmq.sync.versions import Ticket
from leftzmq.tree.conflict import HEX_DIGITS, conflict_path
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import parent_of, path_of_key, sort_key
from leftzmq.tree.plan import Operation, Staged, Verb, ordered
from leftzmq.wire.local import EventKind

WINDOW_TICKETS: Final = 4096
CONSIDER_A_TURN: Final = 96  # tickets derived in one turn of the loop (about 20 us each)
BATCH_OPERATIONS: Final = 256
CHANGED_RETRY_S: Final = 2.0
FULL_RETRY_S: Final = 5.0
FAILED_RETRY_S: Final = 30.0
STAYING_SAMPLE: Final = 64


class Stage(Enum):
    """Where a ticket is on its way."""

    WANTED = auto()  # the downloader has it
    READY = auto()  # an operation can be made of it
    APPLYING = auto()  # it is part of a batch
    WAITING = auto()  # for a retry, a folder, or a look of the settler


@dataclass(slots=True)
class Doing:
    """A ticket in the window.

    operation: set for what a scan found (FoundDeleted), else made from the ticket
    walked: the folder was not empty, and a walk has looked what is in it
    """

    stage: Stage
    entry: Entry
    staged: Staged | None = None
    operation: Operation | None = None
    retry_at: float = 0.0
    walked: bool = False
    digits: int = HEX_DIGITS
    in_heap: bool = False


class Applier:
    """Of one folder."""

    def __init__(
        self, folder: str, store: Store, replica: Replica, claims: Claims, problems: Problems
    ) -> None:
        self.folder, self._store, self._replica = folder, store, replica
        self._claims, self._problems = claims, problems
        self._doing: dict[str, Doing] = {}
        self._to_consider: deque[str] = deque()
        self._queued: set[str] = set()
        self._puts: list[tuple[int, bytes]] = []
        self._large_puts: list[tuple[int, bytes]] = []
        self._removes: list[tuple[int, bytes]] = []
        self._stuck: list[str] = []
        self._retries: list[tuple[float, str]] = []
        self._batches: dict[int, bool] = {}  # number -> large
        self._batch = 0
        self._behind, self._cursor = True, b""
        self._waiting_walks: set[str] = set()
        self.stopped = False

    @property
    def idle(self) -> bool:
        return not (self._doing or self._to_consider or self._behind)

    def deadline(self, now: float) -> float | None:
        if self.stopped:
            return None
        if self._to_consider or (self._behind and len(self._doing) < WINDOW_TICKETS // 2):
            return now
        return self._retries[0][0] if self._retries else None

    def discard_leftovers(self) -> list[Action | Fact]:
        """At the start: `.lefting` files of an earlier life that are of no use any more. Those of
        large files stay: what they hold is verified when they are wanted again."""
        useless: list[Staged] = []
        for path, staged, content in list(self._store.all_staged()):
            rows = self._store.rows(path)
            large = any(row.entry.depth and row.entry.content == content for row in rows)
            if staged.inode == 0 or not large:
                useless.append(staged)
                self._store.drop_staged(path)
        return [Work(Discard(self.folder, tuple(useless)))] if useless else []

    # -- facts ---------------------------------------------------------------------------------

    def reconsider(self, fact: PathsReconsidered, now: float) -> list[Action | Fact]:
        """These paths may be tickets now; no paths: who can be reached changed, all may be."""
        if not fact.paths and self._replica.versions.tally.tickets:
            self._behind, self._cursor = True, b""
            for path in self._doing:
                self._consider_later(path)
        for path in fact.paths:
            self._consider_later(path)
        return self.go_on(now)

    def found_deleted(self, fact: FoundDeletedBytes, now: float) -> list[Action | Fact]:
        entry = fact.found.entry
        operation = Operation(Verb.REMOVE, entry, fact.found.held)
        self._doing[entry.path] = doing = Doing(Stage.READY, entry, operation=operation)
        self._push_ready(entry.path, doing)
        return self.go_on(now)

    def staged(self, fact: FileStaged, now: float) -> list[Action | Fact]:
        doing = self._doing.get(fact.entry.path)
        if doing is None or doing.entry.content != fact.entry.content:
            self._store.drop_staged(fact.entry.path)
            return [Work(Discard(self.folder, (fact.staged,)))]
        doing.staged = fact.staged
        if doing.stage is not Stage.APPLYING:
            doing.stage = Stage.READY
            self._push_ready(fact.entry.path, doing)
        return []

    def held_up(self, fact: FileHeldUp, now: float) -> list[Action | Fact]:
        doing = self._doing.get(fact.entry.path)
        if doing is None:
            return []
        self._wait(doing, now + FULL_RETRY_S)
        return self._problems.show(fact.problem)

    def walk_ended(self, fact: WalkEnded, now: float) -> list[Action | Fact]:
        if fact.prefix in self._waiting_walks:
            self._waiting_walks.discard(fact.prefix)
            self._consider_later(fact.prefix)
        return self.go_on(now)

    def tick(self, now: float) -> list[Action | Fact]:
        while self._retries and self._retries[0][0] <= now:
            until, path = heapq.heappop(self._retries)
            doing = self._doing.get(path)
            if doing is not None and doing.stage is Stage.WAITING and doing.retry_at == until:
                doing.retry_at = 0.0
                self._consider_later(path)
        return self.go_on(now)

    def applied(self, fact: Applied, now: float) -> list[Action | Fact]:
        del self._batches[fact.batch]
        if not fact.alive:
            self.stopped = True
            return [FolderStopped(self.folder, fact.why)]
        done = [o.operation for o in fact.outcomes if o.ending is Ending.DONE]
        self._store.drop_staged(*(operation.path for operation in done if operation.staged))
        self._replica.took(fact.outcomes)
        out: list[Action | Fact] = []
        for outcome in fact.outcomes:
            path = outcome.operation.path
            self._claims.release((path,), Claimant.APPLIER)
            out += self._ended(outcome, now)
            if outcome.copied_to is not None:
                self._consider_later(outcome.copied_to)
        self._unstick()
        return out + self.go_on(now)

    def go_on(self, now: float) -> list[Action | Fact]:
        """Derive some tickets, refill the window, start batches."""
        if self.stopped:
            return []
        out: list[Action | Fact] = []
        self._refill()
        paths = list(islice(self._to_consider, CONSIDER_A_TURN))
        self._replica.versions.recall(paths)
        for path in paths:
            self._to_consider.popleft()
            self._queued.discard(path)
            out += self._consider(path)
        self._unstick()
        for large in (False, True):
            if large not in self._batches.values():
                out += self._start_batch(large, now)
        return out

    # -- deriving tickets ------------------------------------------------------------------------

    def _consider_later(self, path: str) -> None:
        if path in self._queued:
            return
        if path not in self._doing and len(self._to_consider) >= WINDOW_TICKETS:
            self._behind, self._cursor = True, b""  # it is found again in the index
            return
        self._queued.add(path)
        self._to_consider.append(path)

    def _refill(self) -> None:
        if not self._behind or len(self._doing) + len(self._to_consider) >= WINDOW_TICKETS // 2:
            return
        groups = self._store.paths(self._cursor, CONSIDER_A_TURN)
        if not groups:
            self._behind, self._cursor = False, b""
            return
        for rows in groups:
            best = max(rows, key=lambda row: row.entry.rank)
            if not best.is_ours or len(rows) > 1:
                self._consider_later(best.entry.path)
        self._cursor = groups[-1][-1].sort_key

    def _consider(self, path: str) -> list[Action | Fact]:
        doing = self._doing.get(path)
        if doing is not None and doing.stage is Stage.APPLYING:
            return []  # its end is considered
        if doing is not None and doing.operation is not None:
            return self._reready(path, doing)
        ticket = self._replica.versions.ticket(path)
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
        self._doing[path] = doing = Doing(Stage.WAITING, ticket.entry)
        out.append(tell_entry(EventKind.TICKET, self.folder, ticket.entry))
        return out + self._reready(path, doing, ticket)

    def _reready(
        self, path: str, doing: Doing, ticket: Ticket | None = None
    ) -> list[Action | Fact]:
        """Its way (again): to the downloader, or straight to an operation."""
        ticket = ticket or (None if doing.operation else self._replica.versions.ticket(path))
        if ticket is not None and _needs_bytes(ticket) and doing.staged is None:
            doing.stage = Stage.WANTED
            previous = ticket.ours.entry if ticket.ours else None
            return [FileWanted(self.folder, ticket.entry, previous)]
        doing.stage = Stage.READY
        self._push_ready(path, doing)
        return []

    def _drop(self, path: str) -> list[Action | Fact]:
        doing = self._doing.pop(path, None)
        if doing is None:
            return []
        out = self._problems.clear(path)
        if doing.staged is not None:
            self._store.drop_staged(path)
            out.append(Work(Discard(self.folder, (doing.staged,))))
        elif doing.stage is Stage.WANTED or not doing.entry.deleted:
            out.append(FileNotWanted(self.folder, path))
        return out

    def _unstick(self) -> None:
        """What waited for a folder, or for a folder's children, may be possible now."""
        stuck, self._stuck = self._stuck, []
        for path in stuck:
            doing = self._doing.get(path)
            if doing is not None and doing.stage is Stage.READY:
                self._push_ready(path, doing)

    # -- batches ----------------------------------------------------------------------------------

    def _push_ready(self, path: str, doing: Doing) -> None:
        """Into the heap of its kind, once: children first where things go, parents first else."""
        if doing.in_heap:
            return
        doing.in_heap = True
        depth = path.count("/")
        if doing.entry.deleted:
            heapq.heappush(self._removes, (-depth, sort_key(path)))
        elif doing.staged is not None and doing.entry.depth:
            heapq.heappush(self._large_puts, (depth, sort_key(path)))
        else:
            heapq.heappush(self._puts, (depth, sort_key(path)))

    def _start_batch(self, large: bool, now: float) -> list[Action | Fact]:
        batch: dict[str, Operation] = {}
        made: set[str] = set()
        for heap in (self._large_puts,) if large else (self._removes, self._puts):
            while heap and len(batch) < (1 if large else BATCH_OPERATIONS):
                path = path_of_key(heapq.heappop(heap)[1])
                doing = self._doing.get(path)
                if doing is None:
                    continue
                doing.in_heap = False
                if doing.stage is not Stage.READY or path in batch:
                    continue
                operation = self._operation(path, doing, batch, made)
                if operation is None:
                    continue
                if not self._claims.take(path, Claimant.APPLIER):
                    self._wait(doing, now + 0.05)
                    continue
                doing.stage = Stage.APPLYING
                batch[path] = operation
                if operation.verb is Verb.MAKE_DIRECTORY:
                    made.add(path)
        if not batch:
            return []
        self._batch += 1
        self._batches[self._batch] = large
        operations = tuple(ordered(batch.values()))
        told = [
            tell_entry(EventKind.START_RENAME, self.folder, o.entry, verb=o.verb.value)
            for o in operations
        ]
        return [*told, Work(Apply(self.folder, self._batch, operations))]

    def _operation(
        self,
        path: str,
        doing: Doing,
        batch: dict[str, Operation],
        made: set[str],
    ) -> Operation | None:
        """The operation for a ready ticket, or None: it is stuck, or is none any more."""
        if doing.operation is not None:
            return doing.operation
        ticket = self._replica.versions.ticket(path)
        if ticket is None or ticket.entry.rank != doing.entry.rank:
            self._consider_later(path)
            return None
        parent = parent_of(path)
        if not ticket.entry.deleted and parent and parent not in made:
            row = self._replica.versions.ours(parent)
            if row is None or row.entry.deleted or row.entry.kind is not Kind.DIRECTORY:
                self._stuck.append(path)
                return None
        ours = ticket.ours.entry if ticket.ours else None
        goes = ours is not None and not ours.deleted and ours.kind is Kind.DIRECTORY
        if goes and not self._may_go(path, doing, batch):
            return None
        copy_to = conflict_path(ours, doing.digits) if ticket.copy and ours else None
        return Operation(_verb(ticket), ticket.entry, ticket.held, copy_to, doing.staged)

    def _may_go(self, path: str, doing: Doing, batch: dict[str, Operation]) -> bool:
        """Whether our folder at `path` can be removed after what is in the batch. What must stay
        below it makes us publish it again; what is still to go makes it wait."""
        key = sort_key(path) + b"\0"
        below = self._store.alive_after(key, STAYING_SAMPLE)
        children = [path_of_key(child) for child, _ in below if child.startswith(key)]
        if all(child in batch and batch[child].entry.deleted for child in children):
            return True
        if any(self._replica.versions.stays(child) for child in children):
            self._replica.versions.keep_folder(path)
            self._consider_later(path)
            doing.stage = Stage.WAITING
            return False
        self._stuck.append(path)
        return False

    # -- ends ----------------------------------------------------------------------------------

    def _ended(self, outcome: Outcome, now: float) -> list[Action | Fact]:
        path = outcome.operation.path
        doing = self._doing[path]
        doing.stage = Stage.WAITING
        match outcome.ending:
            case Ending.DONE:
                return self._done(outcome, doing)
            case Ending.CHANGED:
                if outcome.operation.copy_to is not None:
                    doing.digits = min(doing.digits + HEX_DIGITS, 64)
                doing.operation = None
                self._wait(doing, now + CHANGED_RETRY_S)
                return [RescanWanted(self.folder, (path,))]
            case Ending.NOT_EMPTY:
                return self._not_empty(path, doing)
            case Ending.NO_PARENT:
                self._wait(doing, now + CHANGED_RETRY_S)
                return [RescanWanted(self.folder, (parent_of(path),))] if "/" in path else []
            case Ending.NO_STAGED | Ending.FLUSH_FAILED:
                doing.staged = None
                self._store.drop_staged(path)
                self._wait(doing, now + CHANGED_RETRY_S)
                if outcome.ending is Ending.NO_STAGED:
                    return []
                return self._show(path, ProblemKind.FLUSH_FAILED, outcome.why)
            case Ending.DISK_FULL:
                self._wait(doing, now + FULL_RETRY_S)
                return self._show(path, ProblemKind.DISK_FULL, outcome.why)
            case Ending.FAILED:
                self._wait(doing, now + FAILED_RETRY_S)
                return self._show(path, ProblemKind.UNWRITABLE, outcome.why)

    def _done(self, outcome: Outcome, doing: Doing) -> list[Action | Fact]:
        path = outcome.operation.path
        del self._doing[path]
        self._consider_later(path)
        out = self._problems.clear(path)
        out.append(tell_entry(EventKind.FINISHED, self.folder, outcome.operation.entry))
        if outcome.copied_to is not None:
            fields = {"folder": self.folder, "path": path, "copy": outcome.copied_to}
            out.append(Tell(EventKind.CONFLICT, fields))
        return out

    def _not_empty(self, path: str, doing: Doing) -> list[Action | Fact]:
        if doing.walked:
            # A walk found nothing below it that could be synced: what is there stays, so the
            # folder does (case c).
            doing.walked = False
            self._replica.versions.keep_folder(path)
            self._consider_later(path)
            return self._show(path, ProblemKind.NOT_EMPTY, "")
        doing.walked = True
        self._waiting_walks.add(path)
        return [RescanWanted(self.folder, (path,), walk=True)]

    def _wait(self, doing: Doing, until: float) -> None:
        doing.stage, doing.retry_at = Stage.WAITING, until
        heapq.heappush(self._retries, (until, doing.entry.path))

    def _show(self, path: str, kind: ProblemKind, why: str) -> list[Action | Fact]:
        return self._problems.show(Problem(self.folder, path, kind, why))


def _needs_bytes(ticket: Ticket) -> bool:
    entry = ticket.entry
    return entry.kind is Kind.FILE and not entry.deleted and not ticket.attributes


def _verb(ticket: Ticket) -> Verb:
    if ticket.entry.deleted:
        return Verb.REMOVE
    if ticket.attributes:
        return Verb.SET_ATTRIBUTES
    return {
        Kind.FILE: Verb.PUT_FILE,
        Kind.DIRECTORY: Verb.MAKE_DIRECTORY,
        Kind.SYMLINK: Verb.PUT_LINK,
    }[ticket.entry.kind]
