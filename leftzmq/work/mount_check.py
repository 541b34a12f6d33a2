"""Checks the mounts in a share for jobs (I11). Below a missing mount nothing is believed or
written; the Problem names the mount.

Knows mounts and the results of jobs. Must not know what a job was for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leftzmq.disk.apply.apply import apply
from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.scan.mounts import CannotTell
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.tree.ignoring.share_rules import NO_RULES, IgnoreRules
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Operation
from leftzmq.work.folder_context import FolderContext
from leftzmq.work.unflushed_names import FlushBatch


def problem(context: FolderContext, path: str) -> Problem | None:
    """The Problem of a path whose mount is missing or cannot be checked; None: there is none.
    OSError that says nothing about the path."""
    try:
        mount = context.mounts.gone_above(context.root, path, context.ours)
    except CannotTell as cannot:
        return Problem(context.id, cannot.path, ProblemKind.UNREADABLE, cannot.why)
    if mount is None:
        return None
    detail = "" if path == mount else path
    return Problem(context.id, mount, ProblemKind.MOUNT_GONE, detail)


class _Problems:
    """`problem` for many paths at about the same time, with one check for all paths of a folder."""

    def __init__(self, context: FolderContext) -> None:
        self._context = context
        self._fine: set[str] = set()

    def of(self, path: str) -> Problem | None:
        above = parent_of(path)
        if above in self._fine and path not in self._context.mounts:
            return None
        found = problem(self._context, path)
        if found is None:
            self._fine.add(above)
        return found


def believed(context: FolderContext, sightings: Iterable[Sighting]) -> list[Sighting]:
    """The `sightings`, with a Problem in place of those below a missing mount. Call this after the
    look: GONE means deleted only while the mount is there."""
    problems = _Problems(context)
    out: list[Sighting] = []
    for seen in sightings:
        same = seen.sight is Sight.SAME and seen.path not in context.mounts
        wrong = None if same else problems.of(seen.path)
        out.append(Sighting(seen.path, Sight.PROBLEM, problem=wrong) if wrong else seen)
    return out


def carried_out(
    context: FolderContext,
    operations: Sequence[Operation],
    now_ns: int,
    rules: IgnoreRules = NO_RULES,
) -> list[Outcome]:
    """As disk/apply, but nothing is done below a missing mount: those operations are FAILED, and
    their Outcomes come first."""
    problems = _Problems(context)
    held: list[Outcome] = []
    free: list[Operation] = []
    for operation in operations:
        paths = [*operation.paths, *([operation.moved.path] if operation.moved else [])]
        wrong = next((found for path in paths if (found := problems.of(path))), None)
        if wrong is None:
            free.append(operation)
        else:
            why = f"{wrong.path} {wrong.kind.value}"
            held.append(Outcome(operation, Ending.FAILED, why=why))
    return held + (_applied(context, free, now_ns, rules) if free else [])


def _applied(
    context: FolderContext, operations: Sequence[Operation], now_ns: int, rules: IgnoreRules
) -> list[Outcome]:
    beside = FlushBatch(
        context.unflushed_names, [_concerned(operation) for operation in operations]
    )
    return apply(
        context.root,
        operations,
        now_ns=now_ns,
        beside=beside,
        rules=rules,
        kept=context.modes,
    )


def _concerned(operation: Operation) -> tuple[str, ...]:
    moved = operation.moved
    return operation.paths if moved is None else (*operation.paths, moved.path)
