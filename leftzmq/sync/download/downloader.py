"""Turns tickets into get messages, and responses into whole `.lefting` files: from which device,
how much, in which order.

Knows which device to ask for what next; one downloader per agent. Must not know what a version is
worth (the announcer decides that) or how bytes are written (jobs do that).

Small files go before large ones: many of them travel in one frame, and one job stages them. Every
request is answered once. If its device disconnects, lies or stays silent, the request moves to
another device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from leftzmq.bandwidth.throttle import Throttle
from leftzmq.bandwidth.timetable import OFF
from leftzmq.bandwidth.token_bucket import SLICE_S
from leftzmq.content.lists import MAX_LIST_BYTES
from leftzmq.content.seal import MAC_BYTES
from leftzmq.errors import Refusal, counted
from leftzmq.sync.actions import Drop, Outputs, Send
from leftzmq.sync.download.availability import Availability
from leftzmq.sync.download.chunk_picker import Asking, ChunkPicker
from leftzmq.sync.download.flow_control import FlowControl
from leftzmq.sync.download.folder_view import FolderView
from leftzmq.sync.download.large_files import LargeFiles
from leftzmq.sync.download.requests import (
    GETS_AT_ONCE,
    LARGE_GETS_AT_ONCE,
    RETRY_S,
    SILENT_S,
    Request,
    Requests,
)
from leftzmq.sync.download.responses import Responses
from leftzmq.sync.download.small_files import SmallFiles
from leftzmq.sync.download.transfer import Transfer
from leftzmq.sync.facts import (
    ChunksArrived,
    EpochBegan,
    FileNotWanted,
    FileWanted,
    HoldersChanged,
    PeerConnected,
    PeerLost,
)
from leftzmq.sync.jobs import (
    ChunksKept,
    ChunksWritten,
    HomeSearched,
    Lane,
    ListsExpanded,
    ListsOpened,
    Sampled,
    SmallStaged,
    StagingOpened,
)
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry
from leftzmq.wire.messages import Ask, Chunks, Get, Giving, Have, Want

STALE_REST_S: Final = 1.0
"""After a device answered that it seals nothing any more under the tag that we named, and we know
of no other tag: what it tells about that is on its way, over another socket."""
OPEN_S: Final = 0.8
"""Long enough for a round trip by satellite."""
SMALL_ROOM_BYTES: Final = 1 << 20
"""Requests for small files may exceed the credit by this much, so they never wait for the bytes of
a large file."""


class Fetching(Struct, frozen=True):
    """A file that is fetched, or waits for that. have, size: bytes. rates: of the devices that were
    asked for it and have not answered, bytes a second."""

    have: int
    size: int
    rates: Mapping[DeviceKey, float]
    is_begun: bool


class Downloader:
    """One per agent. bulk_link, have_links: return the link for gets and the links for haves to a
    device. throttle: the limits of what comes. number: the number of the first get, minus one
    (sync/download/requests).

    `_held`: the devices that are not asked for more because of a limit, and in which lane there is
        something to ask for
    """

    def __init__(
        self,
        folders: Mapping[str, FolderView],
        bulk_link: Callable[[DeviceKey], Link | None],
        have_links: Callable[[DeviceKey], tuple[Link, ...]],
        throttle: Throttle,
        number: int = 0,
    ) -> None:
        self._folders, self._throttle = folders, throttle
        self._held: dict[DeviceKey, Lane] = {}
        self._ticked = 0.0
        self._resting: set[DeviceKey] = set()  # for STALE_REST_S
        self._requests = Requests(bulk_link, throttle, number)
        self._availability = Availability(folders, have_links)
        self.small = SmallFiles(folders)
        self.large = LargeFiles(folders, self._availability, lambda: len(self._requests.credits))
        self._chunk_picker = ChunkPicker(folders, self.large.all)
        self._responses = Responses(
            folders, self._requests, self._chunk_picker, self.small, self.large
        )

    # -- questions -----------------------------------------------------------------------------

    def deadline(self, now: float) -> float | None:
        times = [self._requests.silent_at()]
        if self._resting:
            times.append(self._ticked + RETRY_S)
        if self.small.waits or self.large.waits:
            times.append(self._ticked + RETRY_S)  # for what the last tick could do nothing about
        told = self._availability.deadline(self.large.all())
        if told is not None:
            times.append(told)
        # Who gives nothing says when it gives something again.
        times += [
            self._throttle.ready_at(device, lane is Lane.SMALL, now)
            for device, lane in self._held.items()
            if self._requests.given.get(device) != OFF
        ]
        return min(times)

    def given_by(self, device: DeviceKey) -> int | None:
        """Return how much a device says that it gives us, bytes a second; None: it named no
        limit."""
        return self._requests.given.get(device)

    def limited_by(self, folder: str) -> list[DeviceKey]:
        """Return the devices that would be asked for more of this folder if there were no limit,
        ours or theirs."""
        return [
            device
            for device in {**self._held, **self._requests.given}
            if self.small.has_for(device, folder) or self._chunk_picker.has_for(device, folder)
        ]

    def fetching(self, folder: str, path: str) -> Fetching | None:
        """Return how far the file at `path` is; None: it is not fetched."""
        transfer = self.large.transfer_of(folder, path)
        if transfer is not None:
            return Fetching(transfer.have_bytes, transfer.entry.size, self.sources(transfer), True)
        entry = self.small.wanted(folder, path)
        if entry is None:
            return None
        rates = self._requests.sources_of_small(folder, path)
        return Fetching(0, entry.size, rates, bool(rates))

    def is_off(self, device: DeviceKey) -> bool:
        """Return whether a limit lets nothing come from the device now, ours or its own."""
        return OFF in (self._throttle.rate(device), self.given_by(device))

    def rate_bytes_s(self) -> float:
        return self._requests.rate_bytes_s()

    def under_way(self) -> list[Transfer]:
        return self.large.all()

    def sources(self, transfer: Transfer) -> dict[DeviceKey, float]:
        """Return the devices that send us this file now, each with its rate in bytes a second."""
        return self._requests.sources(transfer)

    # -- facts ---------------------------------------------------------------------------------

    def on_file_wanted(self, fact: FileWanted, now: float) -> Outputs:
        if fact.entry.depth == 0:
            self.small.want(fact.folder, fact.entry, fact.home)
        else:
            self.large.want(fact.folder, fact.entry, fact.previous, fact.kept)
        return []

    def on_file_not_wanted(self, fact: FileNotWanted, now: float) -> Outputs:
        self.small.not_wanted(fact.folder, fact.path)
        return self.large.not_wanted(fact.folder, fact.path)

    def on_holders_changed(self, fact: HoldersChanged, now: float) -> Outputs:
        self.small.on_holders_changed(fact.folder, fact.path)
        self.large.on_holders_changed(fact.folder, fact.path)
        return []

    def on_peer_connected(self, fact: PeerConnected, now: float) -> Outputs:
        for pending in self._requests.forget_device(
            fact.device
        ):  # what was requested over an older connection
            self._responses.request_again(pending, pending.left)
        self._requests.connected(fact.device, fact.max_credit)
        return self.go_on(now)

    def on_requests_lost(self, device: DeviceKey, now: float) -> Outputs:
        """The device may never answer what it was asked so far: request that from any device
        again."""
        for pending in self._requests.given_up(device):
            self._responses.request_again(pending, pending.left)
        return self.go_on(now)

    def on_peer_lost(self, fact: PeerLost, now: float) -> Outputs:
        self._availability.forget_device(fact.device)
        self._held.pop(fact.device, None)
        self._requests.gives(fact.device, None)
        self.small.forget_device(fact.device)
        self.large.forget_device(fact.device)
        for transfer in self.large.all():
            transfer.rarest_first.forget_device(fact.device)
        for pending in self._requests.forget_device(fact.device):
            self._responses.request_again(pending, pending.left)
        return self.go_on(now)

    def on_have(self, device: DeviceKey, folder: str, have: Have, now: float) -> Outputs:
        """A device that downloads a file announces which rows of it it has."""
        rows = self._availability.have_came(device, folder, have)
        for transfer in self.large.all():
            if (transfer.folder, transfer.entry.content) == (folder, have.content):
                if rows is None:
                    transfer.rarest_first.forget_device(device)
                else:
                    transfer.rarest_first.have_came(device, rows)
        return self._go_on_with(device, now)

    def on_giving(self, device: DeviceKey, giving: Giving, now: float) -> Outputs:
        """A device said how much it gives us a second."""
        self._requests.gives(device, giving.rate if giving.limited else None)
        if giving.limited and giving.rate == OFF:
            # It answers none of what it was asked for. That is no silence.
            return self.on_requests_lost(device, now)
        return self._go_on_with(device, now)

    def on_folder_stopped(self, folder: str) -> None:
        """The folder is stopped: forget all of its files, requests and announcements. A response
        that still arrives counts as unrequested."""
        self.small.forget_folder(folder)
        self.large.forget_folder(folder)
        self._availability.forget_folder(folder)
        self._requests.forget_folder(folder)

    def begun(self, number: int) -> None:
        """A folder was opened anew. `number` is the one of a start; it counts only if none was set
        before."""
        self._requests.number_from(number)

    def not_written(self, device: DeviceKey | None, count: int) -> None:
        """A device sent `count` bytes that are not written, because their folder is stopped."""
        if device is not None:
            self._requests.written(device, count)

    def on_chunks_arrived(self, fact: ChunksArrived, now: float) -> Outputs:
        """(A part of) a response arrived: hand its body to a job that opens, checks and writes
        it."""
        device, header = fact.link.device, fact.header
        pending = self._requests.request_of(device, header.number)
        if pending is None:
            # Another device was asked meanwhile.
            self._requests.late(device, sum(part.length for part in header.parts), now)
            return []
        folder = self._folders[pending.folder]
        came = [part.id for part in header.parts]
        is_stale = header.tag != pending.tag
        if (is_stale and came) or any(id not in pending.left for id in (*came, *header.missing)):
            return [Drop(device, Refusal.UNASKED, f"chunks for get {header.number}")]
        if is_stale:
            return self._ask_in_another_epoch(device, header, pending, now)
        out = self._responses.hand_over(fact, pending)
        self._responses.missing(pending, header.missing, now)
        self._requests.answered(header.number, pending, came, header.missing, now)
        folder.received(device, sum(part.length + MAC_BYTES for part in header.parts))
        if header.missing:
            return out + self.go_on(now)  # another device may have them
        return out + self._go_on_with(device, now)

    def _ask_in_another_epoch(
        self, device: DeviceKey, header: Chunks, pending: Request, now: float
    ) -> Outputs:
        """The device seals nothing any more under the tag that the get named. It may well have what
        it was asked for."""
        self._responses.request_again(pending, header.missing)
        self._requests.answered(header.number, pending, [], header.missing, now)
        if self._folders[pending.folder].tag == pending.tag:
            self._requests.rest(device, now + STALE_REST_S)
            self._resting.add(device)
        return self.go_on(now)

    def on_epoch_began(self, fact: EpochBegan, now: float) -> Outputs:
        """Another epoch of a folder is known: those that waited for it can be asked."""
        for device in self._resting:
            self._requests.rest(device, now)
        self._resting.clear()
        return self.go_on(now)

    def on_staging_opened(self, fact: StagingOpened, now: float) -> Outputs:
        return self.large.on_staging_opened(fact, now) + self.go_on(now)

    def on_chunks_kept(self, fact: ChunksKept, now: float) -> Outputs:
        return self.large.on_chunks_kept(fact, now) + self.go_on(now)

    def on_home_searched(self, fact: HomeSearched, now: float) -> Outputs:
        return self.large.on_home_searched(fact, now) + self.go_on(now)

    def on_chunks_written(self, fact: ChunksWritten, now: float) -> Outputs:
        self._requests.written(fact.device, fact.body_bytes)
        out = self.large.on_chunks_written(fact, now)
        if fact.bad:
            detail = f"{counted(len(fact.bad), 'chunk')} of {fact.entry.path}"
            out.append(Drop(fact.device, Refusal.WRONG_ID, detail))
            return out + self.go_on(now)
        return out + self._go_on_with(fact.device, now)

    def on_small_staged(self, fact: SmallStaged, now: float) -> Outputs:
        if fact.device is not None:
            self._requests.written(fact.device, fact.body_bytes)
        out = self.small.on_small_staged(fact, now)
        if fact.bad and fact.device is not None:
            detail = f"{counted(len(fact.bad), 'file')}, {fact.bad[0].path} among them"
            out.append(Drop(fact.device, Refusal.WRONG_ID, detail))
        return out + self.go_on(now)

    def on_sampled(self, fact: Sampled, now: float) -> Outputs:
        return self.large.on_sampled(fact, now) + self.go_on(now)

    def on_lists_opened(self, fact: ListsOpened, now: float) -> Outputs:
        store = self._folders[fact.folder].store
        for id, rows in fact.lists:
            store.put_list(id, rows)
        out = self.large.on_lists_opened(fact, now)
        if fact.bad:
            out.append(Drop(fact.device, Refusal.WRONG_ID, "a list of chunks"))
        return out + self.go_on(now)

    def on_lists_expanded(self, fact: ListsExpanded, now: float) -> Outputs:
        return self.large.on_lists_expanded(fact, now) + self.go_on(now)

    def on_time_passed(self, now: float) -> Outputs:
        self._ticked = now
        self._resting.clear()
        self.small.expire(now)
        for pending in self._requests.silent(now, self._responses.others):
            self._responses.not_sent(pending, pending.left, now + SILENT_S, pending.heard)
            self._responses.request_again(pending, pending.left)
        not_given = self.small.not_given(now) + self.large.not_given(now)
        return not_given + self.go_on(now)

    # -- requests ---------------------------------------------------------------------------------

    def go_on(self, now: float) -> Outputs:
        """Start what needs no request. Then send each device as many requests as its credit
        allows."""
        out = self._begin(now)
        for device, flow in self._requests.credits.items():
            out += self._ask_all(device, flow, now)
        return out

    def _go_on_with(self, device: DeviceKey, now: float) -> Outputs:
        """Do the same for one device, after a fact that changes nothing for the others: this device
        has more chunks or more free credit. (A swarm has many such facts, and many devices.)"""
        if self._chunk_picker.ends():
            return self.go_on(now)  # time decides who is slow with the last rows of a file
        out = self._begin(now)
        flow = self._requests.credits.get(device)
        return out + self._ask_all(device, flow, now) if flow is not None else out

    def _begin(self, now: float) -> Outputs:
        out = self.small.from_home() + self.large.start()
        return out + self._availability.announcements(self.large.all(), now)

    def _ask_all(self, device: DeviceKey, flow: FlowControl, now: float) -> Outputs:
        """Return the gets that the device's credit and the limits allow."""
        self._held.pop(device, None)
        out: Outputs = []
        while now >= flow.rests_until and flow.gets < GETS_AT_ONCE:
            get = self._next_get(device, flow, now)
            if get is None:
                break
            out.append(get)
        return out

    def _next_get(self, device: DeviceKey, flow: FlowControl, now: float) -> Send | None:
        if not self._throttle.lets(device, True, now) or self._requests.given.get(device) == OFF:
            self._hold(device, Lane.SMALL)
            return None
        for folder, entries in self._next_small(device, flow.room + SMALL_ROOM_BYTES):
            pending = Request(device, folder, {})
            for entry in entries:
                content = bytes(entry.content)
                pending.left[content] = entry.size
                pending.files.setdefault(content, []).append(entry)
            wants = [Want(id, [Ask(id, 0, size)]) for id, size in pending.left.items()]
            return self._send(pending, [], wants, now)
        if flow.gets >= LARGE_GETS_AT_ONCE or not flow.bears_more:
            return None
        if not self._throttle.lets(device, False, now):
            self._hold(device, Lane.BULK)
            return None
        if self._has_enough_open(device, False):
            return None
        most = self._slice_bytes(device)
        most = flow.ask_bytes if most is None else min(most, flow.ask_bytes)
        for asking in self._chunk_picker.next_for(device, flow.room, most, now):
            return self._ask(device, asking, now)
        for transfer in self._chunk_picker.ends():
            again = self._chunk_picker.again_for(
                device, transfer, self._requests.slow(transfer, now)
            )
            if again is not None:
                return self._ask(device, again, now)
        return None

    def _next_small(self, device: DeviceKey, room: int) -> Iterator[tuple[str, list[Entry]]]:
        """Yield small files to request, of at most `room` bytes, or less where there is a limit."""
        most = self._slice_bytes(device)
        if most is None:
            return self.small.next_for(device, room)
        if self._has_enough_open(device, True):
            return iter(())
        return self.small.newest_for(device, room, most)

    def _slice_bytes(self, device: DeviceKey) -> int | None:
        """Return how much is asked for at once because of a limit, ours or that of the device;
        None: there is none."""
        ours, given = self._throttle.slice_bytes(device), self._requests.given.get(device)
        both = (ours, None if given is None else int(given * SLICE_S))
        return min((each for each in both if each is not None), default=None)

    def _has_enough_open(self, device: DeviceKey, is_small: bool) -> bool:
        """Whether a device that has a limit was asked for as much as it gives in OPEN_S. What is
        asked for beyond that stands in its queue, and an edit would come behind it."""
        given = self._requests.given.get(device)
        if given is None:
            return False
        return self._requests.open_bytes(device, is_small) > given * (OPEN_S - SLICE_S)

    def _hold(self, device: DeviceKey, lane: Lane) -> None:
        """A limit is in the way of asking the device. Remember that if there is something to ask
        for: then it goes on as soon as the limit allows it."""
        if lane is Lane.SMALL and self.small.has_for(device):
            self._held[device] = lane
        elif self._chunk_picker.has_for(device):
            self._held[device] = Lane.BULK

    def _ask(self, device: DeviceKey, asking: Asking, now: float) -> Send | None:
        transfer = asking.transfer
        pending = Request(device, transfer.folder, {}, transfer=transfer)
        pending.left = dict.fromkeys(asking.lists, MAX_LIST_BYTES)
        asks = [transfer.ask_of(row) for row in asking.rows]
        for ask, row in zip(asks, asking.rows, strict=True):
            pending.left[ask.id], pending.rows[ask.id] = ask.length, row
        wants = [Want(bytes(transfer.entry.content), asks)] if asks else []
        return self._send(pending, list(asking.lists), wants, now)

    def _send(
        self, pending: Request, lists: list[bytes], wants: list[Want], now: float
    ) -> Send | None:
        get = Get(0, self._folders[pending.folder].tag, lists, wants)
        send = self._requests.send(pending, get, now)
        if send is None:
            self._responses.request_again(pending, pending.left)
        return send
