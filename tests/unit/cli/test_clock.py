"""Times as people read and type them: local, with their date."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from leftzmq.cli.format.clock import UNDATED, iso_time, local_time, period, unix_of


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Its rules, without the data of any zone: summer time is two hours ahead of UTC."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_time_is_shown_as_the_clock_on_the_wall_says_it() -> None:
    summer, winter = unix_of("20261005-140307"), unix_of("20261205-140307")
    assert local_time(summer) == "2026-10-05 16:03:07"
    assert iso_time(summer) == "2026-10-05T16:03:07+02:00"
    assert local_time(winter) == "2026-12-05 15:03:07"
    assert iso_time(winter) == "2026-12-05T15:03:07+01:00"


@pytest.mark.parametrize("unix_s", [1e18, -1e18, float("inf")])
def test_what_no_calendar_holds_has_no_date(unix_s: float) -> None:
    assert local_time(unix_s) == UNDATED and iso_time(unix_s) is None


@pytest.mark.parametrize(
    "typed, begins, ends",
    [
        ("2026-10-05 16:03:07", "20261005-140307", "20261005-140308"),
        ("2026-10-05T16:03:07", "20261005-140307", "20261005-140308"),
        ("2026-10-05T16:03:07+02:00", "20261005-140307", "20261005-140308"),
        ("2026-10-05T14:03:07Z", "20261005-140307", "20261005-140308"),
        ("2026-10-05 16:03", "20261005-140300", "20261005-140400"),
        ("2026-10-05 16", "20261005-140000", "20261005-150000"),
        ("2026-10-05", "20261004-220000", "20261005-220000"),
        ("2026-10", "20260930-220000", "20261031-230000"),
        ("2026-12", "20261130-230000", "20261231-230000"),
        ("2026", "20251231-230000", "20261231-230000"),
        ("2026-10-25 02", "20261025-000000", "20261025-020000"),  # this hour comes twice
        ("2026-03-29", "20260328-230000", "20260329-220000"),  # this day has 23
    ],
)
def test_what_is_typed_is_a_period(typed: str, begins: str, ends: str) -> None:
    assert period(typed) == (begins, ends)


@pytest.mark.parametrize(
    "typed",
    ["", "now", "123", "2026-13", "2026-02-30", "2026-10-05 25", "2026-10-05 16:03:07.5", "٢٠٢٦",
     "0000", "9999", "2026-10-05 1", "20261005"],
)  # fmt: skip
def test_what_is_no_time(typed: str) -> None:
    assert period(typed) is None
