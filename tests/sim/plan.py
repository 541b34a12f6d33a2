"""Makes a plan from a seed: which devices there are, how rough the world is, and what happens when.
Also runs a plan.

Every step has random choices of its own (from seed and number), so the other steps stay the same
when some are left out.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from leftzmq.sync.heartbeat import HEARTBEAT_PERIOD_S
from leftzmq.sync.peers.cloned_device import RECENT_S

from . import (
    kept_laws,
    laws,
    limiting_laws,
    member_laws,
    receiving_laws,
    sending_laws,
    wanted_laws,
    why_laws,
)
from .choosers import CHOICES, CHOSEN, HAS_CHOOSER, Choosers
from .faults import FAULT_WEIGHTS, FAULTS, Faults
from .ledger import Ledger
from .limiters import HAS_LIMITS, LIMITED, LIMITING, Limiters
from .people import DECIDED, DECISIONS, HAS_ROSTER, People
from .receivers import HAS_RECEIVER, RECEIVED, RECEIVING, Receivers
from .rulers import HAS_RULES, RULED, RULINGS, Rulers
from .senders import HAS_SENDER, SENDING, SENT, Senders
from .users import DEEDS, SOME_DEEDS, WEIGHTS, Users
from .world import Knobs, SimDevice, World

QUIET_S: Final = 15.0
LOOKED_S: Final = 30.0
NOTICED_S: Final = RECENT_S + 2 * HEARTBEAT_PERIOD_S
"""After so many seconds every device knows that a clone is gone."""
PATIENCE_S: Final = 600.0
ROSTER_EACH: Final = 10
RULES_EACH: Final = 10
RECEIVER_EACH: Final = 10
WANTED_EACH: Final = 11
SENDER_EACH: Final = 13
LIMITS_EACH: Final = 17
MIXED_EACH: Final = 23
MEMORY: Final = Path("/dev/shm")
W = TypeVar("W", bound=World)
"""MEMORY: a directory where a flush of an index costs nothing, if it exists."""


@dataclass(frozen=True, slots=True)
class Step:
    """number: the step's place in the plan as the seed made it."""

    number: int
    at: float
    device: str
    what: str


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    names: str
    dials: frozenset[tuple[str, str]]
    knobs: Knobs
    large: bool
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Outcome:
    plan: Plan
    broken: BaseException | None
    digest: str
    seconds: float = 0.0
    story: list[str] = field(default_factory=list)

    @property
    def law(self) -> str:
        if isinstance(self.broken, laws.Broken):
            return self.broken.law
        return type(self.broken).__name__ if self.broken else ""


class Doer(Protocol):
    """Does what a step says, as far as it can be done then."""

    def do(self, what: str, device: SimDevice, chance: random.Random, /) -> None: ...


class Theme(Enum):
    """What a seed may be about besides files. The value is the number of its first step."""

    FOLDING = 4000
    ROSTER = 11_000
    RULES = 12_000
    RECEIVER = 13_000
    WANTED = 15_000
    SENDER = 16_000
    LIMITS = 17_000


def themes_of(seed: int) -> frozenset[Theme]:
    has = {
        Theme.FOLDING: has_folding,
        Theme.ROSTER: has_roster,
        Theme.RULES: has_rules,
        Theme.RECEIVER: has_receiver,
        Theme.WANTED: has_wanted,
        Theme.SENDER: has_sender,
        Theme.LIMITS: has_limits,
    }
    return frozenset(theme for theme in Theme if has[theme](seed))


def mix_of(seed: int) -> frozenset[Theme]:
    """In every twenty-third seed: what it is about, two or three things at once, most of which are
    not together in any other seed. Else nothing."""
    if seed % MIXED_EACH != 6:
        return frozenset()
    chance = random.Random(f"{seed}/mix")
    one_way = chance.choice((Theme.RECEIVER, Theme.SENDER))
    of = [Theme.ROSTER, Theme.RULES, Theme.WANTED, one_way]
    found = {*chance.sample(of, chance.choice((2, 2, 3)))}
    if chance.random() < 0.2:
        found.add(Theme.LIMITS)
    if has_folding(seed):
        found.add(Theme.FOLDING)
    return frozenset(found)


def _is_about(seed: int, theme: Theme, else_: bool) -> bool:
    mix = mix_of(seed)
    return theme in mix if mix else else_


def plan_of(seed: int, devices: int = 0) -> Plan:
    """Returns the plan of this seed. devices: how many; 0: the seed decides."""
    return _planned(seed, devices, themes_of(seed))


