"""Seeds of the simulation that are about two or three things at once: members, ignoring, a part of
the folder, one direction, limits.

A longer run: python -m tests.sim --mixed --seeds 0:50000
"""

from __future__ import annotations

from tests.sim.plan import MIXED_EACH, Theme, mix_of, plan_of, run, themes_of

SEEDS = 8
FIRST = 46_000


def seeds_from(first: int) -> list[int]:
    return [seed for seed in range(first, first + SEEDS * MIXED_EACH) if mix_of(seed)]


def test_the_promises_hold_where_several_things_are_in_use() -> None:
    for number, seed in enumerate(seeds_from(FIRST)):
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
        if number == 0:
            assert run(plan_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


def test_each_two_things_are_together_in_some_seed() -> None:
    mixes = [mix_of(seed) for seed in range(FIRST, FIRST + 3_000)]
    ways = {Theme.RECEIVER, Theme.SENDER}
    for one in set(Theme) - {Theme.FOLDING}:
        for other in set(Theme) - {Theme.FOLDING, one}:
            together = any({one, other} <= mix for mix in mixes)
            assert together is not ({one, other} == ways), (one, other)


def test_what_a_seed_is_about_begins_with_its_first_step() -> None:
    for seed in seeds_from(FIRST):
        steps = {step.number for step in plan_of(seed).steps}
        assert {theme for theme in Theme if theme.value in steps} == themes_of(seed)
