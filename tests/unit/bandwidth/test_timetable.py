"""Timetables: which rate holds when, when that changes, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.bandwidth.timetable import (
    DAYS,
    MAX_PARTS,
    WEEK_MINUTES,
    Timetable,
    limit_text,
    minute_of_week,
    parse_timetable,
)
from leftzmq.errors import ConfigError

WORK = "mon-fri 08:00-18:00 500 kB/s, 23:00-06:00 off"


def at(text: str) -> int:
    """The minute of the week of "mon 08:00"."""
    day, time = text.split()
    hour, minute = time.split(":")
    return minute_of_week(DAYS.index(day), int(hour), int(minute))


RATES = [
    ("2 MB/s", "sun 23:59", 2_000_000),
    (WORK, "mon 08:00", 500_000),
    (WORK, "mon 07:59", None),
    (WORK, "fri 17:59", 500_000),
    (WORK, "fri 18:00", None),
    (WORK, "sat 12:00", None),
    (WORK, "mon 23:00", 0),
    (WORK, "mon 00:00", 0),
    (WORK, "mon 05:59", 0),
    (WORK, "mon 06:00", None),
    ("fri 22:00-02:00 off", "sat 01:59", 0),
    ("fri 22:00-02:00 off", "sat 02:00", None),
    ("fri 22:00-02:00 off", "fri 01:00", None),
    ("sun 22:00-02:00 off", "mon 01:00", 0),
    ("sat-mon 1 MB/s", "sat 00:00", 1_000_000),
    ("sat-mon 1 MB/s", "mon 23:59", 1_000_000),
    ("sat-mon 1 MB/s", "tue 00:00", None),
    ("sun 1 MB/s", "sun 12:00", 1_000_000),
    ("00:00-24:00 1 MB/s", "wed 23:59", 1_000_000),
    ("23:00-24:00 off", "wed 23:59", 0),
    ("8:00-9:30 off", "tue 09:29", 0),
    ("sun 23:00-24:00 off,mon 00:00-01:00 1 MB/s", "mon 00:00", 1_000_000),
]


@pytest.mark.parametrize(("text", "when", "rate"), RATES)
def test_which_rate_holds(text: str, when: str, rate: int | None) -> None:
    assert parse_timetable(text, "here").rate_at(at(when)) == rate


CHANGES = [
    ("2 MB/s", "mon 12:00", None),
    (WORK, "mon 07:00", 60),
    (WORK, "mon 08:00", 600),
    (WORK, "sun 23:30", 390),
    (WORK, "sat 05:59", 1),
    ("fri 22:00-02:00 off", "fri 22:00", 240),
    ("mon 08:00-09:00 off", "mon 09:00", 7 * 1440 - 60),
    # Where two parts of one rate meet, nothing changes.
    ("08:00-09:00 off, 09:00-10:00 off", "mon 08:30", 90),
    ("sun off, mon off", "sun 23:00", 25 * 60),
    ("00:00-12:00 1 MB/s, 12:00-24:00 1 MB/s", "mon 08:30", None),
]


@pytest.mark.parametrize(("text", "when", "minutes"), CHANGES)
def test_when_another_rate_holds(text: str, when: str, minutes: int | None) -> None:
    assert parse_timetable(text, "here").changes_in(at(when)) == minutes


def test_a_timetable_without_parts_limits_nothing() -> None:
    assert Timetable().rate_at(0) is None
    assert Timetable().changes_in(0) is None


BAD = {
    "": "is empty",
    "off": "'off' says no time",
    "0 kB/s": "'0 kB/s' lets nothing pass",
    "25:00-06:00 off": "'25:00-06:00 off': 25:00 is no time of day",
    "08:00-24:01 off": "'08:00-24:01 off': 24:01 is no time of day",
    "08:60-09:00 off": "'08:60-09:00 off': 08:60 is no time of day",
    "08:00-08:00 off": "'08:00-08:00 off': '08:00-08:00' has no length",
    "24:00-06:00 off": "'24:00-06:00 off': '24:00-06:00' has no length",
    "08:00 off": "'08:00 off': '08:00' is no span of time",
    "-08:00-09:00 off": "'-08:00-09:00 off': '-08:00-09:00' is no span of time",
    "mon-fri 08:00-18:00": "'mon-fri 08:00-18:00' says no rate",
    "mon": "'mon' says no rate",
    "monday 1 MB/s": "'monday 1 MB/s': 'monday' is no day",
    "mon-frei 1 MB/s": "'mon-frei 1 MB/s': 'frei' is no day",
    "mon-fri 08:00-18:00 -1 kB/s": "'-1 kB/s' is negative",
    "mon-fri 08:00-18:00 1 kbit/s": "'1 kbit/s' has the unit 'kbit/s', which is not known",
    "mon off,": "has an empty part",
    "1 MB/s, 2 MB/s": "'1 MB/s' and '2 MB/s' overlap, on mon at 00:00",
    "mon-fri 08:00-18:00 1 MB/s, fri 17:00-19:00 off": (
        "'mon-fri 08:00-18:00 1 MB/s' and 'fri 17:00-19:00 off' overlap, on fri at 17:00"
    ),
    "sun 23:00-06:00 off, mon 05:00-07:00 1 MB/s": (
        "'sun 23:00-06:00 off' and 'mon 05:00-07:00 1 MB/s' overlap, on mon at 05:00"
    ),
    ", ".join(["mon off"] * (MAX_PARTS + 1)): f"has {MAX_PARTS + 1} parts",
}


@pytest.mark.parametrize(("text", "what"), BAD.items())
def test_what_is_no_timetable_is_refused_with_a_sentence(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_timetable(text, "here")
    assert (caught.value.what, caught.value.where) == (what, "here")
    assert caught.value.do


def _written(part: tuple[int, int, int, int]) -> str:
    day, begin, length, rate = part
    end = begin + length
    times = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    return f"{DAYS[day]} {times} {f'{rate} kB/s' if rate else 'off'}"


PARTS = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(0, 1380), st.integers(1, 60), st.sampled_from((0, 1, 2))
    ),
    max_size=6,
    unique_by=lambda part: (part[0], part[1] // 120, part[1] // 60 % 2),
)


@settings(deadline=None, max_examples=50)
@given(PARTS, st.integers(0, WEEK_MINUTES - 1))
def test_until_it_changes_the_rate_is_the_same_and_then_it_is_another(
    parts: list[tuple[int, int, int, int]], minute: int
) -> None:
    try:
        table = parse_timetable(", ".join(map(_written, parts)), "") if parts else Timetable()
    except ConfigError:  # they overlap
        return
    rate = table.rate_at(minute)
    minutes = table.changes_in(minute)
    same = WEEK_MINUTES if minutes is None else minutes
    assert all(table.rate_at((minute + n) % WEEK_MINUTES) == rate for n in range(same))
    if minutes is not None:
        assert table.rate_at((minute + minutes) % WEEK_MINUTES) != rate


def test_a_limit_in_force_is_shown_in_words() -> None:
    assert [limit_text(rate) for rate in (None, 0, 500_000)] == ["none", "off", "500 kB/s"]