def plan_about(seed: int, themes: Collection[Theme]) -> Plan:
    """Returns what the plan of a seed is, or was, if it is about these and nothing else. Once no
    disk folded names where something was ignored, or a device only received."""
    about = frozenset(themes)
    if has_folding(seed) and not {Theme.RULES, Theme.RECEIVER} & about:
        about |= {Theme.FOLDING}
    return _planned(seed, 0, about)


def _planned(seed: int, devices: int, themes: frozenset[Theme]) -> Plan:
    chance = random.Random(f"{seed}/plan")
    count = devices or chance.choice((2, 2, 2, 3, 3, 4))
    if Theme.ROSTER in themes and not devices:
        count = max(count, 3)
    names = "ABCD"[:count]
    rough = chance.random() < 0.6
    knobs = Knobs(
        lag_s=chance.choice((0.002, 0.01, 0.1)),
        slow=chance.choice((0.0, 0.02, 0.1)) if rough else 0.0,
        news_lost=chance.choice((0.0, 0.2, 1.0)) if rough else 0.0,
        news_twice=0.2 if rough else 0.0,
        watch_lag_s=chance.choice((0.005, 0.05, 0.5)),
        watch_lost=chance.choice((0.0, 0.1)) if rough else 0.0,
        careful=chance.random() < 0.8,
        skews_s=tuple(chance.choice((0.0, 0.0, 3.0, -3600.0, 86_400.0)) for _ in names),
    )
    span = chance.choice((2.0, 10.0, 30.0))
    steps = _steps(chance, names, span, chance.choice((4, 10, 20)), chance.choice((0, 0, 2, 5)))
    large = chance.random() < 0.2
    more = [*_mounts(seed, names, span), *_index_faults(seed, names, span)]
    more += _open_files(seed, names, span)
    more += _folding(seed, names, span) if Theme.FOLDING in themes else []
    more += [*_turned_bits(seed, names, span), *_small_disks(seed, names)]
    more += [*_clones(seed, names, span), *_unlisted_peers(seed, names, span)]
    more += _pauses(seed, names, span)
    more += [*_no_exchange(seed, names), *_late_folders(seed, names)]
    more += _exact_times(seed, names, span)
    decisions = _decisions(seed, names, span) if Theme.ROSTER in themes else []
    more += decisions
    more += _rulings(seed, names, span) if Theme.RULES in themes else []
    more += _receiving(seed, names, span) if Theme.RECEIVER in themes else []
    more += _choices(seed, names, span) if Theme.WANTED in themes else []
    more += _sending(seed, names, span) if Theme.SENDER in themes else []
    more += _limiting(seed, names, span) if Theme.LIMITS in themes else []
    steps = tuple(sorted((*steps, *more), key=lambda step: step.at))
    dials = dials_of(chance, names)
    if decisions or any(step.what == "fold names" for step in more):
        # A device cannot pass on a file that it cannot hold: no device may depend on this one.
        # Members of a roster know where the others are, and nobody depends on one who is removed.
        dials |= {(a, b) for a in names for b in names if a < b}
    return Plan(seed, names, dials, knobs, large, steps)


def _mounts(seed: int, names: str, span: float) -> list[Step]:
    """In some seeds one device has a mount in its share, which is unmounted and mounted again."""
    chance = random.Random(f"{seed}/mounts")
    if chance.random() > 0.15:
        return []
    device = chance.choice(names)
    times = [chance.uniform(0.5, span) for _ in range(chance.choice((1, 1, 3)))]
    found = [Step(1000, -2.0, device, "mount inside")]
    return found + [Step(1001 + n, at, device, "unmount inside") for n, at in enumerate(times)]


def has_folding(seed: int) -> bool:
    return random.Random(f"{seed}/folding").random() <= 0.2


def _folding(seed: int, names: str, span: float) -> list[Step]:
    """In every fifth seed one device has a disk that folds names, and all users change the case of
    some names."""
    chance = random.Random(f"{seed}/folding")
    chance.random()  # whether it is such a seed
    count = chance.choice((2, 4, 8))
    times = [chance.uniform(-0.2, 1.0) * span for _ in range(count)]
    deeds = [(at, chance.choice(names), "change case") for at in times]
    found = [Step(4000, -3.0, chance.choice(names), "fold names")]
    return found + [Step(4001 + n, *deed) for n, deed in enumerate(deeds)]


