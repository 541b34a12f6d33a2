"""Token buckets by a clock that the test moves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.bandwidth.token_bucket import BURST_S, SLICE_S, TokenBucket

RATE = 1_000_000


def bucket(rate: int | None = RATE, now: float = 100.0) -> TokenBucket:
    made = TokenBucket()
    made.set_rate(rate, now)
    return made


def test_without_a_limit_everything_passes() -> None:
    made = bucket(None)
    made.take(1 << 40, False, 100.0)
    assert made.lets(False, 100.0)


def test_at_rate_0_nothing_passes_until_another_rate_holds() -> None:
    made = bucket(0)
    assert not made.lets(True, 1e9)
    assert made.ready_at(False, 100.0) == math.inf
    made.set_rate(RATE, 1e9)
    assert made.lets(False, 1e9)


@pytest.mark.parametrize("is_small", [False, True])
def test_what_was_too_large_is_owed_and_flows_in_again(is_small: bool) -> None:
    made = bucket()
    made.take(2 * RATE, is_small, 100.0)
    assert made.ready_at(is_small, 100.0) == 102.0
    assert made.ready_at(is_small, 101.0) == 102.0
    assert not made.lets(is_small, 101.9)
    assert made.lets(is_small, 102.0)


def test_what_large_files_owe_keeps_no_small_one_waiting() -> None:
    made = bucket()
    made.take(20 * RATE, False, 100.0)
    assert made.lets(True, 100.0)
    made.take(1, True, 100.0)
    assert not made.lets(True, 100.0)


def test_large_files_wait_for_what_small_ones_owe() -> None:
    made = bucket()
    made.take(RATE, True, 100.0)
    assert not made.lets(False, 100.9)
    assert made.lets(False, 101.0)


def test_a_silence_is_made_up_for_a_little() -> None:
    made = bucket()
    made.take(int(BURST_S * RATE), True, 1000.0)
    assert made.lets(True, 1000.0)
    made.take(1, True, 1000.0)
    assert not made.lets(True, 1000.0)
    assert not made.lets(False, 1000.0)


@pytest.mark.parametrize("is_small", [False, True])
def test_what_did_not_pass_is_given_back(is_small: bool) -> None:
    made = bucket()
    made.take(RATE, is_small, 100.0)
    made.give_back(RATE, is_small)
    assert made.lets(False, 100.0)
    assert made.lets(True, 100.0)


def test_a_debt_lasts_as_long_at_another_rate() -> None:
    made = bucket()
    made.take(RATE, True, 100.0)
    made.set_rate(RATE // 1000, 100.0)
    assert made.ready_at(False, 100.0) == pytest.approx(101.0)
    assert made.ready_at(True, 100.0) == pytest.approx(101.0)


def test_a_clock_that_stands_still_gives_nothing() -> None:
    made = bucket()
    made.take(RATE, False, 100.0)
    assert not made.lets(False, 100.0)
    assert made.ready_at(False, 100.0) == 101.0


@settings(deadline=None, max_examples=100)
@given(
    st.integers(10_000, 10_000_000),
    st.lists(st.tuples(st.floats(0, 0.5), st.booleans()), min_size=1, max_size=200),
)
def test_over_10_s_at_most_a_tenth_too_much_passes_whatever_is_small(
    rate: int, turns: list[tuple[float, bool]]
) -> None:
    made, now, passed = bucket(rate), 100.0, list[tuple[float, int]]()
    size = int(rate * SLICE_S)
    for rest_s, is_small in turns:
        now += rest_s
        while made.lets(is_small, now):
            made.take(size, is_small, now)
            passed.append((now, size))
    for begin, _ in passed:
        assert sum(n for at, n in passed if begin <= at < begin + 10) <= 11 * rate + 1


@pytest.mark.parametrize("rate", [50_000, 500_000, 20_000_000])
def test_who_always_has_something_to_send_gets_the_whole_rate(rate: int) -> None:
    made, now, passed = bucket(rate), 100.0, 0
    while now < 110.0:
        now = max(made.ready_at(False, now), now) + 0.004  # a loop is a little late
        made.take(int(rate * SLICE_S), False, now)
        passed += int(rate * SLICE_S)
    assert passed == pytest.approx(10 * rate, rel=0.1)
