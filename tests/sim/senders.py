"""The device that only sends: its user works at what others have, others at what he has, and he
makes what is there everybody's, by `override`, at any time.

Knows users, the mode of a device, and what it answers. Must not know what follows from that:
`sending_laws` judges it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final

from leftzmq.sync.facts import Asked
from leftzmq.tree.entry import Kind
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.path import is_within, path_of_key

from . import laws
from .ledger import Ledger, content_of
from .node import FOLDER
from .one_way import OneWay
from .users import MOUNT, Users
from .world import SimDevice, World

HAS_SENDER: Final = "only send"
"""The first step of a seed in which a device only sends: that device does from its first start
on."""

DEEDS_HERE: Final = ("edit", "append", "delete", "rename", "create", "swap kind", "touch")
ASKER: Final = b"sender"
MANY: Final = 10_000


class Senders:
    """One per world, if a device only sends in it."""

    def __init__(self, world: World, users: Users, ledger: Ledger) -> None:
        self._world, self._users, self._ledger = world, users, ledger
        self._folder = OneWay(world, FolderMode.SEND)

    def do(self, what: str, device: SimDevice, chance: random.Random) -> None:
        if what != HAS_SENDER and self.device is not device:
            return
        said = SENDING[what](self, device, chance)
        self._world.say(device, f"sends: {what} {said}")

    def only_send(self, device: SimDevice, chance: random.Random) -> str:
        """Before the agents begin."""
        self._folder.begin(device)
        return ""

    @property
    def device(self) -> SimDevice | None:
        return self._folder.device

    def end(self) -> None:
        """The device only sends, whatever its user had set for a while."""
        self._folder.end()

    def take(self) -> None:
        """The device takes from now on what differs."""
        self._folder.open_both_ways()

    def take_for_a_while(self, device: SimDevice, chance: random.Random) -> str:
        """The folder syncs in both directions, and later only sends again."""
        self._folder.both_ways_for_a_while(device, chance)
        return ""

    # ---- what users do ------------------------------------------------------------------------

    def work_here(self, device: SimDevice, chance: random.Random) -> str:
        """Its user changes what others may have changed."""
        deed = chance.choice(DEEDS_HERE)
        self._users.do(deed, device, chance)
        return deed

    def work_there(self, device: SimDevice, chance: random.Random) -> str:
        """Another user changes what its user has."""
        other = chance.choice([each for each in self._world.devices.values() if each is not device])
        paths = [path for path, _ in device.hands.tree() if not path.endswith(".lefting")]
        if not paths or other.unmounted is not None or other.away is not None:
            return ""
        return self._users.work_at(chance.choice(paths), other, chance, deletes=0.3)

    # ---- override -----------------------------------------------------------------------------

    def override(self, device: SimDevice, chance: random.Random) -> str:
        """He reads the list, and says yes a moment later. Never where a disk is mounted: no device
        can remove that folder, and by what is there the disk is recognised."""
        paths = [path for path, _ in device.hands.tree() if not is_within(path, MOUNT)]
        is_of_some = chance.random() < 0.4 or self.is_mounted
        if is_of_some and not paths:
            return ""
        path = chance.choice(paths) if is_of_some else ""
        self._list(device, path, chance.choice((0.05, 1.0, 5.0)))
        return path

    @property
    def is_mounted(self) -> bool:
        """Whether a device has a disk of its own in its share."""
        return any(each.hands.at(MOUNT) is not None for each in self._world.devices.values())

    @property
    def keeps_folders(self) -> bool:
        """Whether a device has a folder that it can remove for nobody: there is a disk of its own
        in it, or a `.lefting` of which nobody knows whose it is (seed 79045424)."""
        return self.is_mounted or bool(laws.all_leftings(self._world))

    def override_all(self) -> None:
        if self.device is not None:
            self._list(self.device, "", 1.0)

    def _list(self, device: SimDevice, path: str, thinks_s: float) -> None:
        if not device.alive or not device.has_begun or device.folder.stopped is not None:
            return
        before = len(device.answers)
        device.take(Asked(ASKER, "override", {"folder": FOLDER, "path": path}))
        device.later(thinks_s, partial(self._says_yes, device, path, before))

    def _says_yes(self, device: SimDevice, path: str, before: int) -> None:
        listed = [str(each["listed"]) for each in device.answers[before:] if each.get("listed")]
        if not listed:
            return
        self._world.say(device, f"sends: says yes to {path}")
        self._overrides(device, path)
        fields = {"folder": FOLDER, "path": path, "listed": listed[0]}
        device.take(Asked(ASKER, "override", fields))

    def _overrides(self, device: SimDevice, at: str) -> None:
        """What others have there may end in their trashes, and what they deleted may be back. Its
        index says what it has, also while its disk is away."""
        ledger, here = self._ledger, dict(device.hands.tree())
        with device.reading() as reader:
            alive = {path_of_key(key) for key, _ in reader.alive_after(b"", MANY)}
        for other in self._world.devices.values():
            for path, inode in other.hands.tree() if other is not device else ():
                if not is_within(path, at) and at:
                    continue
                content, ours = content_of(inode), here.get(path)
                if content is None and (ours is None or ours.kind is not Kind.DIRECTORY):
                    ledger.gone_folders.add(path)
                elif content in ledger.values and (ours is None or content_of(ours) != content):
                    value = ledger.values[content]
                    value.replaced = value.replaced or f"overridden by {device.name}"
        for delete in (*ledger.deletes, *ledger.bare_deletes):
            if not delete.excused and delete.path in here.keys() | alive:
                delete.excused = f"{device.name} overrode it"
        ledger.folders = [each for each in ledger.folders if each[2] not in here.keys() | alive]


SENDING: Final[dict[str, Callable[[Senders, SimDevice, random.Random], str]]] = {
    HAS_SENDER: Senders.only_send,
    "work here": Senders.work_here,
    "work there": Senders.work_there,
    "override": Senders.override,
    "take for a while": Senders.take_for_a_while,
}
SENT: Final = {"work here": 6, "work there": 6, "override": 3}
"""How often each of those does that may happen at any time in each of these seeds."""