def _now_and_then(
    seed: int, names: str, span: float, word: str, share: float, counts: tuple[int, ...], what: Step
) -> list[Step]:
    """In a share of the seeds `what` happens so many times, on changing devices. what: the first of
    these steps, except for time and device; word: names the random choices of these steps."""
    chance = random.Random(f"{seed}/{word}")
    if chance.random() > share:
        return []
    times = [chance.uniform(0.0, span) for _ in range(chance.choice(counts))]
    return [
        replace(what, number=what.number + n, at=at, device=chance.choice(names))
        for n, at in enumerate(times)
    ]


def _index_faults(seed: int, names: str, span: float) -> list[Step]:
    """Errors of SQLite."""
    what = Step(2000, 0.0, "", "fail index")
    return _now_and_then(seed, names, span, "index", 0.2, (1, 2, 5), what)


def _open_files(seed: int, names: str, span: float) -> list[Step]:
    """Files that are written all the time."""
    what = Step(3000, 0.0, "", "keep open")
    return _now_and_then(seed, names, span, "open", 0.15, (1, 1, 2), what)


def _turned_bits(seed: int, names: str, span: float) -> list[Step]:
    """Bits of files turn, and no stat changes."""
    what = Step(5000, 0.0, "", "turn a bit")
    return _now_and_then(seed, names, span, "bits", 0.1, (1, 3, 6), what)


def _small_disks(seed: int, names: str) -> list[Step]:
    """In some seeds one device has a small disk, with its trash on it."""
    chance = random.Random(f"{seed}/room")
    return [Step(6000, -3.0, chance.choice(names), "small disk")] if chance.random() < 0.1 else []


def _no_exchange(seed: int, names: str) -> list[Step]:
    """In some seeds one device has a disk that cannot exchange two names."""
    chance = random.Random(f"{seed}/exchange")
    if chance.random() > 0.1:
        return []
    return [Step(9000, -3.0, chance.choice(names), "cannot exchange")]


def _exact_times(seed: int, names: str, span: float) -> list[Step]:
    """In some seeds the disks of most devices tell each change apart, as on Linux 6.13 and later,
    and files are saved twice in a moment."""
    chance = random.Random(f"{seed}/exact times")
    if chance.random() > 0.4:
        return []
    disks = [
        Step(19_000 + number, -3.0, name, "tell each change")
        for number, name in enumerate(names)
        if chance.random() < 0.8
    ]
    times = [chance.uniform(0.0, span) for _ in range(chance.choice((2, 4, 12)))]
    saves = [(at, chance.choice(names)) for at in times]
    return disks + [Step(19_100 + n, *save, "save twice") for n, save in enumerate(saves)]


def _late_folders(seed: int, names: str) -> list[Step]:
    """In some seeds the user of one device adds the folder while its agent runs."""
    chance = random.Random(f"{seed}/late folder")
    if chance.random() > 0.1:
        return []
    return [Step(10_000, -3.0, chance.choice(names), "wait for folder")]


def _clones(seed: int, names: str, span: float) -> list[Step]:
    """A copy of a machine runs beside it for a while."""
    what = Step(7000, 0.0, "", "clone machine")
    return _now_and_then(seed, names, span, "clones", 0.07, (1, 1, 2), what)


def _unlisted_peers(seed: int, names: str, span: float) -> list[Step]:
    """A user takes a peer out of peer.toml for a while."""
    what = Step(8000, 0.0, "", "unlist peer")
    return _now_and_then(seed, names, span, "unlisted", 0.1, (1, 2, 4), what)


def _pauses(seed: int, names: str, span: float) -> list[Step]:
    """A user pauses the folder, or another device."""
    what = Step(14_000, 0.0, "", "pause")
    return _now_and_then(seed, names, span, "pauses", 0.1, (1, 2, 5), what)


def has_roster(seed: int) -> bool:
    """Whether people decide in this seed who is in the folder."""
    return _is_about(seed, Theme.ROSTER, seed % ROSTER_EACH == ROSTER_EACH - 1)


