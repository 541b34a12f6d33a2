"""What must hold where a folder has a roster: who is removed is out, and those who are in agree.

Knows devices from outside: their rosters, their secrets, what they send. Must not steer anything,
nor know why people decide what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from leftzmq.content.keys import derive_epoch
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.roster import Roster
from leftzmq.wire.messages import (
    Bye,
    Chunks,
    Hello,
    IndexPage,
    Message,
    News,
    Open,
    Refusing,
    RosterPart,
    Welcome,
)
from leftzmq.wire.statements import Admission, EpochStatement, Signed

from . import laws
from .laws import Broken
from .ledger import Ledger
from .node import FOLDER
from .world import Sharing, SimDevice, World

_TO_WHO_IS_OUT = (Hello, Welcome, Open, Refusing, Bye, RosterPart)
"""A device that was removed may be greeted where a person wrote it, and hears of its removal."""


def roster_of(device: SimDevice) -> Roster:
    return device.rosters.folders[FOLDER].roster


def excludes(device: SimDevice, other: SimDevice) -> bool:
    """Whether the device knows of a removal of the other one that nobody lifted."""
    return device.rosters.excludes(FOLDER, other.key)


# ---- who shares with whom ---------------------------------------------------------------------


def shares(device: SimDevice) -> bool:
    """Whether the device has the folder, and may use it as far as it knows."""
    if not device.alive or device.waits or device.held:
        return False
    return device.rosters.put_out(FOLDER) is None


def share_with_each_other(a: SimDevice, b: SimDevice) -> bool:
    listed = a.name not in b.unlisted and b.name not in a.unlisted
    return listed and not (excludes(a, b) or excludes(b, a))


class Members(Sharing):
    """Who shares the folder with whom, by its rosters."""

    def groups(self) -> list[list[SimDevice]]:
        """There may be several groups: who was removed while it was away is not told by those who
        removed it, and two who removed each other do not talk."""
        left = [device for device in self.world.devices.values() if shares(device)]
        found: list[list[SimDevice]] = []
        while left:
            group = [left.pop(0)]
            for one in group:  # it grows meanwhile
                group += (near := [other for other in left if share_with_each_other(one, other)])
                left = [other for other in left if other not in near]
            found.append(sorted(group, key=lambda device: device.name))
        return found

    def misses_others(self, group: list[SimDevice]) -> bool:
        """Whether a device of the group takes a device for a member that does not share with it:
        that one knows of a removal of which the group cannot hear. What it told before stays
        wanted."""
        names = {device.key for device in group}
        return any(not roster_of(device).live() <= names for device in group)

    def agree(self, group: list[SimDevice]) -> bool:
        asks = any(device.exchange.deadline() is not None for device in group)
        return agree(group) and (not asks or self.misses_others(group))


def agree(group: list[SimDevice]) -> bool:
    return len({_view(device) for device in group}) == 1


def _view(device: SimDevice) -> tuple[bytes, frozenset[DeviceKey], bytes | None]:
    roster, used = roster_of(device), device.epochs.in_use
    return roster.digest(), roster.live(), None if used is None else used.tag


def members_agree(world: World) -> None:
    """All that share with one another have the same roster, the same members in it, and the same
    epoch in use."""
    for group in world.sharing.groups():
        if not agree(group):
            said = {device.name: _shown(world, device) for device in group}
            raise Broken("roster", f"{said}")
        # Who joined, and was removed before it heard the roster, knows of no member and no epoch.
        if any(roster_of(one).live() and one.epochs.in_use is None for one in group):
            raise Broken("roster", f"{_names(group)} have no epoch that they may use")


def _shown(world: World, device: SimDevice) -> str:
    digest, live, used = _view(device)
    names = "".join(sorted(world.by_key[key].name for key in live))
    return f"{digest.hex()[:6]} {names} {'no epoch' if used is None else used.hex()[:6]}"


def _names(group: list[SimDevice]) -> str:
    return "".join(device.name for device in group)


# ---- at every step ----------------------------------------------------------------------------


class Witness:
    """Who is removed gets nothing from those who know of it: nothing is sent to it, and what they
    seal it cannot open, whoever else got hold of it. And nobody is told a statement or a secret
    that a kill would take back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tags: dict[bytes, bytes] = {}  # of epochs, by secret

    def begin(self, look_after: Callable[[SimDevice], None]) -> None:
        """look_after: what else looks after a device that starts."""

        def both(device: SimDevice) -> None:
            look_after(device)
            self.look_after(device)

        self._world.look_after = both
        self._world.sent = self.sent
        self._world.sharing = Members(self._world)

    def look_after(self, device: SimDevice) -> None:
        def said(to: DeviceKey, statements: tuple[Signed, ...]) -> None:
            kept = {each.id for each in self._kept_by(device)}
            if lost := [each for each in statements if each.id not in kept]:
                raise Broken("word", f"{device.name} told what it does not keep: {lost}")
            is_out = excludes(device, self._world.by_key[to])
            if is_out and any(isinstance(each.statement, EpochStatement) for each in statements):
                raise Broken("removed", f"{device.name} told who is out of an epoch")

        def gave_epoch(to: DeviceKey, epoch: bytes) -> None:
            other = self._world.by_key[to]
            if epoch not in self._holds(device):
                raise Broken("word", f"{device.name} told a secret that it does not keep")
            if excludes(device, other):
                raise Broken("removed", f"{device.name} gave {other.name} the secret of an epoch")

        device.said, device.gave_epoch = said, gave_epoch

    def sent(self, device: SimDevice, to: DeviceKey | None, message: Message) -> None:
        """A device sends a message to another one; to: None: to whoever listens."""
        if to is not None:
            self._is_not_out(device, self._world.by_key[to], message)
        is_sealed = isinstance(message, News | IndexPage)
        if is_sealed or (isinstance(message, Chunks) and message.parts):
            assert isinstance(message, News | IndexPage | Chunks)
            self._is_sealed(device, message.tag, type(message).__name__)

    def _is_not_out(self, device: SimDevice, other: SimDevice, message: Message) -> None:
        if not excludes(device, other):
            return
        said = type(message).__name__
        if not isinstance(message, _TO_WHO_IS_OUT):
            raise Broken("removed", f"{device.name} sent {other.name}, which is out: {said}")
        if isinstance(message, Hello | Welcome) and message.folders:
            raise Broken("removed", f"{device.name} proved the folder to {other.name} in {said}")

    def _is_sealed(self, device: SimDevice, tag: bytes, said: str) -> None:
        for other in self._world.devices.values():
            if other is device or not excludes(device, other) or tag not in self._holds(other):
                continue
            if not self._is_let_in_again(device, other):
                raise Broken(
                    "sealed", f"{other.name}, which is out, can open {said} of {device.name}"
                )

    def _is_let_in_again(self, device: SimDevice, other: SimDevice) -> bool:
        """Whether somebody let the other one in again, over all removals that the device knows: it
        may have any epoch from then on, and this device has not heard of that yet."""
        over = set(roster_of(device).removals_of(other.key))
        return any(
            isinstance(each.statement, Admission)
            and each.statement.device == other.key
            and over <= set(each.statement.over)
            for one in self._world.devices.values()
            for each in self._kept_by(one)
        )

    def _kept_by(self, device: SimDevice) -> Iterator[Signed]:
        kept = device.roster_keeper.load(device.keys.tag)
        return (signed for _, signed in kept.statements)

    def _holds(self, device: SimDevice) -> set[bytes]:
        """The tags of the epochs whose secrets a device has."""
        secrets = device.roster_keeper.load(device.keys.tag).epochs
        for secret in secrets:
            if secret not in self._tags:
                self._tags[secret] = derive_epoch(secret).tag
        return {device.keys.tag, *(self._tags[secret] for secret in secrets)}


# ---- when all is quiet ------------------------------------------------------------------------


def judge(world: World, ledger: Ledger) -> None:
    """The laws of all folders hold for each group that shares this one."""
    members_agree(world)
    counted: set[str] = set()
    for group in world.sharing.groups():
        tree = laws.converged(world, ledger, group)
        names = {device.name for device in group}
        laws.nothing_lost(world, ledger, tree, names)
        laws.nothing_came_back(world, ledger, tree, names)
        laws.no_folder_came_back(world, ledger, tree, names)
        laws.no_folder_lost(world, ledger, tree, names)
        counted |= names
    laws.nothing_lost(world, ledger, _all_trees(world), set(world.devices) - counted)


def _all_trees(world: World) -> laws.Tree:
    """What who is out wrote may be anywhere: it may have been a member when it wrote."""
    return {
        f"{device.name}:{path}": what
        for device in world.devices.values()
        for path, what in laws.tree_of(device).items()
    }
