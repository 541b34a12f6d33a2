"""What a yes to a join does, path by path, as far as the indexes of both sides say.

Only files and links count: a directory comes and goes with what is in it. The rows are read a slice
at a time. Knows rows and the rules of `tree`. Must not know who asks, nor which devices can be
reached.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from leftzmq.index.reader import Reader
from leftzmq.index.rows import Row, best_of, ours_of
from leftzmq.index.schema import OURS
from leftzmq.tree.conflict import conflict_path
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.reconcile import Verdict, reconcile, succeeds

STEP_ROWS: Final = 4_000
FIRST: Final = 10
"""Of each fate so many paths are named."""


class PathFate(Enum):
    """What becomes of a path. The value is the name of the field in the answer to `join_plan`."""

    COMES = "comes"  # it is not here
    SAME = "same"
    REPLACED = "replaced"  # what is here is an older version: it moves to the trash
    REMOVED = "removed"  # deleted by somebody who had these bytes: it moves to the trash
    CONFLICT = "conflicts"  # both have it and differ: both versions are kept
    GOES = "goes"  # others do not have it, or an older version of it


class PlanPart(Struct, frozen=True):
    """bytes: what is to be carried for these paths; of SAME, what need not be. first: in path
    order."""

    paths: int = 0
    bytes: int = 0
    first: tuple[str, ...] = ()

    def with_path(self, path: str, size: int) -> PlanPart:
        first = (*self.first, path) if len(self.first) < FIRST else self.first
        return PlanPart(self.paths + 1, self.bytes + size, first)


class JoinPlan(Struct, frozen=True):
    """copies: the paths of the conflict copies, in the order of the first conflicts. after: the
    sort key of the last path that was looked at; None: all were."""

    parts: Mapping[PathFate, PlanPart] = field(
        default_factory=lambda: dict.fromkeys(PathFate, PlanPart())
    )
    copies: tuple[str, ...] = ()
    after: bytes | None = b""


class PlannedPath(Struct, frozen=True):
    """entry: the version that is carried; of a conflict the one that becomes a copy."""

    fate: PathFate
    entry: Entry


def fate_of(rows: Sequence[Row], swept: int, doomed: Collection[str]) -> PlannedPath | None:
    """Return what becomes of one path; None: nothing, or it is a directory.

    swept: bits of the index that count no more
    doomed: paths where a scan found what others had and deleted, which our index does not have
    """
    planned = _planned(rows, ~OURS & ~swept, doomed)
    return None if planned is None or planned.entry.kind is Kind.DIRECTORY else planned


def _planned(rows: Sequence[Row], others: int, doomed: Collection[str]) -> PlannedPath | None:
    row, best = ours_of(rows), best_of(rows, others)
    ours = None if row is None else row.entry
    theirs = None if best is None else best.entry
    if ours is None or ours.deleted:
        return None if theirs is None else _not_here(ours, theirs, doomed)
    if theirs is None:
        return PlannedPath(PathFate.GOES, ours)
    match reconcile(ours, theirs, [each.entry for each in rows]):
        case Verdict.JOIN:
            return PlannedPath(PathFate.SAME, ours)
        case Verdict.TAKE:
            return PlannedPath(PathFate.REMOVED if theirs.deleted else PathFate.REPLACED, theirs)
        case Verdict.TAKE_AND_COPY:
            return PlannedPath(PathFate.CONFLICT, ours)
        case Verdict.KEEP | Verdict.PUBLISH_AGAIN:
            if theirs.deleted or succeeds(ours, theirs):
                return PlannedPath(PathFate.GOES, ours)
    # A directory stays where it is, whichever of the two ranks higher.
    return PlannedPath(PathFate.CONFLICT, ours if theirs.kind is Kind.DIRECTORY else theirs)


def _not_here(ours: Entry | None, theirs: Entry, doomed: Collection[str]) -> PlannedPath | None:
    """ours: a tombstone, or nothing."""
    if theirs.deleted:
        return PlannedPath(PathFate.REMOVED, theirs) if theirs.path in doomed else None
    if ours is not None and succeeds(ours, theirs):
        return PlannedPath(PathFate.REMOVED, ours)  # it was deleted here, and is removed there
    return PlannedPath(PathFate.COMES, theirs)


def step(reader: Reader, plan: JoinPlan, swept: int, doomed: Collection[str]) -> JoinPlan:
    """Return the plan after one more slice of the index."""
    assert plan.after is not None, "it is read"
    groups = reader.paths(plan.after, STEP_ROWS)
    if not groups:
        return replace(plan, after=None)
    parts, copies = dict(plan.parts), plan.copies
    for rows in groups:
        planned = fate_of([row for row in rows if not row.apart], swept, doomed)
        if planned is None:
            continue
        entry, part = planned.entry, parts[planned.fate]
        if planned.fate is PathFate.CONFLICT and part.paths < FIRST:
            copies = (*copies, conflict_path(entry))
        parts[planned.fate] = part.with_path(entry.path, entry.size)
    return JoinPlan(parts, copies, groups[-1][-1].sort_key)