def _decisions(seed: int, names: str, span: float) -> list[Step]:
    """In every tenth seed the folder has a roster from some moment on."""
    if len(names) < 2:
        return []
    chance = random.Random(f"{seed}/roster")
    found = [Step(11_000, -4.0, names[0], HAS_ROSTER)]
    founder, strangers = chance.choice(names), chance.choice((0.0, 0.0, 0.3, 1.0))
    guests = [
        Step(11_100 + number, -3.5, name, "be a stranger")
        for number, name in enumerate(names)
        if name != founder and chance.random() < strangers
    ]
    found += guests
    founded_at = chance.choice((0.1, 0.5, 0.5)) * span * chance.random()
    found.append(Step(11_001, founded_at, founder, "found"))
    if chance.random() < 0.3:  # another one begins it, too, and has not heard of that perhaps
        at = founded_at + chance.choice((0.0, 0.3, 3.0)) * chance.random()
        found.append(Step(11_300, at, chance.choice(names), "found"))
    kinds, weights = list(DECIDED), list(DECIDED.values())
    for number in range(len(guests)):  # most of them are let in before all else
        at = founded_at + chance.choice((0.2, 1.0, 5.0)) * chance.random()
        found.append(Step(11_200 + number, at, founder, "invite"))
    for number in range(chance.choice((1, 3, 6, 12))):
        at = chance.uniform(founded_at, span)
        if number and chance.random() < 0.4:  # soon after another one
            at = found[-1].at + chance.choice((0.005, 0.1, 1.0))
        what = chance.choices(kinds, weights)[0]
        found.append(Step(11_002 + number, at, chance.choice(names), what))
    return found


def has_rules(seed: int) -> bool:
    """Whether users ignore something in this seed."""
    return _is_about(seed, Theme.RULES, seed % RULES_EACH == 4)


def _rulings(seed: int, names: str, span: float) -> list[Step]:
    """In every tenth seed users write rules: before the agents begin, at any time, and often soon
    after another one."""
    chance = random.Random(f"{seed}/rules")
    found = [Step(12_000, -4.0, names[0], HAS_RULES)]
    for number in range(chance.choice((0, 1, 2))):
        what = chance.choice(("write rules", "write rules", "tune"))
        found.append(Step(12_100 + number, -0.5, chance.choice(names), what))
    kinds, weights = list(RULED), list(RULED.values())
    for number in range(chance.choice((3, 6, 6, 12))):
        at = chance.uniform(0.0, span)
        if number and chance.random() < 0.4:
            at = found[-1].at + chance.choice((0.005, 0.3, 2.5))
        what = chance.choices(kinds, weights)[0]
        found.append(Step(12_001 + number, at, chance.choice(names), what))
    return found


def has_receiver(seed: int) -> bool:
    """Whether a device only receives in this seed."""
    return _is_about(seed, Theme.RECEIVER, seed % RECEIVER_EACH == 6)


def _receiving(seed: int, names: str, span: float) -> list[Step]:
    """In every tenth seed one device only receives from its first start on. Its user changes
    things, others change the same, he gives changes up, or has the folder tell for a while."""
    chance = random.Random(f"{seed}/receiving")
    device = chance.choice(names)
    found = [Step(13_000, -4.0, device, HAS_RECEIVER)]
    kinds, weights = list(RECEIVED), list(RECEIVED.values())
    for number in range(chance.choice((2, 4, 8, 12))):
        at = chance.uniform(0.0, span)
        if number and chance.random() < 0.4:  # soon after another one
            at = found[-1].at + chance.choice((0.005, 0.3, 2.5))
        what = chance.choices(kinds, weights)[0]
        found.append(Step(13_001 + number, at, device, what))
    return found


def has_wanted(seed: int) -> bool:
    """Whether devices fetch a part of the folder in this seed. Users may ignore something, too."""
    return _is_about(seed, Theme.WANTED, seed % WANTED_EACH == 5 and seed % 10 not in (6, 9))


def _choices(seed: int, names: str, span: float) -> list[Step]:
    """In every eleventh seed one or two devices fetch a part of the folder, and their users get and
    drop paths, and choose others, often soon after another choice."""
    chance = random.Random(f"{seed}/wanted")
    found = [Step(Theme.WANTED.value, -4.0, names[0], HAS_CHOOSER)]
    choosers = chance.sample(names, chance.choice((1, 1, 2)))
    for number, name in enumerate(choosers):
        if chance.random() < 0.7:
            found.append(Step(15_100 + number, -3.5, name, "choose first"))
    kinds, weights = list(CHOSEN), list(CHOSEN.values())
    for number in range(chance.choice((3, 6, 6, 12))):
        at = chance.uniform(0.0, span)
        if number and chance.random() < 0.4:
            at = found[-1].at + chance.choice((0.005, 0.3, 2.5))
        what = chance.choices(kinds, weights)[0]
        found.append(Step(15_001 + number, max(at, 0.0), chance.choice(choosers), what))
    turns = random.Random(f"{seed}/in turn")
    for number in range(turns.choice((0, 0, 1, 2))):
        found.append(
            Step(15_201 + number, turns.uniform(0.0, span), turns.choice(names), "drop in turn")
        )
    return found


