"""Puts ready tickets into batches: parents are made before children, and removed after them.

Knows what must be there, or be gone, before an operation is possible. Must not know how an
operation is carried out (disk/apply does) or what follows from its end (the applier does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from leftzmq.disk.staging.lefting import lefting_path
from leftzmq.index.rows import ANYBODY
from leftzmq.sync.apply.active_ticket import ActiveTicket, TicketMove, TicketStage
from leftzmq.sync.apply.leftings import makes_lefting
from leftzmq.sync.apply.renames import Renames
from leftzmq.sync.apply.round_robin import RoundRobin
from leftzmq.sync.apply.source_pace import Lane, SourcePace, lane_of
from leftzmq.sync.apply.work_window import WorkWindow
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import is_here_for_all, rules_are_back
from leftzmq.sync.versions.name_clashes import NameClashes
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.sync.versions.resolver import STAYING_SAMPLE, Resolver
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import keys_below, parent_of, path_of_key, sort_key
from leftzmq.tree.plan import Operation, Verb, ordered

SMALL_AT_ONCE: Final = 2  # as many as there are workers for small jobs
NAME_RETRY_S: Final = 0.05  # a job makes or deletes a `.lefting` there: mostly for a few ms

Heap = RoundRobin[Lane, tuple[int, bytes]]
"""(depth, sort key); the depth is negative where children are removed first. The lanes that have
such items take turns."""


class Batch(Struct, frozen=True):
    """lanes: how many operations of each lane; empty if the batch is of a large file
    began: monotonic
    """

    lanes: Mapping[Lane, int]
    began: float


class Batches:
    """The batches of one folder: two batches of small operations that have no lane in common, and
    one of a large file at a time. So a device that changes much delays another device's edit by no
    batch of its own."""

    def __init__(
        self,
        index_view: IndexView,
        resolver: Resolver,
        name_clashes: NameClashes,
        locks: PathLocks,
        window: WorkWindow,
        renames: Renames,
    ) -> None:
        self._index_view, self._resolver, self._locks = index_view, resolver, locks
        self._name_clashes = name_clashes
        self._window, self._renames = window, renames
        self._puts: Heap = RoundRobin()
        self._large_puts: Heap = RoundRobin()
        self._removes: Heap = RoundRobin()
        self._stuck: list[str] = []
        self._running: dict[int, Batch] = {}
        self._number = 0
        self._next_names = 0.0  # when the tickets that wait for a name are tried again
        self.source_pace = SourcePace()

    def push(self, path: str, active: ActiveTicket) -> None:
        """The ticket is ready: puts it into the heap of its kind, once. A retry for which it waited
        is cancelled: the retry would find the path at work, and be lost."""
        active.prepare()
        if active.in_heap:
            return
        active.in_heap = True
        depth, lane = path.count("/"), _lane(active)
        if active.entry.deleted:
            self._removes.put(lane, (-depth, sort_key(path)))
        elif active.staged is not None and active.entry.depth:
            self._large_puts.put(lane, (depth, sort_key(path)))
        else:
            self._puts.put(lane, (depth, sort_key(path)))

    def unstick(self) -> None:
        """What waited for a directory, or for the children of a directory, may be possible now."""
        stuck, self._stuck = self._stuck, []
        for path in stuck:
            active = self._window.active.get(path)
            if active is not None and active.stage is TicketStage.READY:
                self.push(path, active)

    def batch_ended(self, number: int, now: float) -> None:
        batch = self._running.pop(number)
        self.source_pace.batch_ended(batch.lanes, batch.began, now)

    def start(self, now: float) -> list[tuple[int, tuple[Operation, ...]]]:
        """(number, operations) of each batch that can be started now."""
        started: list[tuple[int, tuple[Operation, ...]]] = []
        small = [batch.lanes for batch in self._running.values() if batch.lanes]
        resting = self.source_pace.resting(now)
        while len(small) < SMALL_AT_ONCE:
            most = self.source_pace.operations(now)
            operations = self._gather((self._puts, self._removes), resting.union(*small), most, now)
            if not operations:
                break
            lanes = Counter(_lane(self._window.active[path]) for path in operations)
            self.source_pace.began(lanes, now)
            small.append(lanes)
            started.append(self._begin(operations, Batch(lanes, now)))
        if all(batch.lanes for batch in self._running.values()):
            operations = self._gather((self._large_puts,), frozenset(), 1, now)
            if operations:
                started.append(self._begin(operations, Batch({}, now)))
        return started

    def _begin(
        self, operations: dict[str, Operation], batch: Batch
    ) -> tuple[int, tuple[Operation, ...]]:
        self._number += 1
        self._running[self._number] = batch
        return self._number, tuple(ordered(operations.values()))

    def _gather(
        self, heaps: tuple[Heap, ...], busy: frozenset[Lane], most: int, now: float
    ) -> dict[str, Operation]:
        """busy: lanes from which nothing is to be taken
        most: the highest number of operations
        """
        batch: dict[str, Operation] = {}
        made: set[str] = set()
        # Puts first: a put may move a file that is to be removed.
        for heap in heaps:
            while heap.has_beside(busy) and len(batch) < most:
                path = path_of_key(heap.pop(busy)[1])
                active = self._window.active.get(path)
                if active is None:
                    continue
                active.in_heap = False
                if active.stage is not TicketStage.READY or path in batch:
                    continue
                if not self._locks.lock(path, LockOwner.APPLIER):
                    self._wait_for_lock(path, active)
                    continue
                operation = self._operation(path, active, batch, made, now)
                if operation is None:
                    self._locks.release((path,), LockOwner.APPLIER)
                    continue
                if self._waits_for_name(operation):
                    self._locks.release((path,), LockOwner.APPLIER)
                    self._wait_for_name(active, now)
                    continue
                copy_to = operation.copy_to
                if copy_to is not None and not self._locks.lock(copy_to, LockOwner.APPLIER):
                    # A look before the index knows of the copy would call it a user's.
                    self._locks.release((path,), LockOwner.APPLIER)
                    self._wait_for_lock(copy_to, active)
                    continue
                active.move(TicketMove.START)
                batch[path] = operation
                if operation.verb is Verb.MAKE_DIRECTORY:
                    made.add(path)
        return batch

    def _considered_anew(self, path: str, active: ActiveTicket) -> None:
        """The ticket is not what it was when it became ready, and waits to be considered. It may be
        the same again by then, and must not count as ready: no heap has it."""
        active.put_off(0.0)
        self._window.consider(path)

    def _wait_for_lock(self, locked: str, active: ActiveTicket) -> None:
        """Somebody has the lock of the path `locked`. The ticket is considered again when it is
        released."""
        active.put_off(0.0)
        self._locks.wait_for(locked, active.entry.path)

    def _wait_for_name(self, active: ActiveTicket, now: float) -> None:
        """Nothing tells when the name is free. All such tickets are tried again at one time: a time
        for each would be a turn of the loop for each."""
        if now >= self._next_names:
            self._next_names = now + NAME_RETRY_S
        self._window.put_off(active, self._next_names)

    def _operation(
        self,
        path: str,
        active: ActiveTicket,
        batch: dict[str, Operation],
        made: set[str],
        now: float,
    ) -> Operation | None:
        """The operation for a ready ticket. None: the ticket is stuck, or is no ticket any more."""
        if active.operation is not None:
            if self._still_deleted(path, active.operation):
                # A job would tell that something of ours stays in a directory, but not of a file of
                # rules, which it leaves with what is ignored there.
                is_folder = active.operation.entry.kind is Kind.DIRECTORY
                if is_folder and self._resolver.stays_below(path):
                    self._resolver.keep_found(active.operation)
                    active.give_up_operation()
                    self._considered_anew(path, active)
                    return None
                if self._goes_below(path, active.operation, batch):
                    self._stuck.append(path)  # what is in it is removed first
                    return None
                return active.operation
            active.give_up_operation()
            self._considered_anew(path, active)
            return None
        ticket = self._resolver.ticket(path)
        if ticket is None or (
            ticket.entry is not active.entry and ticket.entry.rank != active.entry.rank
        ):
            self._considered_anew(path, active)
            return None
        parent = parent_of(path)
        if not ticket.entry.deleted and parent and parent not in made:
            row = self._index_view.ours(parent)
            if row is None or row.entry.deleted or row.entry.kind is not Kind.DIRECTORY:
                self._stuck.append(path)
                return None
        if (
            self._name_clashes
            and (other := self._waits_for_spelling(path, ticket, now)) is not None
        ):
            is_folder = ticket.entry.kind is Kind.DIRECTORY
            if other and is_folder and self._is_respelled(other, path):
                return Operation(Verb.MAKE_DIRECTORY, ticket.entry, ticket.held, spelled=other)
            self._stuck.append(path)
            return None
        ours = ticket.ours.entry if ticket.ours else None
        is_folder = ours is not None and not ours.deleted and ours.kind is Kind.DIRECTORY
        if is_folder and not ticket.attributes and not self._may_go(path, active, batch):
            return None
        if active.source and active.staged is None:
            move = self._renames.operation(active, ticket)
            if move is None:
                active.give_up_source()
                self._considered_anew(path, active)
            return move
        ends = self.ends_with_folder(ticket.entry)
        is_last = ends and not self._is_here(parent, self._index_view.reach)
        if is_last and self._is_needed_beside(path, batch):
            self._stuck.append(path)
            return None
        copy_to = self._resolver.copy_path(ours, active.digits) if ticket.copy and ours else None
        verb = _verb(ticket)
        staged = active.staged if verb is Verb.PUT_FILE else None
        return Operation(verb, ticket.entry, ticket.held, copy_to, staged, ends_folder=ends)

    def ends_with_folder(self, gone: Entry) -> bool:
        """Whether this is the delete of a file of ignore rules whose folder goes, too, or is to be
        replaced, or went and left a shell, or was to go and stayed. While something is ignored by
        it there, it stays."""
        if not gone.deleted or not is_rule_file(gone.path):
            return False
        if self._resolver.is_in_kept_folder(gone.path):
            return True
        parent = parent_of(gone.path)
        row = self._index_view.ours(parent) if parent else None
        lies = row is not None and (not row.entry.deleted or row.scan is not None)
        # Who deleted or replaced the folder may be away.
        return lies and not self._is_here(parent, ANYBODY)

    def _is_here(self, folder: str, holders: int) -> bool:
        return is_here_for_all(self._index_view, folder, holders)

    def _is_needed_beside(self, path: str, batch: dict[str, Operation]) -> bool:
        """Whether something else in the folder of this file of rules is to be removed first. What
        is left then is ignored, or appeared since."""
        parent = parent_of(path)
        others = self._resolver.alive_below(parent, STAYING_SAMPLE)
        return any(
            each not in batch and not (is_rule_file(each) and parent_of(each) == parent)
            for each in others
        )

    def goes(self, path: str) -> bool:
        """Whether what we have at `path` is to be removed."""
        active = self._window.active.get(path)
        if active is not None and active.stage is TicketStage.APPLYING:
            # No ticket is made meanwhile: it may take a version that ranks higher than the result
            # of this operation.
            return active.entry.deleted
        ticket = self._resolver.ticket(path)
        return ticket is not None and ticket.entry.deleted

    def _waits_for_spelling(self, path: str, ticket: Ticket, now: float) -> str | None:
        """The other spelling that has to be removed first; "": a directory above may only be about
        to get another spelling. None: neither."""
        if ticket.entry.deleted:
            return "" if self._name_clashes.may_be_respelled(path, now) else None
        return self._name_clashes.other(path)

    def _is_respelled(self, other: str, path: str) -> bool:
        """Whether our directory at `other` is to be removed with all that we have in it, and what
        is in it, or some of it, is wanted below `path`: then the directory only gets the other
        spelling. Judged by a sample."""
        ours = self._index_view.ours(other)
        if ours is None or ours.entry.kind is not Kind.DIRECTORY or not self.goes(other):
            return False
        low, high = keys_below(other)
        below = self._index_view.store.alive_after(low, STAYING_SAMPLE, high)
        children = [path_of_key(child) for child, _ in below]
        if any(self._resolver.stays(child) for child in children):
            return False
        if self._index_view.store.leftings.has_below(other):
            return False  # it would move along, and nobody would know whose it is
        wanted = (
            self._resolver.wants_same(child, path + child[len(other) :]) for child in children
        )
        return not children or any(wanted)

    def _waits_for_name(self, operation: Operation) -> bool:
        """Whether the operation makes a `.lefting` while a job makes one for the same path, of
        another version, which was wanted before; or while one waits for its deletion."""
        is_made = self._index_view.store.leftings.is_taken(lefting_path(operation.path))
        return is_made and makes_lefting(operation)

    def _goes_below(self, path: str, found: Operation, batch: dict[str, Operation]) -> bool:
        """Whether something below what a scan found at `path` is to be removed first: found, too,
        or ours by now."""
        if found.entry.kind is not Kind.DIRECTORY:
            return False
        found_below = self._window.is_found_below(path, batch)
        return found_below or self._resolver.goes_below(path, batch)

    def _still_deleted(self, path: str, found: Operation) -> bool:
        """Whether what a scan found is still nothing of ours. Since then it may have been
        published, or deleted by a later delete. Our version must not rank below that delete. Nor
        does a directory go that others have again, above the delete: what is to come into it may
        lie in it already. That would keep the directory there, and would wait for it. Nor does a
        file of rules whose folder stays, nor what is ignored by now."""
        if found.old is not None and not self._index_view.keeps(path, found.old.key.kind):
            return False
        winner, gone = self._resolver.winner_of(path), found.entry
        is_folder = winner is not None and winner.kind is gone.kind is Kind.DIRECTORY
        if winner is not None and is_folder and winner.rank > gone.rank:
            return False
        if rules_are_back(self._index_view, path):
            return False
        ours = self._index_view.ours(path)
        if ours is None:
            return True
        return ours.entry.deleted and ours.entry.rank <= found.entry.rank

    def _may_go(self, path: str, active: ActiveTicket, batch: dict[str, Operation]) -> bool:
        """Whether our directory at `path` can be removed after what is in the batch. If something
        must stay below it, the directory is published again. If something below it is still to be
        removed, the directory waits."""
        low, high = keys_below(path)
        below = self._index_view.store.alive_after(low, STAYING_SAMPLE, high)
        children = [path_of_key(child) for child, _ in below]
        if all(child in batch and batch[child].entry.deleted for child in children):
            return True
        if any(self._resolver.stays(child) for child in children):
            self._resolver.keep_folder(path)
            self._considered_anew(path, active)
            return False
        self._stuck.append(path)
        return False


def _lane(active: ActiveTicket) -> Lane:
    """The lane of a ticket: the device whose slot it has, and who changed it. Bit 0: it has no
    slot."""
    return lane_of(active.account[0] if active.account else 0, active.entry.writer)


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
