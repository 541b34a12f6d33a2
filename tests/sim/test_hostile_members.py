"""A hostile member of a folder with a roster: whatever it says of others, nobody who was removed
gets anything, no word counts in another's name, and nothing of a reader counts at all.

A longer run: python -m tests.sim --hostile --rosters --seeds 0:5000
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster import roster, rules
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.wire.statements import Signed
from tests.sim import laws
from tests.sim.besieged_members import alone, endure, members_of
from tests.sim.traitor import ROSTER_LIES

SEEDS, SEEDS_A_TEST = 10, 10


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_whatever_a_hostile_member_says_is_bearable(first: int) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        outcome = endure(members_of(seed))
        if outcome.broken is not None:
            pytest.fail(f"seed {seed}: {outcome.law}: {outcome.broken}", pytrace=False)
        if seed % SEEDS_A_TEST == 0:
            assert endure(members_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


@pytest.mark.parametrize("lie", ROSTER_LIES)
def test_each_lie_alone(lie: str) -> None:
    broken = endure(alone(1, lie)).broken
    assert broken is None, broken


STORIES = {
    "it was removed where others had passed on so much of it that they could tell nothing": 121,
    "its own admission fell with who was removed by it, and the others had no epoch": 99,
    "it removed one of its own, at one member alone, just before it was removed": 1016,
    "one who had removed much within the minute could not remove it once more": 26102203,
}


@pytest.mark.parametrize("seed", STORIES.values(), ids=STORIES)
def test_a_story_that_ended_badly(seed: int) -> None:
    assert endure(members_of(seed)).broken is None


# What the laws find when something is taken out. seeds: of those in which it was found.


def _any(*_: object) -> bool:
    return True


def _none(*_: object) -> bool:
    return False


def _one_pace(roster: Roster, signed: Signed, came_from: DeviceKey, now: float) -> bool:
    return roster._passed_on.take(came_from, now)


def _nobody(*_: object) -> frozenset[bytes]:
    return frozenset()


@pytest.mark.parametrize(
    ("where", "what", "instead", "law", "seeds"),
    [
        (roster, "is_signed", _any, "forged", (5, 10, 12)),
        (roster, "_may_say", _any, "right", (2, 9, 37)),
        (rules, "founds", _any, "right", (38, 70, 105)),
        (rules, "covers_all", _any, "sealed", (8, 11, 22)),
        (Roster, "_keeps_pace", _one_pace, "roster", (121, 131, 138)),
        (Rosters, "readers", _nobody, "reader", (2, 3, 9)),
        (Rosters, "excludes", _none, "removed", (0, 1, 6)),
    ],
)
def test_what_is_taken_out_is_found(
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    what: str,
    instead: object,
    law: str,
    seeds: Sequence[int],
) -> None:
    monkeypatch.setattr(where, what, instead)
    for seed in seeds:
        broken = endure(members_of(seed)).broken
        if isinstance(broken, laws.Broken) and broken.law == law:
            return
    pytest.fail(f"not found in {seeds}")