def has_sender(seed: int) -> bool:
    """Whether a device only sends in this seed. Users may ignore something, too, and fetch a part
    of the folder."""
    return _is_about(seed, Theme.SENDER, seed % SENDER_EACH == 3 and seed % 10 not in (6, 9))


def _sending(seed: int, names: str, span: float) -> list[Step]:
    """In every thirteenth seed one device only sends from its first start on. Its user and others
    work at the same, and he overrides what they have."""
    chance = random.Random(f"{seed}/sending")
    device = chance.choice(names)
    found = [Step(Theme.SENDER.value, -4.0, device, HAS_SENDER)]
    kinds, weights = list(SENT), list(SENT.values())
    for number in range(chance.choice((2, 4, 8, 12))):
        at = chance.uniform(0.0, span)
        if number and chance.random() < 0.4:  # soon after another one
            at = found[-1].at + chance.choice((0.005, 0.3, 2.5))
        what = chance.choices(kinds, weights)[0]
        found.append(Step(16_001 + number, max(at, 0.0), device, what))
    taking = Step(16_501, 0.0, "", "take for a while")
    more = _now_and_then(seed, device, span, "taking", 0.4, (1, 1, 2), taking)
    return found + more


def has_limits(seed: int) -> bool:
    """Whether users limit what passes in this seed, whatever else it is about."""
    return _is_about(seed, Theme.LIMITS, seed % LIMITS_EACH == 8)


def _limiting(seed: int, names: str, span: float) -> list[Step]:
    """In every seventeenth seed users limit what passes, from the first start on and at any time,
    and ask whether all is in sync."""
    chance = random.Random(f"{seed}/limits")
    found = [Step(Theme.LIMITS.value, -4.0, names[0], HAS_LIMITS)]
    for number, name in enumerate(names):
        if chance.random() < 0.5:
            found.append(Step(17_100 + number, -3.5, name, "limit first"))
    kinds, weights = list(LIMITED), list(LIMITED.values())
    for number in range(chance.choice((2, 4, 8))):
        what = chance.choices(kinds, weights)[0]
        found.append(Step(17_001 + number, chance.uniform(0.0, span), chance.choice(names), what))
    chance = random.Random(f"{seed}/much")
    if chance.random() < 0.4:  # when limits hold for long enough to be counted
        at = span + chance.uniform(25.0, 30.0)
        found.append(Step(17_501, at, chance.choice(names), "write much"))
    return found


def dials_of(chance: random.Random, names: str) -> frozenset[tuple[str, str]]:
    """Returns which device dials which: both ways, one way, a ring, or all to one."""
    shape = chance.choice(("both", "both", "one way", "ring", "star"))
    pairs = [(a, b) for a in names for b in names if a < b]
    match shape:
        case "ring":
            pairs = [(a, b) for a, b in zip(names, names[1:] + names[0], strict=True) if a != b]
        case "star":
            pairs = [(a, names[0]) for a in names[1:]]
    dials = set(pairs)
    if shape in ("both", "ring"):
        dials |= {(b, a) for a, b in pairs}
    return frozenset(dials)


def _steps(
    chance: random.Random, names: str, span: float, deeds: int, faults: int
) -> tuple[Step, ...]:
    kinds = list(DEEDS)
    weights = [WEIGHTS.get(kind, 1) for kind in kinds]
    steps: list[tuple[float, str, str]] = []
    for name in names:  # before the agents begin
        for _ in range(chance.randrange(4)):
            steps.append((-1.0, name, chance.choice(("create", "make tree", "make folder"))))
    for _ in range(deeds):
        at = chance.uniform(0.0, span)
        if steps and chance.random() < 0.3:  # at nearly the same time as another step
            at = max(0.0, chance.choice(steps)[0]) + chance.random() * 0.05
        steps.append((at, chance.choice(names), chance.choices(kinds, weights)[0]))
    chances = [FAULT_WEIGHTS.get(fault, 1) for fault in FAULTS]
    for _ in range(faults):
        at = chance.uniform(0.0, span)
        if chance.random() < 0.5:  # soon after another step, while its effects go on
            at = max(0.0, chance.choice(steps)[0]) + chance.choice((0.005, 0.1, 1.0))
        steps.append((at, chance.choice(names), chance.choices(FAULTS, chances)[0]))
    steps.sort(key=lambda step: step[0])
    return tuple(Step(number, *step) for number, step in enumerate(steps))


