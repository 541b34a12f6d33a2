"""Stories with a hostile member: makes a plan from a seed, and runs it.

The folder has a roster, and the hostile device is in it: as it was written into peer.toml, let in
by an invitation, or let in to read alone. People remove it at some time, and perhaps let it in
again. It lies about files as any hostile device does, and about who is in the folder, also when it
is out. Then an honest member removes it, and the others bear what it leaves behind.

What it may say of others by right, as a full member, counts: it may remove them. So those are
judged who share the folder with one another, and what is on the disks of the others. Of a device
that only ever could read, nothing counts at all: there the laws hold as if it were not there.

Knows plans. Must not know what a lie says.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from leftzmq.sync.peers.roster.exchange import OFFER_AGAIN_S
from leftzmq.sync.peers.roster.roster import Mode
from leftzmq.tree.entry import Kind
from leftzmq.wire.statements import Admission, Removal, SelfStatement, Statement

from . import laws, member_laws, why_laws
from .besieged import (
    LIED_S,
    SERVED_S,
    Act,
    Siegeplan,
    hears,
    keeps_its_own,
    serves,
    siege_of,
    watch,
)
from .faults import Faults
from .ledger import Content, Ledger, content_of
from .lies import LIES
from .member_laws import excludes_key, is_out, roster_of, shares
from .people import DECISIONS, People
from .plan import Outcome, lived, settle, stays_quiet
from .siege import Siege
from .traitor import ROSTER_LIES, Traitor
from .users import DEEDS, Users
from .world import Knobs, SimDevice

BEGUN_S: Final = 0.5
"""When the folder's roster begins."""
EX_MEMBER_S: Final = 5.0
CAUGHT_UP_S: Final = 2 * OFFER_AGAIN_S + 1.0
"""A known gap: of what it signs without end each member takes some, and the others' part a minute
later, twice if all say much. Until then they may not use the same epoch."""
KNOWN_WITHIN_S: Final = member_laws.KNOWN_WITHIN_S
SLOWEST_S: Final = 3.0
REMOVES: Final = "remove it"
LETS_IN: Final = "let it in"
ENTRIES: Final[dict[str, Mode]] = {"written": "full", "invited": "full", "to read": "read"}


@dataclass(frozen=True, slots=True)
class Memberplan:
    """siege: devices, knobs, and what is done and lied about files. entry: how the hostile device
    came in. steps: what is decided, and lied about members."""

    siege: Siegeplan
    entry: str
    steps: tuple[Act, ...]

    @property
    def seed(self) -> int:
        return self.siege.seed

    @property
    def names(self) -> str:
        return self.siege.names

    @property
    def dials(self) -> frozenset[tuple[str, str]]:
        return self.siege.dials

    @property
    def knobs(self) -> Knobs:
        return self.siege.knobs


def members_of(seed: int) -> Memberplan:
    chance = random.Random(f"{seed}/members")
    siege = siege_of(seed)
    every = frozenset((a, b) for a in siege.names for b in siege.names if a != b)
    siege = replace(siege, dials=every)  # nobody is between two who share the folder
    steps: list[tuple[float, str, str]] = []
    lies = list(ROSTER_LIES)
    for _ in range(chance.choice((3, 8, 15))):
        steps.append((chance.uniform(0.0, LIED_S), chance.choice(siege.names), chance.choice(lies)))
    if chance.random() < 0.6:
        at = chance.uniform(2.0, LIED_S)
        steps.append((at, chance.choice(siege.names), REMOVES))
        if chance.random() < 0.5:
            again = chance.uniform(at, LIED_S)
            steps.append((again, chance.choice(siege.names), LETS_IN))
        for _ in range(chance.choice((0, 2, 5))):
            late = at + chance.choice((0.01, 0.4, 3.0))
            steps.append((late, chance.choice(siege.names), chance.choice(lies)))
    for _ in range(chance.choice((0, 0, 1, 3))):
        decided = chance.choice(("remove", "invite", "invite"))
        steps.append((chance.uniform(1.0, LIED_S), chance.choice(siege.names), decided))
    steps.sort(key=lambda step: step[0])
    numbered = tuple(Act(1000 + number, *step) for number, step in enumerate(steps))
    return Memberplan(siege, chance.choice(list(ENTRIES)), numbered)


def endure(plan: Memberplan, *, story: bool = False) -> Outcome:
    """Run the plan, and check whether the laws hold."""
    return lived(plan, Siege, _live, story=story)


