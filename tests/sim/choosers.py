"""Users who choose which part of the folder their device fetches: by `only` in its config, and by
get and drop of single paths.

Few paths are named, and of the names that all users use. Knows users, and which questions a device
has not answered yet. Must not know what follows from a choice: `wanted_laws` judges that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from leftzmq.sync.facts import Asked
from leftzmq.tree.conflict import is_conflict_name
from leftzmq.tree.path import is_within, parent_of, path_of_key
from leftzmq.tree.wanted import without_below

from .faults import Faults
from .ledger import FOLDER as FOLDER_CONTENT
from .ledger import Delete, content_of
from .node import FOLDER
from .users import MOUNT, Users
from .world import SimDevice, World

HAS_CHOOSER: Final = "has a chooser"
"""The first step of a seed in which users choose what is fetched."""

PATHS: Final = ("a", "b", "c", "A", "d.txt", "ä", "a/b", "b/a", "c/d.txt", "a/b/c", "b/A")
"""What `only` names, and get, often."""
DEEDS_HERE: Final = ("edit", "append", "create", "rename", "delete", "make tree", "swap kind")
ASKER: Final = b"chooser"
UNHEARD_S: Final = 8.0  # less than from one heartbeat to the next
TRIES: Final = 8


@dataclass(slots=True)
class Drop:
    """path: "": all that is not fetched. unread: what was gone there, and its agent had not looked
    yet. rewritten: what had other bytes there, likewise. until: when it was answered, or its agent
    ended. stayed: what was there then, and is not in its index yet, as it is still being written"""

    device: SimDevice
    path: str
    when: float
    unread: frozenset[str]
    rewritten: frozenset[str]
    until: float = float("inf")
    stayed: frozenset[str] = frozenset()

    def holds(self, device: str, path: str, when: float) -> bool:
        """Whether `path` was being dropped when it was taken away there then, or the drop came
        before a look."""
        if self.device.name != device or (self.path and not is_within(path, self.path)):
            return False
        return self.when <= when <= self.until or (when < self.when and path in self.unread)

    def hides(self, delete: Delete, deletes: Collection[Delete]) -> bool:
        """Whether the content was written over before the drop and a look, and what was written
        was taken away during the drop, or stayed and was taken away before a look could read it:
        nobody was told of either."""
        if delete.when >= self.when or delete.path not in self.rewritten:
            return False
        return any(
            each.path == delete.path
            and each.when >= self.when
            and (self.holds(delete.device, each.path, each.when) or each.path in self.stayed)
            for each in deletes
            if each.device == delete.device
        )


class Choosers:
    """One per world, if a device fetches a part of the folder in it."""

    def __init__(self, world: World, users: Users, faults: Faults) -> None:
        self._world, self._users = world, users
        self.drops: list[Drop] = []
        self.pins: dict[str, dict[str, bool]] = {name: {} for name in world.devices}
        """By device: what its user got and dropped."""
        self.forgetful: set[str] = set()
        """Devices that may have forgotten some of that: their index failed, or is another one."""
        self.put_older_at = faults.put_older_at
        faults.forgot = lambda device: self.forgetful.add(device.name)

    def do(self, what: str, device: SimDevice, chance: random.Random) -> None:
        if device.unmounted is not None or device.away is not None:
            return
        said = CHOICES[what](self, device, chance)
        self._world.say(device, f"chooses: {what} {said}")
        device.touched()

    def looked(self) -> None:
        """Notes which drops are over."""
        for drop in self.drops:
            if drop.until == float("inf") and not is_dropping(drop.device):
                drop.until = self._world.now
                drop.stayed = _untold(drop)

    def get_all(self) -> None:
        """Every device fetches all from now on."""
        for device in self._world.alive:
            device.choose()
            for path in sorted(path for path, is_got in pins_of(device).items() if not is_got):
                self._get(device, path)

    # ---- choosing -----------------------------------------------------------------------------

    def _some_path(self, device: SimDevice, chance: random.Random) -> str:
        """Often one that another device has something at; never on the mount: by what is there a
        disk is recognised."""
        others = [other for other in self._world.devices.values() if other is not device]
        there = [path for path, _ in chance.choice(others).hands.tree()]
        there = [path for path in there if not path.endswith(".lefting")]
        path = chance.choice(there if there and chance.random() < 0.6 else PATHS)
        above = parent_of(path)
        path = above if above and chance.random() < 0.3 else path
        return chance.choice(PATHS) if is_within(path, MOUNT) else path

    def _lists(self, chance: random.Random) -> tuple[str, ...]:
        """The mount is always fetched."""
        return (MOUNT, *(chance.choice(PATHS) for _ in range(chance.choice((1, 1, 2, 3)))))

    def _asks(self, device: SimDevice) -> bool:
        return device.alive and device.has_begun and device.folder.stopped is None

    def has_chooser(self, device: SimDevice, chance: random.Random) -> str:
        """Before the agents begin."""
        return ""

    def choose_first(self, device: SimDevice, chance: random.Random) -> str:
        """Before the agents begin: a device is set up for a part of the folder."""
        device.only = self._lists(chance)
        return str(device.only)

    def choose(self, device: SimDevice, chance: random.Random) -> str:
        """`only` in peer.toml says something else now."""
        device.choose(*(self._lists(chance) if chance.random() < 0.75 else ()))
        return str(device.only)

    def choose_while_down(self, device: SimDevice, chance: random.Random) -> str:
        chance.choice((device.kill, device.stop))()
        device.choose(*(self._lists(chance) if chance.random() < 0.75 else ()))
        self._world.after(chance.choice((0.01, 1.0, 6.0)), device.start)
        return str(device.only)

    # ---- get and drop -------------------------------------------------------------------------

    def get(self, device: SimDevice, chance: random.Random) -> str:
        dropped = [path for path, is_got in pins_of(device).items() if not is_got]
        if dropped and chance.random() < 0.5:
            return self._get(device, chance.choice(sorted(dropped)))
        return self._get(device, self._some_path(device, chance))

    def _get(self, device: SimDevice, path: str) -> str:
        if self._asks(device):
            self._ask(device, "get", {"folder": FOLDER, "path": path})
            self._pin(device, path, is_wanted=True)
        return path

    def _ask(self, device: SimDevice, verb: str, fields: dict[str, Any]) -> None:
        """Whose agent ends meanwhile is not told whether that was done (seed 79304747)."""
        try:
            device.take(Asked(ASKER, verb, fields))
        except BaseException:
            self.forgetful.add(device.name)
            raise

    def _pin(self, device: SimDevice, path: str, *, is_wanted: bool) -> None:
        if FOLDER not in device.paused:  # else it is declined
            self.pins[device.name] = without_below(self.pins[device.name], path, is_wanted)

    def drop(self, device: SimDevice, chance: random.Random) -> str:
        path = self._here(device, chance)
        return self._drop(device, path) if path else ""

    def _here(self, device: SimDevice, chance: random.Random) -> str:
        """Something that lies there, or the folder that it is in."""
        found = [path for path, _ in device.hands.tree() if not is_within(path, MOUNT)]
        found = [path for path in found if not path.endswith(".lefting")]
        path = chance.choice(found) if found else ""
        above = parent_of(path)
        return above if above and chance.random() < 0.5 else path

    def _drop(self, device: SimDevice, path: str) -> str:
        if not self._asks(device):
            return ""
        self.drops.append(Drop(device, path, self._world.now, *unread(device)))
        fields = {"folder": FOLDER, "path": path} | ({} if path else {"outside_only": True})
        self._ask(device, "drop", fields)
        if path:
            self._pin(device, path, is_wanted=False)
        return path

    def drop_outside(self, device: SimDevice, chance: random.Random) -> str:
        """All that is here and not fetched any more; of a device whose `only` names the mount."""
        return self._drop(device, "") if MOUNT in device.only else ""

    def drop_at_once(self, device: SimDevice, chance: random.Random) -> str:
        """Users of several devices drop the same in one moment: perhaps the last copies."""
        path = self.drop(device, chance)
        for other in self._world.devices.values():
            if path and other is not device and chance.random() < 0.7:
                delay = chance.choice((0.0, 0.005, 0.05, 0.5))
                self._drop_after(delay, other, path, "at once")
        return path

    def _drop_after(self, delay: float, device: SimDevice, path: str, how: str) -> None:
        def drop() -> None:
            if device.unmounted is None and device.away is None:
                self._world.say(device, f"chooses: drop {how} {path}")
                self._drop(device, path)

        self._world.after(delay, drop)

    def drop_in_turn(self, device: SimDevice, chance: random.Random) -> str:
        """Users of all devices drop the same one after the other, and the last one does not hear
        the news of the first: they are lost, until a heartbeat shows that (seed 77030728)."""
        path = self.drop(device, chance)
        others = [other for other in self._world.devices.values() if other is not device]
        chance.shuffle(others)
        unheard = device.name, others[-1].name
        self._world.wires.unheard.add(unheard)
        self._world.after(UNHEARD_S, lambda: self._world.wires.unheard.discard(unheard))
        delay = 0.0
        for other in others if path else ():
            delay += chance.choice((0.1, 0.7, 2.0))
            self._drop_after(delay, other, path, "in turn")
        return path

    def drop_and_get(self, device: SimDevice, chance: random.Random) -> str:
        """He wants it again while it is being dropped."""
        path = self.drop_outside(device, chance) if chance.random() < 0.5 else ""
        path = path or self.drop(device, chance)

        def want() -> None:
            if chance.random() < 0.5:
                self._world.say(device, "chooses: all")
                device.choose()
            elif path:
                self._world.say(device, f"chooses: get {path} again")
                self._get(device, path)

        self._world.after(chance.choice((0.0, 0.01, 0.1, 0.5)), want)
        return path

    def change_and_drop(self, device: SimDevice, chance: random.Random) -> str:
        """A file is changed in the moment in which it is dropped."""
        path = self.drop(device, chance)
        if not path:
            return ""

        def change() -> None:
            self._users.aim = path.rpartition("/")[2]
            self._users.do(chance.choice(("edit", "append", "delete")), device, chance)
            self._users.aim = ""

        self._world.after(chance.choice((0.0, 0.01, 0.1, 1.0)), change)
        return path

    def change_dropped(self, device: SimDevice, chance: random.Random) -> str:
        """A user of any device works at a path that is not fetched on this one, or was not. He may
        take the name of a conflict copy that he never saw."""
        others = [*self._world.devices.values()]
        other = chance.choice(others)
        path = self._some_path(device, chance)
        if is_conflict_name(path):
            self._users._ledger.taken_names.add(path)
        self._users.aim = path.rpartition("/")[2]
        deed = chance.choice(DEEDS_HERE)
        self._users.do(deed, other, chance)
        self._users.aim = ""
        return f"{deed} on {other.name}"


def pins_of(device: SimDevice) -> dict[str, bool]:
    """What its agent knows to be got (True) or dropped."""
    if not device.alive or not device.has_begun:
        return {}
    return dict(device.folder.keeping._pins)


def unread(device: SimDevice) -> tuple[frozenset[str], frozenset[str]]:
    """What its index has, and is on its disk no more; and what is there with other bytes."""
    with device.reading() as reader:
        known = [path_of_key(key) for key, _ in reader.alive_after(b"", 10_000)]
    there = {path: device.hands.exactly_at(path) for path in known}
    rewritten = (
        path
        for path, inode in there.items()
        if inode is not None and not device.knows(path, content_of(inode) or FOLDER_CONTENT)
    )
    gone = frozenset(path for path, inode in there.items() if inode is None)
    return gone, frozenset(rewritten)


def _untold(drop: Drop) -> frozenset[str]:
    """What lies there and is not in its index."""
    device = drop.device
    if not device.alive or not device.has_begun or device.folder.stopped is not None:
        return frozenset()
    with device.reading() as reader:
        known = {path_of_key(key) for key, _ in reader.alive_after(b"", 10_000)}
    there = (path for path, _ in device.hands.tree() if is_within(path, drop.path) or not drop.path)
    return frozenset(path for path in there if path not in known)


def is_dropping(device: SimDevice) -> bool:
    """Whether its agent has questions about drops that it did not answer yet."""
    if not device.alive or not device.has_begun or device.folder.stopped is not None:
        return False
    return bool(device.folder.letting_go._questions)


CHOICES: Final[dict[str, Callable[[Choosers, SimDevice, random.Random], str]]] = {
    HAS_CHOOSER: Choosers.has_chooser,
    "choose first": Choosers.choose_first,
    "choose": Choosers.choose,
    "choose while down": Choosers.choose_while_down,
    "get": Choosers.get,
    "drop": Choosers.drop,
    "drop outside": Choosers.drop_outside,
    "drop at once": Choosers.drop_at_once,
    "change and drop": Choosers.change_and_drop,
    "drop in turn": Choosers.drop_in_turn,
    "drop and get": Choosers.drop_and_get,
    "change what is dropped": Choosers.change_dropped,
}
CHOSEN: Final = {
    "choose": 3,
    "choose while down": 1,
    "get": 4,
    "drop": 5,
    "drop outside": 2,
    "drop at once": 4,
    "change and drop": 2,
    "drop and get": 3,
    "change what is dropped": 4,
}
"""How often each of those that may happen at any time does."""
