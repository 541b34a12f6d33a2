"""Tests that are run in turn: each of them has its day, and what is named is run whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import IN_TURN, TESTS, TURNS, has_its_turn, leaves_some_out


@pytest.mark.parametrize("first", [0, 20_786])
def test_each_is_run_on_one_of_four_days(first: int) -> None:
    days = range(first, first + TURNS)
    for number in range(200):
        assert sum(has_its_turn(f"tests/sim/test_laws.py::{number}", day) for day in days) == 1


def test_about_a_quarter_is_run_on_a_day() -> None:
    count = sum(has_its_turn(f"tests/unit/test_it.py::test[{n}]", 3) for n in range(4_000))
    assert 900 < count < 1_100


def test_the_files_that_are_named_are_there() -> None:
    named = [Path(place, f"test_{name}.py") for place in IN_TURN for name in IN_TURN[place]]
    assert [str(path) for path in named if not (TESTS / path).is_file()] == []


@pytest.mark.parametrize(
    ("args", "leaves"),
    [
        ([], True),
        (["-m", "not long"], True),
        (["-m", "in_turn"], False),
        (["tests/sim"], False),
        (["tests/sim/test_laws.py::test_x"], False),
    ],
)
def test_only_a_run_of_everything_leaves_some_to_other_days(args: list[str], leaves: bool) -> None:
    config = pytest.Config.fromdictargs({}, args)
    assert leaves_some_out(config) is leaves
