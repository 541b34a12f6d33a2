"""The age of the oldest change that counts is what keeping the time of each would give, nearly."""

from __future__ import annotations

import random

import pytest

from leftzmq.index import change_ages as module
from leftzmq.index.change_ages import STEP_S, STEPS_MOST, ChangeAges, ChangeTimes

A, B = 2, 4  # bits of devices


def test_what_is_there_at_the_start_is_as_old_as_the_start() -> None:
    times = ChangeTimes(10)
    ages = ChangeAges(times)
    ages.count(7, A, 1)
    assert ages.oldest(B, holds=False) is None, "nobody said what time it is"
    times.now_is(10, 50.0)
    assert ages.oldest(B, holds=False) == 50.0
    times.now_is(10, 90.0)
    ages.count(11, A, 1)
    assert ages.oldest(B, holds=False) == 50.0
    ages.count(7, A, -1)
    assert ages.oldest(B, holds=False) == 90.0, "and a new one is of now"
    ages.count(11, A, -1)
    ages.count(11, A | B, 1)
    assert ages.oldest(B, holds=False) is None and ages.oldest(B, holds=True) == 90.0


def test_rows_of_one_moment_have_one_step_and_those_of_another_moment_another_one() -> None:
    times = ChangeTimes(0)
    times.now_is(0, 5.0)
    times.now_is(3, 5.0 + STEP_S / 2)
    times.now_is(4, 5.0 + STEP_S)
    assert [times.step_of(id) for id in range(1, 7)] == [1, 1, 1, 1, 5, 5]
    assert [times.began(step) for step in (0, 1, 5)] == [5.0, 5.0, 5.0 + STEP_S]


@pytest.mark.parametrize("seed", range(30))
def test_an_age_is_right_to_about_an_eighth(seed: int) -> None:
    """Rows come and go at random for up to a year; some stay."""
    dice = random.Random(seed)
    times = ChangeTimes(0)
    ages = ChangeAges(times)
    now, last_id, made = 0.0, 0, {}
    pace_s = dice.choice((0.1, 10.0, 3600.0))
    times.now_is(0, now)
    for _ in range(3000):
        now += dice.expovariate(1 / pace_s)
        times.now_is(last_id, now)
        for _ in range(dice.randrange(3)):
            last_id += 1
            made[last_id] = now
            ages.count(last_id, A, 1)
        for id in [id for id in made if dice.random() < 0.2 and id % 97]:
            del made[id]
            ages.count(id, A, -1)
        oldest = min(made.values(), default=None)
        found = ages.oldest(B, holds=False)
        assert (oldest is None) == (found is None)
        if oldest is not None and found is not None:
            age, said = now - oldest, now - found
            assert age <= said <= age * 1.15 + STEP_S
    assert len(times._first) == len(times._times) <= STEPS_MOST
    assert len(ages._counts) <= STEPS_MOST and sum(ages._counts.values()) == len(made)


def test_counts_of_steps_that_became_one_are_taken_off_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STEPS_MOST", 4)
    times = ChangeTimes(0)
    ages = ChangeAges(times)
    for id in range(1, 50):
        times.now_is(id - 1, id * 10.0)
        ages.count(id, A, 1)
    assert times.merged > 40
    for id in range(1, 50):
        assert ages.oldest(B, holds=False) is not None
        ages.count(id, A, -1)
    assert ages.oldest(B, holds=False) is None and not ages._counts
