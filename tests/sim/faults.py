"""What goes wrong with devices and lines, and how each fault ends.

Knows devices from outside. Must not know how agents react.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from leftzmq.disk.scan.mounts import SAMPLE
from leftzmq.errors import IndexFailed, IndexFault, ProblemKind
from leftzmq.sync.jobs import Apply, Job, WriteChunks
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import parent_of, path_of_key, sort_key
from leftzmq.tree.plan import Operation, Verb
from leftzmq.tree.rules import LEFT_DIRECTORY, LEFTING_SUFFIX
from tests.helpers.roster_keeper import RosterKeeper

from .acquaintance import Acquaintance
from .disk import DISK_BYTES, Inode
from .fs import Crash
from .laws import Broken
from .ledger import Content, Ledger, content_of, is_in_tree
from .node import FOLDER, content_id
from .users import ANCHOR, MOUNT, Users
from .world import SimDevice, State, World

IN_A_JOB: Final = 60
"""At most so many calls of the disk pass before something happens in the middle of a job."""

FAILING: Final = frozenset(
    (
        "create",
        "write",
        "flush file",
        "flush folder",
        "flush all",
        "rename_new",
        "exchange",
        "make_folder",
        "make_link",
        "set_times",
        "unlink",
        "open_read",
        "read",
        "names",
        "stat",
    )
)

OPENING: Final = frozenset(
    ("open folder", "folder", "open_read", "open_write", "create", "still_there")
)
"""Calls that take a descriptor, or check whether the share is there."""
FLUSHING: Final = frozenset(("flush file", "flush folder", "flush all"))
NAMING: Final = frozenset(("rename_new", "exchange", "make_folder", "make_link", "unlink"))

HAND_IN_A_JOB: Final = ("edit", "append", "delete", "create", "swap kind", "touch", "rename")


class Faults:
    def __init__(self, world: World, ledger: Ledger, users: Users) -> None:
        self._world, self._ledger, self._users = world, ledger, users
        self._snapshots: dict[str, tuple[object, Inode | None]] = {}
        self._rosters: dict[str, tuple[RosterKeeper, Acquaintance]] = {}  # of the same time
        self._over = False
        self._closed: list[Inode] = []
        world.before_cut, world.was_cut = self._before_cut, self._was_cut
        self._before: dict[str, dict[str, Content]] = {}
        self._mounts: set[str] = set()  # devices with a mount in their shares
        self._turned: dict[bytes, bytes] = {}  # bytes of a file -> before one of their bits turned
        self._others: dict[str, list[bytes]] = {}  # contents on another disk in its place
        self._clones: dict[SimDevice, SimDevice] = {}
        self.put_older_at: dict[str, float] = {}  # when a device got an older state last
        # Its index failed, or it is another one from now on.
        self.forgot: Callable[[SimDevice], None] = lambda device: None

    def do(self, fault: str, device: SimDevice, chance: random.Random) -> None:
        self._world.say(device, f"fault: {fault}")
        FAULTS_BY_NAME[fault](self, device, chance)

    def end(self) -> None:
        """No fault is active from now on."""
        self._over = True
        for inode in self._closed:
            self._open(inode)
        for device in list(self._clones):
            self._clone_ends(device)
        for device in self._world.devices.values():
            device.trap = None
            device.commits_left = 0
            self._world.index_trap.clear(device.index)
            self._come(device)
            self._mount(device)
            device.disk.size_bytes = DISK_BYTES
            device.start()
            self._folder_comes(device)
        self._world.wires.cut.clear()
        for device in self._world.devices.values():
            if device.paused:
                device.pause()
            for name in sorted(device.unlisted) if device.acquaintance is None else ():
                device.list_peer(self._world.devices[name])
        self._world.wires.refresh()

    def _back(self, device: SimDevice, chance: random.Random) -> None:
        self._world.after(chance.choice((0.01, 1.0, 8.0)), device.start)

    # ---- ends of a process ----------------------------------------------------------------

    def kill(self, device: SimDevice, chance: random.Random) -> None:
        device.kill()
        self._back(device, chance)

    def cut_power(self, device: SimDevice, chance: random.Random) -> None:
        device.cut_power()
        self._back(device, chance)

    def stop(self, device: SimDevice, chance: random.Random) -> None:
        device.stop()
        self._back(device, chance)

    def crash(self, device: SimDevice, chance: random.Random) -> Callable[[], None]:
        """Returns a function that raises a crash in the middle of a job."""
        ends = device.cut_power if chance.random() < 0.6 else device.kill

        def crash() -> None:
            def end() -> None:
                ends()
                self._back(device, chance)

            device.doom = end
            device.calls.dead = True
            raise Crash

        return crash

    def crash_in_a_job(self, device: SimDevice, chance: random.Random) -> None:
        device.set_trap(chance.randint(1, IN_A_JOB), lambda call, path: crash())
        crash = self.crash(device, chance)

    def crash_in_a_download(self, device: SimDevice, chance: random.Random) -> None:
        """The crash happens while chunks of a large file are written."""
        calls = chance.randint(1, 12)

        def spring(call: str, path: str) -> None:
            if not isinstance(device.job, WriteChunks):
                device.set_trap(1, spring)
            else:
                device.set_trap(calls, lambda call, path: crash())

        device.set_trap(1, spring)
        crash = self.crash(device, chance)

    def crash_after_a_commit(self, device: SimDevice, chance: random.Random) -> None:
        device.after_commits(chance.randint(1, 20), self.crash(device, chance))

    # ---- errors of SQLite -------------------------------------------------------------------

    def fail_index(self, device: SimDevice, chance: random.Random) -> None:
        """For a while its disk is full, cannot be read, or its index is locked; or its index is
        damaged."""
        if not device.alive:
            return
        fault = chance.choice(tuple(IndexFault))
        if fault is IndexFault.CORRUPT and device.name in self._mounts:
            fault = IndexFault.IO  # after damage nobody would know the mounts
        damaged = fault is IndexFault.CORRUPT
        lasts_s = 0.0 if damaged else chance.choice((0.0, 0.5, 8.0))

        def sprung() -> None:
            self._world.say(device, f"its index: {fault.name}")
            self.forgot(device)
            if damaged:
                self.forgot_index(device)

        device.fail_index(chance.choice((0, 3, 30, 200)), fault, lasts_s, sprung)

    def forgot_index(self, device: SimDevice) -> None:
        """Its index is damaged, and built again; the agent still knows which `.lefting` files are
        its own."""
        device.disk.flush_all()
        strays = self._ledger.stray_leftings
        knew = device.name not in strays
        self._forgot(device)
        if knew:
            strays.discard(device.name)
        device.lost_index()

    # ---- in the middle of a job -------------------------------------------------------------

    def hand_in_a_job(self, device: SimDevice, chance: random.Random) -> None:
        """A user acts between two calls, mostly at the path of the call."""

        def spring(call: str, path: str) -> None:
            deed = chance.choice(HAND_IN_A_JOB)
            self._users.aim = _aim(path) if chance.random() < 0.8 else ""
            self._users.do(deed, device, chance)
            self._users.aim = ""

        device.set_trap(chance.randint(1, IN_A_JOB), spring)

    def hand_at_a_name(self, device: SimDevice, chance: random.Random) -> None:
        """A user acts just before or just after a file gets its final name."""
        late = chance.random() < 0.5

        def spring(call: str, path: str) -> None:
            if call not in ("exchange", "rename_new", "remove_folder", "make_folder"):
                device.set_trap(1, spring)
            elif late:
                device.set_trap(1, lambda call, _: hand(path))
            else:
                hand(path)

        def hand(path: str) -> None:
            self._users.aim = _aim(path)
            self._users.do(chance.choice(HAND_IN_A_JOB), device, chance)
            self._users.aim = ""

        device.set_trap(chance.randint(1, IN_A_JOB), spring)

    def hand_at_a_copy(self, device: SimDevice, chance: random.Random) -> None:
        """A user takes the name that a conflict copy is about to get."""

        def wait_for_one(device: SimDevice) -> None:
            def spring(call: str, path: str) -> None:
                if not (names := _copies(device.job)):
                    device.set_trap(1, spring)
                    return
                name = chance.choice(names)
                device.set_trap(chance.randint(1, 12), lambda call, path: hand(name))

            def hand(name: str) -> None:
                self._users.take_name(device, name, chance)

            device.set_trap(1, spring)

        for each in self._world.devices.values():
            wait_for_one(each)

    def job_in_a_job(self, device: SimDevice, chance: random.Random) -> None:
        """Another worker runs a job between two calls."""
        device.set_trap(chance.randint(1, IN_A_JOB), lambda call, path: device.run_another())

    def fail_a_call(self, device: SimDevice, chance: random.Random) -> None:
        """The disk is full, or broken, for one call or for a few."""
        code = chance.choice((errno.ENOSPC, errno.EIO, errno.EIO, errno.EACCES))
        left = chance.choice((1, 1, 1, 5))
        failing = chance.choice((FAILING, FAILING, FLUSHING, NAMING))

        def spring(call: str, path: str) -> None:
            nonlocal left
            if call not in failing:
                device.set_trap(1, spring)
                return
            left -= 1
            if left and not self._over:
                device.set_trap(1, spring)
            self._world.say(device, f"  {call} {path} fails")
            if code == errno.EACCES:
                self._ledger.refused.add(device.name)
            raise OSError(code, os.strerror(code), path)

        device.set_trap(chance.randint(1, IN_A_JOB), spring)

    def run_short(self, device: SimDevice, chance: random.Random) -> None:
        """No descriptors, or no memory, for one call or for a while."""
        code = chance.choice((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR))
        failing = OPENING if code in (errno.EMFILE, errno.ENFILE) else OPENING | FAILING
        until = self._world.now + chance.choice((0.0, 0.5, 4.0))
        often = chance.choice((0.2, 1.0))

        def spring(call: str, path: str) -> None:
            if call in failing and chance.random() < often:
                if self._world.now < until and not self._over:
                    device.set_trap(1, spring)
                self._world.say(device, f"  {call} {path} fails")
                raise OSError(code, os.strerror(code), path)
            device.set_trap(1, spring)

        device.set_trap(chance.randint(1, IN_A_JOB), spring)

    def close_some(self, device: SimDevice, chance: random.Random) -> None:
        """A file or folder cannot be read for a while; never a file by which alone a mount is
        recognised."""
        tree = [inode for path, inode in device.hands.tree() if path not in (ANCHOR, MOUNT)]
        found = [inode for inode in tree if inode.kind is not Kind.SYMLINK]
        if not found or self._over:
            return
        inode = chance.choice(found)
        inode.closed = True
        self._closed.append(inode)
        self._world.after(chance.choice((0.5, 3.0, 12.0)), lambda: self._open(inode))
        if chance.random() < 0.5:
            device.watching.lose()
            device.touched()

    def _open(self, inode: Inode) -> None:
        inode.closed = False

    def shrink_disk(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: a disk without space for the old versions of some files."""
        device.disk.size_bytes = chance.choice((3_000, 8_000, 20_000)) * self._users.scale
        self._ledger.gives_way = True

    def cannot_exchange(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: a disk that cannot exchange two names, as exFAT."""
        device.disk.can_exchange = False

    def tell_each_change(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: a disk whose times tell each change apart."""
        device.disk.tells_each_change = True

    def wait_for_folder(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: the user of a device adds the folder while its agent runs, as
        with an invitation. What is in the share until then was never seen."""
        device.waits = True
        self._world.after(chance.uniform(1.0, 12.0), lambda: self._folder_comes(device))

    def _folder_comes(self, device: SimDevice) -> None:
        is_stranger = device.acquaintance is not None and device.acquaintance.is_stranger
        if device.waits and device.alive and not is_stranger:
            device.add_folder()

    # ---- lost and restored ------------------------------------------------------------------

    def take_snapshot(self, device: SimDevice, chance: random.Random) -> None:
        """Keep a backup of the state and of the share, for a later fault to restore. Not before the
        first start: until then the share has no marker, and restored it would be another share, for
        which there is --adopt. Nor while its index knows a mount by something that a user may
        delete before the state is restored."""
        if not device.has_begun or device.held:
            return
        self._come(device)
        state = device.snapshot()
        if not self._proofs(device, state):
            self._snapshots[device.name] = (state, device.disk.copy(fresh=False))
            if device.acquaintance is not None:
                kept = device.roster_keeper.copy(), device.acquaintance.copy()
                self._rosters[device.name] = kept

    def clone_machine(self, device: SimDevice, chance: random.Random) -> None:
        """A copy of the machine runs beside it for a while. No user works at the copy: his changes
        would disappear with it."""
        if not device.has_begun or device.name in self._mounts or device in self._clones:
            return
        if device.token is None or device.held or device.waits or self._is_unmounted(device):
            return
        clone = self._world.clone(device, fresh=chance.random() < 0.5)
        self._clones[device] = clone
        for path, content in self._contents(device).items():
            # The clone may tell the delete in its own life, whatever happens to the file here
            # meanwhile.
            self._ledger.put_hands_on(path, content, clone.shown, self._world.now)
        self._world.after(chance.choice((1.0, 10.0, 30.0)), lambda: self._clone_ends(device))

    def _clone_ends(self, device: SimDevice) -> None:
        if device in self._clones:
            self._world.clone_ends(device, self._clones.pop(device))

    def unlist_peer(self, device: SimDevice, chance: random.Random) -> None:
        """A user takes a peer out of peer.toml, and puts it back later."""
        if not device.alive or device.acquaintance is not None:
            return
        others = [d for d in self._world.devices.values() if d.key in device.agents.by_key]
        if not others:
            return
        other = chance.choice(others)
        device.unlist_peer(other)

        def back() -> None:
            if other.name in device.unlisted:
                device.list_peer(other)

        self._world.after(chance.choice((0.1, 1.0, 5.0, 30.0)), back)

    def pause(self, device: SimDevice, chance: random.Random) -> None:
        """A user pauses the folder, or another device, or resumes it, and resumes all later. The
        others are paused as they were."""
        others = [name for name in self._world.devices if name != device.name]
        changed = FOLDER if not others or chance.random() < 0.5 else chance.choice(others)
        device.pause(*(device.paused ^ {changed}))

        def resume() -> None:
            if device.paused and not self._over:
                device.pause()

        self._world.after(chance.choice((0.3, 2.0, 10.0, 30.0)), resume)

    def lose_state(self, device: SimDevice, chance: random.Random) -> None:
        """Its state is lost. Never while its share is away: an agent that knows no share makes one
        at the configured path, and nothing can tell it that this is the bare folder of a mount."""
        self._come(device)
        self._mount(device)
        device.kill()
        device.disk.flush_all()
        self._forgot(device)
        device.put_state(None)
        self._back(device, chance)

    def older_state(self, device: SimDevice, chance: random.Random) -> None:
        self._come(device)
        if device.name not in self._snapshots or device.held or device.waits:
            return
        self._mount(device)
        device.kill()
        device.disk.flush_all()
        self._forgot(device)
        self._put_older(device)
        self._back(device, chance)

    def _put_older(self, device: SimDevice) -> None:
        """Its state directory is as in the backup: its rosters, and whom it lists, too."""
        self.put_older_at[device.name] = self._world.now
        device.put_state(self._snapshots[device.name][0])  # type: ignore[arg-type]
        if device.name in self._rosters:
            keeper, acquaintance = self._rosters[device.name]
            device.roster_keeper.put_back(keeper)
            device.acquaintance = acquaintance.copy()

    def older_share(self, device: SimDevice, chance: random.Random) -> None:
        """The share is restored from a backup, file by file. The state stays, or is lost too, or is
        of the same age. Not while its index knows a mount by something that the backup may lack."""
        _, tree = self._snapshots.get(device.name, (None, None))
        if device.held or device.waits:
            return  # its folder was joined, or left, since
        if tree is None or self._is_unmounted(device) or self._proofs(device, device.snapshot()):
            return
        if device.hands.at(ANCHOR) is not None and not _has_anchor(tree):
            return  # it would delete, on a device that has a disk there, what no user deletes
        device.kill()
        fresh = chance.random() < 0.5
        before = self._contents(device)
        device.disk.restore(tree, fresh=fresh)
        self._restored(device, before)
        match chance.randrange(3):
            case 0:
                self._put_older(device)
            case 1:
                device.put_state(None)
        self._forgot(device)
        self._back(device, chance)

    def unmount(self, device: SimDevice, chance: random.Random) -> None:
        """For a while the share is missing, or an empty folder is in its place; its files that are
        open may appear empty, too. Not before the share was opened once (there may be no space for
        its marker), nor between the loss of the state and the next start: see lose_state."""
        if self._is_unmounted(device) or not device.has_begun or device.token is None:
            return
        if device.state_is_new:
            return
        device.unmounted = device.disk.top
        device.disk.flush_all()
        device.watching.stop()
        if chance.random() < 0.5:
            assert device.unmounted is not None
            device.hidden = dict(device.unmounted.children)
            device.unmounted.children.clear()
            if device.alive:
                device.scan()
        empty = device.disk.make(Kind.DIRECTORY, 0o755)
        device.disk.top = empty if chance.random() < 0.5 else None

        def back() -> None:
            self._mount(device)
            if device.alive and device.folder.stopped is None:
                device.watching.start()
                device.watching.lose()
                device.touched()

        self._world.after(chance.choice((0.05, 2.0, 10.0)), back)

    # ---- a disk that folds names --------------------------------------------------------------

    def fold_names(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: its disk takes two spellings for one name; or only a file system
        mounted in the share does."""
        device.disk.folds = frozenset((1, 2, 3) if chance.random() < 0.8 else (2, 3))

    # ---- a bit turns ------------------------------------------------------------------------

    def turn_a_bit(self, device: SimDevice, chance: random.Random) -> None:
        """A bit turns in a file that lies unchanged on its disk. This device then has nothing of
        the file's old bytes. No user wrote the new bytes, so no device must keep them."""
        found = [
            (path, inode)
            for path, inode in device.hands.tree()
            if inode.kind is Kind.FILE and inode.data and inode.is_safe and len(inode.where) == 1
            if not path.endswith(".lefting")
            and self._ledger.is_known((Kind.FILE, bytes(inode.data)))
        ]
        if not found or self._over or self._is_unmounted(device):
            return
        path, inode = chance.choice(found)
        before = bytes(inode.data)
        if not device.alive or not self._is_told(device, path, before):
            return  # a user may have written bytes that the device has not looked at yet
        if before in self._turned.values():
            return  # where it turned on two devices nobody may have it any more
        at = chance.randrange(len(before))
        inode.data[at] ^= 0x80  # so that the result is nothing that a user will ever write
        inode.safe = (bytes(inode.data), inode.mtime_ns, inode.mode)
        self._turned[bytes(inode.data)] = before
        now_is, was = (Kind.FILE, bytes(inode.data)), self._ledger.values.get((Kind.FILE, before))
        why = f"a bit of it turned on {device.name}"
        self._ledger.wrote(now_is, device.name, path, self._world.now)
        self._ledger.values[now_is].ended = why
        self._ledger.turned[now_is] = _file(before)
        if was is not None:
            others = (each for each in self._world.devices.values() if each is not device)
            if not any(is_in_tree(other.hands, was.content) for other in others):
                was.ended = why
            was.replaced = was.replaced or why

    @property
    def bits_turned(self) -> bool:
        return bool(self._turned)

    def turn_back(self) -> None:
        """Files that no device read, or that no other device had, get their old bytes back. A file
        that a user touched since keeps the bytes that its device tells, here and where it is just
        arriving."""
        for device in self._world.devices.values():
            if not _is_out(device):  # else nothing is told of its files, whoever touched them
                self._turn_back(device)
            device.scan()

    def _turn_back(self, device: SimDevice) -> None:
        for path, inode in device.disk.everything():
            data, seen = bytes(inode.data), set[bytes]()
            while data in self._turned and data not in seen:
                in_trash = path.startswith(LEFT_DIRECTORY)
                owed = in_trash and not self._ledger.values[_file(data)].ended
                told = self._is_told(device, path, data) or self._arrives(device, path, data)
                if owed or told:
                    break
                seen.add(data)
                data = self._turned[data]
            if data != inode.data and len(inode.where) > 1:
                # A user gave the file another name, and so wrote its present bytes: all of the file
                # is told.
                device.disk.attributes(inode, mtime_ns=device.disk.now_ns())
            elif data != inode.data:
                inode.data[:] = data
                inode.safe = (data, inode.mtime_ns, inode.mode)
                for each in seen:
                    # A user who copied the file had the other bytes here, and may have removed the
                    # copy, or nobody has looked at it yet (seed 79100801).
                    value = self._ledger.values[_file(each)]
                    unread = "its bit turned back before its device had read the copy"
                    value.ended = value.ended or value.replaced or unread
                if device.alive and device.folder.problems.kind_of(path) is ProblemKind.ROTTEN:
                    # Its user noticed the damage, and restored the file from a backup: it gets a
                    # new ctime.
                    device.disk.attributes(inode, mtime_ns=inode.mtime_ns)

    def _is_told(self, device: SimDevice, path: str, data: bytes) -> bool:
        with device.reading() as reader:
            ours = reader.ours(path)
        return ours is not None and ours.entry.content == content_id(device.keys, data)

    def _arrives(self, device: SimDevice, path: str, data: bytes) -> bool:
        """Whether the device is just putting these bytes there, as another one told them: its index
        does not call them its own before the job that does it is over."""
        content = content_id(device.keys, data)
        if path.endswith(LEFTING_SUFFIX):
            leftings = device.store.leftings.all() if device.alive else []
            return any((each.staged.path, each.wanted) == (path, content) for each in leftings)
        with device.reading() as reader:
            rows = reader.rows(path)
        return any(row.entry.content == content and not row.entry.deleted for row in rows)

    # ---- a mount in the share -----------------------------------------------------------------

    def mount_inside(self, device: SimDevice, chance: random.Random) -> None:
        """Before the agents begin: a disk of its own is mounted in the share, with a file on it."""
        if not device.hands.make_folder(MOUNT) or device.disk.top is None:
            return
        self._mounts.add(device.name)
        tree = device.disk.make(Kind.DIRECTORY, 0o755)
        device.disk.mount(device.disk.top, MOUNT.encode(), 2, tree)
        data = f"the anchor of {device.name}".encode()
        device.hands.write(ANCHOR, data)
        # The file has lain there for a long time. If a power cut empties the only file by which a
        # disk is recognised, it counts as another disk: --adopt is the way out (docs/design.md,
        # "Mounts inside a share").
        device.disk.flush_all()
        self._ledger.wrote((Kind.FILE, data), device.name, ANCHOR, self._world.now)

    def unmount_inside(self, device: SimDevice, chance: random.Random) -> None:
        """Unmount it, once the mount is known: an agent knows nothing of a mount that it never
        walked. Nor does it know one of which its index has nothing: it takes whatever disk lies
        there for it."""
        found = device.hands.at(MOUNT)
        if self._is_unmounted(device) or found is None or not found.root:
            return
        if not device.alive or not device.folder.scheduler.walks.first_done:
            return
        if not device.has_durably(ANCHOR):
            return
        assert device.disk.top is not None
        device.disk.flush_all()
        device.away = device.disk.mount(device.disk.top, MOUNT.encode(), 1, None)
        device.touched()
        if device.alive and chance.random() < 0.3:
            device.kill()
            self._back(device, chance)
        device.scan_soon(chance.random())
        lasts_s = chance.choice((0.05, 2.0, 15.0, 40.0))
        self._world.after(lasts_s, lambda: self._come(device))
        if chance.random() < 0.5:
            inserted_s, empty = lasts_s * chance.choice((0.0, 0.01, 0.5)), chance.random() < 0.5
            self._world.after(inserted_s, lambda: self._insert_another(device, empty))

    def _insert_another(self, device: SimDevice, empty: bool) -> None:
        """Put another disk in its place. The new disk gets the same device number only while no
        agent compares numbers: with the same number, between two looks, no agent can notice."""
        if device.away is None:
            return
        assert device.disk.top is not None
        tree = device.disk.make(Kind.DIRECTORY, 0o755)
        if not empty:
            data = f"of another disk of {device.name}".encode()
            device.disk.change((tree, b"a", device.disk.make(Kind.FILE, 0o644, data)))
            device.disk.flush_all()
        self._others[device.name] = [*tree.children]
        number = 3 if device.alive else 2
        bare = device.disk.mount(device.disk.top, MOUNT.encode(), number, tree)
        device.touched()
        if bare.children:
            raise Broken("I11", f"{device.name} wrote where nothing was mounted")

    def _come(self, device: SimDevice) -> None:
        if device.away is None:
            return
        assert device.disk.top is not None
        bare = device.disk.mount(device.disk.top, MOUNT.encode(), 2, device.away)
        device.away = None
        device.touched()
        if [*bare.children] != self._others.pop(device.name, []):
            raise Broken("I11", f"{device.name} wrote where nothing or another disk was mounted")

    def _proofs(self, device: SimDevice, state: State | None) -> list[str]:
        """The paths by which alone the index in this state recognises a mount: those that it has
        there, as long as it has not the anchor. If none of them is there at the next start, the
        disk counts as another one until --adopt."""
        if device.name not in self._mounts or state is None:
            return []
        head = sort_key(MOUNT) + b"\0"
        try:
            with device.reading_state(state) as reader:
                rows = reader.alive_after(head, SAMPLE, before=head + b"\xff")
        except IndexFailed:
            return []  # the first start ended before the index had its tables
        paths = [path_of_key(key) for key, _ in rows]
        return [] if ANCHOR in paths else paths

    def _is_unmounted(self, device: SimDevice) -> bool:
        return device.unmounted is not None or device.away is not None

    def _mount(self, device: SimDevice) -> None:
        if device.unmounted is not None:
            bare = device.disk.top
            if bare is not None and bare.children:
                raise Broken("I11", f"{device.name} wrote into what was not its share")
            device.unmounted.children.update(device.hidden)
            device.hidden = {}
            device.disk.top, device.unmounted = device.unmounted, None

    # ---- lines, clocks, watchers --------------------------------------------------------------

    def cut_lines(self, device: SimDevice, chance: random.Random) -> None:
        """Cut off one device, split the devices into halves, or cut one pair; for a while, or on
        and off."""
        names = list(self._world.devices)
        match chance.randrange(3):
            case 0:
                sides = [{device.name}, set(names) - {device.name}]
            case 1:
                chance.shuffle(names)
                half = len(names) // 2
                sides = [set(names[:half]), set(names[half:])]
            case _:
                sides = [{device.name}, {chance.choice(names)}]
        pairs = {frozenset((a, b)) for a in sides[0] for b in sides[1] if a != b}
        times = chance.choice((1, 1, 4))
        lasts = chance.choice((0.2, 3.0, 20.0)) / times

        def cut(left: int) -> None:
            if self._over or not left:
                return
            self._world.wires.cut |= pairs
            self._world.wires.refresh()
            self._world.after(lasts, lambda: heal(left - 1))

        def heal(left: int) -> None:
            self._world.wires.cut -= pairs
            self._world.wires.refresh()
            self._world.after(lasts, lambda: cut(left))

        cut(times)

    def reset_line(self, device: SimDevice, chance: random.Random) -> None:
        other = chance.choice(list(self._world.devices))
        self._world.wires.break_one(device.name, other)
        self._world.wires.break_one(other, device.name)

    def jump_clock(self, device: SimDevice, chance: random.Random) -> None:
        jump_s = chance.choice((-86_400.0, -60.0, -0.5, 0.5, 3600.0, 86_400.0))
        device.skew_ns += int(jump_s * 1e9)

    def lose_watch(self, device: SimDevice, chance: random.Random) -> None:
        if device.alive:
            device.watching.lose()
            device.touched()

    # ---- what the ledger must know ------------------------------------------------------------

    def _contents(self, device: SimDevice) -> dict[str, Content]:
        found = {}
        for path, inode in device.hands.tree():
            content = content_of(inode)
            if content is not None and not path.endswith(".lefting"):
                found[path] = content
        return found

    def _everywhere(self) -> set[Content]:
        """Returns all contents on all disks: in trees and in trashes."""
        found = set()
        for device in self._world.devices.values():
            for path, inode in device.disk.everything():
                content = content_of(inode)
                if content is not None and not path.endswith(".lefting"):
                    found.add(content)
        return found

    def _forgot(self, device: SimDevice) -> None:
        """Its index is lost or older: deletes that it may not have told belong to nobody any more,
        nor do its `.lefting` files."""
        self._ledger.stray_leftings.add(device.name)
        self.forgot(device)
        # A clone is one more that may have it still: those who were told may forget it as well.
        others = [other for other in self._world.devices.values() if other is not device]
        others += [clone for clone in self._world.clones if clone.alive]
        for path, content in [*self._contents(device).items(), *_arriving(device)]:
            self._ledger.forgotten.add((device.name, path, content))
            # It may find its old bytes before it hears that others have newer ones, or deleted
            # them; those, too, that a job puts there only now.
            self._ledger.hands_on.setdefault((path, content), []).append(
                (self._world.now, device.name)
            )
        deletes = (*self._ledger.deletes, *self._ledger.bare_deletes)
        self._ledger.forgotten_graves.update((device.name, each.path) for each in deletes)
        self.excuse_untold(device, "forgot it before it was told", others)

    def excuse_untold(self, device: SimDevice, why: str, others: Iterable[SimDevice]) -> None:
        """What its user took away, and these others were not told, may come back."""
        others = list(others)
        for delete in self._ledger.deletes:
            if delete.device != device.name or delete.excused:
                continue
            for other in others:
                # That the delete was told is not enough while the file is still there, or would be
                # if the disk were there. That the file is not there is not enough while it may be
                # on its way there.
                inode = other.hands.at(delete.path)
                stands = inode is not None and content_of(inode) == delete.content
                stands = stands or self._is_unmounted(other) or _is_arriving(other, delete.path)
                if stands or not _was_told(other, delete.path):
                    delete.excused = f"{device.name} {why}"

        def was_told(path: str) -> bool:
            return all(
                _was_told(other, path)
                and not self._is_unmounted(other)
                and not _is_arriving(other, path)
                for other in others
            )

        for taken in list(self._ledger.folders):
            _, by, path = taken
            if by == device.name and not was_told(path):
                self._ledger.folders.remove(taken)
        for delete in self._ledger.bare_deletes:
            if delete.device == device.name and not was_told(delete.path):
                delete.excused = f"{device.name} {why}"

    def _restored(self, device: SimDevice, before: dict[str, Content]) -> None:
        """A backup, or a power cut, changed the share: the ledger notes it as if a user had written
        it."""
        self._ledger.restored = True
        after, now = self._contents(device), self._world.now
        everywhere = self._everywhere()
        for path, content in before.items():
            value = self._ledger.values.get(content)
            if value is not None and after.get(path) != content:
                value.replaced = value.replaced or "restored over"
            if value is not None and content not in everywhere:
                value.ended = value.ended or "lost with a disk"
        for content, value in self._ledger.values.items():
            if content not in everywhere:
                value.ended = value.ended or "lost with a disk"
        for path, content in after.items():
            if before.get(path) != content and content != (Kind.FILE, b""):
                self._ledger.wrote(content, device.name, path, now)
                self._ledger.put_hands_on(path, content, device.name, now)

    def _before_cut(self, device: SimDevice) -> None:
        """A cut takes nothing by which alone a mount is recognised. The anchor is durable, but the
        next start's index may not have it yet."""
        for path in self._proofs(device, device.state):
            folder, inode = device.hands.at(parent_of(path)), device.hands.at(path)
            if folder is not None and inode is not None:
                device.disk.flush_folder(folder)
                if inode.kind is Kind.FILE:
                    device.disk.flush_file(inode)
        self._before[device.name] = self._contents(device)

    def _was_cut(self, device: SimDevice) -> None:
        """A careful user's bytes are all there. Some of a careless user's bytes are torn."""
        for path, inode in device.hands.tree():
            content = content_of(inode)
            if content is None or self._ledger.is_known(content) or path.endswith(".lefting"):
                continue
            if device.name in self._others and path.startswith(f"{MOUNT}/"):
                continue
            if self._world.knobs.careful or not inode.users:
                raise Broken("I4", f"{device.name} after a power cut: {path} {content[1][:30]!r}")
            self._ledger.wrote(content, device.name, path, self._world.now)
        if not self._world.knobs.careful:
            self._restored(device, self._before[device.name])
        self._forgot(device)


def _file(data: bytes) -> Content:
    return (Kind.FILE, data)


def _aim(path: str) -> str:
    """Returns the name that users see of the path of a call; "" if it is the agent's own."""
    name = path.removesuffix(".lefting")
    return "" if "/" in name or name.startswith((".", "2027")) else name


def _copies(job: Job | None) -> list[str]:
    """Returns the conflict copies that this job may make."""
    operations = job.operations if isinstance(job, Apply) else ()
    return [each.copy_to for each in operations if each.copy_to is not None]


def _is_out(device: SimDevice) -> bool:
    """Whether the device was removed from the folder, or its user took the folder off."""
    if device.acquaintance is None:
        return False
    return device.waits or device.rosters.put_out(FOLDER) is not None


Fault = Callable[[Faults, SimDevice, random.Random], None]


def _has_anchor(tree: Inode) -> bool:
    """Whether the copy of a share has the file that proves a mount."""
    inode: Inode | None = tree
    for name in ANCHOR.encode().split(b"/"):
        inode = inode.children.get(name) if inode is not None else None
    return inode is not None


def _arriving(device: SimDevice) -> Iterator[tuple[str, Content]]:
    """Yields what the jobs under way are about to name, and where."""
    jobs = (job for job in device.jobs_under_way() if isinstance(job, Apply))
    for each in (operation for job in jobs for operation in job.operations):
        if each.verb is Verb.PUT_LINK:
            yield each.path, (Kind.SYMLINK, bytes(each.entry.content))
        for path, to in _named_from(each):
            inode = device.hands.at(path)
            content = None if inode is None else content_of(inode)
            if content is not None:
                yield to, content


def _is_arriving(device: SimDevice, path: str) -> bool:
    """Whether a job that has begun puts something at this path, whatever its agent was told since.
    When it is there, nobody may know of the delete any more (seed 79301742)."""
    waiting = device.waiting_jobs()
    begun = (job for job in device.jobs_under_way() if job not in waiting)
    operations = (each for job in begun if isinstance(job, Apply) for each in job.operations)
    return any(each.path == path and not each.entry.deleted for each in operations)


def _named_from(operation: Operation) -> Iterator[tuple[str, str]]:
    """Yields under which names an operation finds files, and which it gives them."""
    source, copy_to = operation.moved or operation.staged, operation.copy_to
    if operation.verb is Verb.NAME_COPY:
        if source is not None and copy_to is not None:
            yield source.path, copy_to
        return
    if source is not None:
        yield source.path, operation.path
    if copy_to is not None:
        yield operation.path, copy_to


def _was_told(device: SimDevice, path: str) -> bool:
    """Whether the device, as far as it can be asked, knows that what was at `path` was deleted. An
    older delete, above which the path was made again, tells nothing of that; nor does what its own
    user deleted there and it keeps to itself."""
    if not device.alive or not device.index.exists():  # its user left the folder
        return False
    with device.reading() as reader:
        entries = [row.entry for row in reader.rows(path) if not row.entry.is_private]
    return bool(entries) and max(entries, key=lambda entry: entry.rank).deleted


FAULTS_BY_NAME: Final[dict[str, Fault]] = {
    "kill": Faults.kill,
    "cut power": Faults.cut_power,
    "stop": Faults.stop,
    "crash in a job": Faults.crash_in_a_job,
    "crash in a download": Faults.crash_in_a_download,
    "crash after a commit": Faults.crash_after_a_commit,
    "hand in a job": Faults.hand_in_a_job,
    "hand at a name": Faults.hand_at_a_name,
    "hand at a copy": Faults.hand_at_a_copy,
    "job in a job": Faults.job_in_a_job,
    "fail a call": Faults.fail_a_call,
    "run short": Faults.run_short,
    "close some": Faults.close_some,
    "take snapshot": Faults.take_snapshot,
    "lose state": Faults.lose_state,
    "older state": Faults.older_state,
    "older share": Faults.older_share,
    "unmount": Faults.unmount,
    "cut lines": Faults.cut_lines,
    "reset line": Faults.reset_line,
    "jump clock": Faults.jump_clock,
    "lose watch": Faults.lose_watch,
    "fail index": Faults.fail_index,
    "fold names": Faults.fold_names,
    "mount inside": Faults.mount_inside,
    "unmount inside": Faults.unmount_inside,
    "turn a bit": Faults.turn_a_bit,
    "small disk": Faults.shrink_disk,
    "clone machine": Faults.clone_machine,
    "unlist peer": Faults.unlist_peer,
    "cannot exchange": Faults.cannot_exchange,
    "wait for folder": Faults.wait_for_folder,
    "pause": Faults.pause,
    "tell each change": Faults.tell_each_change,
}

FAULTS: Final = tuple(FAULTS_BY_NAME)[:-12]
"""Faults that happen to any device at any time. The last twelve are not among them: those of mounts
happen only to devices that have one, those of indexes and bits only in some seeds, and the kind of
a disk is fixed from the beginning."""
FAULT_WEIGHTS: Final = {
    "crash in a job": 4,
    "hand in a job": 4,
    "hand at a name": 4,
    "hand at a copy": 3,
    "cut lines": 3,
    "close some": 2,
    "fail a call": 2,
    "run short": 2,
    "crash in a download": 2,
}
