"""Users who say what is to be ignored: they write rule files and local rules, and work at what is
ignored.

The rules are few, and of the names that all users use: so they take over, and let go, what others
work at in the same moment. Knows users, and the rules as they stand on a disk. Must not know what
follows from a rule: `kept_laws` judges that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.rule_file import LEFTIGNORE
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import is_within, join, name_of

from .disk import Inode
from .kept_laws import Secrets, rules_of
from .users import MOUNT, NAMES, Users
from .world import SimDevice, World

HAS_RULES: Final = "has rules"
"""The first step of a seed in which users ignore something."""

LINES: Final = (
    "a",
    "b",
    "c",
    "d.txt",
    "*.txt",
    "[bc]",
    "/a",
    "/b",
    "a/b",
    "**/c",
    "b/",
    "ä/",
    "[ac]/",
    "!a",
    "!b",
    "!d.txt",
)
"""What one line of a rule file says. None of them names the mount."""

TRIES: Final = 8


class Rulers:
    """One per world, if something is ignored in it."""

    def __init__(self, world: World, users: Users, secrets: Secrets) -> None:
        self._world, self._users, self._secrets = world, users, secrets
        self._numbers = 0
        users.carried = self._carried

    def do(self, what: str, device: SimDevice, chance: random.Random) -> None:
        if device.unmounted is not None or device.away is not None:
            return
        said = RULINGS[what](self, device, chance)
        self._world.say(device, f"rules: {what} {said}")
        device.touched()

    def lift(self) -> bool:
        """Every user ends all his rules. Returns whether there were any. What comes of that may be
        rule files that were ignored so far: they are to go, too."""
        found = False
        for device in self._world.alive:
            if device.ignore:
                found = True
                device.tune_ignore(())
            for path in [path for path, _ in device.hands.tree() if is_rule_file(path)]:
                if device.hands.at(path) is not None:
                    found = True
                    self._users._delete(device, path)
            device.touched()
        return found

    def _carried(self, device: SimDevice, to: str) -> None:
        """A known gap: nobody walks what is ignored. If it is kept again after a start, nobody can
        say any more whose the `.lefting` is that a user moved there with its folder."""
        if rules_of(device).verdict(to, Kind.DIRECTORY) is not None:
            self._users._ledger.stray_leftings.add(device.name)

    # ---- choosing -----------------------------------------------------------------------------

    def _lines(self, chance: random.Random) -> list[str]:
        return [chance.choice(LINES) for _ in range(chance.choice((1, 1, 2, 3)))]

    def _folder(self, device: SimDevice, chance: random.Random) -> str:
        """The root, as often as any other folder; never on the mount: by what is there a disk is
        recognised."""
        tree = device.hands.tree()
        folders = [p for p, i in tree if i.kind is Kind.DIRECTORY and p.count("/") < 2]
        folders = [each for each in folders if not is_within(each, MOUNT)]
        return chance.choice(folders) if folders and chance.random() < 0.5 else ""

    def _rule_file(self, device: SimDevice, chance: random.Random) -> str | None:
        found = [p for p, i in device.hands.tree() if i.kind is Kind.FILE and is_rule_file(p)]
        return chance.choice(found) if found else None

    def _some(
        self, device: SimDevice, chance: random.Random, *kinds: Kind, ignored: bool
    ) -> tuple[str, Inode] | None:
        """Something that the device ignores, by its disk, or that it does not."""
        rules = rules_of(device)
        for _ in range(TRIES):
            found = self._users._some(device, chance, *kinds)
            if found is not None:
                path, inode = found
                if (rules.verdict(path, inode.kind) is not None) is ignored:
                    return found
        return None

    def _place(
        self, device: SimDevice, chance: random.Random, kind: Kind, *, ignored: bool
    ) -> str | None:
        """A path in a folder that is there, at which something of this kind is ignored, or not."""
        rules = rules_of(device)
        for _ in range(TRIES):
            path = self._users._place(device, chance)
            if (rules.verdict(path, kind) is not None) is ignored:
                return path
        return None

    # ---- rule files ---------------------------------------------------------------------------

    def has_rules(self, device: SimDevice, chance: random.Random) -> str:
        """Before the agents begin: in this seed something is ignored."""
        return ""

    def _write(self, device: SimDevice, path: str, lines: list[str], chance: random.Random) -> str:
        self._numbers += 1
        text = "".join(f"{line}\n" for line in (*lines, f"# {self._numbers} by {device.name}"))
        self._users._write(device, path, text.encode(), anew=chance.random() < 0.5)
        return f"{path} {lines}"

    def write_rules(self, device: SimDevice, chance: random.Random) -> str:
        path = join(self._folder(device, chance), LEFTIGNORE)
        return self._write(device, path, self._lines(chance), chance)

    def edit_rules(self, device: SimDevice, chance: random.Random) -> str:
        """A rule more in a file that is there, or one less."""
        path = self._rule_file(device, chance)
        if path is None:
            return self.write_rules(device, chance)
        inode = device.hands.at(path)
        assert inode is not None
        text = bytes(inode.data).decode(errors="replace")
        lines = [line for line in text.splitlines() if line in LINES]
        if lines and chance.random() < 0.5:
            lines.remove(chance.choice(lines))
        else:
            lines.append(chance.choice(LINES))
        return self._write(device, path, lines, chance)

    def delete_rules(self, device: SimDevice, chance: random.Random) -> str:
        """Also: to resolve a conflict of two rule files."""
        path = self._rule_file(device, chance)
        if path is None:
            return ""
        self._users._delete(device, path)
        return path

    def move_rules(self, device: SimDevice, chance: random.Random) -> str:
        path, to = self._rule_file(device, chance), join(self._folder(device, chance), LEFTIGNORE)
        return "" if path in (None, to) else self._users._rename(device, str(path), to)

    def write_rules_at_once(self, device: SimDevice, chance: random.Random) -> str:
        """Another device's user writes the same file a moment later, and has not seen this one."""
        others = [other for other in self._world.devices.values() if other is not device]
        other = chance.choice(others)
        path = join(self._folder(device, chance), LEFTIGNORE)
        lines = self._lines(chance)

        def write() -> None:
            if other.unmounted is None and other.away is None:
                said = self._write(other, path, lines, chance)
                self._world.say(other, f"rules: at once {said}")
                other.touched()

        self._users.later(chance.choice((0.0, 0.05, 1.0)), write)
        return self._write(device, path, self._lines(chance), chance)

    def break_rules(self, device: SimDevice, chance: random.Random) -> str:
        """The file is no text for a while; then it says something again."""
        path = self._rule_file(device, chance)
        if path is None:
            return ""
        self._numbers += 1
        self._users._write(device, path, b"\xff\xfe %d" % self._numbers)

        def mend() -> None:
            if self._users._may_write(device, path):
                said = self._write(device, path, self._lines(chance), chance)
                self._world.say(device, f"rules: mended {said}")
                device.touched()

        self._users.later(chance.choice((0.3, 3.0)), mend)
        return path

    # ---- local rules --------------------------------------------------------------------------

    def tune(self, device: SimDevice, chance: random.Random) -> str:
        """`ignore` in peer.toml says something else now; also of a device that does not run."""
        lines = self._lines(chance) if chance.random() < 0.7 else []
        device.tune_ignore(lines)
        return str(lines)

    def tune_while_down(self, device: SimDevice, chance: random.Random) -> str:
        chance.choice((device.kill, device.stop))()
        device.tune_ignore(self._lines(chance) if chance.random() < 0.6 else ())
        self._world.after(chance.choice((0.01, 1.0, 6.0)), device.start)
        return str(device.ignore)

    # ---- at what is ignored -------------------------------------------------------------------

    def make_ignored(self, device: SimDevice, chance: random.Random) -> str:
        path = self._place(device, chance, Kind.FILE, ignored=True)
        if path is None:
            return ""
        self._users._write(device, path, self._users._value(device, chance))
        return path

    def edit_ignored(self, device: SimDevice, chance: random.Random) -> str:
        """With an old mtime, often, as `cp -p` leaves it."""
        found = self._some(device, chance, Kind.FILE, ignored=True)
        if found is None:
            return self.make_ignored(device, chance)
        path, inode = found
        mtime_ns = inode.mtime_ns
        self._users._write(device, path, self._users._value(device, chance))
        if chance.random() < 0.4:
            device.hands.set_mtime(path, mtime_ns - chance.randrange(10**12))
        return path

    def delete_ignored(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, *Kind, ignored=True)
        if found is None:
            return ""
        self._users._delete(device, found[0])
        return found[0]

    def cross_the_border(self, device: SimDevice, chance: random.Random) -> str:
        """A rename into an ignored name, or out of one."""
        ignored = chance.random() < 0.5
        found = self._some(device, chance, Kind.FILE, Kind.DIRECTORY, ignored=ignored)
        if found is None:
            return ""
        to = self._place(device, chance, found[1].kind, ignored=not ignored)
        return "" if to is None else self._users._rename(device, found[0], to)

    def keep_a_secret(self, device: SimDevice, chance: random.Random) -> str:
        """What is written where every device ignores it, and knows so, is told to nobody."""
        folders = [p for p, i in device.hands.tree() if i.kind is Kind.DIRECTORY]
        for _ in range(TRIES):
            path = join(chance.choice(["", *folders]), chance.choice(NAMES))
            if name_of(path) == MOUNT or not self._users._may_write(device, path):
                continue
            if self._secrets.are_safe_at(path):
                self._numbers += 1
                data = b"secret %d of %s" % (self._numbers, device.name.encode())
                if self._users._write(device, path, data):
                    self._secrets.add(path, data)
                    return path
        return ""


RULINGS: Final[dict[str, Callable[[Rulers, SimDevice, random.Random], str]]] = {
    HAS_RULES: Rulers.has_rules,
    "write rules": Rulers.write_rules,
    "edit rules": Rulers.edit_rules,
    "delete rules": Rulers.delete_rules,
    "move rules": Rulers.move_rules,
    "write rules at once": Rulers.write_rules_at_once,
    "break rules": Rulers.break_rules,
    "tune": Rulers.tune,
    "tune while down": Rulers.tune_while_down,
    "make ignored": Rulers.make_ignored,
    "edit ignored": Rulers.edit_ignored,
    "delete ignored": Rulers.delete_ignored,
    "cross the border": Rulers.cross_the_border,
    "keep a secret": Rulers.keep_a_secret,
}
RULED: Final = {
    "write rules": 4,
    "edit rules": 3,
    "delete rules": 3,
    "move rules": 1,
    "write rules at once": 2,
    "break rules": 1,
    "tune": 4,
    "tune while down": 2,
    "make ignored": 2,
    "edit ignored": 4,
    "delete ignored": 3,
    "cross the border": 3,
    "keep a secret": 3,
}
"""How often each of those that may happen at any time does."""
