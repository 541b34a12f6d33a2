"""What a failing disk let go neither on nor back: it is put back under its name later.

Until then nobody works at that path: a look would call it deleted, and an operation would call what
was put there instead the user's.

Knows where the old versions lie. Must not know what the operations were for, nor how one goes back
(disk/swap does).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leftzmq.disk.outcome import Ending, Outcome
from leftzmq.sync.actions import Action, Work
from leftzmq.sync.claims import Claimant, Claims
from leftzmq.sync.facts import Fact, RescanWanted
from leftzmq.sync.jobs import Applied, Apply
from leftzmq.sync.leftings import Leftings
from leftzmq.tree.plan import Operation, Verb

GOING_BACK: Final = 0
"""The number of their batches; those of others begin with 1."""
RETRY_S: Final = 5.0


class Asides:
    """Of one folder. A crash forgets them: then they are what the next start finds."""

    def __init__(self, folder: str, claims: Claims, leftings: Leftings) -> None:
        self._folder, self._claims, self._leftings = folder, claims, leftings
        self._waiting: list[Operation] = []
        self._retry_at = 0.0
        self._running = False

    def __bool__(self) -> bool:
        return bool(self._waiting) or self._running

    def add(self, outcome: Outcome, now: float) -> None:
        """An operation ended, and nobody has its paths; it may have left something aside."""
        if outcome.aside is None:
            return
        operation = replace(outcome.operation, verb=Verb.GO_BACK, aside=outcome.aside)
        for path in operation.paths:
            self._claims.take(path, Claimant.ASIDE)
        self._waiting.append(operation)
        self._retry_at = now + RETRY_S

    def deadline(self) -> float | None:
        return self._retry_at if self._waiting and not self._running else None

    def start(self, now: float) -> list[Action | Fact]:
        if self._running or not self._waiting or now < self._retry_at:
            return []
        self._running = True
        operations, self._waiting = tuple(self._waiting), []
        return [Work(Apply(self._folder, GOING_BACK, operations))]

    def ended(self, fact: Applied, now: float) -> list[Action | Fact]:
        """What went back is looked at; the rest is tried again."""
        self._running = False
        out: list[Action | Fact] = []
        for outcome in fact.outcomes:
            operation = outcome.operation
            if outcome.ending in (Ending.FAILED, Ending.DISK_FULL, Ending.FLUSH_FAILED):
                self._waiting.append(operation)
                self._retry_at = now + RETRY_S
                continue
            self._claims.release(operation.paths, Claimant.ASIDE)
            if operation.staged is not None:
                out += self._leftings.discard(operation.staged)
            out.append(RescanWanted(self._folder, operation.paths))
        return out
