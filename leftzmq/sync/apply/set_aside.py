"""Old versions that are set aside: neither under their name nor where they were to be moved.

A failing disk may prevent both the move of an old version and its way back: it is put back later.
Or a crash came between an exchange and the naming of the conflict copy: that is repaired at the
start. Until then the path stays locked: a look would call the old version deleted, and an operation
would take what was put there instead for the user's.

Knows where the old versions lie. Must not know how one is moved back or on (disk/apply/swap does).
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.sync.actions import Outputs, Tell, Work
from leftzmq.sync.apply.leftings import Leftings
from leftzmq.sync.exchange.announcer import Announcer
from leftzmq.sync.facts import PathsReconsidered, RescanWanted
from leftzmq.sync.jobs import Applied, Apply, Leftover
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.plan import Operation, Verb
from leftzmq.wire.local import EventKind

GOING_BACK: Final = 0
"""The number of these batches; the numbers of other batches begin with 1."""
RETRY_S: Final = 5.0


class SetAside:
    """The set-aside versions of one folder. A crash forgets them: then the next
    start finds them."""

    def __init__(
        self,
        folder: str,
        locks: PathLocks,
        leftings: Leftings,
        resolver: Resolver,
        announcer: Announcer,
    ) -> None:
        self._folder, self._locks, self._leftings = folder, locks, leftings
        self._resolver, self._announcer = resolver, announcer
        self._waiting: list[Operation] = []
        self._under_way: tuple[Operation, ...] = ()
        self._retry_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting or self._under_way)

    def go_on_after(self, before: SetAside) -> None:
        """What the stopped folder set aside is still there."""
        for operation in (*before._under_way, *before._waiting):
            self._wait(operation)

    def holds(self, path: str) -> bool:
        """Whether no ticket is to be made of this path. A fact reports when one
        may be made again."""
        return self._locks.is_locked_by(path, LockOwner.ASIDE)

    def add(self, outcome: Outcome, now: float) -> None:
        """An operation ended, and nobody has a lock on its paths. It may have set an old version
        aside; of a move, that is the file that was to be moved."""
        if outcome.aside is None:
            return
        operation, moved = outcome.operation, outcome.operation.moved
        if moved is not None:
            operation = Operation(Verb.REMOVE, moved.entry, moved.held)
        self._wait(replace(operation, verb=Verb.GO_BACK, aside=outcome.aside))
        self._retry_at = now + RETRY_S

    def swapped(self, leftover: Leftover) -> Outputs:
        """At the start: the file that had the name is now under the name of the `.lefting`. It
        becomes the conflict copy if one is needed, else it is moved to the trash."""
        path, staged = leftover.path, leftover.staged
        operation = self._resolver.owed_move(path, leftover.content, staged)
        if operation is None:
            return self._leftings.discard(staged)
        self._wait(operation)
        return []

    def _wait(self, operation: Operation) -> None:
        for path in operation.paths:
            self._locks.lock(path, LockOwner.ASIDE)
        self._waiting.append(operation)

    def deadline(self) -> float | None:
        return self._retry_at if self._waiting and not self._under_way else None

    def start(self, now: float) -> Outputs:
        if self._under_way or not self._waiting or now < self._retry_at:
            return []
        self._under_way, self._waiting = tuple(self._waiting), []
        return [Work(Apply(self._folder, GOING_BACK, self._under_way))]

    def on_applied(self, fact: Applied, now: float) -> Outputs:
        """Has the paths of finished operations looked at; the other operations are tried again."""
        self._under_way = ()
        out: Outputs = []
        for outcome in fact.outcomes:
            operation = outcome.operation
            if outcome.ending in (Ending.FAILED, Ending.DISK_FULL, Ending.FLUSH_FAILED):
                self._waiting.append(operation)
                self._retry_at = now + RETRY_S
                continue
            self._locks.release(operation.paths, LockOwner.ASIDE)
            if operation.verb is Verb.NAME_COPY and outcome.ending is Ending.DONE:
                out += self._named(outcome)
            elif operation.staged is not None:
                out += self._leftings.discard(operation.staged)
            out.append(RescanWanted(self._folder, operation.paths))
            out.append(PathsReconsidered(self._folder, operation.paths))
        return out

    def _named(self, outcome: Outcome) -> Outputs:
        """The old version is the conflict copy or in the trash, and what replaced it is ours."""
        operation, copy_to = outcome.operation, outcome.copied_to
        assert operation.staged is not None
        self._leftings.files_gone(operation.staged)
        out: Outputs = [*self._announcer.took([outcome])]
        if copy_to is not None:
            fields = {"folder": self._folder, "path": operation.path, "copy": copy_to}
            out.append(Tell(EventKind.CONFLICT, fields))
        return out
