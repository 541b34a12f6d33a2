"""A cost that grows faster than it may is found, and no other."""

from __future__ import annotations

import pytest
from findings import bends, points
from record import Record, Run
from rows import growth
from rows.row import OURS, Scale

(ROW,) = growth.ROWS


def measured(key: str, costs: dict[int, float]) -> Record:
    found = Record({})
    for files, cost in reversed(costs.items()):
        found.runs.append(Run(ROW.name, OURS, Scale(files=files), 1, 1.0, {key: cost}))
    return found


@pytest.mark.parametrize(
    ("key", "costs", "bent"),
    [
        ("scan_s", {1_000: 1.0, 10_000: 10.0, 100_000: 100.0}, []),
        ("scan_s", {1_000: 1.0, 10_000: 1.1, 100_000: 11.0}, []),  # a start that costs something
        ("scan_s", {1_000: 1.0, 10_000: 10.0, 100_000: 200.0}, [100_000]),
        ("edit_ms", {1_000: 10.0, 10_000: 11.0, 100_000: 12.0}, []),
        ("edit_ms", {1_000: 10.0, 10_000: 10.0, 100_000: 50.0}, [100_000]),
        ("index_bytes", {1_000: 900.0, 10_000: 400.0, 100_000: 390.0}, []),
    ],
)
def test_a_bend(key: str, costs: dict[int, float], bent: list[int]) -> None:
    assert [bend.to_files for bend in bends(measured(key, costs), ROW)] == bent


def test_points_are_in_the_order_of_their_files() -> None:
    record = measured("scan_s", {1_000: 1.0, 10_000: 0.0, 100_000: 3.0})
    (figure,) = [figure for figure in ROW.figures if figure.key == "scan_s"]
    # A cost of 0 has no place on log axes.
    assert points(record, ROW, figure, OURS) == [(1_000, 1.0), (100_000, 3.0)]


def test_two_scales_that_are_near_show_nothing() -> None:
    assert not bends(measured("scan_s", {1_000: 1.0, 1_100: 9.0}), ROW)
