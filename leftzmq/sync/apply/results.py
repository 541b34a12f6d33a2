"""What the results of operations mean: what was done is ours now, the rest is looked at or retried.

Knows what follows from each result. Must not know how a ticket is made, nor how an operation is
carried out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.actions import Outputs, Tell, tell_entry
from leftzmq.sync.apply.active_ticket import ActiveTicket, TicketMove, TicketStage
from leftzmq.sync.apply.leftings import Leftings
from leftzmq.sync.apply.set_aside import SetAside
from leftzmq.sync.apply.work_window import WorkWindow
from leftzmq.sync.exchange.announcer import Announcer
from leftzmq.sync.facts import RescanWanted
from leftzmq.sync.guard.guard import Guard
from leftzmq.sync.problems import Problems
from leftzmq.sync.versions.name_clashes import NameClashes
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Moved, Operation, Verb
from leftzmq.wire.local import EventKind

ENDS_A_TURN: Final = 32  # results (about 70 us each): those of a batch are handled in slices
RESPELLED_AT_ONCE: Final = 1000  # paths; about 30 us each
CHANGED_RETRY_S: Final = 2.0
FULL_RETRY_S: Final = 5.0
FAILED_RETRY_S: Final = 30.0

Source = Callable[[Entry, int], str]
"""The name of the device from which a version came, given the bit of a device that has it (0:
none); "" where it is not known."""


class Results:
    """The outcomes of the batches of one folder, until they are handled."""

    def __init__(
        self,
        folder: str,
        window: WorkWindow,
        resolver: Resolver,
        name_clashes: NameClashes,
        announcer: Announcer,
        guard: Guard,
        leftings: Leftings,
        locks: PathLocks,
        problems: Problems,
        source: Source,
    ) -> None:
        self._folder, self._window, self._resolver = folder, window, resolver
        self._name_clashes = name_clashes
        self._announcer, self._guard, self._leftings = announcer, guard, leftings
        self._locks, self._problems, self._source = locks, problems, source
        self.set_aside = SetAside(folder, locks, leftings, resolver, announcer)
        self._waiting: deque[Outcome] = deque()
        self._waiting_walks: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        self._waiting.extend(outcomes)

    def awaits_walk(self, path: str) -> bool:
        """Whether the directory at `path` could not be removed and is being walked."""
        return path in self._waiting_walks

    def on_walk_ended(self, prefix: str) -> None:
        if prefix in self._waiting_walks:
            self._waiting_walks.discard(prefix)
            self._window.consider(prefix)

    def handle_some(self, now: float) -> Outputs:
        """Handles the results of the next few operations. What they did is ours now."""
        outcomes = [self._waiting.popleft() for _ in range(min(ENDS_A_TURN, len(self._waiting)))]
        if not outcomes:
            return []
        done = [o.operation for o in outcomes if o.ending is Ending.DONE]
        self._leftings.files_gone(*(o.staged for o in done if o.staged))
        left = [(o.operation, o.left) for o in outcomes if o.left is not None]
        self._leftings.carried_out((outcome.operation for outcome in outcomes), left)
        self._guard.taking(done)
        out: Outputs = [*self._announcer.took(outcomes)]
        self._guard.went()
        for outcome in outcomes:
            self._locks.release(outcome.operation.paths, LockOwner.APPLIER)
            if outcome.operation.moved is not None:
                out += self._moved(outcome.operation, outcome.operation.moved, outcome.ending, now)
            self.set_aside.add(outcome, now)
            if outcome.left is not None:
                out += self._leftings.discard(outcome.left)
            out += self._ended(outcome, now)
            if outcome.copied_to is not None:
                self._window.consider(outcome.copied_to)
        return out

    def _ended(self, outcome: Outcome, now: float) -> Outputs:
        path = outcome.operation.path
        active = self._window.active[path]
        active.move(TicketMove.END)
        if outcome.operation.moved is not None and outcome.ending is not Ending.DONE:
            active.give_up_source()
            # With these endings the file is there, or another one is: a look tells.
            looked_at = (Ending.FLUSH_FAILED, Ending.OTHER_SPELLING)
            if outcome.ending not in looked_at:
                self._window.consider(path)
                return []
        match outcome.ending:
            case Ending.DONE:
                return self._done(outcome, active)
            case Ending.CHANGED if self._resolver.is_shell(path):
                return self._ignored_in_the_way(path, active, now)
            case Ending.CHANGED:
                if outcome.operation.copy_to is not None:
                    active.lengthen_copy_name()
                active.give_up_operation()
                self._window.put_off(active, now + CHANGED_RETRY_S)
                return [RescanWanted(self._folder, (path,))]
            case Ending.OTHER_SPELLING:
                return self._other_spelling(outcome, active, now)
            case Ending.NOT_EMPTY:
                return self._not_empty(path, active, now)
            case Ending.SHELL if outcome.operation.entry.deleted:
                return self._done(outcome, active)
            case Ending.SHELL:
                return self._ignored_in_the_way(path, active, now)
            case Ending.NO_PARENT:
                if active.operation is not None:
                    active.give_up_operation()  # what a scan found there went with its folder
                self._window.put_off(active, now + CHANGED_RETRY_S)
                return [RescanWanted(self._folder, (parent_of(path),))] if "/" in path else []
            case Ending.NO_STAGED | Ending.FLUSH_FAILED | Ending.FULL_AT_FLUSH:
                return self._begin_anew(outcome, active, now)
            case Ending.DISK_FULL:
                self._window.put_off(active, now + FULL_RETRY_S)
                return self._show(path, ProblemKind.DISK_FULL, outcome.why)
            case Ending.FAILED:
                if outcome.aside is not None:
                    active.give_up_staged()  # who puts the old version back throws it away
                self._window.put_off(active, now + FAILED_RETRY_S)
                sets = outcome.operation.verb is Verb.SET_ATTRIBUTES
                kind = ProblemKind.MODE_NOT_SET if sets else ProblemKind.UNWRITABLE
                return self._show(path, kind, outcome.why)

    def _ignored_in_the_way(self, path: str, active: ActiveTicket, now: float) -> Outputs:
        """An ignored thing changes nobody's tree: the ticket waits."""
        active.give_up_operation()
        self._window.put_off(active, now + FAILED_RETRY_S)
        return self._show(path, ProblemKind.IGNORED_IN_THE_WAY, "")

    def _other_spelling(self, outcome: Outcome, active: ActiveTicket, now: float) -> Outputs:
        """Another spelling of the path is there. If that spelling is not ours yet, a look is to
        tell. Not of a shell: it is known, and each look tries whether it can go, in vain."""
        path, other = outcome.operation.path, outcome.other
        active.give_up_operation()
        if other and self._name_clashes.is_here(other):
            self._name_clashes.stands(path, other, now)
            self._window.consider_within(path)
            return []
        self._window.put_off(active, now + FULL_RETRY_S)
        out = self._show(path, ProblemKind.NAME_FOLDS, f"here is {other}" if other else "")
        is_known = not other or self._resolver.is_shell(other)
        return out if is_known else [*out, RescanWanted(self._folder, (other,))]

    def _begin_anew(self, outcome: Outcome, active: ActiveTicket, now: float) -> Outputs:
        """The operation begins anew. Its `.lefting` is of no use; or the file has its name, and the
        flush of a directory failed then. A look tells which, and what it finds there is judged as
        it is."""
        operation, staged = outcome.operation, active.give_up_staged()
        self._window.put_off(active, now + CHANGED_RETRY_S)
        out: Outputs = []
        if staged is not None:
            out += self._leftings.discard(staged)
        if outcome.ending is Ending.FLUSH_FAILED:
            self._resolver.may_lie(operation.entry, *operation.paths)
            out.append(RescanWanted(self._folder, operation.paths))
            out += self._show(operation.path, ProblemKind.FLUSH_FAILED, outcome.why)
        if outcome.ending is Ending.FULL_AT_FLUSH:
            self._window.put_off(active, now + FULL_RETRY_S)
            out += self._show(operation.path, ProblemKind.DISK_FULL, outcome.why)
        return out

    def _done(self, outcome: Outcome, active: ActiveTicket) -> Outputs:
        path, spelled = outcome.operation.path, outcome.operation.spelled
        self._window.leave(path)
        self._window.consider(path)
        self._window.folder_made(path)
        was_apart = self._name_clashes.not_apart(path)
        if was_apart and outcome.operation.entry.kind is Kind.DIRECTORY:
            # What lies below it left the window. That the other spelling is gone may not have been
            # considered yet, and nothing waits for it any more then.
            self._window.consider_all()
        out = self._problems.clear(path)
        if spelled is not None:
            self._name_clashes.respelled(path, spelled)
            self._gone_with(spelled)
            out.append(RescanWanted(self._folder, (path, spelled), walk=True))
        if outcome.lost:
            out += self._show(path, ProblemKind.ACCESS_LOST, f"not kept: {outcome.lost}")
        if active.staged is not None and outcome.operation.staged is None:
            out += self._leftings.discard(active.staged)  # its bytes arrived here another way
        out.append(self._finished(outcome.operation.entry, active))
        if outcome.copied_to is not None:
            fields = {"folder": self._folder, "path": path, "copy": outcome.copied_to}
            out.append(Tell(EventKind.CONFLICT, fields))
        return out

    def _gone_with(self, folder: str) -> None:
        """The directory has another name now. What was in it and was to be removed is not at its
        path any more. Until our index says so, a version that is put there would be taken for ours.
        """
        for path in self._resolver.alive_below(folder, RESPELLED_AT_ONCE):
            active = self._window.active.get(path)
            if active is not None and active.stage is TicketStage.APPLYING:
                continue
            ticket = self._resolver.ticket(path)
            if ticket is not None and ticket.entry.deleted:
                self._resolver.take_over(ticket.entry, None)
            self._window.consider(path)

    def _moved(self, operation: Operation, moved: Moved, ending: Ending, now: float) -> Outputs:
        """Handles the path from which a file was moved."""
        self._locks.release((moved.path,), LockOwner.APPLIER)
        if ending is not Ending.DONE and self._name_clashes.went_along(moved.path):
            # Its directory was renamed first: the file moved along, and is not at that path now. A
            # source that lies elsewhere is still there, whatever came to the path it was for.
            self._resolver.take_over(moved.entry, None)
            ending = Ending.DONE
        if ending is not Ending.DONE:
            # Whatever it waited for may have happened meanwhile, and found the path at work.
            self._window.put_off(self._window.active[moved.path], now + CHANGED_RETRY_S)
            return [RescanWanted(self._folder, (moved.path,))]
        self._window.consider(moved.path)
        active = self._window.leave(moved.path)
        return [*self._problems.clear(moved.path), self._finished(moved.entry, active)]

    def _finished(self, entry: Entry, active: ActiveTicket | None) -> Tell:
        """active: the ticket, which has left the window."""
        account = active.account if active is not None else None
        device = self._source(entry, account[0] if account is not None else 0)
        more = {"device": device} if device else {}
        return tell_entry(EventKind.FINISHED, self._folder, entry, **more)

    def _not_empty(self, path: str, active: ActiveTicket, now: float) -> Outputs:
        is_changing = any(below != path for below in self._locks.changing(path))
        if is_changing or self._leftings.lie_below(path):
            # What an operation puts there now was meant for the folder as it was.
            self._window.put_off(active, now + CHANGED_RETRY_S)
            return []
        if active.walked:
            if self._window.is_found_below(path) or self._resolver.goes_below(path):
                # What is in it is still to be removed: the directory waits for that.
                self._window.put_off(active, now + CHANGED_RETRY_S)
                return []
            # A walk found nothing below it that could be synced: what is there stays, so the
            # directory stays (case c).
            self._window.consider(path)
            if active.operation is not None:
                self._resolver.keep_found(active.operation)
                self._window.leave(path)
                return []
            active.walked = False
            if self._resolver.lies_in_the_way(path):
                return [RescanWanted(self._folder, (path,), walk=True)]
            self._resolver.keep_folder(path)
            return self._show(path, ProblemKind.NOT_EMPTY, "")
        active.walked = True
        self._waiting_walks.add(path)
        return [RescanWanted(self._folder, (path,), walk=True)]

    def _show(self, path: str, kind: ProblemKind, why: str) -> Outputs:
        return self._problems.show(Problem(self._folder, path, kind, why))