def run(plan: Plan, *, story: bool = False) -> Outcome:
    """Run the plan, and check whether the laws hold."""
    return lived(plan, World, _live, story=story)


def lived(plan: Any, kind: type[W], live: Callable[[Any, W], None], *, story: bool) -> Outcome:
    """Returns the outcome of `live` in a world of this kind, made as the plan says."""
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="leftzmq-sim-", dir=where) as base:
        world = kind(plan.seed, Path(base), plan.names, set(plan.dials), plan.knobs)
        if story:
            world.story = []
        broken: BaseException | None = None
        try:
            with world.index_trap:
                live(plan, world)
        except Exception as error:
            broken = error
        finally:
            for device in (*world.devices.values(), *world.clones):
                if device.alive:
                    device.end()
        return Outcome(plan, broken, world.digest, world.now - 1000.0, world.story or [])


def _live(plan: Plan, world: World) -> None:
    ledger = Ledger()
    users = Users(world, ledger, large=plan.large)
    faults = Faults(world, ledger, users)
    witness = laws.Witness(ledger)
    world.look_after = witness.look_after
    people: People | None = None
    members: member_laws.Witness | None = None
    if any(step.what == HAS_ROSTER for step in plan.steps):
        people = People(world, faults)
        members = member_laws.Witness(world)
        members.begin(witness.look_after)
    rulers: Rulers | None = None
    kept: kept_laws.Witness | None = None
    if any(step.what == HAS_RULES for step in plan.steps):
        kept = kept_laws.Witness(world)
        kept.begin(world.look_after)
        rulers = Rulers(world, users, kept.secrets)
    choosers: Choosers | None = None
    let_go: wanted_laws.Witness | None = None
    if any(step.what == HAS_CHOOSER for step in plan.steps):
        choosers = Choosers(world, users, faults)
        let_go = wanted_laws.Witness(world, ledger, choosers)
        let_go.begin(world.look_after)
    limiters: Limiters | None = None
    if any(step.what == HAS_LIMITS for step in plan.steps):
        limiters = Limiters(world, users)
        limiting_laws.Witness(world).begin()
    senders: Senders | None = None
    if any(step.what == HAS_SENDER for step in plan.steps):
        senders = Senders(world, users, ledger)
        sending_laws.Witness(world).begin(world.look_after)
    receivers: Receivers | None = None
    if any(step.what == HAS_RECEIVER for step in plan.steps):
        receivers = Receivers(world, users, faults, ledger)
        world.folder_modes = False
        receiving_laws.Witness(world).begin()

    doers: tuple[tuple[Collection[str], Doer | None], ...] = (
        (DEEDS, users),
        (SOME_DEEDS, users),
        (DECISIONS, people),
        (RULINGS, rulers),
        (LIMITING, limiters),
        (SENDING, senders),
        (CHOICES, choosers),
        (RECEIVING, receivers),
    )

    def act(step: Step) -> None:
        chance = random.Random(f"{plan.seed}/{step.number}")
        device = world.devices[step.device]
        doer = next((each for deeds, each in doers if step.what in deeds), faults)
        if doer is not None:
            doer.do(step.what, device, chance)

    for step in plan.steps:
        if step.at < 0:
            act(step)
        else:
            world.after(step.at + 1.0, partial(act, step))
    for device in world.devices.values():
        world.after(world.random.choice((0.0, 0.0, 2.0)), device.start)
    last = max((step.at for step in plan.steps), default=0.0)
    world.run_until(world.now + last + 1.5)
    if people is not None:
        people.end()
    faults.end()
    if limiters is not None:
        world.patience_s = limiting_laws.patience_s(world, limiters)
    if receivers is not None:
        receivers.end()
    if senders is not None:
        senders.end()
    if people is not None:
        people.answer_all()
    if faults.bits_turned:
        world.run_until(world.now + LOOKED_S)  # looks under way are told before
        faults.turn_back()
    if world.clones:
        world.run_until(world.now + NOTICED_S)
        if members is not None:
            _greet_anew(world)
    is_judged = members is None and (receivers is None or not (rulers or choosers or senders))
    if not is_judged:
        lifted = _Lifted(rulers, kept, choosers, let_go, senders, receivers)
        lifted.settle_and_lift(world, ledger, users)
    if is_judged and kept is not None and rulers is not None:
        # No agent minds what users still do to what is ignored.
        world.run_until(max(world.now, users.done_at + LOOKED_S))
        _walk_where_missed(world, ledger, kept)
        settle(
            world, lambda world: kept_laws.is_quiet(world) and not wanted_laws.are_dropping(world)
        )
        if let_go is not None:
            let_go.excuse_made_anew()
        kept_laws.judge(world, ledger, kept)
        why_laws.judge(world)
        kept_laws.indexes_are_the_disks(world, exact=False)
        nothing_changes(world, partial(kept_laws.judge, world, ledger, kept), kept_laws.not_kept)
        while rulers.lift():
            settle(world, laws.is_quiet if choosers is None else wanted_laws.is_quiet)
        kept.excuse(ledger)
    if is_judged and choosers is not None and let_go is not None:
        asking = limiters or Limiters(world, users)
        _chosen_to_the_end(world, ledger, choosers, let_go, asking)
    if is_judged and senders is not None:
        asking = limiters or Limiters(world, users)
        _sends_to_the_end(world, ledger, senders, asking, overrides=plan.seed % 2 == 0)
    if is_judged and receivers is not None:
        _receives_to_the_end(world, ledger, receivers, reverts=plan.seed % 20 == 6)
    settle(world)
    if members is not None:
        member_laws.judge(world, ledger, members)
    else:
        tree = laws.converged(world, ledger)
        laws.nothing_lost(world, ledger, tree)
        laws.nothing_came_back(world, ledger, tree)
        laws.no_folder_came_back(world, ledger, tree)
        laws.no_folder_lost(world, ledger, tree)
    why_laws.judge(world)
    for group in world.sharing.groups():
        for device in group:
            laws.index_is_the_disk(device, exact=False)
            if not world.sharing.misses_others(group):
                laws.nothing_is_left(device, ledger)
    stays_quiet(world, ledger)
    if limiters is not None:
        limiting_laws.waits_ended(world, limiters)
        if people is None:
            limiting_laws.all_say_so(world, limiters)
    if people is not None and (removed := people.remove_one()) is not None:
        member_laws.is_out_soon(world, *removed)