class _Story:
    def __init__(self, plan: Memberplan, world: Siege) -> None:
        self.plan, self.world, self.ledger = plan, world, Ledger()
        self.users = Users(world, self.ledger, large=False)
        self.people = People(world, Faults(world, self.ledger, self.users))
        self.traitor = Traitor(world)
        self.witness = member_laws.Witness(world, self.traitor.holds)
        files = laws.Witness(self.ledger)
        self.witness.begin(lambda device: watch(files, device))
        self.mode = ENTRIES[plan.entry]
        self.its: set[Content] = set()  # bytes and targets that others may have got from it
        world.hostile.manner = plan.siege.manner

    def chance(self, number: int) -> random.Random:
        return random.Random(f"{self.plan.seed}/{number}")

    # ---- what happens ------------------------------------------------------------------------

    def begin(self) -> None:
        world, first = self.world, next(iter(self.world.devices.values()))
        if self.plan.entry == "written":
            for device in world.devices.values():
                assert device.acquaintance is not None
                device.acquaintance.written.add(world.hostile.name)
        for act in self.plan.siege.acts:
            if act.at < 0:
                self.users.do(act.what, world.devices[act.device], self.chance(act.number))
            else:
                world.after(act.at + 2.0, partial(self.act, act))
        for step in self.plan.steps:
            world.after(step.at + 2.0, partial(self.act, step))
        for device in world.devices.values():
            world.after(0.0, device.start)
        world.after(BEGUN_S, partial(self.people.do, "found", first, self.chance(-1)))
        if self.plan.entry != "written":
            lets_in = partial(self.people.lets_in, first, world.hostile, self.mode)
            world.after(2 * BEGUN_S, lets_in)
        world.after(1.0, world.arrive)
        world.run_until(world.now + 2.0 + LIED_S + 5.0)

    def act(self, step: Act) -> None:
        chance = self.chance(step.number)
        device, what = self.world.devices[step.device], step.what
        if what in DEEDS:
            self.users.do(what, device, chance)
        elif what in DECISIONS:
            self.people.do(what, device, chance)
        elif what == REMOVES:
            self.people.removes(device, self.world.hostile)
        elif what == LETS_IN:
            self.people.lets_in(device, self.world.hostile, self.mode)
        else:
            self.lies(what, device, chance)

    def lies(self, what: str, device: SimDevice, chance: random.Random) -> None:
        if what in LIES:
            self.its |= hears(self.world, self.ledger, device, what, chance)
        else:
            self.world.say(device, f"hears a lie: {what}")
            ROSTER_LIES[what](self.traitor, device, chance)

    def removes_it(self) -> None:
        """Where an honest member can say it, the hostile device is removed; all who share the
        folder with that member know that within 2 s, and use an epoch that it cannot open."""
        self.world.delays.calm = True
        self.world.run_until(self.world.now + SLOWEST_S)  # nothing is behind a slow message
        told: list[list[SimDevice]] = []
        for group in self.world.sharing.groups():
            by = next((one for one in group if self.people.removes(one, self.world.hostile)), None)
            if by is not None:
                told.append(group)
        chance = self.chance(-2)
        self.world.run_until(self.world.now + KNOWN_WITHIN_S)
        for group in told:
            self._is_out_for(group)
        for _ in range(5):
            device = chance.choice([*self.world.devices.values()])
            self.lies(chance.choice([*ROSTER_LIES]), device, chance)
        self.world.run_until(self.world.now + EX_MEMBER_S)

    def all_know(self) -> None:
        """Whoever was told that it is out has told all with whom it shares the folder."""
        for group in self.world.sharing.groups():
            if any(excludes_key(one, self.world.hostile.key) for one in group):
                self._is_out_for(group)

    def _is_out_for(self, group: list[SimDevice]) -> None:
        key = self.world.hostile.key
        left = [one for one in group if shares(one)]  # it may remove somebody as it goes
        for device in left:
            if not excludes_key(device, key):
                raise laws.Broken("roster", f"{device.name} does not know that it is out")
            used = device.epochs.in_use
            if used is not None and bytes(used.tag) in self.world.hostile.epochs:
                raise laws.Broken("sealed", f"{device.name} uses an epoch that it can open")

    def leaves(self) -> None:
        """It is gone, and users take it out of their peer.toml."""
        self.people.end()
        self.world.leave()
        self.world.run_until(self.world.now + 5.0)
        for device in self.world.devices.values():
            assert device.acquaintance is not None
            for names in (device.acquaintance.written, device.acquaintance.let_in):
                names.discard(self.world.hostile.name)
            device.stop()
            device.start()
        settle(self.world)

    # ---- what must hold ----------------------------------------------------------------------

    def _may_say(self, statement: Statement) -> bool:
        """Whether a device that may only read says it by right, or for nothing (a root)."""
        if isinstance(statement, Removal):
            return statement.device == self.world.hostile.key
        is_root = isinstance(statement, Admission) and not statement.parent
        return is_root or isinstance(statement, SelfStatement)

    def nothing_stopped(self) -> None:
        for device in self.world.devices.values():
            stopped = device.alive and not is_out(device) and device.folder.stopped_why
            if not device.alive or stopped:
                raise laws.Broken("alive", f"{device.name}: {device.folder.stopped_why}")

    def no_word_is_forged(self) -> None:
        """P6: no statement counts in another's name."""
        for device in self.world.devices.values():
            for id in self.traitor.forged:
                if roster_of(device).statement(id) is not None:
                    raise laws.Broken("forged", f"{device.name} has a word that nobody said")

    def judge(self) -> None:
        world, ledger = self.world, self.ledger
        member_laws.members_agree(world)
        self.no_word_is_forged()
        if self.mode == "full":
            for value in ledger.values.values():
                value.replaced = value.replaced or "perhaps by the hostile one"
        else:
            self.nothing_of_it_is_there()
        counted: set[str] = set()
        for group in world.sharing.groups():
            tree = laws.converged(world, ledger, group)
            names = {device.name for device in group if not world.sharing.reads_only(device)}
            laws.nothing_lost(world, ledger, tree, names)
            counted |= names
            for device in group:
                laws.index_is_the_disk(device, exact=False)
                if not world.sharing.misses_others(group):
                    laws.nothing_is_left(device, ledger)
                keeps_its_own(device)
        why_laws.judge(world)
        everything = member_laws.all_trees(world)
        laws.nothing_lost(world, ledger, everything, set(world.devices) - counted)
        # Where it made all others readers, and was the last who may write, nobody makes an epoch,
        # and they ask one another for what they may not seal.
        if all(one.epochs.in_use for group in world.sharing.groups() for one in group):
            stays_quiet(world, ledger)

    def nothing_of_it_is_there(self) -> None:
        """P8: a device that may only read changes nothing anywhere. P6: nor who is in."""
        for device in self.world.devices.values():
            roster = roster_of(device)
            if roster.mode(self.world.hostile.key) == "full":
                raise laws.Broken("right", f"for {device.name} it may write")
            for signed in roster.after():
                by_it = roster.signer(signed.id) == self.world.hostile.key
                if by_it and not self._may_say(signed.statement):
                    raise laws.Broken("right", f"{device.name} took {signed.statement}")
        by_users = {each for each, value in self.ledger.values.items() if value.device != "M"}
        by_users.add((Kind.FILE, b""))  # anybody's
        for device in self.world.devices.values():
            for path, inode in device.hands.tree():
                content = content_of(inode)
                if laws.is_final(path) and content in self.its - by_users:
                    raise laws.Broken("reader", f"{device.name} has at {path} what it said")


def _live(plan: Memberplan, world: Siege) -> None:
    story = _Story(plan, world)
    story.begin()
    story.nothing_stopped()
    story.all_know()
    for group in world.sharing.groups():
        writers = [device for device in group if not world.sharing.reads_only(device)]
        if writers:  # the hostile one may have made others readers
            group = sorted(group, key=lambda one: one is not writers[0])
            serves(world, story.ledger, group, SERVED_S + CAUGHT_UP_S)
    story.removes_it()
    story.nothing_stopped()
    story.leaves()
    story.judge()


def alone(seed: int, lie: str) -> Memberplan:
    """The plan of this seed with one lie about the roster in it, to every device, and a few deeds
    before and after it."""
    plan = members_of(seed)
    acts = [act for act in plan.siege.acts if act.what in DEEDS][:6]
    steps = [Act(2000 + at, 10.0, name, lie) for at, name in enumerate(plan.names)]
    return replace(plan, siege=replace(plan.siege, acts=tuple(acts)), steps=tuple(steps))
