"""Routes the messages of other devices, and their connects and disconnects.

Knows which machine each message is for. Must not know what a message asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from msgspec import Struct

from leftzmq.sync.actions import Outputs
from leftzmq.sync.admin.health.reports import Reports
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.facts import (
    BulkRestored,
    ChunksArrived,
    ConnectionsGone,
    DeviceDropped,
    DialFailed,
    EpochBegan,
    EpochKeyArrived,
    FolderNamedOtherwise,
    LinkClosed,
    LinkOpened,
    MemberExcluded,
    MessageArrived,
    ModesChanged,
    OurAddressesFound,
    PageArrived,
    PeerConnected,
    PeerForgot,
    PeerGreeted,
    PeerLeft,
    PeerListed,
    PeerLost,
    PeerRemoved,
    PeerUnlisted,
    RosterArrived,
    RosterGrew,
    StrangerRefused,
    Subscribed,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.heartbeat import Heartbeat
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.routes.table import Handler, OfLink, Routes
from leftzmq.sync.upload.listener import Listener
from leftzmq.sync.upload.rate_told import GivingTold
from leftzmq.wire.messages import (
    Bye,
    Done,
    EpochWanted,
    Get,
    Giving,
    Have,
    Hello,
    IndexSince,
    Open,
    Reading,
    Refusing,
    Report,
    Welcome,
)

_S = TypeVar("_S", bound=OfLink)


class DeviceRoutes(Struct, frozen=True):
    """folder_of: returns the folder of a tag, if that device said hello with it. unix_ns: returns
    our wall clock."""

    folders: Mapping[str, Folder]
    peers: Peers
    downloader: Downloader
    listener: Listener
    rosters: RosterExchange
    heartbeat: Heartbeat
    giving_told: GivingTold
    reports: Reports
    folder_of: Callable[[DeviceKey, bytes], str | None]
    unix_ns: Callable[[], int]

    def enter(self, routes: Routes) -> None:
        to, to_linked, peers = routes.to, routes.to_linked, self.peers
        to_linked(LinkOpened, peers.on_link_opened)
        to_linked(LinkClosed, peers.on_link_closed)
        to_linked(MessageArrived, self._on_message_arrived)
        to_linked(ChunksArrived, self.downloader.on_chunks_arrived)
        to_linked(RosterArrived, self._heard(self.rosters.on_roster_arrived))
        to_linked(EpochKeyArrived, self._heard(self.rosters.on_epoch_key_arrived))
        to(EpochBegan, self._on_epoch_began)
        to(RosterGrew, self.rosters.on_roster_grew)
        to(OurAddressesFound, self.rosters.on_our_addresses_found)
        routes.to_folder(ModesChanged, lambda folder: folder.on_modes_changed)
        to(MemberExcluded, self._on_member_excluded)
        to(DeviceDropped, peers.on_device_dropped)
        to(PeerListed, peers.on_peer_listed)
        to(PeerUnlisted, peers.on_peer_unlisted)
        to(PeerRemoved, self._on_peer_removed)
        to(BulkRestored, self._on_bulk_restored)
        to(PageArrived, self._on_page_arrived)
        to(DialFailed, peers.on_dial_failed)
        to(ConnectionsGone, peers.on_connections_gone)
        to(StrangerRefused, peers.on_stranger_refused)
        to(FolderNamedOtherwise, peers.on_folder_named_otherwise)
        to(PeerLeft, self._on_peer_left)
        to(Subscribed, lambda fact, now: self.heartbeat.on_subscribed(now))
        to(PeerForgot, self._on_peer_forgot)
        to(PeerGreeted, self._on_peer_greeted)
        to(PeerConnected, self.downloader.on_peer_connected)
        to(PeerLost, self._on_peer_lost)

    def _heard(self, handler: Handler[_S]) -> Handler[_S]:
        """Let the device greet us first, if it has not."""
        return lambda fact, now: [*self.peers.overheard(fact.link, now), *handler(fact, now)]

    def _on_message_arrived(self, fact: MessageArrived, now: float) -> Outputs:
        device = fact.link.device
        match fact.message:
            case Hello() | Welcome() | Refusing() | Bye() | Open():
                return self.peers.on_message_arrived(fact, now)
            case Get() as get:
                id = self.folder_of(device, get.tag)
                mended = self.rosters.mended(id, get.tag, device, None, now) if id else []
                return [*mended, *self.listener.on_get(fact.link, get, now)]
        return self._heard(self._on_said)(fact, now)

    def _on_said(self, fact: MessageArrived, now: float) -> Outputs:
        """A device that greeted us says or asks something over control."""
        device = fact.link.device
        match fact.message:
            case IndexSince() as ask:
                id = self.folder_of(device, ask.tag)
                if id is None:
                    return []
                asked = partial(self.folders[id].announcer.on_index_since, fact, now)
                mended = self.rosters.mended(id, ask.tag, device, fact.link, now)
                return [*mended, *self.folders[id].within(asked)]
            case EpochWanted() as wanted:
                return self.rosters.on_epoch_wanted(device, wanted)
            case Have() as have:
                id = self.folder_of(device, have.tag)
                return self.downloader.on_have(device, id, have, now) if id else []
            case Giving() as giving:
                return self.downloader.on_giving(device, giving, now)
            case Report() as report:
                return self.peers.on_report(device, report, now, self.unix_ns())
            case Reading() as reading:
                id = self.folder_of(device, reading.tag)
                return self.folders[id].first_reading.on_reading(device, reading) if id else []
            case Done() as done:
                id = self.folder_of(device, done.tag)
                return self._on_done(self.folders[id], device, done, now) if id else []
        return []

    def _on_done(self, folder: Folder, device: DeviceKey, done: Done, now: float) -> Outputs:
        """What waited for this word goes on."""
        out = folder.acknowledged.on_done(device, done)
        return [*out, *folder.within(partial(folder.letting_go.go_on, now))]

    def _on_page_arrived(self, fact: PageArrived, now: float) -> Outputs:
        folder = self.folders[fact.page.folder]
        out = self.peers.overheard(fact.link, now)
        if folder.stopped is not None:
            return out

        def arrives() -> Outputs:
            taken = folder.index_client.on_page_arrived(fact, now)
            return [*taken, *folder.letting_go.go_on(now)]  # which may wait for this page

        return [*out, *folder.within(arrives)]

    @property
    def _running(self) -> list[Folder]:
        return [folder for folder in self.folders.values() if folder.stopped is None]

    def _on_member_excluded(self, fact: MemberExcluded, now: float) -> Outputs:
        self.listener.on_member_excluded(fact.device, fact.folder)
        out = self.peers.on_member_excluded(fact, now)
        # At once, not by a fact: an epoch begins with the removal, and then all are asked again.
        out += self._on_peer_left(PeerLeft(fact.device, (fact.folder,)), now)
        folder = self.folders[fact.folder]
        if folder.stopped is None:
            out += folder.within(partial(folder.index_client.on_member_excluded, fact, now))
        return out

    def _on_epoch_began(self, fact: EpochBegan, now: float) -> Outputs:
        out = self.listener.on_epoch_began(fact, now)
        folder = self.folders[fact.folder]
        if folder.stopped is None:
            out += folder.within(partial(folder.announcer.on_epoch_began, fact, now))
            out += folder.within(partial(folder.index_client.on_epoch_began, fact, now))
        self.heartbeat.on_epoch_began(fact, now)
        return out + self.downloader.on_epoch_began(fact, now)

    def _on_peer_greeted(self, fact: PeerGreeted, now: float) -> Outputs:
        out = self.rosters.on_peer_greeted(fact, now)
        for standing in fact.folders:
            folder = self.folders.get(standing.folder)
            if folder is not None and folder.stopped is None and not folder.paused:
                out += folder.within(
                    partial(folder.index_client.on_peer_greeted, fact, now, standing)
                )
                out += folder.first_reading.on_peer_greeted(fact.link.device, standing.life)
                folder.acknowledged.on_peer_greeted(fact.link.device, standing.life)
        out += self.giving_told.on_peer_greeted(fact.link.device)
        return out + self.reports.on_peer_greeted(fact.link.device)

    def _on_peer_lost(self, fact: PeerLost, now: float) -> Outputs:
        self.listener.on_device_lost(fact.device)
        self.giving_told.on_device_lost(fact.device)
        out: Outputs = []
        for folder in self._running:
            folder.announcer.on_device_lost(fact.device)
            folder.first_reading.on_device_lost(fact.device)
            folder.acknowledged.on_device_lost(fact.device)
            out += folder.within(partial(folder.index_client.on_device_lost, fact.device))
        return out + self.downloader.on_peer_lost(fact, now)

    def _on_peer_removed(self, fact: PeerRemoved, now: float) -> Outputs:
        out = self._on_peer_lost(PeerLost(fact.device), now)
        for folder in self._running:
            out += folder.within(partial(folder.index_client.on_peer_removed, fact, now))
        return out + self.peers.on_peer_removed(fact, now)

    def _on_peer_left(self, fact: PeerLeft, now: float) -> Outputs:
        out: Outputs = []
        for id in fact.folders:
            folder = self.folders.get(id)
            if folder is not None and folder.stopped is None:
                folder.announcer.on_device_lost(fact.device)
                folder.first_reading.on_device_lost(fact.device)
                folder.acknowledged.on_device_lost(fact.device)
                out += folder.within(partial(folder.index_client.on_device_lost, fact.device))
        return out

    def _on_bulk_restored(self, fact: BulkRestored, now: float) -> Outputs:
        known = fact.device in self.peers.by_key
        return self.downloader.on_requests_lost(fact.device, now) if known else []

    def _on_peer_forgot(self, fact: PeerForgot, now: float) -> Outputs:
        for folder in self._running:
            folder.index_client.on_requests_lost(fact.device)
        return self.downloader.on_requests_lost(fact.device, now)
