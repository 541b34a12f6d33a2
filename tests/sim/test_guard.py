"""The simulation with a guard that trips early, users who empty and encrypt what they have, and
somebody who decides: whatever befalls the devices meanwhile, all trees are equal in the end, every
index is what is on its disk, and what nobody replaced is somewhere.

Knows plans and worlds. I3 is not asked: revert brings back what a user took away.
"""

from __future__ import annotations

import random
from functools import partial

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.facts import Asked
from leftzmq.sync.guard import threshold
from leftzmq.tree.entry import Kind
from tests.sim import laws
from tests.sim.choosers import CHOICES
from tests.sim.faults import Faults
from tests.sim.ledger import Ledger
from tests.sim.limiters import LIMITING
from tests.sim.people import DECISIONS
from tests.sim.plan import QUIET_S, Plan, Step, lived, plan_of
from tests.sim.receivers import RECEIVING
from tests.sim.rulers import RULINGS
from tests.sim.senders import SENDING
from tests.sim.users import DEEDS, SOME_DEEDS, Users, _is_plain
from tests.sim.world import SimDevice, World

SEEDS = 10
SEEDS_A_TEST = 10
ROUNDS = 60
NOISE_BYTES = 1500
SPOILING = ("empty", "encrypt", "link", "lock", "decide", "decide")


@pytest.fixture(autouse=True)
def _a_guard_that_trips_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "GUARDED_FILES", 4)
    monkeypatch.setattr(threshold, "ALLOWED_FILES", 1)
    monkeypatch.setattr(threshold, "TURNED_FILES", 3)


def files(device: SimDevice) -> list[str]:
    return [p for p, i in device.hands.tree() if i.kind is Kind.FILE and _is_plain(p)]


def spoil(users: Users, device: SimDevice, what: str, chance: random.Random) -> None:
    """Most files of a device at once."""
    if device.unmounted is not None or device.away is not None:
        return
    for path in files(device):
        if chance.random() < 0.2:
            continue
        match what:
            case "empty":
                users._write(device, path, b"")
            case "encrypt":
                users._write(device, path, chance.randbytes(NOISE_BYTES))
            case "link":
                users._delete(device, path)
                users._link(device, path, chance)
            case "lock":
                users._write(device, f"{path}.locked", chance.randbytes(NOISE_BYTES))
                users._delete(device, path)
    device.touched()


def decide(device: SimDevice, chance: random.Random) -> bool:
    """Whether something was held there."""
    if not device.alive or not device.folder.guard.holds:
        return False
    device.take(Asked(b"x", chance.choice(("accept", "revert")), {}))
    return True


def live(decided: list[str], plan: Plan, world: World) -> None:
    ledger = Ledger()
    users = Users(world, ledger, large=plan.large)
    faults = Faults(world, ledger, users)
    chance = random.Random(f"{plan.seed}/guard")

    def act(step: Step) -> None:
        own = random.Random(f"{plan.seed}/{step.number}")
        device = world.devices[step.device]
        if step.what == "turn a bit":
            return  # this story does not turn back what nobody reads
        if step.what in DEEDS or step.what in SOME_DEEDS:
            users.do(step.what, device, own)
        elif step.what == "decide":
            decided.extend([device.name] if decide(device, own) else [])
        elif step.what in SPOILING:
            spoil(users, device, step.what, own)
        else:
            faults.do(step.what, device, own)

    spoiling = []
    for number in range(8):
        what = chance.choice(SPOILING)
        # What all devices lost, nobody can bring back: tickets wait (docs/decisions/0003).
        who = chance.choice(plan.names) if what == "decide" else plan.names[0]
        spoiling.append(Step(2000 + number, chance.uniform(1.0, 40.0), who, what))
    for name in plan.names[:2]:
        for n in range(8):
            act(Step(3000 + n, -1.0, name, "create"))
    # Nobody leaves here, all is kept and fetched, and all of it is told, at once.
    beside = {*DECISIONS, *RULINGS, *RECEIVING, *CHOICES, *SENDING, *LIMITING}
    stays = [step for step in plan.steps if step.what not in beside]
    for step in sorted((*stays, *spoiling), key=lambda step: step.at):
        if step.at < 0:
            act(step)
        else:
            world.after(step.at + 1.0, partial(act, step))
    for device in world.devices.values():
        world.after(world.random.choice((0.0, 0.0, 2.0)), device.start)
    world.run_until(world.now + 45.0)
    faults.end()
    world.delays.calm = True
    for _ in range(ROUNDS):
        world.run_until(world.now + QUIET_S)
        held = [decide(device, chance) for device in world.devices.values()]
        decided.extend("x" for each in held if each)
        if laws.is_quiet(world) and not knows_clones(world):
            break
    tree = laws.converged(world, ledger)
    lost(world, ledger, tree)
    for device in world.devices.values():
        laws.index_is_the_disk(device, exact=False)


def knows_clones(world: World) -> bool:
    """Whether a device still says of another one that two have its key: for a minute after that."""
    problems = [
        problem for each in world.devices.values() for problem in each.folder.problems.all()
    ]
    return any(problem.kind is ProblemKind.TWO_OF_KEY for problem in problems)


def lost(world: World, ledger: Ledger, tree: laws.Tree) -> None:
    """I2, but what a user does not want back may be in a trash alone: revert puts it there."""
    try:
        laws.nothing_lost(world, ledger, tree)
    except laws.Broken as broken:
        if broken.law != "I2 tree":
            raise


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_trees_are_equal_whatever_is_held_and_decided(first: int) -> None:
    decided: list[str] = []
    for seed in range(first, first + SEEDS_A_TEST):
        outcome = lived(plan_of(seed), World, partial(live, decided), story=False)
        if outcome.broken is not None:
            raise AssertionError(f"seed {seed}: {outcome.broken}") from outcome.broken
    assert decided, "something was held, and decided"
