"""Sets of rows as ints say what sets say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leftzmq.sync.download.row_sets import marks_of, set_of, set_of_runs

ROW = st.integers(0, 200)


def members(rows: int) -> set[int]:
    return {row for row in range(rows.bit_length()) if rows >> row & 1}


@given(st.lists(ROW))
def test_rows(rows: list[int]) -> None:
    assert members(set_of(rows)) == set(rows)


@given(st.lists(st.builds(range, ROW, ROW)))
def test_runs(runs: list[range]) -> None:
    assert members(set_of_runs(runs)) == {row for run in runs for row in run}


@given(st.sets(ROW), ROW)
def test_marks(rows: set[int], count: int) -> None:
    marks = marks_of(set_of(rows), count)
    assert [bool(mark) for mark in marks] == [row in rows for row in range(count)]
