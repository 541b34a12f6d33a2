"""Which limits hold between two devices, and how the clock is looked at."""

from __future__ import annotations

import math

import pytest

from leftzmq.bandwidth.throttle import Throttle, Throttles
from leftzmq.bandwidth.timetable import (
    WEEK_MINUTES,
    BandwidthLimits,
    Timetable,
    parse_timetable,
)

B, C = b"b" * 32, b"c" * 32
MINUTE_NS = 60 * 10**9


def table(text: str) -> Timetable:
    return parse_timetable(text, "")


def throttle(ours: str, **of: str) -> Throttle:
    made = Throttle()
    by_key = {name.encode() * 32: table(text) for name, text in of.items()}
    made.set_timetables(table(ours) if ours else Timetable(), by_key)
    made.look(0, 100.0)
    return made


def test_without_limits_everything_passes() -> None:
    made = Throttle()
    made.took(B, 1 << 40, False, 100.0)
    assert made.lets(B, False, 100.0)
    assert made.slice_bytes(B) is None
    assert not made.limits_any


@pytest.mark.parametrize(
    ("ours", "of_b", "rate"),
    [
        ("1 MB/s", "500 kB/s", 500_000),
        ("500 kB/s", "1 MB/s", 500_000),
        ("1 MB/s", "mon off", 0),
        ("mon off", "1 MB/s", 0),
        ("tue off", "1 MB/s", 1_000_000),
    ],
)
def test_the_smaller_of_two_limits_holds(ours: str, of_b: str, rate: int) -> None:
    made = throttle(ours, b=of_b)
    assert made.rate(B) == rate
    took = 0
    now = 100.0
    while now < 110.0:
        if made.lets(B, False, now):
            made.took(B, 10_000, False, now)
            took += 10_000
        now += 0.001
    assert took == pytest.approx(10 * rate, rel=0.1)


def test_the_limit_of_this_device_holds_for_all_together_and_that_of_a_peer_for_it_alone() -> None:
    made = throttle("1 MB/s", b="100 kB/s")
    made.took(B, 100_000, False, 100.0)
    assert not made.lets(B, False, 100.5)
    assert made.lets(C, False, 100.5)
    made.took(C, 2_000_000, False, 100.5)
    assert not made.lets(B, False, 102.0)
    assert not made.lets(C, False, 102.0)
    assert made.rate() == 1_000_000


def test_what_a_small_file_may_a_large_one_may_not() -> None:
    made = throttle("1 MB/s")
    made.took(B, 100_000, False, 100.0)
    assert made.lets(B, True, 100.0)
    assert not made.lets(B, False, 100.0)
    assert made.ready_at(B, True, 100.0) == 100.0
    assert made.ready_at(B, False, 100.0) == pytest.approx(100.1)


def test_a_limit_that_is_gone_counts_no_more() -> None:
    made = throttle("1 MB/s", b="100 kB/s")
    made.took(B, 5_000_000, False, 100.0)
    made.set_timetables(Timetable(), {B: Timetable()})
    made.look(0, 100.0)
    assert made.lets(B, False, 100.0)
    assert not made.limits_any


# -- the clock -------------------------------------------------------------------------------------


def wall_ns(minute: float) -> int:
    return int(minute * MINUTE_NS)


@pytest.fixture
def throttles() -> Throttles:
    made = Throttles(lambda ns: ns // MINUTE_NS % WEEK_MINUTES)
    made.set_limits(BandwidthLimits(up=table("mon 08:00-09:00 off"), down=Timetable()), {})
    return made


def test_the_next_change_is_known_to_the_second(throttles: Throttles) -> None:
    assert not throttles.look(1000.0, wall_ns(479.5))
    assert throttles.deadline() == 1030.0
    assert throttles.look(1030.0, wall_ns(480))
    assert throttles.up.rate() == 0
    assert throttles.deadline() == 1030.0 + 3600


def test_a_clock_that_jumps_is_looked_at_at_the_next_fact(throttles: Throttles) -> None:
    throttles.look(1000.0, wall_ns(0))
    assert throttles.look(1000.1, wall_ns(500))
    assert throttles.up.rate() == 0
    assert throttles.look(1000.2, wall_ns(0))
    assert throttles.up.rate() is None


def test_a_monotonic_clock_that_is_ahead_makes_no_haste(throttles: Throttles) -> None:
    throttles.look(1000.0, wall_ns(479))
    throttles.look(1060.0, wall_ns(479.999))
    assert 1060.0 < throttles.deadline() <= 1060.1


def test_without_a_timetable_there_is_no_deadline() -> None:
    made = Throttles(lambda ns: 0)
    made.set_limits(BandwidthLimits(up=table("1 MB/s")), {B: BandwidthLimits(down=table("1 MB/s"))})
    assert made.look(1000.0, 0)
    assert made.deadline() == math.inf
    assert (made.up.rate(), made.down.rate(), made.down.rate(B)) == (1_000_000, None, 1_000_000)
    assert not made.look(1060.0, MINUTE_NS), "the same rates"
