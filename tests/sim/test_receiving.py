"""Seeds of the simulation in which a device only receives, and what their laws find.

A longer run: python -m tests.sim --receiving --seeds 0:5000
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync.versions.author import Author
from leftzmq.tree.entry import Entry, Observed, ScanKey, local_change
from tests.sim import laws, receiving_laws
from tests.sim.faults import Faults
from tests.sim.plan import RECEIVER_EACH, has_receiver, mix_of, plan_of, run, settle
from tests.sim.receivers import RECEIVING, Receivers
from tests.sim.street import Street

SEEDS = 10


def test_the_promises_hold_where_a_device_only_receives() -> None:
    for number in range(SEEDS):
        seed = 40_000 + RECEIVER_EACH * number + 6
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
        if number % RECEIVER_EACH == 0:
            assert run(plan_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


def test_no_other_seed_has_a_receiver() -> None:
    for seed in range(200):
        plan = plan_of(seed)
        received = [step for step in plan.steps if step.what in RECEIVING]
        assert bool(received) is has_receiver(seed)
        assert mix_of(seed) or has_receiver(seed) is (seed % 10 == 6)
        assert len({step.device for step in received}) <= 1 < len(plan.names)


# ---- what the laws say ------------------------------------------------------------------------


class ReceivingStreet(Street):
    """A and B sync in both directions, C only receives; all are connected with each other."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.faults = Faults(self.world, self.ledger, self.users)
        self.world.look_after = laws.Witness(self.ledger).look_after
        self.receivers = Receivers(self.world, self.users, self.faults, self.ledger)
        receiving_laws.Witness(self.world).begin()
        self.receivers.do("only receive", self.c, self.world.random)
        self.begin()

    def settle(self) -> None:
        settle(self.world, receiving_laws.is_quiet)

    def judge(self) -> None:
        receiving_laws.judge(self.world, self.ledger, self.receivers)


@pytest.fixture
def street(tmp_path: Path) -> ReceivingStreet:
    return ReceivingStreet(tmp_path)


def test_a_path_that_nothing_was_changed_at_is_as_the_others_have_it(
    street: ReceivingStreet,
) -> None:
    street.write(street.a, "p", "one")
    street.settle()
    street.write(street.c, "p", "of c")
    street.settle()
    street.judge()
    assert street.text(street.a, "p") == "one" and street.text(street.c, "p") == "of c"
    street.c.hands.write("q", b"nobody has looked yet")
    (said,) = receiving_laws.differences(street.world)
    assert said.startswith("q: ")


def test_what_its_user_deletes_there_alone_is_to_stay_elsewhere(street: ReceivingStreet) -> None:
    street.write(street.a, "p", "one")
    street.settle()
    street.delete(street.c, "p")
    street.settle()
    street.judge()
    for device in (street.a, street.b):
        device.hands.delete("p")  # and no ledger says who did
    with pytest.raises(laws.Broken, match="I2 receives"):
        for said in receiving_laws._lost(street.world, street.ledger, street.c):
            raise laws.Broken("I2 receives", said)


def test_what_was_given_up_and_is_there_still_is_found(street: ReceivingStreet) -> None:
    street.write(street.a, "p", "one")
    street.settle()
    street.write(street.c, "p", "of c")
    street.settle()
    differences = street.c.folder.differences
    differences._give_up = lambda path: []  # type: ignore[method-assign]
    street.receivers.revert_all()
    street.settle()
    with pytest.raises(laws.Broken, match="reverted: C has at p"):
        street.judge()


def test_what_is_made_where_all_others_forgot_a_delete_is_above_nothing(
    street: ReceivingStreet,
) -> None:
    street.write(street.a, "p", "one")
    street.settle()
    street.write(street.c, "p", "of c")
    street.settle()
    street.delete(street.a, "p")
    street.settle()
    street.judge()
    for device in (street.a, street.b):
        street.faults.lose_state(device, street.world.random)
    street.a.hands.make_folders("p")
    street.settle()
    assert street.text(street.c, "p") == "of c"
    street.judge()
    street.ledger.forgotten_graves.clear()
    with pytest.raises(laws.Broken, match="later: C keeps what is private at p"):
        street.judge()


def test_a_delete_that_is_told_at_last_is_found(street: ReceivingStreet) -> None:
    street.write(street.a, "p", "one")
    street.settle()
    street.delete(street.c, "p")
    street.settle()
    deleted = receiving_laws.deleted_here(street.receivers)
    assert [*deleted] == ["p"]
    street.receivers.tell()
    settle(street.world)
    receiving_laws.all_is_back(street.world, street.receivers, deleted)
    street.delete(street.a, "p")
    settle(street.world)
    with pytest.raises(laws.Broken, match="I3 receives"):
        receiving_laws.all_is_back(street.world, street.receivers, deleted)


# ---- what the laws find when something is taken out; more of it is planted -----------------------


def _as_ever(
    self: Author,
    observed: Observed,
    base: Entry | None,
    winner: Entry | None = None,
    before: ScanKey | None = None,
) -> tuple[Entry, int]:
    sequence = self._heads.next_sequence()
    return local_change(observed, base, self._heads.life, sequence), sequence


def test_a_change_that_is_told_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Author, "change", _as_ever)
    assert _law_broken() == "told"


def _law_broken() -> str:
    for seed in range(6, 400, RECEIVER_EACH):
        broken = run(plan_of(seed)).broken
        if isinstance(broken, laws.Broken):
            return broken.law
    return ""
