"""Devices that write, tell, lose and repeat versions, without a disk and without messages.

Each device is the real rules (sync/versions/local_changes, remote_changes and resolver over a real
index) and a dictionary in place of the share. What one has is told to another as single entries, as
news and index pages are: in any order, more than once, or not at all. Must not know the laws.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import structs

from leftzmq.index.store import Store
from leftzmq.sync.facts import FoundDeleted
from leftzmq.sync.versions.counters import Recount
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import found, gone
from leftzmq.sync.versions.remote_changes import Heard, heard, withdrawn
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.tree.accepted import NOTHING
from leftzmq.tree.attributes import NO_MODE
from leftzmq.tree.change import Change
from leftzmq.tree.conflict import conflict_path
from leftzmq.tree.entry import Entry, Kind, Observed, ScanKey
from leftzmq.tree.ignoring.share_rules import original_name
from leftzmq.tree.path import path_of_key
from leftzmq.tree.reconcile import succeeds
from leftzmq.tree.version import make_life
from tests.helpers.trees import content

DAY_NS = 86_400_000_000_000
START_NS = 1_700_000_000_000_000_000
PATHS = ("p", "q")
MODES = (0o644, 0o755, 0o600, 0o750)
ROUNDS_MAX = 60
"""A fixed point is reached in a handful; rotation would never end."""


def key_of(observed: Observed) -> ScanKey:
    shown = (observed.kind, observed.size, observed.mtime_ns, 0, 1, observed.exec, 1)
    return ScanKey(*shown, observed.mode)


def with_mode(observed: Observed, mode: int) -> Observed:
    return structs.replace(observed, mode=mode, exec=bool(mode & 0o100))


def key_of_device(name: str) -> bytes:
    return name.encode() * 32


@dataclass
class Device:
    """One device. disk: path -> what is there. trash: the contents that were taken away.

    readers: letters of devices that it can reach, too, and that may only read
    before_scan: called before a scan of what lies on the disk
    away: paths that it does not keep; a conflict copy is judged by the name of its file
    unwanted: paths that it does not fetch
    to_scan: paths that it keeps again, and has not looked at yet
    heard_at: by device and path, the sequence under which the device said last what it has there
    """

    name: str
    store: Store
    skew_ns: int
    index_view: IndexView = field(init=False)
    resolver: Resolver = field(init=False)
    disk: dict[str, Observed] = field(default_factory=dict)
    trash: list[bytes] = field(default_factory=list)
    starts: int = 0
    readers: str = ""
    before_scan: Callable[[Device, Observed], None] = lambda device, observed: None
    away: set[str] = field(default_factory=set)
    unwanted: set[str] = field(default_factory=set)
    to_scan: set[str] = field(default_factory=set)
    heard_at: dict[tuple[str, str], int] = field(default_factory=dict)

    def start(self) -> None:
        """A new life. All other devices can be reached from now on."""
        self.starts += 1
        mark = self.name.encode() * 4
        self.store.heads.begin_life(make_life(mark, 1_700_000_000 + self.starts, bytes(4)))
        self.index_view = IndexView(self.store)
        self.index_view.keeps = lambda path, kind: self.keeps(path)
        self.index_view.wants = lambda path, kind: self.wants(path)
        self.resolver = Resolver(self.index_view)
        self.index_view.walked = True  # what changed while it was away is scanned at once
        self.index_view.reach = sum(
            1 << self.bit(other) for other in "ABC" + self.readers if other != self.name
        )
        self.index_view.may_only_read(frozenset(map(key_of_device, self.readers)), False)

    def bit(self, other: str) -> int:
        head = self.store.heads.place(key_of_device(other))
        assert head is not None
        return head.bit

    # -- what it keeps ---------------------------------------------------------------------------

    def keeps(self, path: str) -> bool:
        return original_name(path) not in self.away

    def wants(self, path: str) -> bool:
        return original_name(path) not in self.unwanted

    def want(self, path: str, *, wants: bool) -> None:
        """From now on it fetches the path, or does not. What is here stays."""
        (self.unwanted.discard if wants else self.unwanted.add)(path)
        for each in sorted(name for name in {path, *self.known()} if original_name(name) == path):
            self.index_view.judge_anew(each)

    def keep(self, path: str, *, keeps: bool) -> None:
        """From now on it keeps the path, or does not."""
        (self.away.discard if keeps else self.away.add)(path)
        names = {path, *self.known(), *self.disk}
        for each in sorted(name for name in names if original_name(name) == path):
            self.index_view.judge_anew(each)
            (self.to_scan.add if keeps else self.to_scan.discard)(each)

    def known(self) -> list[str]:
        """All paths of which it knows versions, or had one."""
        rows = [rows[0].entry.path for rows in self.store.paths(b"", 1000)]
        return rows + [path_of_key(key) for key, _ in self.store.bases("", b"", 1000)]

    def look(self, now_ns: int) -> None:
        """It looks at what it keeps again."""
        while self.to_scan:
            self.scan(self.to_scan.pop(), now_ns)

    def kept_tree(self) -> dict[str, tuple[object, ...]]:
        """All that is synced of what it keeps."""
        return {path: what for path, what in self.tree().items() if self.keeps(path)}

    def forget(self) -> None:
        """The state directory is lost; the share is not."""
        self.store.commit()
        self.heard_at.clear()
        for table in ("version", "device", "life", "base", "withdrawn"):
            self.store._db.execute(f"DELETE FROM {table}")
        self.store.heads.__init__(self.store._db, self.store.begin_transaction)  # type: ignore[misc]

    def count_again(self) -> None:
        view = self.index_view
        whole = Recount.whole(self.store, NOTHING, view.silent, view.times)
        view.counters, view.peer_counts = whole.counters, whole.peer_counts

    def scan(self, path: str, now_ns: int) -> None:
        self.to_scan.discard(path)
        if not self.keeps(path):
            return
        observed = self.disk.get(path)
        if observed is None:
            gone(self.index_view, path, now_ns + self.skew_ns)
            return
        self.before_scan(self, observed)
        change = found(self.index_view, observed, key_of(observed))
        if isinstance(change, FoundDeleted):
            self.trash.append(observed.content)
            del self.disk[path]
            self.resolver.take_over(change.entry, None)

    def tree(self) -> dict[str, tuple[object, ...]]:
        """All that is synced of the disk."""
        return {
            path: (o.kind, o.content) + ((o.mtime_ns, o.mode) if o.kind is Kind.FILE else ())
            for path, o in self.disk.items()
        }

    def offers(self) -> list[Entry]:
        return [row.entry for rows in self.store.paths(b"", 1000) for row in rows if row.is_ours]

    def changes(self) -> list[Change]:
        """All that it says."""
        return self.store.changes(0, 2**53, 1000)

    def hear(self, other: str, change: Change) -> None:
        path, before = change.path, self.heard_at.get((other, change.path), 0)
        if change.sequence < before:
            return  # no page says what is older than the head
        self.heard_at[other, path] = change.sequence
        if change.entry is None:
            withdrawn(self.index_view, self.bit(other), path)
            return
        anew = change.withdrawn > before
        meaning = heard(self.index_view, self.bit(other), change.entry, anew=anew)
        assert meaning is not Heard.OLDER, f"{other} went back to {change.entry}"

    def settle(self) -> bool:
        """Carry out every ticket; whether there was one."""
        busy = bool(self.to_scan)
        for rows in self.store.paths(b"", 1000):
            for _ in range(ROUNDS_MAX):
                ticket = self.resolver.ticket(rows[0].entry.path)
                if ticket is None:
                    break
                busy = True
                self.apply(ticket)
            else:
                raise AssertionError("a path that is never settled")
        return busy

    def apply(self, ticket: Ticket) -> None:
        entry, path = ticket.entry, ticket.entry.path
        assert self.keeps(path), "what is not kept is no ticket"
        if path in self.to_scan:
            self.scan(path, START_NS)  # an operation finds what nobody has looked at, and stops
            return
        old = self.disk.pop(path, None)
        if old is not None and ticket.copy:
            assert ticket.ours is not None
            known = [row.entry for row in self.index_view.rows(path)]
            assert not any(succeeds(version, ticket.ours.entry) for version in known)
            copy = conflict_path(ticket.ours.entry)
            self.disk[copy] = structs.replace(old, path=copy)
            self.resolver.take_copy(ticket.ours.entry, copy, key_of(self.disk[copy]))
        elif old is not None and (entry.deleted or old.content != entry.content):
            self.trash.append(old.content)
        if entry.deleted:
            self.resolver.take_over(entry, None)
            return
        mtime_ns, exec, bits = entry.attributes
        mode = bits or (MODES[exec] if entry.kind is Kind.FILE else NO_MODE)
        shown = (entry.size, mtime_ns, exec, entry.content, entry.depth)
        self.disk[path] = Observed(path, entry.kind, *shown, mode=mode)
        self.resolver.take_over(entry, key_of(self.disk[path]))


class World:
    """Three devices, what users wrote over what, and a die.

    readers: letters of devices that may only read, beside them
    keeping: devices stop keeping paths, and keep them again
    wanting: devices stop fetching paths, too, and fetch them again
    """

    def __init__(
        self,
        stores: dict[str, Store],
        seed: int,
        readers: str = "",
        *,
        keeping: bool = False,
        wanting: bool = False,
    ) -> None:
        self.keeping, self.wanting = keeping or wanting, wanting
        self.dice = random.Random(seed)
        self.now_ns = START_NS
        self.devices = {}
        for name, store in stores.items():
            device = Device(name, store, self.dice.choice((0, 0, DAY_NS, -DAY_NS)))
            device.forget()
            device.readers = readers
            device.start()
            self.devices[name] = device
        self.values: set[bytes] = set()
        self.replaced: set[bytes] = set()  # by someone who had it before him
        self.shared: set[bytes] = set()  # written more than once
        self.seen: list[Observed] = []  # all that was ever on a disk

    def step(self) -> None:
        """A user does something, or a device hears, acts, or starts again."""
        if self.keeping and self.dice.random() < 0.3:
            self.rules()
            return
        what = self.dice.random()
        if what < 0.55:
            self.user()
        elif what < 0.85:
            self.tell()
        elif what < 0.95:
            self.dice.choice(list(self.devices.values())).settle()
        else:
            self.restart()

    def rules(self) -> None:
        """One device, or all, stop keeping a path, or keep it again; or they look at what they keep
        again, some time later."""
        path, devices = self.dice.choice(PATHS), list(self.devices.values())
        if self.wanting and self.dice.random() < 0.5:
            device = self.dice.choice(devices)
            device.want(path, wants=not device.wants(path))
            return
        if self.dice.random() < 0.6:
            devices = [self.dice.choice(devices)]
        if self.dice.random() < 0.3:
            for device in devices:
                device.look(self.now_ns)
            return
        keeps = not devices[0].keeps(path)
        for device in devices:
            if device.keeps(path) is not keeps:
                device.keep(path, keeps=keeps)

    def user(self) -> None:
        device, path = self.dice.choice(list(self.devices.values())), self.dice.choice(PATHS)
        self.now_ns += self.dice.randrange(1, 5_000_000_000)
        before = device.disk.get(path)
        after = self.wants(device, path, before)
        if before is not None and (after is None or after.content != before.content):
            self.replaced.add(bytes(before.content))
        if after is None:
            device.disk.pop(path, None)
        else:
            device.disk[path] = after
            self.seen.append(after)
            if after.kind is Kind.FILE:
                if bytes(after.content) in self.values:
                    self.shared.add(bytes(after.content))
                self.values.add(bytes(after.content))
                self.replaced.discard(bytes(after.content))
        device.scan(path, self.now_ns)

    def wants(self, device: Device, path: str, before: Observed | None) -> Observed | None:
        """What a user makes of a path: nothing, a folder, a link, a file new, old or touched."""
        what = self.dice.random()
        now_ns = self.now_ns + device.skew_ns
        if before is not None and what < 0.25:
            return None
        if before is not None and before.kind is Kind.FILE and what < 0.35:
            touched = structs.replace(before, mtime_ns=self.dice.choice((now_ns, before.mtime_ns)))
            return with_mode(touched, self.dice.choice(MODES))
        if what < 0.45:
            return Observed(path, Kind.DIRECTORY)
        if what < 0.5:
            return Observed(path, Kind.SYMLINK, 0, now_ns, False, content(f"to {self.now_ns}"))
        old = [observed for observed in self.seen if observed.path == path]
        if old and what < 0.65:
            return self.dice.choice(old)
        mtime = self.dice.choice((now_ns, START_NS - DAY_NS))
        value = content(self.value(device).decode())
        found = Observed(path, Kind.FILE, 3, mtime, False, value)
        return with_mode(found, MODES[self.dice.random() < 0.2])

    def value(self, device: Device) -> bytes:
        """Mostly a new one; sometimes what was deleted before, or what somebody else wrote."""
        if self.values and self.dice.random() < 0.15:
            return self.dice.choice(sorted(self.values)).rstrip(b".")
        return f"{device.name}{len(self.values)}".encode()

    def tell(self, *, all: bool = False) -> None:
        """Some of what somebody has reaches somebody else, shuffled, perhaps twice."""
        one, other = self.dice.sample(list(self.devices.values()), 2)
        changes = one.changes()
        self.dice.shuffle(changes)
        for change in changes if all else changes[: self.dice.randrange(len(changes) + 1)]:
            for _ in range(self.dice.choice((1, 1, 2))):
                other.hear(one.name, change)

    def restart(self) -> None:
        device = self.dice.choice(list(self.devices.values()))
        if self.dice.random() < 0.3:
            device.forget()
            # A whole index of it is received under a new generation.
            for other in self.devices.values():
                if other is not device:
                    bit = other.bit(device.name)
                    other.store.commit()
                    other.store._db.execute(
                        "UPDATE version SET holders = holders & ~? WHERE holders & ?",
                        (1 << bit, 1 << bit),
                    )
                    other.store._db.execute("DELETE FROM version WHERE holders = 0")
                    other.index_view._memo.clear()
                    other.count_again()
                    other.heard_at = {
                        at: told for at, told in other.heard_at.items() if at[0] != device.name
                    }
        device.start()
        if device.store.heads.sequence == 0:
            for other in self.devices.values():  # it hears before it scans, or after
                if other is not device and self.dice.random() < 0.5:
                    for change in other.changes():
                        device.hear(other.name, change)
            for path in list(device.disk):
                device.scan(path, self.now_ns)

    def quiet(self) -> None:
        """Everybody hears everything until nobody has anything to do."""
        for _ in range(ROUNDS_MAX):
            before = [device.offers() for device in self.devices.values()]
            for one in self.devices.values():
                for other in self.devices.values():
                    if one is not other:
                        for change in one.changes():
                            other.hear(one.name, change)
            busy = [device.settle() for device in self.devices.values()]
            for device in self.devices.values():
                device.look(self.now_ns)
            if not any(busy) and before == [d.offers() for d in self.devices.values()]:
                return
        raise AssertionError("no end: versions rotate")
