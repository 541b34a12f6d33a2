"""The hub: routes each fact to its machine, and what a machine decided on to the next one.

It decides nothing: a handler here that decides something belongs into a machine. Pure, so that
the simulation drives the same routing as the agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from leftzmq.errors import LeftError
from leftzmq.sync.actions import Action, Answer, Tell
from leftzmq.sync.applier import Applier
from leftzmq.sync.barrier import Barrier
from leftzmq.sync.conflicts import Conflicts
from leftzmq.sync.desk import Desk
from leftzmq.sync.downloader import Downloader
from leftzmq.sync.facts import (
    Asked,
    BulkRestored,
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
    PeerForgot,
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
from leftzmq.sync.heartbeat import Heartbeat
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
from leftzmq.sync.routes import Outputs, Routes
from leftzmq.sync.status import status
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import FolderHello, Get, Have, IndexSince


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
        self._heartbeat = Heartbeat(folders)
        self._stirred: list[Applier | Downloader] = []
        self._wall_ns = 0
        self._routes = self._route(Routes(folders, peers.by_key))

    def handle(self, fact: Fact, now: float, wall_ns: int) -> list[Action]:
        """Everything that follows from a fact. now: monotonic seconds; wall_ns: unix time."""
        self._wall_ns = wall_ns
        facts: deque[Fact] = deque((fact,))
        actions: list[Action] = []
        for folder in self.folders.values():
            folder.guard.now_is(wall_ns)
        while facts or self._stirred:
            outputs = self._routes.follow(facts.popleft(), now) if facts else self._settle(now)
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
        times = [self._heartbeat.deadline(), self.downloader.deadline(now), self.barrier.deadline()]
        times += [folder.deadline(now) for folder in self.folders.values()]
        return min(time for time in times if time is not None)

    # -- routing ---------------------------------------------------------------------------------

    def _route(self, routes: Routes) -> Routes:
        to = routes.to
        to(Started, lambda fact, now: self._start(now))
        to(TimePassed, lambda fact, now: self._tick(now))
        to(JobBroke, _broke)
        self._route_devices(routes)
        self._route_share(routes)
        self._route_bytes(routes)
        self._route_tickets(routes)
        self._route_questions(routes)
        return routes

    def _route_devices(self, routes: Routes) -> None:
        """What came of other devices, and how they come and go."""
        to, to_linked, peers = routes.to, routes.to_linked, self.peers
        to_linked(LinkOpened, lambda fact, now: peers.opened(fact))
        to_linked(LinkClosed, lambda fact, now: peers.closed(fact))
        to_linked(MessageArrived, self._message)
        to_linked(ChunksArrived, self.downloader.chunks)
        to(BulkRestored, self._restored)
        to(PageArrived, lambda fact, now: self.folders[fact.page.folder].hearing.page(fact, now))
        to(DialFailed, lambda fact, now: peers.dial_failed(fact))
        to(StrangerRefused, lambda fact, now: peers.refused(fact))
        to(Subscribed, lambda fact, now: self._heartbeat.subscribed(now))
        to(PeerForgot, self._forgot)
        to(PeerGreeted, self._greeted)
        to(PeerConnected, self.downloader.connected)
        to(PeerLost, self._lost)

    def _route_share(self, routes: Routes) -> None:
        """What the settler finds, and the replica tells."""
        to = routes.to_folder
        to(PathsTouched, lambda folder, fact, now: folder.settler.touched(fact, now))
        to(WatchLost, lambda folder, fact, now: folder.settler.lost(fact, now))
        to(RescanWanted, lambda folder, fact, now: folder.settler.rescan(fact, now))
        to(Walked, lambda folder, fact, now: folder.settler.walked(fact, now))
        to(Looked, self._looked)
        to(SliceCut, lambda folder, fact, now: folder.settler.slice_cut(fact, now))
        to(WalkEnded, self._walk_ended)
        to(PathsSettled, self._settled)
        to(PathsCleared, self._cleared)
        to(DeletesCounted, lambda folder, fact, now: folder.guard.counted(fact))
        to(Flushed, lambda folder, fact, now: folder.replica.was_flushed(fact))
        to(PageRead, lambda folder, fact, now: folder.replica.page_read(fact))
        to(FolderStopped, lambda folder, fact, now: folder.stopped(fact))

    def _route_bytes(self, routes: Routes) -> None:
        """What the downloader wants, and the listener gives."""
        to, downloader = routes.to, self.downloader
        to(FileWanted, self._wanted)
        to(FileNotWanted, downloader.not_wanted)
        to(ListsExpanded, downloader.lists_expanded)
        to(HomeSearched, downloader.home_searched)
        to(StagingOpened, downloader.staging_opened)
        to(ChunksKept, downloader.chunks_kept)
        to(ChunksWritten, downloader.chunks_written)
        to(SmallStaged, downloader.small_staged)
        to(ListsOpened, downloader.lists_opened)
        to(ChunksRead, lambda fact, now: self.listener.read(fact))

    def _route_tickets(self, routes: Routes) -> None:
        """What the applier makes of them."""
        to = routes.to_folder
        to(PathsReconsidered, lambda folder, fact, now: folder.applier.reconsider(fact, now))
        to(FoundDeletedBytes, lambda folder, fact, now: folder.applier.found_deleted(fact, now))
        to(FileStaged, self._staged)
        to(FileLeft, lambda folder, fact, now: folder.applier.left(fact))
        to(FileHeldUp, lambda folder, fact, now: folder.applier.held_up(fact, now))
        to(Applied, self._applied)
        to(RoomSeen, lambda folder, fact, now: folder.applier.room_seen(fact, now))
        to(Discarded, lambda folder, fact, now: folder.applier.discarded(fact, now))
        to(StagingCleared, self._staging_cleared)

    def _route_questions(self, routes: Routes) -> None:
        """What the command line asks: barrier, trash and conflicts."""
        to, to_folder, barrier, conflicts = (
            routes.to,
            routes.to_folder,
            self.barrier,
            self.conflicts,
        )
        to(Asked, self._asked)
        to(CookieDropped, barrier.dropped)
        to(CookieSeen, barrier.seen)
        to(UnacknowledgedCounted, barrier.counted)
        to(CopiesListed, lambda fact, now: conflicts.listed(fact))
        to(VersionsRead, lambda fact, now: conflicts.read(fact))
        to(CopyResolved, lambda fact, now: conflicts.resolved(fact))
        to_folder(TrashSwept, lambda folder, fact, now: folder.trash.swept(fact))
        to_folder(TrashListed, lambda folder, fact, now: folder.trash.listed(fact))
        to_folder(TrashRestored, lambda folder, fact, now: folder.trash.restored(fact))

    # -- facts of more than one machine ----------------------------------------------------------

    def _message(self, fact: MessageArrived, now: float) -> Outputs:
        device = fact.link.device
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

    def _greeted(self, fact: PeerGreeted, now: float) -> Outputs:
        out: Outputs = []
        for hello in fact.folders:
            if not self.folders[hello.id].stopped_why:
                out += self.folders[hello.id].hearing.greeted(fact, hello, now)
        return out

    def _lost(self, fact: PeerLost, now: float) -> Outputs:
        self.listener.lost(fact.device)
        out: Outputs = []
        for folder in self.folders.values():
            folder.replica.lost(fact.device)
            out += folder.hearing.lost(fact.device)
        return out + self.downloader.lost(fact, now)

    def _restored(self, fact: BulkRestored, now: float) -> Outputs:
        known = fact.device in self.peers.by_key
        return self.downloader.asks_lost(fact.device, now) if known else []

    def _forgot(self, fact: PeerForgot, now: float) -> Outputs:
        for folder in self.folders.values():
            folder.hearing.asks_lost(fact.device)
        return self.downloader.asks_lost(fact.device, now)

    def _looked(self, folder: Folder, fact: Looked, now: float) -> Outputs:
        return folder.settler.looked(fact, now) + folder.applier.go_on(now)

    def _applied(self, folder: Folder, fact: Applied, now: float) -> Outputs:
        return folder.applier.applied(fact, now) + folder.settler.go_on(now)

    def _staging_cleared(self, folder: Folder, fact: StagingCleared, now: float) -> Outputs:
        return folder.applier.staging_cleared(fact, now) + folder.settler.go_on(now)

    def _walk_ended(self, folder: Folder, fact: WalkEnded, now: float) -> Outputs:
        self.barrier.walk_ended(fact)
        return folder.guard.walk_ended(fact, now) + folder.applier.walk_ended(fact, now)

    def _settled(self, folder: Folder, fact: PathsSettled, now: float) -> Outputs:
        cleared, out = folder.guard.settled(fact, now)
        return (self._cleared(folder, cleared, now) if cleared else []) + out

    def _cleared(self, folder: Folder, fact: PathsCleared, now: float) -> Outputs:
        return folder.replica.settled_paths(fact, self._wall_ns) + folder.guard.cleared()

    def _wanted(self, fact: FileWanted, now: float) -> Outputs:
        self._stir(self.downloader)
        return self.downloader.wanted(fact, now)

    def _staged(self, folder: Folder, fact: FileStaged, now: float) -> Outputs:
        self._stir(folder.applier)
        return folder.applier.staged(fact, now)

    # -- the agent as a whole ---------------------------------------------------------------------

    def _start(self, now: float) -> Outputs:
        self._heartbeat.start(now)
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
        return out + self._heartbeat.tick(now)

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


def _broke(fact: JobBroke, now: float) -> Outputs:
    raise LeftError(f"a mistake of ours in {type(fact.job).__name__}: {fact.why}")
