"""Seeds of the simulation in which a device only sends, and what their laws find.

A longer run: python -m tests.sim --sending --seeds 0:50000
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync.versions.resolver import Resolver
from tests.sim import laws, sending_laws
from tests.sim.plan import has_sender, mix_of, plan_of, run, settle
from tests.sim.senders import SENDING, Senders
from tests.sim.street import Street

SEEDS = 8
FIRST = 40_000


def seeds_from(first: int) -> list[int]:
    return [seed for seed in range(first, first + 5_000) if has_sender(seed)]


def test_the_promises_hold_where_a_device_only_sends() -> None:
    for number, seed in enumerate(seeds_from(FIRST)[:SEEDS]):
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
        if number == 0:
            assert run(plan_of(seed)).digest == outcome.digest, f"I12: seed {seed}"


def test_no_other_seed_has_a_sender() -> None:
    for seed in range(200):
        plan = plan_of(seed)
        sent = [step for step in plan.steps if step.what in SENDING]
        assert bool(sent) is has_sender(seed)
        assert mix_of(seed) or not has_sender(seed) or seed % 13 == 3
        assert len({step.device for step in sent}) <= 1 < len(plan.names)


# ---- what the laws say ------------------------------------------------------------------------


class SendingStreet(Street):
    """A only sends, B and C sync in both directions; all are connected with each other."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.senders = Senders(self.world, self.users, self.ledger)
        self.senders.do("only send", self.a, self.world.random)
        sending_laws.Witness(self.world).begin(laws.Witness(self.ledger).look_after)
        self.begin()

    def settle(self) -> None:
        settle(self.world, sending_laws.is_quiet)

    def judge(self) -> None:
        sending_laws.judge(self.world, self.ledger, self.senders)


@pytest.fixture
def street(tmp_path: Path) -> SendingStreet:
    return SendingStreet(tmp_path)


def test_it_differs_where_it_says_so_and_nowhere_else(street: SendingStreet) -> None:
    for path in ("p", "q"):
        street.write(street.a, path, "one")
    street.settle()
    street.write(street.b, "p", "of b")
    street.settle()
    street.judge()
    assert sending_laws.listed(street.a) == {"p"} and street.text(street.a, "p") == "one"
    street.a.hands.write("q", b"nobody has looked yet")
    (said, *_) = sending_laws._not_listed(street.world, street.a)
    assert said.startswith("not listed: q: ")


def test_an_override_makes_all_equal(street: SendingStreet) -> None:
    street.write(street.a, "p", "one")
    street.settle()
    street.write(street.b, "p", "of b")
    street.write(street.b, "d/new", "of b, too")
    street.settle()
    street.senders.override_all()
    street.world.run_until(street.world.now + 10.0)
    street.settle()
    street.judge()
    sending_laws.nothing_differs(street.senders)
    tree = laws.converged(street.world, street.ledger)
    laws.nothing_lost(street.world, street.ledger, tree)
    assert set(tree) == {"p"}


def test_nobody_can_remove_a_folder_with_a_lefting_of_nobody(street: SendingStreet) -> None:
    street.write(street.b, "d/new", "of b")
    street.settle()
    assert not street.senders.keeps_folders
    street.b.hands.write("d/new.lefting", b"its row went with a power cut")
    assert street.senders.keeps_folders
    street.senders.override_all()
    street.world.run_until(street.world.now + 10.0)
    street.settle()
    assert sending_laws.listed(street.a) == {"d"}


def test_what_it_takes_is_found(street: SendingStreet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(street.a.folder.index_view), "takes", True)
    street.write(street.b, "p", "of b")
    with pytest.raises(laws.Broken, match="takes: A only sends, and named p"):
        street.settle()


def test_a_folder_that_is_kept_from_who_needs_it_is_found(
    street: SendingStreet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of it was found by seed 185."""
    monkeypatch.setattr(Resolver, "stays_above", lambda self, path: None)
    street.write(street.a, "d/old", "one")
    street.settle()
    street.users._delete(street.b, "d")
    street.b.touched()
    street.settle()
    street.judge()
    street.write(street.a, "d/new", "two")
    street.settle()
    with pytest.raises(laws.Broken, match="waits for its folder"):
        street.judge()
