"""A simulated disk: a tree of inodes, and separately the part of that tree that is durable.

Bytes, mtime and mode of a file are durable after a flush of the file. Names are durable after a
flush of their folder. Both are durable after a flush of everything. A power cut leaves what is
durable. Of the rest it leaves what an adversary picks within the rules of a file system: of each
folder's name changes a prefix, a rename over two folders whole or not at all, and bytes that were
not flushed lost, cut off or zero.

Knows inodes. Must not know shares, agents or users.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from unicodedata import normalize

from leftzmq.disk.fs.interface import Stat
from leftzmq.tree.entry import Kind

TICK_NS: Final = 4_000_000
"""Times are rounded down to a tick of the kernel's clock (HZ=250)."""

DISK_BYTES: Final = 1 << 40


class Inode:
    """A file, folder or link. Identity is the object; `number` may be given again once it is free.

    where:  its names, as (folder, name); a folder has one at most, links counts the rest
    safe:   a file's bytes, mtime and mode as they were flushed last; None: never flushed
    users:  a user wrote these bytes
    doomed: a flush failed: the kernel called its pages clean, so they never reach the disk
    owes:   that was a flush of everything: the next flush of the file itself reports the error
    device: number of the file system that it is on; root: it is the root of a mount
    closed: an agent cannot read the file, nor list the folder; nor can group and others
    shown: a stat showed its times since they were set last
    owner:  (owner, group)
    """

    __slots__ = (
        "children",
        "closed",
        "ctime_ns",
        "data",
        "device",
        "doomed",
        "kind",
        "mode",
        "mtime_ns",
        "number",
        "owes",
        "owner",
        "root",
        "safe",
        "shown",
        "users",
        "where",
        "xattrs",
    )

    def __init__(self, number: int, kind: Kind, mode: int, now_ns: int, data: bytes = b"") -> None:
        self.number, self.kind, self.mode = number, kind, mode
        self.mtime_ns = self.ctime_ns = now_ns
        self.data = bytearray(data)
        self.children: dict[bytes, Inode] = {}
        self.where: list[tuple[Inode, bytes]] = []
        self.safe: tuple[bytes, int, int] | None = None
        self.users = self.doomed = self.owes = self.root = self.closed = self.shown = False
        self.device = 1
        self.owner = (0, 0)
        self.xattrs: dict[str, bytes] = {}

    @property
    def is_safe(self) -> bool:
        """Whether a power cut leaves these bytes."""
        return self.safe is not None and self.safe[0] == self.data

    def stat(self) -> Stat:
        is_file = self.kind is Kind.FILE
        self.shown = True
        return Stat(
            kind=self.kind,
            size=len(self.data) if self.kind is not Kind.DIRECTORY else 4096,
            mtime_ns=self.mtime_ns,
            ctime_ns=self.ctime_ns,
            inode=self.number,
            exec=is_file and bool(self.mode & 0o100),
            links=len(self.where) if is_file else 1,
            device=self.device,
            mode=self.mode & ~0o077 if self.closed else self.mode,
            allocated=-(-len(self.data) // 4096) * 4096,
            owner=self.owner[0],
            group=self.owner[1],
        )

    def give(self, owner: int, group: int) -> None:
        """Set owner and group; -1 leaves a value as it is."""
        now, new = self.owner, (owner, group)
        self.owner = (now[0] if new[0] < 0 else new[0], now[1] if new[1] < 0 else new[1])

    def put_on(self, device: int) -> None:
        """It now lies in a folder of that file system, and so does everything below it."""
        if self.device != device and not self.root:
            self.device = device
            for child in self.children.values():
                child.put_on(device)


Name = tuple[Inode, bytes]
"""(folder, name)."""


@dataclass(slots=True)
class Change:
    """Name changes that happen at one instant. before: (folder, name, the inode there before)."""

    folders: tuple[Inode, ...]
    before: tuple[tuple[Inode, bytes, Inode | None], ...]
    made: Inode | None = None  # a folder that begins with this change


@dataclass(slots=True)
class Disk:
    """One device's disk. top: the folder that the share's path leads to now; None: nothing.

    clock:   the device's wall clock, ns
    watched: called with (folder, name, what) for each change that a watcher would see
    remounted: called with (folder, name) where something was mounted or unmounted
    shares_blocks: files can share blocks, as on btrfs and xfs; otherwise as on ext4
    can_exchange: two names can be exchanged; not so on exFAT
    folds: the device numbers of the file systems that take `a` and `A` for one name
    tells_each_change: what changes after a stat has another time than that stat showed, as on Linux
        6.13 and later; otherwise the time of the last tick
    size_bytes: size of all file systems together; users' writes succeed even when it is reached
    """

    clock: Callable[[], int]
    top: Inode | None = None
    pending: list[Change] = field(default_factory=list)
    dirty: dict[int, Inode] = field(default_factory=dict)
    watched: Callable[[Inode, bytes, str, bool], None] = lambda folder, name, what, is_folder: None
    remounted: Callable[[Inode, bytes], None] = lambda folder, name: None
    shares_blocks: bool = False
    can_exchange: bool = True
    folds: frozenset[int] = frozenset()
    tells_each_change: bool = False
    size_bytes: int = DISK_BYTES
    _finest_ns: int = 0
    _next: int = 2
    _free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.top = self.make(Kind.DIRECTORY, 0o755)

    def now_ns(self, changed: Inode | None = None) -> int:
        """The time that a change has now. changed: an inode that changes."""
        tick_ns = self.clock() // TICK_NS * TICK_NS
        if not self.tells_each_change:
            return tick_ns
        if self._finest_ns > tick_ns + 2 * TICK_NS:
            self._finest_ns = 0  # the clock was set back, and the kernel remembers by another one
        if changed is not None and changed.shown:
            changed.shown = False
            self._finest_ns = max(self._finest_ns + 1, self.clock())
        return max(self._finest_ns, tick_ns)

    # ---- inodes -------------------------------------------------------------------------

    def make(self, kind: Kind, mode: int, data: bytes = b"") -> Inode:
        """Returns a new inode without a name. The number of a deleted inode is given again."""
        if self._free:
            number = self._free.pop()
        else:
            self._next += 1
            number = self._next
        inode = Inode(number, kind, mode, self.now_ns(), data)
        if kind is Kind.FILE:
            self.soil(inode)
        return inode

    def soil(self, inode: Inode) -> None:
        """Note that its bytes, mtime or mode differ from the flushed ones."""
        self.dirty[id(inode)] = inode

    def write(
        self,
        inode: Inode,
        offset: int,
        data: bytes | bytearray | memoryview,
        through: Name | None = None,
    ) -> None:
        """through: the name under which the file was opened. A watcher reports none of its other
        names."""
        held = inode.data
        if offset > len(held):
            held.extend(bytes(offset - len(held)))
        held[offset : offset + len(data)] = data
        self._modified(inode, through)

    def truncate(self, inode: Inode, size: int, through: Name | None = None) -> None:
        held = inode.data
        if size < len(held):
            del held[size:]
        else:
            held.extend(bytes(size - len(held)))
        self._modified(inode, through)

    def _modified(self, inode: Inode, through: Name | None) -> None:
        self.stamp(inode)
        self._tell(inode, "written", through)

    def stamp(self, inode: Inode) -> None:
        """A write to this file begins."""
        inode.mtime_ns = inode.ctime_ns = self.now_ns(inode)
        self.soil(inode)

    def copy_in(self, inode: Inode, data: bytes, through: Name | None) -> None:
        """A write that set the times of the file before puts these bytes in it."""
        inode.data[:] = data
        self.soil(inode)
        self._tell(inode, "written", through)

    def attributes(
        self,
        inode: Inode,
        *,
        mtime_ns: int | None = None,
        mode: int | None = None,
        through: Name | None = None,
    ) -> None:
        if mtime_ns is not None:
            inode.mtime_ns = mtime_ns
        if mode is not None:
            inode.mode = mode
        inode.ctime_ns = self.now_ns(inode)
        if inode.kind is Kind.FILE:
            self.soil(inode)
        self._tell(inode, "attributes", through)

    def closed(self, inode: Inode, through: Name | None = None) -> None:
        """A process that had written to the file closed it."""
        self._tell(inode, "closed", through)

    def _tell(self, inode: Inode, what: str, through: Name | None) -> None:
        for folder, name in [through] if through in inode.where else inode.where:
            self.watched(folder, name, what, inode.kind is Kind.DIRECTORY)

    # ---- names --------------------------------------------------------------------------

    def called(self, folder: Inode, name: bytes) -> bytes:
        """Returns the name in this folder that `name` leads to; `name` itself where there is
        none."""
        if folder.device in self.folds and name not in folder.children:
            wanted = _fold(name)
            for other in folder.children:
                if _fold(other) == wanted:
                    return other
        return name

    def change(self, *names: tuple[Inode, bytes, Inode | None]) -> None:
        """Let each (folder, name) lead to that inode, or to nothing, all at one instant."""
        before = tuple((folder, name, folder.children.get(name)) for folder, name, _ in names)
        folders = tuple(dict.fromkeys(folder for folder, _, _ in names))
        now_ns = self.now_ns()
        for folder, name, old in before:
            if old is not None:
                old.where.remove((folder, name))
                old.ctime_ns = self.now_ns(old)
        came: list[Inode] = []
        for folder, name, new in names:
            if new is None:
                folder.children.pop(name, None)
            else:
                folder.children[name] = new
                new.where.append((folder, name))
                new.put_on(folder.device)
                new.ctime_ns = self.now_ns(new)
                came.append(new)
            folder.mtime_ns = folder.ctime_ns = now_ns
        made = next((i for i in came if i.kind is Kind.DIRECTORY and not _among(before, i)), None)
        self.pending.append(Change(folders, before, made))
        self._tell_names(names, before)
        for _, _, old in before:
            if old is not None and not old.where:
                self._free.append(old.number)

    def _tell_names(
        self,
        names: tuple[tuple[Inode, bytes, Inode | None], ...],
        before: tuple[tuple[Inode, bytes, Inode | None], ...],
    ) -> None:
        for folder, name, old in before:
            if old is not None and (folder, name, None) in names:
                self.watched(folder, name, "left", old.kind is Kind.DIRECTORY)
        for folder, name, new in names:
            if new is not None:
                what = "moved here" if _among(before, new) else "made"
                self.watched(folder, name, what, new.kind is Kind.DIRECTORY)

    # ---- durable ------------------------------------------------------------------------

    def flush_file(self, inode: Inode) -> None:
        if not inode.doomed:
            inode.safe = (bytes(inode.data), inode.mtime_ns, inode.mode)
            self.dirty.pop(id(inode), None)

    def flush_folder(self, folder: Inode) -> None:
        """Make its name changes durable. If a rename among them concerns another folder, that
        folder's earlier changes become durable too."""
        reached = {id(folder)}
        left: list[Change] = []
        for change in reversed(self.pending):
            if any(id(f) in reached for f in change.folders):
                reached.update(id(f) for f in change.folders)
            else:
                left.append(change)
        left.reverse()
        self.pending[:] = left

    def flush_all(self) -> None:
        self.pending.clear()
        for inode in list(self.dirty.values()):
            self.flush_file(inode)

    def power_cut(self, chance: random.Random) -> None:
        """Leave what is durable, and of the rest the part that `chance` picks."""
        self._cut_names(chance)
        for inode in list(self.dirty.values()):
            self._cut_bytes(inode, chance)
        self.dirty.clear()
        self._recount()

    def _cut_names(self, chance: random.Random) -> None:
        cut: set[int] = set()
        lost: list[Change] = []
        kept = chance.choice((0.0, 0.5, 0.8, 0.95, 1.0))
        for change in self.pending:
            concerned = [id(folder) for folder in change.folders]
            if change.made is not None:
                concerned.append(id(change.made))
            if any(one in cut for one in concerned[: len(change.folders)]) or (
                chance.random() >= kept
            ):
                cut.update(concerned)
                lost.append(change)
        for change in reversed(lost):
            for folder, name, old in change.before:
                if old is None:
                    folder.children.pop(name, None)
                else:
                    folder.children[name] = old
        self.pending.clear()

    def _cut_bytes(self, inode: Inode, chance: random.Random) -> None:
        data, mtime_ns, mode = inode.safe or (b"", inode.mtime_ns, inode.mode)
        fate = 0 if inode.doomed else chance.randrange(4)
        if fate == 1 or (fate and data == inode.data):  # written back in time, by luck
            data, mtime_ns, mode = bytes(inode.data), inode.mtime_ns, inode.mode
        elif fate == 2 or (fate == 3 and inode.users):
            # The flushed bytes may differ while the stat is the same. An agent could notice a
            # user's zeros under an unchanged stat only by reading every file.
            data = bytes(inode.data[: chance.randint(0, len(inode.data))])
        elif fate == 3:  # the size is there, the bytes are not
            at = chance.randint(0, len(inode.data))
            data = bytes(inode.data[:at]) + bytes(len(inode.data) - at)
        inode.data = bytearray(data)
        inode.mtime_ns, inode.mode = mtime_ns, mode
        inode.safe = (data, mtime_ns, mode)
        inode.doomed = inode.owes = False

    def _recount(self) -> None:
        """Recompute each inode's names from the folders as they are now."""
        if self.top is None:
            return
        found: list[tuple[Inode, bytes, Inode]] = []
        todo = [self.top]
        while todo:
            folder = todo.pop()
            for name, inode in folder.children.items():
                found.append((folder, name, inode))
                if inode.kind is Kind.DIRECTORY:
                    todo.append(inode)
        for _, _, inode in found:
            inode.where = []
        for folder, name, inode in found:
            inode.where.append((folder, name))
        alive = {inode.number for _, _, inode in found}
        self._free = [number for number in self._free if number not in alive]

    def mount(self, folder: Inode, name: bytes, device: int, tree: Inode | None) -> Inode:
        """Mount `tree` at a name, or (None) unmount it, so that the inode under it is visible
        again. Returns the inode that was visible there before."""
        before = folder.children[name]
        new = tree or Inode(0, Kind.DIRECTORY, 0o755, self.now_ns())
        if tree is None:
            self._next += 1
            new.number = self._next
        before.where.remove((folder, name))
        folder.children[name] = new
        new.where.append((folder, name))
        if tree is not None:
            new.root = False
            new.put_on(device)
            new.root = True
        self.remounted(folder, name)
        return before

    # ---- whole trees ----------------------------------------------------------------------

    def restore(self, tree: Inode, *, fresh: bool) -> None:
        """The share becomes a copy of this tree; nothing of the old tree is left."""
        self.top = self._copied(tree, {}, fresh)
        self.pending.clear()
        self.dirty.clear()
        self._free.clear()

    def copy_of(self, other: Disk, *, fresh: bool) -> None:
        """This machine's disk becomes a copy of the other machine's."""
        assert other.top is not None
        self._next = other._next
        self.shares_blocks, self.can_exchange = other.shares_blocks, other.can_exchange
        self.folds, self.size_bytes = other.folds, other.size_bytes
        self.restore(other.top, fresh=fresh)

    def copy(self, *, fresh: bool) -> Inode | None:
        """Returns a copy of the tree as it is now. fresh: as a backup restores it, with inodes and
        ctimes of its own; otherwise as a snapshot of the disk does."""
        return self._copied(self.top, {}, fresh) if self.top is not None else None

    def _copied(self, inode: Inode, done: dict[int, Inode], fresh: bool) -> Inode:
        if id(inode) in done:
            return done[id(inode)]
        new = done[id(inode)] = Inode(inode.number, inode.kind, inode.mode, inode.ctime_ns)
        if fresh:
            self._next += 1
            new.number, new.ctime_ns = self._next, self.now_ns()
        new.data, new.mtime_ns, new.users = bytearray(inode.data), inode.mtime_ns, inode.users
        new.device, new.root = inode.device, inode.root
        if new.kind is Kind.FILE:
            new.safe = (bytes(new.data), new.mtime_ns, new.mode)
        for name, child in inode.children.items():
            copied = self._copied(child, done, fresh)
            new.children[name] = copied
            copied.where.append((new, name))
        return new

    def path_of(self, inode: Inode) -> str | None:
        """Returns the path of a folder, relative to the share; None: it is not in the share (any
        more)."""
        names: list[bytes] = []
        while inode is not self.top:
            if not inode.where or len(names) > 200:
                return None
            inode, name = inode.where[0]
            names.append(name)
        return b"/".join(reversed(names)).decode(errors="surrogateescape")

    @property
    def free_bytes(self) -> int:
        if self.size_bytes == DISK_BYTES:
            return DISK_BYTES // 2
        inodes = {id(inode): inode for _, inode in self.everything()}
        used = sum(len(inode.data) for inode in inodes.values())
        return max(0, self.size_bytes - used)

    def everything(self) -> Iterator[tuple[str, Inode]]:
        """Yields (path, inode) of everything in the share, `.left` too; sorted within each
        folder."""
        return everything_in({} if self.top is None else self.top.children)


def everything_in(children: Mapping[bytes, Inode]) -> Iterator[tuple[str, Inode]]:
    """Yields (path, inode) of all of a folder, by what its names are."""
    todo: list[tuple[str, Mapping[bytes, Inode]]] = [("", children)]
    while todo:
        path, names = todo.pop()
        for name in sorted(names):
            inode = names[name]
            text = name.decode(errors="surrogateescape")
            below = f"{path}/{text}" if path else text
            yield below, inode
            if inode.kind is Kind.DIRECTORY:
                todo.append((below, inode.children))


def _fold(name: bytes) -> str:
    text = name.decode(errors="surrogateescape")
    return normalize("NFKD", text).casefold()


def _among(before: tuple[tuple[Inode, bytes, Inode | None], ...], inode: Inode) -> bool:
    return any(old is inode for _, _, old in before)
