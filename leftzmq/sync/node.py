"""The hub: routes each fact to its machine, and what a machine decided on to the next one.

It decides nothing: a handler here that decides something belongs into a machine. Pure, so that
the simulation drives the same routing as the agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from leftzmq.errors import LeftError
from leftzmq.sync.actions import Action, Answer, Publish, Tell
from leftzmq.sync.applier import Applier
from leftzmq.sync.barrier import Barrier
from leftzmq.sync.conflicts import Conflicts
from leftzmq.sync.desk import Desk
from leftzmq.sync.downloader import Downloader
from leftzmq.sync.facts import (
    Asked,
    ChunksArrived,
    CookieSeen,
    DialFailed,
    Fact,
    FileHeldUp,
    FileLeft,
    FileNotWanted,
    FileStaged,
    FileWanted,
    FolderStopped,
    FoundDeletedBytes,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PageArrived,
    PathsCleared,
    PathsReconsidered,
    PathsSettled,
    PathsTouched,
    PeerConnected,
    PeerGreeted,
    PeerLost,
    RescanWanted,
    Started,
    StrangerRefused,
    Subscribed,
    TimePassed,
    WalkEnded,
    WatchLost,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import (
    Applied,
    ChunksKept,
    ChunksRead,
    ChunksWritten,
    CookieDropped,
    CopiesListed,
    CopyResolved,
    DeletesCounted,
    Discarded,
    Flushed,
    HomeSearched,
    JobBroke,
    ListsExpanded,
    ListsOpened,
    Looked,
    PageRead,
    RoomSeen,
    SliceCut,
    SmallStaged,
    StagingCleared,
    StagingOpened,
    TrashListed,
    TrashRestored,
    TrashSwept,
    UnacknowledgedCounted,
    VersionsRead,
    Walked,
)
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.listener import Listener
from leftzmq.sync.peers import Peers
from leftzmq.sync.status import status
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import FolderHello, Get, Have, IndexSince

HEARTBEAT_PERIOD_S: Final = 10.0
SUBSCRIBED_PAUSE_S: Final = 0.1
"""A new subscriber hears the heads at once; many at once hear them together."""

Outputs = list[Action | Fact]


class Node:
    """All machines of one agent."""

    def __init__(
        self,
        folders: Mapping[str, Folder],
        peers: Peers,
        about: Mapping[str, Any],
    ) -> None:
        self.folders, self.peers, self._about = folders, peers, about
        self.downloader = Downloader(
            folders, peers.bulk_link, peers.control_link, _number_of_this_life(folders)
        )
        self.listener = Listener(
            self._folder_of, {f.id: f.tag for f in folders.values()}, self._count_sent
        )
        self.barrier = Barrier(folders, peers.connected)
        devices = [(peer.key, peer.name) for peer in peers.by_key.values()]
        devices += [(folder.device, about["name"]) for folder in folders.values()]
        self.conflicts = Conflicts(devices)
        self.desk = Desk(folders, self.conflicts)
        self._next_heartbeat = 0.0
        self._stirred: list[Applier | Downloader] = []

    def handle(self, fact: Fact, now: float, wall_ns: int) -> list[Action]:
        """Everything that follows from a fact. now: monotonic seconds; wall_ns: unix time."""
        facts: deque[Fact] = deque((fact,))
        actions: list[Action] = []
        for folder in self.folders.values():
            folder.guard.now_is(wall_ns)
        while facts or self._stirred:
            outputs = self._route(facts.popleft(), now, wall_ns) if facts else self._settle(now)
            for output in outputs:
                if isinstance(output, Action):
                    actions.append(output)
                else:
                    facts.append(output)
        # One transaction a fact, ended before any action: a job finds what it was made from.
        for folder in self.folders.values():
            actions += folder.replica.committed()
        return actions

    def _settle(self, now: float) -> Outputs:
        """Let a machine that was given many facts in a row go on once, after the last of them."""
        return self._stirred.pop(0).go_on(now)

    def _stir(self, machine: Applier | Downloader) -> None:
        if machine not in self._stirred:
            self._stirred.append(machine)

    def deadline(self, now: float) -> float:
        """When TimePassed is due at the latest (monotonic)."""
        times = [self._next_heartbeat, self.downloader.deadline(now), self.barrier.deadline()]
        times += [folder.deadline(now) for folder in self.folders.values()]
        return min(time for time in times if time is not None)

    # -- routing ---------------------------------------------------------------------------------

    def _route(self, fact: Fact, now: float, wall_ns: int) -> Outputs:
        match fact:
            case TimePassed():
                return self._tick(now)
            case Started():
                return self._start(now)
            case MessageArrived() | LinkOpened() | LinkClosed() | DialFailed():
                return self._link(fact, now)
            case ChunksArrived():
                return self.downloader.chunks(fact, now)
            case PeerGreeted() | PeerConnected() | PeerLost():
                return self._peer(fact, now)
            case StrangerRefused():
                return self.peers.refused(fact)
            case Subscribed():
                self._next_heartbeat = min(self._next_heartbeat, now + SUBSCRIBED_PAUSE_S)
                return []
            case Asked():
                return self._asked(fact, now)
            case JobBroke():
                raise LeftError(f"a mistake of ours in {type(fact.job).__name__}: {fact.why}")
            case CookieDropped():
                return self.barrier.dropped(fact, now)
            case CookieSeen():
                return self.barrier.seen(fact, now)
            case UnacknowledgedCounted():
                return self.barrier.counted(fact, now)
            case ChunksRead():
                return self.listener.read(fact)
            case FileWanted() | FileNotWanted() | StagingOpened() | ChunksKept():
                return self._bytes(fact, now)
            case ListsExpanded() | HomeSearched():
                return self._bytes(fact, now)
            case ChunksWritten() | SmallStaged() | ListsOpened():
                return self._bytes(fact, now)
            case CopiesListed():
                return self.conflicts.listed(fact)
            case VersionsRead():
                return self.conflicts.read(fact)
            case CopyResolved():
                return self.conflicts.resolved(fact)
            case _:
                return self._of_folder(fact, now, wall_ns)

    def _of_folder(self, fact: Any, now: float, wall_ns: int) -> Outputs:
        """What concerns one folder goes to its settler, replica or applier."""
        id = fact.page.folder if isinstance(fact, PageArrived) else fact.folder
        folder = self.folders[id]
        settler, replica, applier = folder.settler, folder.replica, folder.applier
        match fact:
            case PathsTouched():
                return settler.touched(fact, now)
            case WatchLost():
                return settler.lost(fact, now)
            case Walked():
                return settler.walked(fact, now)
            case Looked():
                return settler.looked(fact, now) + applier.go_on(now)
            case SliceCut():
                return settler.slice_cut(fact, now)
            case RescanWanted():
                return settler.rescan(fact, now)
            case PathsSettled():
                cleared, out = folder.guard.settled(fact, now)
                return (self._of_folder(cleared, now, wall_ns) if cleared else []) + out
            case PathsCleared():
                return replica.settled_paths(fact, wall_ns) + folder.guard.cleared()
            case DeletesCounted():
                return folder.guard.counted(fact)
            case Flushed():
                return replica.was_flushed(fact)
            case PageRead():
                return replica.page_read(fact)
            case PageArrived():
                return folder.hearing.page(fact, now)
            case PathsReconsidered():
                return applier.reconsider(fact, now)
            case FoundDeletedBytes():
                return applier.found_deleted(fact, now)
            case FileStaged():
                self._stir(applier)
                return applier.staged(fact, now)
            case FileLeft():
                return applier.left(fact)
            case FileHeldUp():
                return applier.held_up(fact, now)
            case Discarded():
                return applier.discarded(fact)
            case StagingCleared():
                return applier.staging_cleared(fact, now)
            case WalkEnded():
                self.barrier.walk_ended(fact)
                return folder.guard.walk_ended(fact, now) + applier.walk_ended(fact, now)
            case Applied():
                return applier.applied(fact, now) + settler.go_on(now)
            case RoomSeen():
                return applier.room_seen(fact, now)
            case TrashSwept():
                return folder.trash.swept(fact)
            case TrashListed():
                return folder.trash.listed(fact)
            case TrashRestored():
                return folder.trash.restored(fact)
            case FolderStopped():
                folder.stop(fact.why)
                return [Tell(EventKind.PROBLEM, {"folder": id, "path": "", "text": fact.why})]
        raise AssertionError(f"a fact without a machine: {type(fact).__name__}")

    def _link(
        self, fact: MessageArrived | LinkOpened | LinkClosed | DialFailed, now: float
    ) -> Outputs:
        device = fact.device if isinstance(fact, DialFailed) else fact.link.device
        if device not in self.peers.by_key:
            return []  # removed while it was on its way
        match fact:
            case LinkOpened():
                return self.peers.opened(fact)
            case LinkClosed():
                return self.peers.closed(fact)
            case DialFailed():
                return self.peers.dial_failed(fact)
        match fact.message:
            case Get() as get:
                return self.listener.asked(fact.link, get)
            case IndexSince() as ask:
                id = self._folder_of(device, ask.tag)
                return self.folders[id].replica.asked_index(fact) if id else []
            case Have() as have:
                id = self._folder_of(device, have.tag)
                return self.downloader.told(device, id, have, now) if id else []
        return self.peers.message(fact)

    def _peer(self, fact: PeerGreeted | PeerConnected | PeerLost, now: float) -> Outputs:
        out: Outputs = []
        match fact:
            case PeerConnected():
                return self.downloader.connected(fact, now)
            case PeerGreeted():
                for hello in fact.folders:
                    if self.folders[hello.id].stopped_why:
                        continue
                    out += self.folders[hello.id].hearing.greeted(fact, hello, now)
            case PeerLost():
                self.listener.lost(fact.device)
                for folder in self.folders.values():
                    folder.replica.lost(fact.device)
                    out += folder.hearing.lost(fact.device)
                out += self.downloader.lost(fact, now)
        return out

    def _bytes(self, fact: Any, now: float) -> Outputs:
        """What concerns bytes on their way goes to the downloader."""
        downloader = self.downloader
        match fact:
            case FileWanted():
                self._stir(downloader)
                return downloader.wanted(fact, now)
            case FileNotWanted():
                return downloader.not_wanted(fact, now)
            case ListsExpanded():
                return downloader.lists_expanded(fact, now)
            case HomeSearched():
                return downloader.home_searched(fact, now)
            case StagingOpened():
                return downloader.staging_opened(fact, now)
            case ChunksKept():
                return downloader.chunks_kept(fact, now)
            case ChunksWritten():
                return downloader.chunks_written(fact, now)
            case SmallStaged():
                return downloader.small_staged(fact, now)
            case ListsOpened():
                return downloader.lists_opened(fact, now)
        raise AssertionError(f"a fact without a machine: {type(fact).__name__}")

    # -- the agent as a whole ---------------------------------------------------------------------

    def _start(self, now: float) -> Outputs:
        self._next_heartbeat = now + HEARTBEAT_PERIOD_S
        out: Outputs = [Tell(EventKind.READY, {})]
        for folder in self.folders.values():
            if folder.stopped_why:
                continue
            out += folder.applier.leftings.clear()
            out += folder.guard.start()
            out += folder.settler.start(now)
            out += folder.trash.start(now)
        return out

    def _tick(self, now: float) -> Outputs:
        out: Outputs = []
        for folder in self.folders.values():
            out += folder.settler.tick(now)
            out += folder.hearing.tick(now)
            out += folder.applier.tick(now)
            if not folder.stopped_why:
                out += folder.guard.tick(now) + folder.trash.tick(now)
        out += self.downloader.tick(now)
        out += self.barrier.tick(now)
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_PERIOD_S
            out += self.heartbeats()
        return out

    def heartbeats(self) -> list[Publish]:
        return [f.replica.heartbeat() for f in self.folders.values() if not f.stopped_why]

    def _asked(self, fact: Asked, now: float) -> Outputs:
        match fact.verb:
            case "wait":
                return self.barrier.asked(fact, now)
            case "status":
                return [Answer(fact.asker, self.status())]
        answers = self.desk.asked(fact, now)
        if answers is not None:
            return answers
        return [Answer(fact.asker, {"error": f"this agent does not know the question {fact.verb}"})]

    def status(self) -> dict[str, Any]:
        return status(
            self._about["name"],
            self._about["key"],
            self._about["keyless"],
            self.peers,
            self.folders.values(),
            self.downloader,
        )

    def _folder_of(self, device: DeviceKey, tag: bytes) -> str | None:
        """The folder of a tag, if that device said hello with it."""
        for folder in self.folders.values():
            if folder.tag == tag and device in folder.hearing.members:
                return folder.id
        return None

    def _count_sent(self, folder: str, count: int) -> None:
        self.folders[folder].sent_bytes += count

    def hellos(self, device: DeviceKey) -> list[FolderHello]:
        """What a hello to this device says of our folders; one that stopped is not offered."""
        return [
            folder.replica.hello_for(device)
            for folder in self.folders.values()
            if not folder.stopped_why
        ]


def _number_of_this_life(folders: Mapping[str, Folder]) -> int:
    """What the random part of a life says; 0 where no folder began one."""
    lives = (folder.store.heads.life for folder in folders.values() if not folder.stopped_why)
    life = next(lives, None)
    return 0 if life is None else int.from_bytes(life[-4:])
