"""The plan of a join says of each path what a yes does."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.index import join_plan
from leftzmq.index.join_plan import FIRST, JoinPlan, PathFate, fate_of
from leftzmq.index.rows import Row
from leftzmq.index.store import Store
from leftzmq.tree.conflict import conflict_path
from leftzmq.tree.entry import Entry
from tests.helpers.trees import deleted, file, folder, link, made

OURS, B, C = 1, 2, 4
BOTH = OURS | B

OLD = made("b", file(text="old"))
NEW = made("b", file(text="new", mtime=20), OLD, 2)
HERE = made("a", file(text="here", mtime=5))
LATER_HERE = made("a", file(text="here", mtime=30))
EDITED_HERE = made("a", file(text="edited", mtime=40), OLD, 3)
GONE = deleted("b", OLD)
SAME_HERE = made("a", file(text="old"))
DELETED_HERE = deleted("a", OLD, 3, 30)


def row(entry: Entry, holders: int) -> Row:
    return Row(entry, holders, seq=1 if holders & OURS else None)


def fate(*rows: Row, swept: int = 0, doomed: frozenset[str] = frozenset()) -> object:
    planned = fate_of(rows, swept, doomed)
    return None if planned is None else (planned.fate, planned.entry)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(OLD, B)], (PathFate.COMES, OLD)),
        ([row(OLD, B), row(NEW, C)], (PathFate.COMES, NEW)),
        ([row(OLD, BOTH)], (PathFate.SAME, OLD)),
        ([row(OLD, B), row(SAME_HERE, OURS)], (PathFate.SAME, SAME_HERE)),
        ([row(OLD, OURS), row(NEW, B)], (PathFate.REPLACED, NEW)),
        ([row(EDITED_HERE, OURS), row(OLD, B)], (PathFate.GOES, EDITED_HERE)),
        ([row(HERE, OURS)], (PathFate.GOES, HERE)),
        ([row(HERE, OURS), row(OLD, B)], (PathFate.CONFLICT, HERE)),
        ([row(LATER_HERE, OURS), row(OLD, B)], (PathFate.CONFLICT, OLD)),
        ([row(OLD, OURS), row(GONE, B)], (PathFate.REMOVED, GONE)),
        ([row(HERE, OURS), row(GONE, B)], (PathFate.GOES, HERE)),
        ([row(LATER_HERE, OURS), row(GONE, B)], (PathFate.GOES, LATER_HERE)),
        ([row(DELETED_HERE, OURS), row(OLD, B)], (PathFate.REMOVED, DELETED_HERE)),
        ([row(DELETED_HERE, OURS), row(NEW, B)], (PathFate.COMES, NEW)),
        ([row(GONE, BOTH)], None),
        ([row(GONE, B)], None),
        ([row(made("b", folder()), B)], None),
        ([row(made("b", folder()), OURS)], None),
        ([row(made("b", folder()), B), row(made("a", folder()), OURS)], None),
        ([row(made("b", folder()), B), row(HERE, OURS)], (PathFate.CONFLICT, HERE)),
        ([row(made("a", folder()), OURS), row(OLD, B)], (PathFate.CONFLICT, OLD)),
        ([row(made("b", link()), B)], (PathFate.COMES, made("b", link()))),
    ],
)
def test_each_path_has_the_fate_that_follows(rows: list[Row], expected: object) -> None:
    assert fate(*rows) == expected


def test_what_others_deleted_and_lies_here_unknown_is_removed() -> None:
    assert fate(row(GONE, B), doomed=frozenset("p")) == (PathFate.REMOVED, GONE)


def test_what_is_held_by_what_counts_no_more_does_not_come() -> None:
    assert fate(row(OLD, B), swept=B) is None
    assert fate(row(HERE, OURS), row(OLD, B), swept=B) == (PathFate.GOES, HERE)


def test_all_is_counted_slice_by_slice_and_the_first_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join_plan, "STEP_ROWS", 7)
    store = Store(tmp_path / "index.db")
    for number in range(30):
        come = made("b", file(f"come{number:02}", text="x" * 10))
        here = made("a", file(f"both{number:02}", text="here", mtime=5))
        there = made("b", file(f"both{number:02}", text="there"))
        store.replace([], [row(come, B)])
        store.replace([], [Row(here, OURS, seq=number + 1), row(there, B)])
    store.commit()
    plan, steps = JoinPlan(), 0
    while plan.after is not None:
        plan, steps = join_plan.step(store, plan, 0, ()), steps + 1
    assert steps > 90 / 7
    comes, conflicts = plan.parts[PathFate.COMES], plan.parts[PathFate.CONFLICT]
    assert (comes.paths, comes.bytes, conflicts.paths) == (30, 300, 30)
    assert comes.first == tuple(f"come{number:02}" for number in range(FIRST))
    assert conflicts.first == tuple(f"both{number:02}" for number in range(FIRST))
    here = made("a", file("both00", text="here", mtime=5))
    assert len(plan.copies) == FIRST and plan.copies[0] == conflict_path(here)
    store.close()