def _greet_anew(world: World) -> None:
    """A known gap: what was said to a clone was not said to the device itself, and of rosters
    nobody asks before the next greeting."""
    for device in dict.fromkeys(world.devices[clone.name] for clone in world.clones):
        if device.alive:
            device.stop()
            device.start()


def _walk_where_missed(world: World, ledger: Ledger, kept: kept_laws.Witness) -> None:
    """The hourly walk comes sooner where it alone can find something."""
    for device in world.alive:
        if not device.folder.stopped_why and kept.may_have_missed(device, ledger):
            device.scan()


@dataclass(frozen=True, slots=True)
class _Lifted:
    """What a seed is about beside files, of which no law says what holds at rest while it is all
    together: the laws of each step hold, and the others when all of it is ended."""

    rulers: Rulers | None
    kept: kept_laws.Witness | None
    choosers: Choosers | None
    let_go: wanted_laws.Witness | None
    senders: Senders | None
    receivers: Receivers | None

    def settle_and_lift(self, world: World, ledger: Ledger, users: Users) -> None:
        if self.kept is not None:
            world.run_until(max(world.now, users.done_at + LOOKED_S))
            _walk_where_missed(world, ledger, self.kept)
        settle(world, lambda world: not wanted_laws.are_dropping(world))
        while self.rulers is not None and self.rulers.lift():
            settle(world)
        if self.kept is not None:
            self.kept.excuse(ledger)
        if self.choosers is not None:
            self.choosers.get_all()
            wanted_laws.excuse(ledger, self.choosers)
        if self.senders is not None:
            self.senders.take()
        if self.receivers is not None:
            self.receivers.tell()
        settle(world)
        if self.let_go is not None:
            self.let_go.excuse_made_anew()
            self.let_go.excuse_out_of_reach()


def _receives_to_the_end(
    world: World, ledger: Ledger, receivers: Receivers, *, reverts: bool
) -> None:
    """What holds while a device only receives; then all that was changed there is given up, in some
    seeds, and the device tells what is left."""
    judge = partial(receiving_laws.judge, world, ledger, receivers)
    settle(world, receiving_laws.is_quiet)
    judge()
    why_laws.judge(world)
    for device in world.alive:
        laws.index_is_the_disk(device, exact=False)
    if not receiving_laws.is_held_up(world):  # what waits for its folder comes after a start
        nothing_changes(world, judge)
    if reverts:
        receivers.revert_all()
        settle(world, receiving_laws.is_quiet)
        judge()
        receiving_laws.nothing_differs(world, receivers)
    deleted = receiving_laws.deleted_here(receivers)
    receivers.tell()
    settle(world)
    receiving_laws.all_is_back(world, receivers, deleted)


