"""Stories with a hostile device in them: makes a plan from a seed, and runs it.

Honest users do what they always do, and one device lies all the time. Then the hostile device
leaves, and the honest ones must bear what it leaves behind: they come to rest with equal trees,
everything that a user wrote is somewhere, nothing outside the share was touched, and every refused
device was named.

Knows plans. Must not know what a lie says, nor what follows where the folder has a roster
(`besieged_members`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from leftzmq.tree.entry import Kind
from leftzmq.tree.rules import LEFT_DIRECTORY

from . import laws, why_laws
from .ledger import Content, Ledger
from .lies import LIES
from .lies import WEIGHTS as LIE_WEIGHTS
from .plan import Outcome, dials_of, lived, settle, stays_quiet
from .siege import Siege
from .users import DEEDS, WEIGHTS, Users
from .world import Knobs, SimDevice

LIED_S: Final = 20.0
AWAY_S: Final = 5.0
SERVED_S: Final = 30.0
"""How long a file that an honest user writes in the presence of the hostile device, after all that
it did, may take to be on all honest devices."""
OWN: Final = {b"marker", b"trash"}


@dataclass(frozen=True, slots=True)
class Act:
    """number: seeds the step's random choices. what: a lie told to a device, or a deed done on
    it."""

    number: int
    at: float
    device: str
    what: str


@dataclass(frozen=True, slots=True)
class Siegeplan:
    seed: int
    names: str
    dials: frozenset[tuple[str, str]]
    knobs: Knobs
    manner: float
    acts: tuple[Act, ...]


def siege_of(seed: int) -> Siegeplan:
    chance = random.Random(f"{seed}/siege")
    names = "ABC"[: chance.choice((2, 2, 3))]
    knobs = Knobs(
        lag_s=chance.choice((0.002, 0.02)),
        slow=chance.choice((0.0, 0.02)),
        skews_s=tuple(chance.choice((0.0, 0.0, 3.0, -3600.0)) for _ in names),
    )
    acts: list[tuple[float, str, str]] = []
    for name in names:
        for _ in range(chance.randrange(1, 4)):
            acts.append((-1.0, name, chance.choice(("create", "make tree", "make link"))))
    lies, deeds = list(LIES), list(DEEDS)
    for _ in range(chance.choice((3, 8))):
        weights = [WEIGHTS.get(deed, 1) for deed in deeds]
        acts.append(
            (chance.uniform(0.0, LIED_S), chance.choice(names), chance.choices(deeds, weights)[0])
        )
    for _ in range(chance.choice((3, 10, 20))):
        weights = [LIE_WEIGHTS.get(lie, 1) for lie in lies]
        acts.append(
            (chance.uniform(0.0, LIED_S), chance.choice(names), chance.choices(lies, weights)[0])
        )
    acts.sort(key=lambda act: act[0])
    return Siegeplan(
        seed,
        names,
        dials_of(chance, names),
        knobs,
        chance.choice((0.0, 0.2, 0.8)),
        tuple(Act(number, *act) for number, act in enumerate(acts)),
    )


def alone(seed: int, lie: str) -> Siegeplan:
    """The plan of this seed with one lie in it, to every device, and a few deeds before and after
    it."""
    plan = siege_of(seed)
    acts = [act for act in plan.acts if act.what in DEEDS][:6]
    lies = [Act(100 + at, 10.0, name, lie) for at, name in enumerate(plan.names)]
    return replace(plan, acts=(*acts, *lies))


def endure(plan: Siegeplan, *, story: bool = False) -> Outcome:
    """Run the plan, and check whether the laws hold."""
    return lived(plan, Siege, _live, story=story)


def _live(plan: Siegeplan, world: Siege) -> None:
    ledger = Ledger()
    users = Users(world, ledger, large=False)
    witness = laws.Witness(ledger)
    world.look_after = lambda device: watch(witness, device)
    world.hostile.manner = plan.manner
    for act in plan.acts:
        if act.at < 0:
            users.do(
                act.what, world.devices[act.device], random.Random(f"{plan.seed}/{act.number}")
            )
        else:
            world.after(act.at + 2.0, partial(_do, plan, world, ledger, users, act))
    for device in world.devices.values():
        world.after(0.0, device.start)
    world.after(1.0, world.arrive)
    world.run_until(world.now + 2.0 + LIED_S + 5.0)
    _nothing_stopped(world)
    serves(world, ledger, [*world.devices.values()])
    world.leave()
    world.run_until(world.now + AWAY_S)
    world.more_peers = lambda device: []  # users took it out of their peer.toml
    for device in world.devices.values():
        device.stop()
        device.start()
    settle(world)
    _bearable(world, ledger)


def _do(plan: Siegeplan, world: Siege, ledger: Ledger, users: Users, act: Act) -> None:
    chance = random.Random(f"{plan.seed}/{act.number}")
    device = world.devices[act.device]
    if act.what in DEEDS:
        users.do(act.what, device, chance)
    else:
        hears(world, ledger, device, act.what, chance)


def hears(
    world: Siege, ledger: Ledger, device: SimDevice, lie: str, chance: random.Random
) -> set[Content]:
    """The device hears a lie about files. Returns what others may have got of the hostile one since
    the last time."""
    world.say(device, f"hears a lie: {lie}")
    LIES[lie](world.hostile, device, chance)
    new = set(world.hostile.contents())
    for content in new:
        ledger.wrote(content, "M", "", world.now)
        ledger.values[content].ended = "the hostile one's"
    return new


def watch(witness: laws.Witness, device: SimDevice) -> None:
    """I9: every call of the disk names a path inside the share."""
    witness.look_after(device)
    before = device.calls.before

    def within(call: str, path: str) -> None:
        names = path.split("/") if path else []
        if any(name in ("", ".", "..") or "\0" in name for name in names):
            raise laws.Broken("I9", f"{device.name}: {call} {path!r}")
        before(call, path)

    device.calls.before = within


def serves(
    world: Siege, ledger: Ledger, group: list[SimDevice], within_s: float = SERVED_S
) -> None:
    """Whatever was done to them, honest devices of a group serve each other within that time."""
    first = group[0]
    probes = {"probe": b"small", "probe, large": random.Random(1).randbytes(300_000)}
    for path, data in probes.items():
        if not first.hands.write(path, data):
            return  # a user of this story has its share elsewhere
        ledger.wrote((Kind.FILE, data), first.name, path, world.now)
    first.touched()
    ends = world.now + within_s
    while world.now < ends and not _have(group, probes):
        world.run_until(world.now + 1.0)
    if not _have(group, probes):
        raise laws.Broken("served", f"not all have {list(probes)} after {within_s:.0f} s")


def _have(group: list[SimDevice], files: dict[str, bytes]) -> bool:
    found = [device.hands.at(path) for device in group for path in files]
    return all(inode is not None for inode in found)


def _nothing_stopped(world: Siege) -> None:
    for device in world.devices.values():
        if not device.alive or device.folder.stopped_why:
            raise laws.Broken("alive", f"{device.name}: {device.folder.stopped_why}")


def _bearable(world: Siege, ledger: Ledger) -> None:
    tree = laws.converged(world, ledger)
    for value in ledger.values.values():
        value.replaced = value.replaced or "perhaps by the hostile one"
    laws.nothing_lost(world, ledger, tree)
    why_laws.judge(world)
    for device in world.devices.values():
        laws.index_is_the_disk(device, exact=False)
        laws.nothing_is_left(device, ledger)
        keeps_its_own(device)
    stays_quiet(world, ledger)


def keeps_its_own(device: SimDevice) -> None:
    """I9: nobody else wrote into the agent's own folder."""
    own = device.hands.at(LEFT_DIRECTORY)
    if own is None or not own.children.keys() <= OWN:
        raise laws.Broken("I9", f"{device.name}: {sorted(own.children) if own else None}")


# ---- single stories ---


@contextmanager
def besieged(base: Path, names: str = "AB") -> Iterator[Siege]:
    """Yields a world of connected honest devices, and a hostile one that has not connected yet."""
    dials = {(a, b) for a in names for b in names if a != b}
    world = Siege("story", base, names, dials, Knobs())
    world.hostile.manner = 0.0
    for device in world.devices.values():
        device.start()
    world.run_until(world.now + 3.0)
    yield world
    for device in world.devices.values():
        assert device.alive and not device.folder.stopped_why
        device.end()


def go_on(world: Siege, seconds: float = 5.0) -> None:
    world.run_until(world.now + seconds)
