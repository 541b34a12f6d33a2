"""Where what comes of other devices goes, and how they come and go.

Knows which machine each message is for. Must not know what a message asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.facts import (
    BulkRestored,
    ChunksArrived,
    DeviceDropped,
    DialFailed,
    FolderNamedOtherwise,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PageArrived,
    PeerConnected,
    PeerForgot,
    PeerGreeted,
    PeerLeft,
    PeerLost,
    StrangerRefused,
    Subscribed,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.heartbeat import Heartbeat
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.routes.table import Outputs, Routes
from leftzmq.sync.upload.listener import Listener
from leftzmq.wire.messages import Get, Have, IndexSince


@dataclass(frozen=True, slots=True)
class DeviceRoutes:
    """folder_of: the folder of a tag, if that device said hello with it."""

    folders: Mapping[str, Folder]
    peers: Peers
    downloader: Downloader
    listener: Listener
    heartbeat: Heartbeat
    folder_of: Callable[[DeviceKey, bytes], str | None]

    def enter(self, routes: Routes) -> None:
        to, to_linked, peers = routes.to, routes.to_linked, self.peers
        to_linked(LinkOpened, lambda fact, now: peers.opened(fact))
        to_linked(LinkClosed, peers.closed)
        to_linked(MessageArrived, self._message)
        to_linked(ChunksArrived, self.downloader.chunks)
        to(DeviceDropped, peers.dropped)
        to(BulkRestored, self._restored)
        to(PageArrived, self._page)
        to(DialFailed, lambda fact, now: peers.dial_failed(fact))
        to(StrangerRefused, peers.refused)
        to(FolderNamedOtherwise, lambda fact, now: peers.named_otherwise(fact))
        to(PeerLeft, self._left)
        to(Subscribed, lambda fact, now: self.heartbeat.subscribed(now))
        to(PeerForgot, self._forgot)
        to(PeerGreeted, self._greeted)
        to(PeerConnected, self.downloader.connected)
        to(PeerLost, self._lost)

    def _message(self, fact: MessageArrived, now: float) -> Outputs:
        device = fact.link.device
        match fact.message:
            case Get() as get:
                return self.listener.asked(fact.link, get)
            case IndexSince() as ask:
                if not_greeted := self.peers.overheard(fact.link, now):
                    return not_greeted
                id = self.folder_of(device, ask.tag)
                if id is None:
                    return []
                asked = partial(self.folders[id].replica.asked_index, fact)
                return self.folders[id].within(asked)
            case Have() as have:
                id = self.folder_of(device, have.tag)
                return self.downloader.told(device, id, have, now) if id else []
        return self.peers.message(fact, now)

    def _page(self, fact: PageArrived, now: float) -> Outputs:
        folder = self.folders[fact.page.folder]
        out = self.peers.overheard(fact.link, now)
        if folder.stopped is not None:
            return out
        return [*out, *folder.within(lambda: folder.hearing.page(fact, now))]

    @property
    def _running(self) -> list[Folder]:
        return [folder for folder in self.folders.values() if folder.stopped is None]

    def _greeted(self, fact: PeerGreeted, now: float) -> Outputs:
        out: Outputs = []
        for standing in fact.folders:
            folder = self.folders[standing.folder]
            if folder.stopped is None:
                out += folder.within(partial(folder.hearing.greeted, fact, standing, now))
        return out

    def _lost(self, fact: PeerLost, now: float) -> Outputs:
        self.listener.lost(fact.device)
        out: Outputs = []
        for folder in self._running:
            folder.replica.lost(fact.device)
            out += folder.within(partial(folder.hearing.lost, fact.device))
        return out + self.downloader.lost(fact, now)

    def _left(self, fact: PeerLeft, now: float) -> Outputs:
        out: Outputs = []
        for id in fact.folders:
            folder = self.folders[id]
            if folder.stopped is None:
                folder.replica.lost(fact.device)
                out += folder.within(partial(folder.hearing.lost, fact.device))
        return out

    def _restored(self, fact: BulkRestored, now: float) -> Outputs:
        known = fact.device in self.peers.by_key
        return self.downloader.asks_lost(fact.device, now) if known else []

    def _forgot(self, fact: PeerForgot, now: float) -> Outputs:
        for folder in self._running:
            folder.hearing.asks_lost(fact.device)
        return self.downloader.asks_lost(fact.device, now)
