"""What people decide about who is in a folder: its roster begins, devices are invited, join, are
removed and leave; and what may befall a device while it writes that down.

Each decision does to its device what a command of the user does (runtime/pairing_desk), in the same
order. Knows devices from outside. Must not know what follows from a decision: `member_laws` judges
that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from leftzmq.content.ids import StatementId
from leftzmq.errors import LeftError
from leftzmq.sync.facts import RosterGrew
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer
from leftzmq.sync.peers.roster.roster import Mode, Roster

from .acquaintance import Acquaintance
from .faults import Faults
from .node import FOLDER
from .world import SimDevice, World

HAS_ROSTER: Final = "has a roster"
"""The first step of a seed whose folder has one."""


class Somebody(Protocol):
    """A device, perhaps none of the world's own."""

    @property
    def key(self) -> DeviceKey: ...
    @property
    def name(self) -> str: ...


class People:
    """One per world, if its folder has a roster."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self._over = False
        world.give_keys()
        for device in world.devices.values():
            _acquaintance(device).written.update(set(world.devices) - {device.name})
        self._leaving: set[str] = set()  # names of devices whose users said no a moment ago

    def do(self, what: str, device: SimDevice, chance: random.Random) -> None:
        self._world.say(device, f"people: {what}")
        DECISIONS[what](self, device, chance)

    def end(self) -> None:
        """From now on nobody decides anything, and every device can write down what it hears."""
        self._over = True
        for device in self._world.devices.values():
            keeper = device.roster_keeper
            keeper.fails = False
            keeper.before = keeper.after = _nothing

    def answer_all(self) -> None:
        """Every user who was shown a plan says yes to it. To be called when all devices run."""
        for device in self._world.devices.values():
            if device.held and device.name not in self._leaving:
                self._world.say(device, "people: yes")
                device.says_yes()

    def remove_one(self) -> tuple[list[SimDevice], SimDevice] | None:
        """When all is quiet a member removes another one. Returns those who stay, who are all
        connected, and who is out; None: nobody can."""
        for group in self._world.sharing.groups():
            mode = self._roster(group[0]).mode
            full = [device for device in group if mode(device.key) == "full"]
            if full and len(group) > 1:
                out = next(device for device in group if device is not full[0])
                self._remove(full[0], out, keep_invited=True)
                return [device for device in group if device is not out], out
        return None

    def removes(self, device: SimDevice, other: Somebody) -> bool:
        """`leftzmq peers remove`, if the device may say that. Whether it may."""
        may = self._may_decide(device) and self._roster(device).is_live(other.key)
        if may:
            self._remove(device, other, keep_invited=False)
        return may

    def lets_in(self, device: SimDevice, guest: Somebody, mode: Mode) -> None:
        """An invitation is made, and used at once: it lifts the removals that are known."""
        if self._may_decide(device) and self._found(device):
            self._let_in(device, guest, mode, device.rosters.folders[FOLDER].last_number)

    # ---- what a device has to say of itself ---------------------------------------------------

    def _roster(self, device: SimDevice) -> Roster:
        return device.rosters.folders[FOLDER].roster

    def _may_decide(self, device: SimDevice) -> bool:
        """Whether the commands of its user would be carried out."""
        if self._over or not device.alive or device.waits or device.held:
            return False
        is_reader = device.key in device.rosters.readers(FOLDER)
        return device.rosters.put_out(FOLDER) is None and not is_reader

    def _others(self, device: SimDevice) -> list[SimDevice]:
        return [other for other in self._world.devices.values() if other is not device]

    def _grew(self, device: SimDevice) -> None:
        device.take(RosterGrew(FOLDER))

    # ---- decisions ----------------------------------------------------------------------------

    def has_roster(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: in this seed people decide who is in."""

    def be_a_stranger(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: the user of the device has files, and has not joined."""
        device.waits = True
        acquaintance = _acquaintance(device)
        acquaintance.is_stranger = True
        acquaintance.written.clear()
        for other in self._others(device):
            _acquaintance(other).written.discard(device.name)

    def found(self, device: SimDevice, chance: random.Random) -> None:
        """`leftzmq share`: the roster begins with the first invitation."""
        if self._may_decide(device):
            self._found(device)

    def _found(self, device: SimDevice) -> bool:
        try:
            device.rosters.found(FOLDER)
        except LeftError as error:
            self._world.say(device, f"  declined: {error}")
            return False
        self._grew(device)
        return True

    def remove(self, device: SimDevice, chance: random.Random) -> None:
        """`leftzmq peers remove`, with or without --keep-invited."""
        keeps = chance.random() < 0.5
        if self._may_decide(device):
            live = self._roster(device).live()
            others = [other for other in self._others(device) if other.key in live]
            if others:
                self._remove(device, chance.choice(others), keeps)

    def _remove(self, device: SimDevice, other: Somebody, keep_invited: bool) -> None:
        kept = ", whom it let in stays" if keep_invited else ""
        self._world.say(device, f"  removes {other.name}{kept}")
        try:
            for id in device.rosters.removable(other.key):
                device.rosters.remove(id, other.key, keep_invited)
        except LeftError as error:
            self._world.say(device, f"  declined: {error}")
            return
        self._grew(device)
        _acquaintance(device).forget(other.name)
        device.relist()

    def remove_apart(self, device: SimDevice, chance: random.Random) -> None:
        """Two devices that do not hear each other remove one each, at once; perhaps each other."""
        others = self._others(device)
        chance.shuffle(others)
        away, rest = others[0], others[1:]
        sides = [[device], [away]]
        for other in rest:
            chance.choice(sides).append(other)
        pairs = {frozenset((a.name, b.name)) for a in sides[0] for b in sides[1]}
        self._world.wires.cut |= pairs
        self._world.wires.refresh()
        within_s = chance.choice((0.0, 0.5, 2.0))
        self._world.after(within_s, partial(self.remove, device, chance))
        self._world.after(within_s, partial(self.remove, away, chance))

        def heal() -> None:
            self._world.wires.cut -= pairs
            self._world.wires.refresh()

        self._world.after(within_s + chance.choice((0.3, 5.0, 15.0)), heal)

    def remove_who_is_away(self, device: SimDevice, chance: random.Random) -> None:
        """A member is switched off, removed meanwhile, and comes back."""
        if not self._may_decide(device):
            return
        live = self._roster(device).live()
        others = [other for other in self._others(device) if other.key in live]
        if not others:
            return
        away, keeps = chance.choice(others), chance.random() < 0.5
        chance.choice((away.kill, away.stop))()

        def removed() -> None:
            if self._may_decide(device):
                self._remove(device, away, keeps)

        self._world.after(chance.choice((0.1, 4.0)), removed)
        self._world.after(chance.choice((2.0, 6.0, 12.0)), away.start)

    def invite(self, device: SimDevice, chance: random.Random) -> None:
        """`leftzmq share` here, and `leftzmq join` on another device a little later. The invitation
        lifts the removals that were known when it was made."""
        if not self._may_decide(device) or not self._found(device):
            return
        live = self._roster(device).live()
        guests = [other for other in self._others(device) if other.key not in live]
        if not guests:
            return
        guest, known = chance.choice(guests), device.rosters.folders[FOLDER].last_number
        mode: Mode = "read" if chance.random() < 0.4 else "full"
        knocks = partial(self._knock, device, guest, mode, known, chance)
        self._world.after(chance.choice((0.0, 0.5, 4.0)), knocks)

    def _knock(
        self, device: SimDevice, guest: SimDevice, mode: Mode, known: int, chance: random.Random
    ) -> None:
        """The guest is at the door of a device: what each does is durable before it is told."""
        pair = frozenset((device.name, guest.name))
        if not self._may_decide(device) or not guest.alive or pair in self._world.wires.cut:
            return
        if guest.held:
            return  # the command says that its plan waits
        if not self._let_in(device, guest, mode, known):
            return
        used = device.epochs.in_use
        secret = None if used is None else device.epochs.secret(used.tag)
        pins = device.rosters.pins(FOLDER)
        answer = partial(self._join, device, guest, secret, pins, chance)
        self._world.after(0.01, answer)
        if chance.random() < 0.5:  # whose device ended meanwhile types the same line again
            self._world.after(12.0, answer)

    def _let_in(self, device: SimDevice, guest: Somebody, mode: Mode, known: int) -> bool:
        self._world.say(device, f"  lets {guest.name} in, {mode}")
        _acquaintance(device).let_in.add(guest.name)
        device.relist()  # before it is a member, as runtime/pairing/admissions does (seed 79304799)
        try:
            device.rosters.let_in(FOLDER, Newcomer(guest.key, guest.name, mode), known)
        except LeftError as error:
            self._world.say(device, f"  declined: {error}")
            return False
        self._grew(device)
        return True

    def _join(
        self,
        device: SimDevice,
        guest: SimDevice,
        secret: bytes | None,
        pins: list[StatementId],
        chance: random.Random,
    ) -> None:
        """The answer of the door came: what PairingDesk does with it. secret: of the epoch that was
        in use there; None: the folder's own."""
        if self._over or not guest.alive or guest.name in self._leaving:
            return
        self._world.say(guest, f"  joins by {device.name}")
        try:
            guest.rosters.keep_beginning(guest.keys, pins, secret)
        except LeftError as error:
            self._world.say(guest, f"  declined: {error}")
            return
        acquaintance = _acquaintance(guest)
        acquaintance.joined.add(device.name)
        if acquaintance.is_stranger:
            acquaintance.is_stranger = False
            guest.held = chance.random() < 0.6 and next(guest.hands.tree(), None) is not None
            if guest.held:
                says = self._say_no if chance.random() < 0.3 else self._say_yes
                self._world.after(chance.choice((0.3, 5.0, 20.0)), partial(says, guest))
            guest.relist()
            guest.add_folder()
        else:
            guest.relist()

    def _say_yes(self, guest: SimDevice) -> None:
        if guest.held and guest.alive and not self._over:
            self._world.say(guest, "people: yes")
            guest.says_yes()

    def _say_no(self, guest: SimDevice) -> None:
        """The device leaves; a second later the folder goes, with what the join made."""
        if not guest.held or not guest.alive or self._over:
            return
        self._world.say(guest, "people: no")
        self._leaving.add(guest.name)  # it is durable before it is said
        self._world.after(1.0, partial(self._go, guest))
        try:
            guest.rosters.leave(FOLDER)
        except LeftError as error:
            self._world.say(guest, f"  declined: {error}")
            self._leaving.discard(guest.name)
            return
        self._grew(guest)

    def _go(self, guest: SimDevice) -> None:
        if guest.name not in self._leaving:
            return
        if guest.unmounted is not None or guest.away is not None:
            self._world.after(10.0, partial(self._go, guest))
            return
        keeper = guest.roster_keeper
        keeper.fails, keeper.before, keeper.after = False, _nothing, _nothing
        guest.leave()
        self._leaving.discard(guest.name)
        acquaintance = _acquaintance(guest)
        acquaintance.is_stranger = True
        acquaintance.joined.clear()
        if guest.alive:
            guest.relist()

    # ---- what may go wrong meanwhile ----------------------------------------------------------

    def end_at_a_word(self, device: SimDevice, chance: random.Random) -> None:
        """The device is killed, or loses power, before or after it writes down a statement or a
        secret; often one of its user's."""
        if self._over:
            return
        left, late = chance.choice((1, 1, 2, 4)), chance.random() < 0.5
        crash, keeper = self._faults.crash(device, chance), device.roster_keeper

        def spring() -> None:
            nonlocal left
            left -= 1
            if not left and device.alive:
                keeper.before = keeper.after = _nothing
                self._world.say(device, f"  ends {'after' if late else 'before'} it is written")
                crash()

        keeper.before = _nothing if late else spring
        keeper.after = spring if late else _nothing
        decides = self.remove if chance.random() < 0.5 else self.invite
        self._world.after(chance.choice((0.0, 0.1)), partial(decides, device, chance))

    def keep_nothing(self, device: SimDevice, chance: random.Random) -> None:
        """For a while the disk takes no statement and no secret."""
        keeper = device.roster_keeper
        if self._over:
            return
        keeper.fails = True

        def takes_again() -> None:
            keeper.fails = False

        self._world.after(chance.choice((0.5, 3.0, 10.0)), takes_again)


def _nothing() -> None:
    pass


def _acquaintance(device: SimDevice) -> Acquaintance:
    assert device.acquaintance is not None
    return device.acquaintance


DECISIONS: Final[dict[str, Callable[[People, SimDevice, random.Random], None]]] = {
    HAS_ROSTER: People.has_roster,
    "be a stranger": People.be_a_stranger,
    "found": People.found,
    "remove": People.remove,
    "remove apart": People.remove_apart,
    "remove who is away": People.remove_who_is_away,
    "invite": People.invite,
    "end at a word": People.end_at_a_word,
    "keep nothing": People.keep_nothing,
}
DECIDED: Final = {
    "remove": 4,
    "remove apart": 3,
    "remove who is away": 2,
    "invite": 4,
    "end at a word": 3,
    "keep nothing": 1,
}
"""How often each of those that may happen at any time does."""
