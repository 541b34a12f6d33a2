"""Wires the machines of one folder together: this module shows which machine knows which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Final

from leftzmq.config import PATIENCE_S, Limits
from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import FolderKeys
from leftzmq.errors import IndexFailed, Refused, Stop, StopCause
from leftzmq.index.store import Store
from leftzmq.sync.actions import Outputs, Tell
from leftzmq.sync.apply.applier import Applier
from leftzmq.sync.apply.letting_go import LettingGo
from leftzmq.sync.exchange.acknowledged import Acknowledged
from leftzmq.sync.exchange.announcer import Announcer
from leftzmq.sync.exchange.first_reading import FirstReading
from leftzmq.sync.exchange.index_client import IndexClient
from leftzmq.sync.exchange.reader_changes import ReaderChanges
from leftzmq.sync.exchange.wal_truncation import WalTruncation
from leftzmq.sync.facts import (
    FolderNamedOtherwise,
    FolderStopped,
    ModesChanged,
    PageArrived,
    StrangerRefused,
)
from leftzmq.sync.guard.guard import Guard
from leftzmq.sync.guard.hold import WHY_HELD, Hold
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.problems import Problems
from leftzmq.sync.scan.keeping import Keeping
from leftzmq.sync.scan.scheduler import Scheduler
from leftzmq.sync.trash_keeper import TrashKeeper
from leftzmq.sync.upload.bit_rot import BitRot
from leftzmq.sync.versions.absent_deletes import AbsentDeletes
from leftzmq.sync.versions.differences import Differences
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.name_clashes import NameClashes
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.peer_lag import PeerLag
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.entry import Entry
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.permissions import ModesKept
from leftzmq.wire import page as pages
from leftzmq.wire.folder_rows import Standing
from leftzmq.wire.local import EventKind, Scalar
from leftzmq.wire.messages import Capability

WHY_PAUSED: Final = "leftzmq resume lets it go on"


class FolderState(Enum):
    """What `status` says of a folder."""

    SCANNING = "scanning"
    SYNCING = "syncing"
    IDLE = "idle"
    ALONE = "alone"  # as IDLE, but no connected device shares the folder
    PAUSED = "paused"  # its user paused it: it is scanned, and nothing passes
    HELD = "held"  # it was joined, and its user has not answered the plan yet
    STOPPED = "stopped"


class Folder:
    """scheduler -> announcer, index_client -> applier, over the two indexes; and what `status` and
    `metrics` count.

    sent_to, received_from: bytes of chunks, sealed, by device, since the start of the agent
    home_bytes: bytes of files that were to come and were copied from other files of the share
    """

    def __init__(
        self,
        id: str,
        keys: FolderKeys,
        epochs: Epochs,
        device: DeviceKey,
        store: Store,
        peers: Peers,
        limits: Limits | None = None,
        patience_s: float = PATIENCE_S,
        hold: Hold | None = None,
        ignore: Sequence[str] = (),
        *,
        litter: bool = True,
        only: Sequence[str] = (),
        mode: FolderMode = FolderMode.BOTH,
        modes: ModesKept = ModesKept.ALL,
    ) -> None:
        self.hold = hold = hold or Hold()
        self.id, self.keys, self.device, self.store = id, keys, device, store
        self.epochs = epochs
        self.locks, self.problems = PathLocks(), Problems(id, store.problems)
        self.index_view = IndexView(store)
        self.index_view.changing = self.locks.is_changing
        self.mode = self.index_view.author.mode = mode
        self.modes = self.index_view.author.modes = modes
        resolver, name_clashes = Resolver(self.index_view), NameClashes(self.index_view)
        self.differences = Differences(id, self.index_view, self.locks, resolver)
        self.keeping = Keeping(id, self.index_view, self.problems, ignore, litter=litter, only=only)
        self.reader_changes = ReaderChanges(id, self.index_view, self.problems)
        self._name_clashes, self._resolver = name_clashes, resolver
        self.name_of = peers.name
        absent_deletes = AbsentDeletes(self.index_view, resolver, self.locks)
        self.announcer = Announcer(
            id,
            epochs,
            device,
            self.index_view,
            resolver,
            name_clashes,
            absent_deletes,
            self.locks,
            peers.news_links,
            partial(_understands, peers),
            lambda: self.index_client.members,
            self.keeping,
            hold,
        )
        self.index_client = IndexClient(
            id, epochs, self.index_view, peers, self.problems, limits or Limits()
        )
        self.scheduler = Scheduler(
            id,
            store,
            keys,
            self.locks,
            self.problems,
            self.keeping,
            may_look=lambda: not self.applier.leftings.clearing,
            strange=lambda found: self.applier.leftings.found_by_walk(found),
            write_down=self.index_view.write_down,
            patience_s=patience_s,
        )
        self.index_view.unseen = self.scheduler.is_unseen
        self.guard = Guard(
            id,
            self.index_view,
            resolver,
            self.locks,
            self.problems,
            quiet=lambda: self.scheduler.read_all,
            walks=lambda: self.scheduler.walks.whole_to_come,
            settled=lambda: self.index_client.settled,
            considered=lambda: self.applier.considered,
        )
        self.applier = Applier(
            id,
            self.index_view,
            resolver,
            name_clashes,
            absent_deletes,
            self.announcer,
            self.keeping,
            self.guard,
            self.locks,
            self.problems,
            source=self.index_client.source,
            hold=hold,
        )
        self.first_reading = FirstReading(
            epochs.first.tag,
            read_until=self._read_until,
            heard_until=lambda device: store.heads.head_of(device).head,
            links_for=partial(peers.links_for, Capability.READING),
        )
        self.acknowledged = Acknowledged(
            epochs.first.tag,
            self.index_view,
            members=lambda: self.index_client.heard,
            is_done=self._is_done_with,
            link_for=partial(peers.link_for, Capability.DONE),
        )
        self.peer_lag = PeerLag(self.index_view, self.acknowledged.passed_over)
        self.index_client.withdrew = self.acknowledged.owes
        self.letting_go = LettingGo(
            id,
            self.index_view,
            resolver,
            self.locks,
            self.announcer,
            self.acknowledged,
            wants=self.keeping.wants,
            heard=lambda: self.index_client.heard,
        )
        self.wal_truncation = WalTruncation(store)
        self.bit_rot = BitRot(self.index_view, resolver, self.locks, self.problems)
        self.trash = TrashKeeper(id, store, holds=lambda: self.guard.holds)
        self.stopped: Stop | None = None
        self.paused = False
        self._goes_on = False
        self.sent_to: dict[DeviceKey, int] = {}
        self.received_from: dict[DeviceKey, int] = {}
        self.home_bytes = 0

    def on_disk(
        self,
        folds: bool,
        is_there: Callable[[str], bool],
        modes: ModesKept = ModesKept.ALL,
        *,
        tells_each_change: bool = False,
    ) -> None:
        """Set up what depends on the disk at a start, before the folder's life begins. folds:
        whether the disk takes two spellings for one name. is_there: returns whether something
        exists at a path. modes: which bits of a file's mode the disk keeps. tells_each_change:
        whether no two changes of a file have the same times."""
        self.scheduler.tells_each_change = tells_each_change
        self.modes = self.index_view.author.modes = self.modes.least(modes)
        self._name_clashes.disk_folds(folds, is_there, self._resolver.unhave)

    def _is_done_with(self, device: DeviceKey) -> bool:
        """Return whether nothing of this device's index is left to be done here, and what followed
        from it is announced."""
        if not self.is_read or not self.keeping.idle or not self.announcer.settled:
            return False
        mask = self.store.heads.head_of(device).mask
        return not self.index_view.to_come(mask).paths and not self.index_client.receives(device)

    def _read_until(self) -> int:
        """Return our next sequence when the first walk is over and all that it found is announced;
        0: not yet."""
        is_told = self.announcer.settled and not self.hold.holds
        return self.store.heads.sequence + 1 if self.is_read and is_told else 0

    @property
    def is_read(self) -> bool:
        """Whether the first walk is over, and all that it found is in our index."""
        return self.scheduler.walks.first_done and self.scheduler.idle and not self.guard.busy

    def on_modes_changed(self, fact: ModesChanged, now: float) -> Outputs:
        """Who may only read the folder is known anew. Rows that those alone hold count for nothing
        (I1 to I12 are about what full members wrote)."""
        others, we_read = fact.readers - {self.device}, self.device in fact.readers
        may_write_now = self.index_view.we_read and not we_read
        out = self.index_client.on_modes_changed(others, we_read, now)
        return [*out, *self.reader_changes.may_write_now()] if may_write_now else out

    @property
    def tag(self) -> bytes:
        """The tag that our messages name."""
        return self.epochs.tag

    @property
    def members(self) -> set[DeviceKey]:
        return self.index_client.members

    def holders(self, entry: Entry) -> list[DeviceKey]:
        return self.index_client.holders(entry)

    def standing_for(self, device: DeviceKey) -> Standing:
        return self.announcer.standing_for(device)

    @property
    def sent_bytes(self) -> int:
        return sum(self.sent_to.values())

    @property
    def received_bytes(self) -> int:
        return sum(self.received_from.values())

    def sent(self, device: DeviceKey, count: int) -> None:
        self.sent_to[device] = self.sent_to.get(device, 0) + count

    def received(self, device: DeviceKey, count: int) -> None:
        self.received_from[device] = self.received_from.get(device, 0) + count

    def found_at_home(self, count: int) -> None:
        self.home_bytes += count

    def opened(
        self, link: Link, tag: bytes, sealed: bytes, answer: bool
    ) -> PageArrived | FolderNamedOtherwise | StrangerRefused | None:
        """Open a sealed page that arrived over `link`. Return it, or why it was refused; None if
        the folder is stopped, or holds no epoch with this tag. answer: whether the page answers
        index_since; else it is news."""
        epoch = self.epochs.keys(tag)
        if self.stopped is not None or self.paused or epoch is None:
            return None
        device = link.device
        try:
            page = pages.open_sealed(sealed, epoch, device=device, folder=self.id)
        except pages.OtherFolder as other:
            return FolderNamedOtherwise(device, self.id, other.named, other.life)
        except Refused as refused:
            return StrangerRefused(device, refused.refusal, refused.detail)
        return PageArrived(link, page, answer)

    @property
    def stopped_why(self) -> str:
        """The sentence that a user reads; "" while the folder runs."""
        return "" if self.stopped is None else self.stopped.why

    @property
    def paused_why(self) -> str:
        """The sentence that a user reads; "" while the folder is not paused."""
        return WHY_PAUSED if self.paused else ""

    @property
    def held_why(self) -> str:
        """The sentence that a user reads; "" while the folder is not held."""
        return WHY_HELD if self.hold.holds else ""

    def begin(self, now: float) -> Outputs:
        """The folder begins: clear what an earlier life left half done, then start everything else.
        In one that is held no old version of the trash ends before its user's yes."""
        self.differences.start()
        out = self.problems.start()
        out += self.applier.clear()
        out += self.keeping.start()
        out += self.guard.start()
        out += self.scheduler.start(now)
        return out if self.hold.holds else out + self.trash.start(now)

    def on_hold_ended(self, now: float) -> Outputs:
        """The user said yes to the plan: what was held back goes on. What is here is announced when
        the fact is committed."""
        return [*self.trash.start(now), *self.applier.go_on(now)]

    def within(self, decide: Callable[[], Outputs]) -> Outputs:
        """Return what machines of this folder decide. If its index fails meanwhile, return only
        that the folder stops: those decisions are void, and the machines' memory is ahead of the
        disk."""
        try:
            return decide()
        except IndexFailed as failed:
            if failed.file != str(self.store.file):
                raise
            return [FolderStopped(self.id, Stop(StopCause.INDEX, str(failed)))]

    def tune(self, limits: Limits, patience_s: float) -> None:
        """From now on these hold. What waits already is not told: it is tried again by itself."""
        self.index_client.tune(limits)
        self.scheduler.tune(patience_s)

    def stop(self, stop: Stop) -> Outputs:
        """From now on nothing is scanned, applied, announced or received (I11). Decisions made so
        far are committed, because running jobs were made from them. Nothing is committed later."""
        self.stopped = stop
        self.scheduler.stopped = self.applier.stopped = True
        self.index_client.on_folder_stopped()
        if stop.cause is StopCause.INDEX:
            self.store.give_up()
        else:
            with suppress(IndexFailed):
                self.store.commit()
        return [*self.trash.stop(stop.why), self.tell_stop()]

    def pause(self) -> Outputs:
        """From now on nothing of the folder is told, asked or given. What happens in the share is
        recorded as ever."""
        self.paused = self.announcer.paused = True
        out: Outputs = []
        for device in sorted(self.members):
            self.announcer.on_device_lost(device)
            self.first_reading.on_device_lost(device)
            self.acknowledged.on_device_lost(device)
            out += self.index_client.on_device_lost(device)
        return out

    def resume(self) -> None:
        """The folder goes on. Who is in it is greeted anew, and what was recorded is announced when
        the fact is committed."""
        self.paused = self.announcer.paused = False

    def tell_stop(self) -> Tell:
        assert self.stopped is not None
        fields: dict[str, Scalar] = {"folder": self.id, "path": ""}
        fields |= {"problem": self.stopped.cause.name, "text": self.stopped.why}
        return Tell(EventKind.PROBLEM, fields)

    def tell_begun(self) -> list[Tell]:
        """The folder begins, stopped before or new. Of a new one nobody was told that it was
        stopped."""
        if not self._goes_on:
            return []
        fields: dict[str, Scalar] = {"folder": self.id, "path": ""}
        fields |= {"problem": "SOLVED", "text": "the folder goes on"}
        return [Tell(EventKind.PROBLEM, fields)]

    def goes_on_after(self, before: Folder) -> None:
        """Take over the counters and the memory of the stopped folder that this one replaces."""
        assert before.stopped is not None
        self._goes_on = before.stopped.cause is not StopCause.OPENING
        self.sent_to, self.received_from = before.sent_to, before.received_from
        self.home_bytes = before.home_bytes
        self.scheduler.counts = before.scheduler.counts
        self.index_client.gaps = before.index_client.gaps
        self.trash.size = before.trash.size
        self.index_view.goes_on_after(before.index_view)
        self.applier.goes_on_after(before.applier)

    @property
    def state(self) -> FolderState:
        if self.stopped is not None:
            return FolderState.STOPPED
        if self.paused:
            return FolderState.PAUSED
        if self.hold.holds:
            return FolderState.HELD
        if not self.scheduler.walks.first_done:
            return FolderState.SCANNING
        if not (self._done and self.index_client.settled):
            return FolderState.SYNCING
        return FolderState.IDLE if self.index_client.heard else FolderState.ALONE

    @property
    def at_rest(self) -> bool:
        """IDLE, as far as we know. A device that only claims to be a member is not waited for."""
        if self.stopped is not None or self.paused or not self.scheduler.walks.first_done:
            return False
        return self._done and self.index_client.settled_with_heard

    @property
    def _done(self) -> bool:
        at_rest = self.scheduler.idle and self.applier.idle and not self.guard.busy
        at_rest = at_rest and self.keeping.idle and not self.differences.busy
        return at_rest and self.announcer.settled

    def deadline(self, now: float) -> float | None:
        if self.stopped is not None:
            return None
        times = (
            self.scheduler.deadline(),
            self.applier.deadline(now),
            self.index_client.deadline(now),
            self.keeping.deadline(now),
            self.guard.deadline(),
            self.trash.deadline(),
            self.acknowledged.deadline(),
            self.letting_go.deadline(now),
            self.differences.deadline(now),
            self.wal_truncation.deadline(),
            self.bit_rot.deadline(),
        )
        return min((time for time in times if time is not None), default=None)


def _understands(peers: Peers, capability: Capability, device: DeviceKey) -> bool:
    return peers.link_for(capability, device) is not None