def _chosen_to_the_end(
    world: World,
    ledger: Ledger,
    choosers: Choosers,
    witness: wanted_laws.Witness,
    limiters: Limiters,
) -> None:
    """What holds while devices fetch a part of the folder; then all fetch everything."""
    judge = partial(wanted_laws.judge, world, ledger, choosers, witness)
    settle(world, wanted_laws.is_quiet)
    judge()
    for device in world.alive:
        laws.index_is_the_disk(device, exact=False)
    nothing_changes(world, judge)
    limiting_laws.all_say_so(world, limiters)
    choosers.get_all()
    wanted_laws.excuse(ledger, choosers)


def _sends_to_the_end(
    world: World, ledger: Ledger, senders: Senders, limiters: Limiters, *, overrides: bool
) -> None:
    """What holds while a device only sends; then what it has is everybody's, or it takes what
    differs."""
    judge = partial(sending_laws.judge, world, ledger, senders)
    settle(world, sending_laws.is_quiet)
    judge()
    for device in world.alive:
        laws.index_is_the_disk(device, exact=False)
    nothing_changes(world, judge)
    limiting_laws.all_say_so(world, limiters)
    if overrides and not senders.keeps_folders:
        senders.override_all()
        world.run_until(world.now + QUIET_S)
        settle(world, sending_laws.is_quiet)
        judge()
        sending_laws.nothing_differs(senders)
    else:
        senders.take()


def settle(world: World, is_quiet: Callable[[World], bool] = laws.is_quiet) -> None:
    """Run until all devices have what they need, or PATIENCE_S is over."""
    world.delays.calm = True
    end = world.now + PATIENCE_S + world.patience_s
    while world.now < end:
        messages = spoken(world)
        world.run_until(world.now + 2.13 * HEARTBEAT_PERIOD_S)  # never in step with heartbeats
        if is_quiet(world) and spoken(world) == messages and not _owes_answers(world):
            return


def _owes_answers(world: World) -> bool:
    """Whether gets wait for a limit: they are answered when it lets them, although their asker may
    have the bytes from another device by then."""
    askers = (each for d in world.alive for each in d.node.listener._askers.values())
    return any(queue for asker in askers for queue in asker.queue.values())


def spoken(world: World) -> Counter[str]:
    """How many messages each device sent. Who does not know that it is out, and is not told, asks
    those who removed it again and again: it is left out."""
    found = world.messages.copy()
    for group in world.sharing.groups():
        if world.sharing.misses_others(group):
            for device in group:
                del found[device.shown]
    return found


def _keeps_all(device: SimDevice) -> set[str]:
    return set()


def stays_quiet(world: World, ledger: Ledger) -> None:
    """I5 and I6, where all is kept."""

    def converged() -> None:
        for group in world.sharing.groups():
            laws.converged(world, ledger, group)

    nothing_changes(world, converged)


def nothing_changes(
    world: World,
    judge: Callable[[], None],
    not_kept: Callable[[SimDevice], set[str]] = _keeps_all,
) -> None:
    """I5: nothing but heartbeats. I6: neither another walk nor another start changes anything.
    judge: what holds when all is quiet. not_kept: what lies on a disk and is ignored there."""
    sharing = [device for group in world.sharing.groups() for device in group]
    heads = {device.name: device.store.heads.sequence for device in sharing}
    trees = {device.name: laws.tree_of(device) for device in sharing}
    in_the_way = any(kept_laws.in_the_way(device) for device in sharing)
    messages = spoken(world)
    world.run_until(world.now + QUIET_S)
    if more := spoken(world) - messages:
        raise laws.Broken("I5", f"{more} messages in {QUIET_S:.0f} quiet s")
    for device in sharing:
        device.scan()
    world.run_until(world.now + 5.0)
    for device in sharing:
        laws.index_is_the_disk(device, exact=True, not_kept=not_kept(device))
        device.stop()
        device.start()
    world.run_until(world.now + 25.0)
    if any(device.disk.folds for device in sharing) or in_the_way:
        # A known gap: what cannot be here is fetched again to find that out; a limit holds it up.
        world.run_until(world.now + world.patience_s)
    judge()
    for device in sharing:
        if (now := laws.tree_of(device)) != (before := trees[device.name]):
            raise laws.Broken("I6", laws.differences("before", before, "after", now))
        if laws.makes_versions(device, heads[device.name]):
            raise laws.Broken("I6", f"{device.name} made new versions of nothing")
