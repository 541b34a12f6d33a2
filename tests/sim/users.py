"""Users: what they do, where, and what they see when they do it.

Trees begin as perturbations of one another and names are few, so that paths collide. Each deed has
random choices of its own, so leaving a deed out does not change the others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

from leftzmq.content.cut import ONE_CHUNK_MAX_BYTES
from leftzmq.sync.jobs import Apply
from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import is_within, name_of, parent_of
from leftzmq.tree.plan import Verb

from .disk import Inode
from .ledger import FOLDER, Content, Delete, Ledger, content_of
from .world import SimDevice, World

NAMES: Final = ("a", "b", "c", "A", "d.txt", "ä")
MOUNT: Final = "m"
ANCHOR: Final = "m/.anchor"
"""A file that no user touches: it proves that a mount inside the share is there."""
NEXT_MODE: Final = {0o644: 0o755, 0o755: 0o600, 0o600: 0o500, 0o500: 0o644}
LARGE_BYTES: Final = (262_145, 400_000, 900_000)


class Users:
    """The users of all devices."""

    def __init__(self, world: World, ledger: Ledger, *, large: bool) -> None:
        self._world, self._ledger, self._large = world, ledger, large
        self.scale = 60 if large else 1  # factor for the sizes of files
        self._numbers = 0
        # A user moved the folder of a `.lefting` to there.
        self.carried: Callable[[SimDevice, str], None] = lambda device, to: None
        self.aim = ""  # where the next deed is to be done, if possible
        self.done_at = 0.0  # when the last deed ends that goes on for a while

    def do(self, deed: str, device: SimDevice, chance: random.Random) -> None:
        """Do one deed; nothing happens where the deed is not possible now."""
        if device.unmounted is not None or device.away is not None:
            return
        said = (DEEDS | SOME_DEEDS)[deed](self, device, chance)
        self._world.say(device, f"user: {deed} {said}")
        device.touched()

    def later(self, delay: float, what: Callable[[], None]) -> None:
        """A user goes on with something after `delay` seconds."""
        self.done_at = max(self.done_at, self._world.now + delay)
        self._world.after(delay, what)

    # ---- choosing -------------------------------------------------------------------------

    def _value(self, device: SimDevice, chance: random.Random) -> bytes:
        self._numbers += 1
        text = f"<{self._numbers} by {device.name}>".encode()
        if self._large and chance.random() < 0.3:
            return text + random.Random(self._numbers).randbytes(chance.choice(LARGE_BYTES))
        return text + b"." * chance.choice((0, 0, 0, 100, 5000))

    def _some(
        self, device: SimDevice, chance: random.Random, *kinds: Kind
    ) -> tuple[str, Inode] | None:
        found = [(p, i) for p, i in device.hands.tree() if i.kind in kinds and _is_plain(p)]
        found = [(p, i) for p, i in found if not self._is_proof(device, p)]
        aimed = [(p, i) for p, i in found if self.aim and p.endswith(self.aim)]
        found = aimed or found
        return chance.choice(found) if found else None

    def _place(self, device: SimDevice, chance: random.Random) -> str:
        """Returns a path in an existing folder; a file may be at the path already."""
        folders = [p for p, i in device.hands.tree() if i.kind is Kind.DIRECTORY and _is_place(p)]
        folder = chance.choice(["", "", *[f for f in folders if f.count("/") < 3]])
        name = self.aim or chance.choice(NAMES)
        path = device.hands.listed(f"{folder}/{name}" if folder else name)
        return name if self._is_proof(device, path) else path

    def _is_proof(self, device: SimDevice, path: str) -> bool:
        """Whether a disk may be recognised by this path alone, as long as the anchor is in no
        index, or a power cut may take it back from there. If the path changed while no agent looks,
        the disk would be another one until --adopt."""
        if not is_within(path, MOUNT) or not device.has_begun:
            return False
        at, anchor = device.hands.at(path), device.hands.at(ANCHOR)
        if at is None or anchor is None:
            return False
        if not device.knows(ANCHOR, _sure(anchor)):
            return True
        return device.alive and not device.has_durably(ANCHOR)

    def _may_write(self, device: SimDevice, path: str) -> bool:
        """Whether a user writes to a path that he did not choose among what is there now. Where its
        disk is away he does not: he would write on what is in its place, and a law would take that
        for the agent's. Nor where a disk is recognised by it."""
        if device.unmounted is not None:
            return False
        if device.away is not None and is_within(path, MOUNT):
            return False
        return not self._is_proof(device, path)

    # ---- noting ---------------------------------------------------------------------------

    def _wrote(self, device: SimDevice, path: str) -> None:
        inode = device.hands.at(path)
        content = content_of(inode) if inode is not None else None
        if content == (Kind.FILE, b""):  # nothing that could be lost
            self._ledger.made_at(path, device.name, self._world.now)
        elif content is not None:
            self._ledger.wrote(content, device.name, path, self._world.now)
            if inode is not None and len(inode.where) > 1:
                self._put_hands_on(device, inode)

    def _put_hands_on(self, device: SimDevice, inode: Inode) -> None:
        """Note that the inode's mtime or mode was changed: under all its names."""
        for folder, name in inode.where:
            above, last = device.disk.path_of(folder), name.decode(errors="surrogateescape")
            path = f"{above}/{last}" if above else last
            self._ledger.put_hands_on(path, _sure(inode), device.name, self._world.now)
            if len(inode.where) > 1:
                self._ledger.linked.append((self._world.now, device.name, path))

    def _removed(self, device: SimDevice, path: str, content: Content | None, how: str) -> None:
        if path.endswith(".lefting"):
            return  # was removed with its folder
        if content is not None and content != (Kind.FILE, b""):
            self._ledger.removed(path, content, device.name, self._world.now, how, device.hands)
            if not device.knows(path, content):
                self._ledger.deletes[-1].excused = f"{device.name} did not know of it"
        elif content is not None and how != "overwritten":
            self._removed_bare(device, path, content)

    def _removed_bare(self, device: SimDevice, path: str, content: Content) -> bool:
        """Returns whether its device knew of this folder or empty file."""
        knew = device.knows(path, content)
        if knew:
            self._ledger.tombs.add((device.name, path))
        excused = "" if knew else f"{device.name} did not know of it"
        excused = excused or self._ledger.excuse(device.name)
        delete = Delete(path, content, device.name, self._world.now, excused)
        self._ledger.bare_deletes.append(delete)
        return knew

    def _write(self, device: SimDevice, path: str, data: bytes, *, anew: bool = False) -> bool:
        path = device.hands.listed(path)
        before = device.hands.at(path)
        old = content_of(before) if before is not None else None
        done = device.hands.replace(path, data) if anew else device.hands.write(path, data)
        if done:
            self._wrote(device, path)
            self._removed(device, path, old, "overwritten")
        return done

    def _folders(self, device: SimDevice, path: str) -> list[str]:
        below = device.hands.below(path)
        return [p for p, i in below if i.kind is Kind.DIRECTORY]

    def _took_folders(self, device: SimDevice, path: str) -> None:
        self._took(device, self._folders(device, path))

    def _took(self, device: SimDevice, folders: list[str]) -> None:
        self._ledger.gone_folders.update(folders)
        for folder in folders:
            knew = self._removed_bare(device, folder, FOLDER)
            if knew and device.name not in self._ledger.receivers:
                self._ledger.folders.append((self._world.now, device.name, folder))

    def _make_folder(self, device: SimDevice, path: str) -> bool:
        path = device.hands.listed(path)
        self._ledger.made_at(path, device.name, self._world.now)
        made = device.hands.make_folder(path)
        if made:
            self._ledger.made_folder(path, device.name)
            self._ledger.at_copies.update(_taken_for_old(device, path))
        return made

    def _make_folders(self, device: SimDevice, path: str) -> bool:
        """A folder that he makes is there, also where no file comes into it: his editor replaces
        one, and there is none."""
        if path and device.hands.at(path) is None:
            self._ledger.made_at(path, device.name, self._world.now)
        return device.hands.make_folders(path)

    # ---- deeds ----------------------------------------------------------------------------

    def take_name(self, device: SimDevice, path: str, chance: random.Random) -> None:
        """Make a file at `path`, if the path is free."""
        if self._may_write(device, path) and device.hands.at(path) is None:
            self._write(device, path, self._value(device, chance))
            self._ledger.taken_names.add(path)
            self._world.say(device, f"user: takes {path}")
            device.touched()

    def work_at(self, path: str, other: SimDevice, chance: random.Random, *, deletes: float) -> str:
        """The user of another device works at a path that was chosen by what one device has. His
        file has an old mtime, often, as `cp -p` leaves it. deletes: how often he deletes a file."""
        path = other.hands.listed(path)
        if path in (MOUNT, ANCHOR) or not self._may_write(other, path):
            return ""
        inode = other.hands.at(path)
        if inode is not None and (inode.kind is not Kind.FILE or chance.random() < deletes):
            self._delete(other, path)
        elif self._make_folders(other, parent_of(path)):
            mtime_ns = other.disk.now_ns() if inode is None else inode.mtime_ns
            value = self._value(other, chance)
            self._write(other, path, value, anew=chance.random() < 0.5)
            if chance.random() < 0.5:
                other.hands.set_mtime(path, mtime_ns - chance.randrange(10**15))
        other.touched()
        return f"{path} on {other.name}"

    def create(self, device: SimDevice, chance: random.Random) -> str:
        path = self._place(device, chance)
        data = b"" if chance.random() < 0.05 else self._value(device, chance)
        self._write(device, path, data)
        if chance.random() < 0.15:
            self._exec(device, path, chance)
        return f"{path} {data[:12]!r}"

    def edit(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE)
        if found is None:
            return ""
        if self._large and chance.random() < 0.5:
            files = [(p, i) for p, i in device.hands.tree() if i.kind is Kind.FILE and _is_plain(p)]
            found = max(files, key=lambda at: len(at[1].data))
        data, old = self._value(device, chance), bytes(found[1].data)
        if len(old) > ONE_CHUNK_MAX_BYTES and chance.random() < 0.5:  # the old bytes move
            data = data[:100] + old
        self._write(device, found[0], data, anew=chance.random() < 0.5)
        return f"{found[0]} {data[:12]!r}"

    def append(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE)
        if found is None:
            return ""
        path, inode = found
        old, mtime_ns = content_of(inode), inode.mtime_ns
        device.hands.append(path, self._value(device, chance)[:20])
        if chance.random() < 0.4:  # an old mtime, with another size
            device.hands.set_mtime(path, mtime_ns)
        self._wrote(device, path)
        self._removed(device, path, old, "overwritten")
        return path

    def write_slowly(self, device: SimDevice, chance: random.Random) -> str:
        """Write half of a file now, the rest a little later; a user wrote both."""
        path, data = self._place(device, chance), self._value(device, chance)
        if not self._write(device, path, data[:4] + b"half of " + data[4:]):
            return ""

        def rest() -> None:
            if not self._may_write(device, path):
                return
            inode = device.hands.at(path)
            if inode is not None and inode.kind is Kind.FILE:
                old = content_of(inode)
                device.hands.append(path, b" and the rest of " + data[:16])
                self._wrote(device, path)
                self._removed(device, path, old, "overwritten")
                self._world.say(device, f"user: wrote the rest of {path}")
                device.touched()

        self.later(chance.choice((0.01, 0.3, 2.0)), rest)
        return f"{path} {data[:12]!r}"

    def keep_open(self, device: SimDevice, chance: random.Random) -> str:
        """A log or a database: it is written again and again through one descriptor, and closed at
        last or never. Its user wrote whatever it holds at any time."""
        path = self._place(device, chance)
        if not self._write(device, path, self._value(device, chance)[:40]):
            return ""
        inode, at_end = device.hands.at(path), chance.random() < 0.6
        every_s = chance.choice((0.02, 0.3, 0.7))
        times = [int(chance.choice((2.0, 15.0, 40.0)) / every_s) if every_s > 0.1 else 200]
        closes = chance.random() < 0.5

        def more() -> None:
            if inode is None or device.hands.at(path) is not inode:
                return  # another file is at the path now, or none: the writer ends
            if not self._may_write(device, path):
                return
            if times[0] <= 0:
                if closes:
                    device.hands.close(path)
                    device.touched()
                return
            times[0] -= 1
            old, data = content_of(inode), self._value(device, chance)[:40]
            device.hands.write_open(path, data, at_end=at_end)
            self._wrote(device, path)
            self._removed(device, path, old, "overwritten")
            device.touched()
            self._world.after(every_s, more)

        self.done_at = max(self.done_at, self._world.now + every_s * (times[0] + 1))
        self._world.after(every_s, more)
        return f"{path} every {every_s} s, {times[0]} times"

    def save_twice(self, device: SimDevice, chance: random.Random) -> str:
        """A file is saved, and by another process again when its device looks at it. The kernel
        sets the times of a write before it copies the bytes."""
        found = self._some(device, chance, Kind.FILE)
        if found is None or not self._write(device, found[0], self._value(device, chance)[:60]):
            return ""
        path, inode = found
        lasts_s = chance.choice((0.001, 0.004, 0.01))

        def spring(call: str, name: str) -> None:
            if call != "stat" or name != name_of(path):
                device.set_trap(1, spring)
            elif device.hands.at(path) is inode and self._may_write(device, path):
                device.hands.begin_write(path)
                self._world.after(lasts_s, end)

        def end() -> None:
            if device.hands.at(path) is not inode or not self._may_write(device, path):
                return
            old, data = content_of(inode), self._value(device, chance)[:60]
            device.hands.end_write(path, data)
            self._wrote(device, path)
            self._removed(device, path, old, "overwritten")
            device.touched()

        device.touched()
        device.set_trap(1, spring)
        return path

    def delete(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE, Kind.SYMLINK, Kind.FILE, Kind.DIRECTORY)
        if found is None:
            return ""
        self._delete(device, found[0])
        return found[0]

    def _delete(self, device: SimDevice, path: str) -> None:
        gone = [(p, i, content_of(i)) for p, i in device.hands.below(path)]
        self._took_folders(device, path)
        device.hands.delete(path)
        for each, inode, content in gone:
            if _is_old_version(each, inode):
                self._ledger.ends(_sure(inode), "deleted", device.hands)
            self._removed(device, each, content, "deleted")

    def rename(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
        if found is None:
            return ""
        path, to = found[0], self._place(device, chance)
        return self._rename(device, path, to)

    def _rename(self, device: SimDevice, path: str, to: str) -> str:
        over = device.hands.at(to)
        if over is device.hands.at(path):
            over = None  # only another spelling, where the disk takes both for one name
        lost = content_of(over) if over is not None else None
        below = list(device.hands.below(path))
        moved = [(p, content_of(i)) for p, i in below]
        # A `.lefting` that is just being made ends up in the folder, wherever the folder is by
        # then. Until it is made, its agent knows only the path where it was to be.
        making = device.store.leftings._meant if device.alive else ()
        old = [_sure(inode) for at, inode in below if _is_old_version(at, inode)]
        # After a kill its inode may never have been learned.
        unsure = not device.alive and any(at.endswith(".lefting") for at, _ in below)
        if old or unsure or any(is_within(lefting, path) for lefting in making):
            self._ledger.stray_leftings.add(device.name)
        folders = self._folders(device, path)
        # The job has the folder above open, wherever that is by the time of its next call.
        going = [to + at[len(path) :] for at in _done_to(device, Verb.REMOVE) if at in folders]
        comes = [at for at in _done_to(device, Verb.MAKE_DIRECTORY) if is_within(at, path)]
        made_elsewhere = {(at, to + at[len(path) :]) for at in comes if at not in folders}
        if not device.hands.rename(path, to):
            return ""
        if any(at.endswith(".lefting") for at, _ in below):
            self.carried(device, to)
        self._ledger.adrift.update(old)
        self._ledger.going_folders.update(at for at in going if at != to)
        self._ledger.made_elsewhere |= made_elsewhere
        self._took(device, folders)
        self._ledger.renames.add((path, to))
        if path in folders:
            self._ledger.renamed.append((path, to))
        for folder in folders:
            self._ledger.made_at(to + folder[len(path) :], device.name, self._world.now)
            self._ledger.made_folder(to + folder[len(path) :], device.name)
            self._ledger.at_copies.update(_taken_for_old(device, to + folder[len(path) :]))
        for each, content in moved:
            self._removed(device, each, content, "moved")
            if content is not None:
                now = self._world.now
                self._ledger.put_hands_on(to + each[len(path) :], content, device.name, now)
        self._removed(device, to, lost, "overwritten")
        return f"{path} -> {to}"

    def change_case(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE, Kind.DIRECTORY)
        if found is None:
            return ""
        above, _, name = found[0].rpartition("/")
        other = name.swapcase()
        return self._rename(device, found[0], f"{above}/{other}" if above else other)

    def swap_kind(self, device: SimDevice, chance: random.Random) -> str:
        """A file, folder or link becomes another of these."""
        found = self._some(device, chance, Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
        if found is None:
            return ""
        path, inode = found
        kind = chance.choice([k for k in Kind if k is not inode.kind])
        self._delete(device, path)
        if kind is Kind.FILE:
            self._write(device, path, self._value(device, chance))
        elif kind is Kind.SYMLINK:
            self._link(device, path, chance)
        else:
            self._make_folder(device, path)
            if chance.random() < 0.6:
                self._write(device, f"{path}/{chance.choice(NAMES)}", self._value(device, chance))
        return f"{path} to {kind.name}"

    def make_link(self, device: SimDevice, chance: random.Random) -> str:
        path = self._place(device, chance)
        self._link(device, path, chance)
        return path

    def _link(self, device: SimDevice, path: str, chance: random.Random) -> None:
        self._numbers += 1
        ways = ("../outside/", "/outside/", "nowhere/", "a/")
        target = f"{chance.choice(ways)}{self._numbers}".encode()
        if device.hands.make_link(path, target):
            self._wrote(device, path)

    def make_folder(self, device: SimDevice, chance: random.Random) -> str:
        path = self._place(device, chance)
        self._make_folder(device, path)
        return path

    def make_tree(self, device: SimDevice, chance: random.Random) -> str:
        top = self._place(device, chance)
        for below in chance.sample(("", "/a", "/b", "/c", "/b/a", "/b/c/a"), 4):
            parent, _, _ = device.hands.listed(top + below).rpartition("/")
            self._ledger.made_at(parent, device.name, self._world.now)
            if device.hands.make_folders(parent):
                self._write(device, top + below, self._value(device, chance))
        return top

    def put_back(self, device: SimDevice, chance: random.Random) -> str:
        """Restore a file that was deleted or overwritten at the path."""
        if not self._ledger.deletes:
            return ""
        old = chance.choice(self._ledger.deletes)
        if old.content[0] is not Kind.FILE or not self._may_write(device, old.path):
            return ""
        if not device.hands.make_folders(old.path.rpartition("/")[0]):
            return ""
        self._write(device, old.path, old.content[1])
        return f"{old.path} {old.content[1][:12]!r}"

    def copy(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE)
        path = self._place(device, chance)
        if found is None or path == found[0] or not found[1].data:
            return ""
        self._write(device, path, bytes(found[1].data))
        return f"{found[0]} to {path}"

    def hard_link(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE)
        path = self._place(device, chance)
        if found is None or not found[1].data:
            return ""
        if device.hands.hard_link(found[0], path):
            self._wrote(device, path)
        return f"{found[0]} as {path}"

    def touch(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE)
        if found is None:
            return ""
        path, inode = found
        now_ns = device.disk.now_ns()
        ages = (0, 0, 3_600_000_000_000, 10**18, -86_400_000_000_000)
        device.hands.set_mtime(path, now_ns - chance.choice(ages) - chance.randrange(1000))
        self._put_hands_on(device, inode)
        return path

    def change_mode(self, device: SimDevice, chance: random.Random) -> str:
        found = self._some(device, chance, Kind.FILE)
        return self._exec(device, found[0], chance) if found else ""

    def _exec(self, device: SimDevice, path: str, chance: random.Random) -> str:
        inode = device.hands.at(path)
        if inode is not None and inode.kind is Kind.FILE:
            device.hands.set_mode(path, NEXT_MODE.get(inode.mode, 0o644))
            if inode.mode == 0o600 and (folder := parent_of(path)):
                above = device.hands.at(folder)
                assert above is not None
                device.hands.set_mode(folder, 0o755 if above.mode == 0o700 else 0o700)
            self._put_hands_on(device, inode)
        return path


def _sure(inode: Inode) -> Content:
    content = content_of(inode)
    assert content is not None
    return content


def _is_old_version(path: str, inode: Inode) -> bool:
    """Whether an exchange put the inode under the name of a `.lefting`, and it has no other name
    yet."""
    return path.endswith(".lefting") and inode.users


def _done_to(device: SimDevice, verb: Verb) -> list[str]:
    """The paths at which the job that runs now does this, because another device did."""
    operations = device.job.operations if isinstance(device.job, Apply) else ()
    return [each.path for each in operations if each.verb is verb]


def _taken_for_old(device: SimDevice, path: str) -> Iterator[tuple[str, str]]:
    """Yields the folder at `path`, and where it goes if the job that runs now takes it for an old
    version: the job has just moved that one to the name of its copy, and has not looked there."""
    for each in device.job.operations if isinstance(device.job, Apply) else ():
        copy_to = each.copy_to
        if copy_to is not None and is_within(path, copy_to) and device.hands.at(each.path) is None:
            yield path, each.path + path[len(copy_to) :]


def _is_plain(path: str) -> bool:
    """Whether a deed may be done to it that is not about rules."""
    return not (path.endswith(".lefting") or path in (MOUNT, ANCHOR) or is_rule_file(path))


def _is_place(path: str) -> bool:
    return not path.endswith(".lefting")


Deed = Callable[[Users, SimDevice, random.Random], str]

DEEDS: Final[dict[str, Deed]] = {
    "create": Users.create,
    "edit": Users.edit,
    "append": Users.append,
    "write slowly": Users.write_slowly,
    "delete": Users.delete,
    "rename": Users.rename,
    "change case": Users.change_case,
    "swap kind": Users.swap_kind,
    "make link": Users.make_link,
    "make folder": Users.make_folder,
    "make tree": Users.make_tree,
    "put back": Users.put_back,
    "copy": Users.copy,
    "hard link": Users.hard_link,
    "touch": Users.touch,
    "change mode": Users.change_mode,
}

SOME_DEEDS: Final[dict[str, Deed]] = {
    "keep open": Users.keep_open,
    "save twice": Users.save_twice,
}
"""Deeds of some seeds only, with numbers of their own: so the other seeds' plans stay the same."""

WEIGHTS: Final = {"create": 4, "edit": 5, "delete": 3, "rename": 4, "make tree": 2, "swap kind": 2}
