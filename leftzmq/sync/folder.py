"""One folder's machines, wired together: the one page that shows who knows whom."""

from __future__ import annotations

from enum import Enum

from leftzmq.content.keys import FolderKeys
from leftzmq.errors import Refused
from leftzmq.index.store import Store
from leftzmq.sync.actions import Action, Tell
from leftzmq.sync.applier import Applier
from leftzmq.sync.claims import Claims
from leftzmq.sync.facts import Fact, FolderStopped, PageArrived, StrangerRefused
from leftzmq.sync.guard import Guard
from leftzmq.sync.hearing import Hearing
from leftzmq.sync.indexes import Indexes
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.peers import Peers
from leftzmq.sync.problems import Problems
from leftzmq.sync.replica import Replica
from leftzmq.sync.settler import Settler
from leftzmq.sync.trash import TrashKeeper
from leftzmq.sync.versions import Versions
from leftzmq.tree.entry import Entry
from leftzmq.wire import page as pages
from leftzmq.wire.local import EventKind


class FolderState(Enum):
    """What `status` says of a folder."""

    SCANNING = "scanning"
    SYNCING = "syncing"
    IDLE = "idle"
    STOPPED = "stopped"


class Folder:
    """settler -> replica, hearing -> applier, over the two indexes; and what `status` counts."""

    def __init__(
        self,
        id: str,
        keys: FolderKeys,
        device: DeviceKey,
        store: Store,
        peers: Peers,
    ) -> None:
        self.id, self.keys, self.device, self.store = id, keys, device, store
        self.tag: bytes = keys.tag
        self.claims, self.problems = Claims(), Problems(id)
        self.indexes = Indexes(store)
        versions = Versions(self.indexes)
        self.replica = Replica(
            id, self.tag, device, self.indexes, versions, self.claims, peers.news_links
        )
        self.hearing = Hearing(id, self.tag, self.indexes, peers, self.problems)
        self.settler = Settler(
            id,
            store,
            keys,
            self.claims,
            self.problems,
            may_look=lambda: not self.applier.leftings.clearing,
        )
        self.guard = Guard(
            id,
            self.indexes,
            versions,
            self.claims,
            self.problems,
            quiet=lambda: self.settler.read_all,
            walks=lambda: self.settler.walks.whole_to_come,
            settled=lambda: self.hearing.settled,
            considered=lambda: self.applier.considered,
        )
        self.applier = Applier(
            id, self.indexes, versions, self.replica, self.guard, self.claims, self.problems
        )
        self.trash = TrashKeeper(id, store)
        self.stopped_why = ""
        self.sent_bytes = 0
        self.received_bytes = 0

    @property
    def members(self) -> set[DeviceKey]:
        return self.hearing.members

    def holders(self, entry: Entry) -> list[DeviceKey]:
        return self.hearing.holders(entry)

    def received(self, count: int) -> None:
        self.received_bytes += count

    def opened(
        self, link: Link, sealed: bytes, answer: bool
    ) -> PageArrived | StrangerRefused | None:
        """The page in a box that came over `link`, or why it was refused; a stopped folder hears
        nothing. answer: to index_since; False: news."""
        if self.stopped_why:
            return None
        device = link.device
        try:
            page = pages.open_sealed(sealed, self.keys, device=device, folder=self.id)
        except Refused as refused:
            return StrangerRefused(device, refused.refusal, refused.detail)
        return PageArrived(link, page, answer)

    def stopped(self, fact: FolderStopped) -> list[Action | Fact]:
        self.stop(fact.why)
        return [Tell(EventKind.PROBLEM, {"folder": self.id, "path": "", "text": fact.why})]

    def stop(self, why: str) -> None:
        """The share is not the one we know: nothing is scanned or applied any more (I11)."""
        self.stopped_why = why
        self.settler.stopped = self.applier.stopped = True

    @property
    def state(self) -> FolderState:
        if self.stopped_why:
            return FolderState.STOPPED
        if not self.settler.walks.first_done:
            return FolderState.SCANNING
        at_rest = self.settler.idle and self.applier.idle and not self.guard.busy
        quiet = at_rest and self.replica.settled and self.hearing.settled
        return FolderState.IDLE if quiet else FolderState.SYNCING

    def deadline(self, now: float) -> float | None:
        times = (
            self.settler.deadline(),
            self.applier.deadline(now),
            self.hearing.deadline(now),
            None if self.stopped_why else self.guard.deadline(),
            None if self.stopped_why else self.trash.deadline(),
        )
        return min((time for time in times if time is not None), default=None)
