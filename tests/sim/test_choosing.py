"""Seeds of the simulation in which devices fetch a part of the folder, and what their laws find.

A longer run: python -m tests.sim --wanted --seeds 0:50000
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim import laws, wanted_laws
from tests.sim.choosers import CHOICES, Choosers
from tests.sim.faults import Faults
from tests.sim.plan import has_wanted, mix_of, plan_of, run, settle
from tests.sim.street import Street
from tests.sim.world import SimDevice

SEEDS = 8
FIRST = 40_000


def seeds_from(first: int) -> list[int]:
    return [seed for seed in range(first, first + 5_000) if has_wanted(seed)]


def test_the_promises_hold_where_devices_fetch_a_part() -> None:
    for number, seed in enumerate(seeds_from(FIRST)[:SEEDS]):
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
        if number == 0:
            assert run(plan_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


def test_no_other_seed_has_a_chooser() -> None:
    for seed in range(200):
        chosen = [step for step in plan_of(seed).steps if step.what in CHOICES]
        assert bool(chosen) is has_wanted(seed)
        assert mix_of(seed) or not has_wanted(seed) or seed % 11 == 5


# ---- what the laws say ------------------------------------------------------------------------


class ChoosingStreet(Street):
    """A, B and C are connected with each other; B fetches `a` alone."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.faults = Faults(self.world, self.ledger, self.users)
        self.choosers = Choosers(self.world, self.users, self.faults)
        self.witness = wanted_laws.Witness(self.world, self.ledger, self.choosers)
        self.witness.begin(laws.Witness(self.ledger).look_after)
        self.b.choose("a")
        self.begin()

    def names(self, device: SimDevice) -> set[str]:
        return set(laws.tree_of(device))

    def settle(self) -> None:
        settle(self.world, wanted_laws.is_quiet)

    def judge(self) -> None:
        wanted_laws.judge(self.world, self.ledger, self.choosers, self.witness)


@pytest.fixture
def street(tmp_path: Path) -> ChoosingStreet:
    return ChoosingStreet(tmp_path)


def test_those_who_keep_a_path_have_the_same(street: ChoosingStreet) -> None:
    street.write(street.a, "a/x", "one")
    street.write(street.a, "b", "two")
    street.settle()
    street.judge()
    assert street.names(street.b) == {"a", "a/x"}
    street.b.hands.write("a/x", b"nobody has looked yet")
    (said,) = wanted_laws.differences(street.world)
    assert said.startswith("a/x: ")


def test_what_is_dropped_is_elsewhere_and_passed_over(street: ChoosingStreet) -> None:
    street.write(street.b, "b", "two")
    street.settle()
    street.choosers._drop(street.b, "b")
    street.settle()
    street.judge()
    assert street.names(street.b) == set() and street.names(street.a) == {"b"}
    street.b.folder.index_view.counters.not_kept += 1
    with pytest.raises(laws.Broken, match="counted"):
        street.judge()


def test_what_others_delete_because_it_was_dropped_is_found(street: ChoosingStreet) -> None:
    street.write(street.b, "b", "two")
    street.settle()
    street.choosers._drop(street.b, "b")
    street.settle()
    for device in (street.a, street.c):
        device.hands.delete("b")  # and no ledger says who did
        device.touched()
    street.settle()
    with pytest.raises(laws.Broken, match="I2 wanted"):
        street.judge()


def test_a_pin_that_is_forgotten_is_found(street: ChoosingStreet) -> None:
    street.choosers._get(street.b, "c")
    street.settle()
    street.judge()
    street.b.folder.keeping._pins.clear()
    with pytest.raises(laws.Broken, match="pins"):
        street.judge()


def test_a_fetch_of_what_is_not_wanted_is_found(
    street: ChoosingStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = street.b.folder.index_view
    monkeypatch.setattr(view, "wants", lambda path, kind: True)
    street.write(street.a, "b", "two")
    with pytest.raises(laws.Broken, match="fetched: B fetches b"):
        street.settle()


def test_of_a_folder_that_all_drop_at_once_one_copy_stays(street: ChoosingStreet) -> None:
    """A mistake of it was found by seed 1237."""
    street.write(street.b, "a/x", "one")
    street.settle()
    for device in (street.a, street.b, street.c):
        street.choosers._drop(device, "a")
    street.settle()
    street.judge()
    assert any("a/x" in street.names(device) for device in street.world.alive)


def test_a_state_from_before_a_drop_takes_what_was_dropped_for_deleted(
    street: ChoosingStreet,
) -> None:
    """A known gap."""
    street.write(street.b, "b", "two")
    street.settle()
    street.faults.take_snapshot(street.b, street.world.random)
    street.choosers._drop(street.b, "b")
    street.settle()
    street.faults.older_state(street.b, street.world.random)
    street.world.run_until(street.world.now + 20.0)
    street.settle()
    assert not any(street.names(device) for device in street.world.alive)
    (when,) = street.choosers.put_older_at.values()
    street.choosers.put_older_at.clear()
    with pytest.raises(laws.Broken, match="I2 wanted"):
        street.judge()
    street.choosers.put_older_at["B"] = when
    street.judge()


def test_a_file_that_is_made_anew_where_it_was_dropped_replaces_the_old_one(
    street: ChoosingStreet,
) -> None:
    """A known gap."""
    street.write(street.b, "b", "two")
    street.settle()
    street.choosers._drop(street.b, "b")
    street.settle()
    let_go, street.witness._let_go = street.witness._let_go, []
    street.write(street.b, "b", "three")
    street.settle()
    with pytest.raises(laws.Broken, match="I2 wanted"):
        street.judge()
    street.witness._let_go = let_go
    street.judge()


def test_so_does_a_file_that_is_made_where_a_folder_was_dropped(street: ChoosingStreet) -> None:
    """A known gap. What is in the folder would keep it."""
    street.users._make_folder(street.b, "b")
    street.b.touched()
    street.settle()
    street.choosers._drop(street.b, "b")
    street.settle()
    drops, street.choosers.drops = street.choosers.drops, []
    street.write(street.b, "b", "three")
    street.settle()
    street.judge()
    tree = laws.tree_of(street.a)
    with pytest.raises(laws.Broken, match="I2 folder"):
        laws.no_folder_lost(street.world, street.ledger, tree)
    street.choosers.drops = drops
    street.judge()
    laws.no_folder_lost(street.world, street.ledger, tree)
