"""How long a pause is, as a user types it."""

from __future__ import annotations

import argparse

import pytest

from leftzmq.cli.service.pause import seconds


@pytest.mark.parametrize(
    ("typed", "length"), [("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0), ("1.5d", 129_600.0)]
)
def test_a_length_of_time_is_a_number_and_a_unit(typed: str, length: float) -> None:
    assert seconds(typed) == length


@pytest.mark.parametrize("typed", ["", "2", "h", "-2h", "0h", "2 h", "2w", "367d", "1h30m"])
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no length of time"):
        seconds(typed)
