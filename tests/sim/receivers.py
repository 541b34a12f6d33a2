"""The device that only receives: its user works at what others have and others at what he changed,
he gives changes up, and has the folder tell for a while.

Knows users, the mode of a device, and what its index has as private. Must not know what follows
from that: `receiving_laws` judges it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from leftzmq.index.rows import Row
from leftzmq.sync.facts import Asked
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.path import is_within, parent_of, path_of_key
from leftzmq.tree.version import Life

from .faults import Faults
from .ledger import Content, Ledger, content_of, is_in_tree
from .node import FOLDER
from .one_way import OneWay
from .users import MOUNT, Users
from .world import SimDevice, World

HAS_RECEIVER: Final = "only receive"
"""The first step of a seed in which a device only receives: that device does from its first start
on."""

DEEDS_HERE: Final = ("edit", "append", "delete", "rename", "create", "swap kind", "touch")


@dataclass(frozen=True, slots=True)
class Reverted:
    """A path at which the receiver was to take what the others have, and where nothing waited to be
    looked at then. life: in which it was said: its end ends what is not reverted yet, and a folder
    that is opened anew has another one, as after a start."""

    path: str
    when: float
    life: Life


def private_rows(device: SimDevice) -> dict[str, Row]:
    """Its private versions, by path."""
    with device.reading() as reader:
        paths = [path for _, path in reader.private_after(b"", 10_000)]
        found = {path: reader.ours(path) for path in paths}
    return {path: row for path, row in found.items() if row is not None}


class Receivers:
    """One per world, if a device only receives in it."""

    def __init__(self, world: World, users: Users, faults: Faults, ledger: Ledger) -> None:
        self._world, self._users, self._faults, self._ledger = world, users, faults, ledger
        self._folder = OneWay(world, FolderMode.RECEIVE, self._turned)
        self.reverted: list[Reverted] = []
        ledger.is_elsewhere = self._is_elsewhere

    def do(self, what: str, device: SimDevice, chance: random.Random) -> None:
        if what != HAS_RECEIVER and self.device is not device:
            return
        said = RECEIVING[what](self, device, chance)
        self._world.say(device, f"receives: {what} {said}")

    @property
    def device(self) -> SimDevice | None:
        return self._folder.device

    def end(self) -> None:
        """The device only receives, whatever its user had set for a while."""
        self._folder.end()

    def tell(self) -> None:
        """The device tells from now on what was changed there."""
        self._folder.open_both_ways()

    def revert_all(self) -> None:
        """But for a folder that a disk is mounted at: none can be removed."""
        if self.device is not None:
            tops = {path.split("/", 1)[0] for path in private_rows(self.device)}
            for path in sorted(tops - {MOUNT}) if MOUNT in tops else [""]:
                self._revert(self.device, path)

    def only_receive(self, device: SimDevice, chance: random.Random) -> str:
        """Before the agents begin."""
        self._folder.begin(device)
        self._ledger.receivers.add(device.name)
        return ""

    # ---- what users do ------------------------------------------------------------------------

    def change_here(self, device: SimDevice, chance: random.Random) -> str:
        """Its user changes what others may have."""
        deed = chance.choice(DEEDS_HERE)
        self._users.do(deed, device, chance)
        return deed

    def change_there(self, device: SimDevice, chance: random.Random) -> str:
        """Another user works where something was changed here, as long as it is the same there."""
        other = chance.choice([each for each in self._world.devices.values() if each is not device])
        paths = sorted(private_rows(device)) if device.alive and device.has_begun else []
        if not paths or other.unmounted is not None or other.away is not None:
            return ""
        return self._users.work_at(chance.choice(paths), other, chance, deletes=0.25)

    # ---- what its user decides ----------------------------------------------------------------

    def revert(self, device: SimDevice, chance: random.Random) -> str:
        return self._revert(device, "")

    def revert_some(self, device: SimDevice, chance: random.Random) -> str:
        paths = sorted(private_rows(device)) if device.alive and device.has_begun else []
        if not paths:
            return ""
        path = chance.choice(paths)
        return self._revert(device, parent_of(path) if chance.random() < 0.3 else path)

    def _revert(self, device: SimDevice, path: str) -> str:
        if not device.alive or not device.has_begun or device.folder.stopped is not None:
            return ""
        rows, news = private_rows(device), self._not_looked_at(device)
        if any(is_within(each, MOUNT) for each in rows if is_within(each, path)):
            return ""  # by what lies there a disk is recognised
        device.take(Asked(b"x", "revert", {"folder": FOLDER, "path": path}))
        if not device.answers or not device.answers[-1].get("paths"):
            return f"{path} declined"
        for each in sorted(each for each in rows if is_within(each, path)):
            inode = device.hands.at(each)
            content = None if inode is None else content_of(inode)
            self._gives_up(device, each, content)
            if not any(is_within(at, each) for at in news):
                self.reverted.append(Reverted(each, self._world.now, device.store.heads.life))
        return path or "all"

    def _not_looked_at(self, device: SimDevice) -> list[str]:
        """Where something else is on its disk than its index says."""
        disk = {path: inode.stat().key() for path, inode in device.hands.tree()}
        with device.reading() as reader:
            known = {path_of_key(key): scan for key, scan in reader.alive_after(b"", 10_000)}
        return [path for path in disk.keys() | known if disk.get(path) != known.get(path)]

    def _gives_up(self, device: SimDevice, path: str, content: Content | None) -> None:
        """What lies there may end in the trash."""
        if content is None:
            self._ledger.gone_folders.add(path)
        elif content in self._ledger.values:
            value = self._ledger.values[content]
            value.replaced = value.replaced or f"reverted on {device.name}"

    def tell_for_a_while(self, device: SimDevice, chance: random.Random) -> str:
        """The folder syncs in both directions, and later only receives again."""
        self._folder.both_ways_for_a_while(device, chance)
        return ""

    def _turned(self, device: SimDevice) -> None:
        if device.mode is FolderMode.BOTH:
            self._ledger.tells(device.name)
            return
        others = [other for other in self._world.devices.values() if other is not device]
        self._faults.excuse_untold(device, "only receives, and had not told it", others)
        self._ledger.receivers.add(device.name)

    def _is_elsewhere(self, device: str, content: Content) -> bool:
        others = (each for each in self._world.devices.values() if each.name != device)
        return any(is_in_tree(other.hands, content) for other in others)


RECEIVING: Final[dict[str, Callable[[Receivers, SimDevice, random.Random], str]]] = {
    HAS_RECEIVER: Receivers.only_receive,
    "change here": Receivers.change_here,
    "change there": Receivers.change_there,
    "revert": Receivers.revert,
    "revert some": Receivers.revert_some,
    "tell for a while": Receivers.tell_for_a_while,
}
RECEIVED: Final = {
    "change here": 6,
    "change there": 6,
    "revert": 1,
    "revert some": 2,
    "tell for a while": 1,
}
"""How often each of those that may happen at any time does."""
