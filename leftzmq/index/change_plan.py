"""What would happen at each path now, as far as the index says: what a device lacks, and what is to
be done for it.

The rows are read a slice at a time. Knows rows and the rules of `tree`. Must not know who asks, nor
what the disk has to say: an operation may find more than the index knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from leftzmq.index.losses import Loss, loss
from leftzmq.index.reader import Reader
from leftzmq.index.rows import ANYBODY, Row, best_of
from leftzmq.index.schema import OURS
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import path_of_key, sort_key
from leftzmq.tree.reconcile import Verdict, reconcile

STEP_ROWS: Final = 4_000


class PlannedAction(Enum):
    """What would be done at a path. The value is the word that a user reads."""

    FETCH = "fetch"  # nothing is there: a file comes
    REPLACE = "replace"  # what is there moves to the trash, and a file comes
    REMOVE = "remove"  # what is there moves to the trash
    MAKE_FOLDER = "make folder"
    LINK = "link"
    ATTRIBUTES = "attributes"  # mtime or mode alone
    COPY = "copy"  # what is there becomes a conflict copy, and another version comes
    HELD = "held"  # by the guard, until a user decides
    WAITS = "waits"  # nothing can bring it now


class PlannedCount(Struct, frozen=True):
    """bytes: the sizes of the files that would come."""

    paths: int = 0
    bytes: int = 0


class PlannedChange(Struct, frozen=True):
    """holders: the bits of the devices that have the version. meant: what would be done if nothing
    held it back."""

    path: str
    action: PlannedAction
    meant: PlannedAction
    bytes: int
    holders: int


class PlanScope(Struct, frozen=True):
    """For whom the plan is, and what stands in its way.

    mask: the bit of the device, as a set; 0: one that has nothing
    nobody: bits that do not count: of devices that may only read, and of indexes that are swept
    reach: the bits of the devices that can be asked now; 0: nothing can come
    holds: the guard of this device holds back what others did
    accepted: what users let pass it
    done: the sequence of our index up to which the device is done with it
    """

    mask: int
    nobody: int
    reach: int
    holds: bool
    accepted: Accepted
    done: int = 0

    @property
    def is_ours(self) -> bool:
        return bool(self.mask & OURS)


class ChangePlan(Struct, frozen=True):
    """counts: of all paths that were looked at. changes: the first ones, at most `limit`. after:
    the sort key of the last path that was looked at; None: all were. counts_all: paths beyond the
    limit are counted; else the plan ends with the last change."""

    limit: int
    counts_all: bool
    after: bytes | None = b""
    counts: Mapping[PlannedAction, PlannedCount] = field(default_factory=dict)
    changes: tuple[PlannedChange, ...] = ()
    has_more: bool = False


def change_of(rows: Sequence[Row], scope: PlanScope) -> PlannedChange | None:
    """Return what would happen at one path; None: nothing. rows: all of the path."""
    count = [
        row for row in rows if row.holders & ~scope.nobody and not (row.apart and scope.is_ours)
    ]
    told = count if scope.is_ours else [row for row in count if not row.entry.is_private]
    has = next((row for row in count if row.holders & scope.mask), None)
    best = best_of(told, ANYBODY)
    if best is None or best is has or (best.seq is not None and best.seq <= scope.done):
        return None
    meant = _meant(None if has is None else has.entry, best.entry, [row.entry for row in told])
    if meant is None:
        return None
    entry, action = best.entry, meant
    holders = sum(row.holders for row in told if row.entry.same_content(entry) and row is not best)
    holders |= best.holders
    if scope.is_ours and _is_held(told, has, best, scope):
        action = PlannedAction.HELD
    elif not holders & scope.reach:
        action = PlannedAction.WAITS
    size = entry.size if meant in _CARRIES else 0
    return PlannedChange(entry.path, action, meant, size, holders & ~scope.mask)


_CARRIES: Final = (PlannedAction.FETCH, PlannedAction.REPLACE, PlannedAction.COPY)


def _meant(ours: Entry | None, theirs: Entry, known: list[Entry]) -> PlannedAction | None:
    is_live = ours is not None and not ours.deleted
    match reconcile(ours, theirs, known):
        case Verdict.KEEP | Verdict.PUBLISH_AGAIN:
            return None
        case Verdict.JOIN:
            assert ours is not None, "both have it"
            is_same = ours.attributes == theirs.attributes
            return None if is_same or not is_live else PlannedAction.ATTRIBUTES
        case Verdict.TAKE_AND_COPY:
            return PlannedAction.COPY
        case Verdict.TAKE:
            if theirs.deleted:
                return PlannedAction.REMOVE if is_live else None
            return _put(theirs.kind, is_live=is_live)


def _put(kind: Kind, *, is_live: bool) -> PlannedAction:
    match kind:
        case Kind.DIRECTORY:
            return PlannedAction.MAKE_FOLDER
        case Kind.SYMLINK:
            return PlannedAction.LINK
        case Kind.FILE:
            return PlannedAction.REPLACE if is_live else PlannedAction.FETCH


def _is_held(told: Sequence[Row], has: Row | None, best: Row, scope: PlanScope) -> bool:
    """Whether the guard counts it as a loss, or removes it with the files."""
    if not scope.holds or has is None or has.entry.deleted:
        return False
    if best.entry.deleted:
        return not scope.accepted.covers(best.entry)
    return loss(told, best, scope.accepted) is not Loss.NONE


def step(reader: Reader, plan: ChangePlan, scope: PlanScope) -> ChangePlan:
    """Return the plan after one more slice of the index."""
    assert plan.after is not None, "it is read"
    keys, after = reader.paths_lacked(scope.mask, plan.after, STEP_ROWS)
    # A path whose rows the slice cuts in two may be lacked by those that it does not have.
    cut = () if after is None else (after,)
    found = reader.rows_of(path_of_key(key) for key in dict.fromkeys((*keys, *cut)))
    counts, changes = dict(plan.counts), list(plan.changes)
    for rows in found.values():
        change = change_of(rows, scope)
        if change is None:
            continue
        if len(changes) == plan.limit:
            plan = replace(plan, has_more=True)
            if not plan.counts_all:
                return replace(plan, after=None)
        else:
            changes.append(change)
        before = counts.get(change.action, PlannedCount())
        counts[change.action] = PlannedCount(before.paths + 1, before.bytes + change.bytes)
    return replace(plan, after=after, counts=counts, changes=tuple(changes))


def begin(after: str, limit: int) -> ChangePlan:
    """Return the plan of which nothing is read yet. after: only paths behind this one are listed;
    then nothing is counted beyond them."""
    key = sort_key(after) if after else b""
    return ChangePlan(limit, counts_all=not after, after=key)
