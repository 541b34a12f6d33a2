"""500 seeds of the simulation (tests/sim), and of every tenth a second run that must go the same
way (I12). A longer run: python -m tests.sim --seeds 0:20000 --twice"""

from __future__ import annotations

import pytest
from sim.plan import plan_of, run
from sim.shrink import command, shrunk

SEEDS = 500
SEEDS_A_TEST = 25
TWICE_EVERY = 10


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_the_promises_hold_whatever_befalls_devices_disks_and_lines(first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        plan = plan_of(seed, 0)
        outcome = run(plan)
        if outcome.broken is not None:
            small = shrunk(outcome)
            told = f"seed {seed}, {small.law}: {small.broken}\nreplay: {command(small.plan)}"
            pytest.fail(told, pytrace=False)
        if seed % TWICE_EVERY == 0:
            assert run(plan).digest == outcome.digest, f"I12: seed {seed} went another way"
