"""Seeds of the simulation in which users limit what passes, and what their laws find.

A longer run: python -m tests.sim --limits --seeds 0:50000
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.bandwidth.timetable import BandwidthLimits, parse_timetable
from leftzmq.bandwidth.token_bucket import TokenBucket
from leftzmq.sync.admin.wait import WaitQuestions
from leftzmq.sync.facts import LimitsSet
from tests.sim import laws, limiting_laws
from tests.sim.ledger import Ledger
from tests.sim.limiters import LIMITING, Limiters
from tests.sim.plan import has_limits, mix_of, plan_of, run, settle
from tests.sim.users import Users
from tests.sim.world import Knobs, World

SEEDS = 8
FIRST = 40_000
OFF = ", ".join(f"{hour:02}:00-{hour:02}:03 off" for hour in range(24))


def seeds_from(first: int) -> list[int]:
    return [seed for seed in range(first, first + 5_000) if has_limits(seed)]


def test_the_promises_hold_where_users_limit_what_passes() -> None:
    for number, seed in enumerate(seeds_from(FIRST)[:SEEDS]):
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
        if number == 0:
            assert run(plan_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


def test_no_other_seed_has_limits() -> None:
    for seed in range(200):
        limited = [step for step in plan_of(seed).steps if step.what in LIMITING]
        assert bool(limited) is has_limits(seed)
        assert mix_of(seed) or has_limits(seed) is (seed % 17 == 8)


# ---- what the laws say ------------------------------------------------------------------------


class Street:
    """A and B; A gives nothing in the first three minutes of each hour."""

    def __init__(self, base: Path) -> None:
        self.world = world = World(1, base, "AB", {("A", "B")}, Knobs())
        self.ledger = Ledger()
        self.users = Users(world, self.ledger, large=False)
        world.look_after = laws.Witness(self.ledger).look_after
        self.limiters = Limiters(world, self.users)
        limiting_laws.Witness(world).begin()
        self.a, self.b = world.devices.values()
        self.a.limit(LimitsSet(BandwidthLimits(up=parse_timetable(OFF, "")), {}))
        for device in world.devices.values():
            device.start()
        world.run_until(world.now + 5.0)
        assert self.users._write(self.a, "p", b"one")
        self.a.touched()


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


def test_all_is_in_sync_when_time_is_over(street: Street) -> None:
    street.world.run_until(street.world.now + 60.0)
    assert street.b.hands.at("p") is None
    street.limiters.asks(street.b, 1.0)
    street.world.patience_s = limiting_laws.patience_s(street.world, street.limiters)
    settle(street.world)
    laws.converged(street.world, street.ledger)
    limiting_laws.all_say_so(street.world, street.limiters)
    assert not street.b.answers[street.b.askers.index(b"wait 0")]["in_sync"]


def test_what_is_given_while_nothing_may_pass_is_found(street: Street) -> None:
    street.world.run_until(street.world.now + 2 * limiting_laws.NOTICED_S)
    street.a.take(LimitsSet(BandwidthLimits(), {}))  # which its user did not say
    with pytest.raises(laws.Broken, match="limit: A gives B contents"):
        street.world.run_until(street.world.now + 60.0)


def test_what_is_given_above_the_rate_is_found(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    street.a.limit(LimitsSet(BandwidthLimits(up=parse_timetable("2 kB/s", "")), {}))
    street.world.run_until(street.world.now + 30.0)
    street.limiters.do("write much", street.a, street.world.random)
    street.world.run_until(street.world.now + 30.0)
    assert street.b.hands.at("much 14") is not None, "it goes, and no law is broken"
    monkeypatch.setattr(TokenBucket, "take", lambda self, size, is_small, now: None)
    street.limiters.do("write much", street.a, street.world.random)
    with pytest.raises(laws.Broken, match="limit: A gave"):
        street.world.run_until(street.world.now + 60.0)


def test_a_question_that_is_not_answered_is_found(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaitQuestions, "_over", lambda self, waiter, why, now: [])
    street.limiters.asks(street.b, 1.0)
    street.world.run_until(street.world.now + 10.0)
    with pytest.raises(laws.Broken, match="B does not answer wait 0"):
        limiting_laws.waits_ended(street.world, street.limiters)
