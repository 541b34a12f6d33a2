"""Tickets into gets, and answers into whole `.lefting` files: from whom, how much, in which order.

One downloader an agent. Knows who is to be asked for what next. Must not know what a version is
worth (the replica said so) or how bytes are written (jobs do).

Small files go before large ones: many of them travel in one frame and are staged by one job.
Every ask is answered once, or goes elsewhere when its device dies, lies or stays silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from leftzmq.content.lists import MAX_LIST_BYTES
from leftzmq.content.seal import MAC_BYTES
from leftzmq.errors import Refusal, counted
from leftzmq.sync.actions import Action, Drop, Send
from leftzmq.sync.download.availability import Haves
from leftzmq.sync.download.chunk_picker import Asking, Wants
from leftzmq.sync.download.flow_control import Credit
from leftzmq.sync.download.folder_view import FolderView
from leftzmq.sync.download.large_files import LargeFiles
from leftzmq.sync.download.requests import (
    GETS_AT_ONCE,
    LARGE_GETS_AT_ONCE,
    RETRY_S,
    SILENT_S,
    Asks,
    Pending,
)
from leftzmq.sync.download.responses import Answers
from leftzmq.sync.download.small_files import SmallFiles
from leftzmq.sync.download.transfer import Arriving
from leftzmq.sync.facts import (
    ChunksArrived,
    Fact,
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
    ListsExpanded,
    ListsOpened,
    Sampled,
    SmallStaged,
    StagingOpened,
)
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.wire.messages import Ask, Get, Have, Want

SMALL_ROOM_BYTES: Final = 1 << 20
"""Small files may be asked for beyond the credit: they never wait for the bytes of a large one."""


class Downloader:
    """Of the agent. bulk_link, control_link: where to send a device gets, and haves. number: of the
    first get, less one (sync/download/requests)."""

    def __init__(
        self,
        folders: Mapping[str, FolderView],
        bulk_link: Callable[[DeviceKey], Link | None],
        control_link: Callable[[DeviceKey], Link | None],
        number: int = 0,
    ) -> None:
        self._folders = folders
        self._ticked = 0.0
        self._asks = Asks(bulk_link, number)
        self._haves = Haves(folders, control_link)
        self.small = SmallFiles(folders)
        self.large = LargeFiles(folders, self._haves, lambda: len(self._asks.credits))
        self._wants = Wants(folders, self.large.all)
        self._answers = Answers(folders, self._asks, self._wants, self.small, self.large)

    # -- questions -----------------------------------------------------------------------------

    def deadline(self, now: float) -> float | None:
        times = [self._asks.silent_at()]
        if self.small.waits or self.large.waits:
            times.append(self._ticked + RETRY_S)  # for what the last tick could do nothing about
        told = self._haves.deadline(self.large.all())
        if told is not None:
            times.append(told)
        return min(times)

    def rate_bytes_s(self) -> float:
        return self._asks.rate_bytes_s()

    def under_way(self) -> list[Arriving]:
        return self.large.all()

    def sources(self, arriving: Arriving) -> dict[DeviceKey, float]:
        """Who gives us this file now, and how many bytes a second come from there."""
        return self._asks.sources(arriving)

    # -- facts ---------------------------------------------------------------------------------

    def wanted(self, fact: FileWanted, now: float) -> list[Action | Fact]:
        if fact.entry.depth == 0:
            self.small.want(fact.folder, fact.entry, fact.home)
        else:
            self.large.want(fact.folder, fact.entry, fact.previous, fact.kept)
        return []

    def not_wanted(self, fact: FileNotWanted, now: float) -> list[Action | Fact]:
        self.small.forget(fact.folder, fact.path)
        return self.large.forget(fact.folder, fact.path)

    def holders_changed(self, fact: HoldersChanged, now: float) -> list[Action | Fact]:
        self.small.holders_changed(fact.folder, fact.path)
        self.large.holders_changed(fact.folder, fact.path)
        return []

    def connected(self, fact: PeerConnected, now: float) -> list[Action | Fact]:
        for pending in self._asks.lost(fact.device):  # what was asked over an older connection
            self._answers.put_back(pending, pending.left)
        self._asks.connected(fact.device, fact.max_credit)
        return self.go_on(now)

    def asks_lost(self, device: DeviceKey, now: float) -> list[Action | Fact]:
        """What this device was asked until now it may never answer."""
        for pending in self._asks.given_up(device):
            self._answers.put_back(pending, pending.left)
        return self.go_on(now)

    def lost(self, fact: PeerLost, now: float) -> list[Action | Fact]:
        self._haves.lost(fact.device)
        self.small.lost(fact.device)
        self.large.lost(fact.device)
        for arriving in self.large.all():
            arriving.spread.lost(fact.device)
        for pending in self._asks.lost(fact.device):
            self._answers.put_back(pending, pending.left)
        return self.go_on(now)

    def told(self, device: DeviceKey, folder: str, have: Have, now: float) -> list[Action | Fact]:
        """A device that downloads a file says what it has of it."""
        rows = self._haves.heard(device, folder, have)
        for arriving in self.large.all():
            if (arriving.folder, arriving.entry.content) == (folder, have.content):
                if rows is None:
                    arriving.spread.lost(device)
                else:
                    arriving.spread.heard(device, rows)
        return self._go_on_with(device, now)

    def stopped(self, folder: str) -> None:
        """The folder is stopped: nothing of it is wanted, asked for or told any more. What still
        comes of it was asked for by nobody."""
        self.small.stopped(folder)
        self.large.stopped(folder)
        self._haves.stopped(folder)
        self._asks.stopped(folder)

    def begun(self, number: int) -> None:
        """A folder was opened anew; `number` as at a start, if nothing began one then."""
        self._asks.number_from(number)

    def let_go(self, device: DeviceKey | None, count: int) -> None:
        """So many bytes that a device gave are not written, for their folder is stopped."""
        if device is not None:
            self._asks.let_go(device, count)

    def chunks(self, fact: ChunksArrived, now: float) -> list[Action | Fact]:
        """(A part of) an answer: hand the body to a job that opens, checks and writes it."""
        device, header = fact.link.device, fact.header
        pending = self._asks.of(device, header.number)
        if pending is None:
            self._asks.late(device, now)  # it was asked elsewhere meanwhile
            return []
        folder = self._folders[pending.folder]
        came = [part.id for part in header.parts]
        if header.tag != folder.tag or any(
            id not in pending.left for id in (*came, *header.missing)
        ):
            return [Drop(device, Refusal.UNASKED, f"chunks for get {header.number}")]
        out = self._answers.hand_over(fact, pending)
        self._answers.missing(pending, header.missing, now)
        self._asks.answered(header.number, pending, came, header.missing, now)
        folder.received(sum(part.length + MAC_BYTES for part in header.parts))
        if header.missing:
            return out + self.go_on(now)  # somebody else may have them
        return out + self._go_on_with(device, now)

    def staging_opened(self, fact: StagingOpened, now: float) -> list[Action | Fact]:
        return self.large.opened(fact) + self.go_on(now)

    def chunks_kept(self, fact: ChunksKept, now: float) -> list[Action | Fact]:
        return self.large.kept(fact, now) + self.go_on(now)

    def home_searched(self, fact: HomeSearched, now: float) -> list[Action | Fact]:
        return self.large.home_searched(fact, now) + self.go_on(now)

    def chunks_written(self, fact: ChunksWritten, now: float) -> list[Action | Fact]:
        self._asks.let_go(fact.device, fact.body_bytes)
        out = self.large.written(fact, now)
        if fact.bad:
            detail = f"{counted(len(fact.bad), 'chunk')} of {fact.entry.path}"
            out.append(Drop(fact.device, Refusal.WRONG_ID, detail))
            return out + self.go_on(now)
        return out + self._go_on_with(fact.device, now)

    def small_staged(self, fact: SmallStaged, now: float) -> list[Action | Fact]:
        if fact.device is not None:
            self._asks.let_go(fact.device, fact.body_bytes)
        out = self.small.staged(fact)
        if fact.bad and fact.device is not None:
            detail = f"{counted(len(fact.bad), 'file')}, {fact.bad[0].path} among them"
            out.append(Drop(fact.device, Refusal.WRONG_ID, detail))
        return out + self.go_on(now)

    def sampled(self, fact: Sampled, now: float) -> list[Action | Fact]:
        return self.large.sampled(fact) + self.go_on(now)

    def lists_opened(self, fact: ListsOpened, now: float) -> list[Action | Fact]:
        store = self._folders[fact.folder].store
        for id, rows in fact.lists:
            store.put_list(id, rows)
        out = self.large.lists_came(fact)
        if fact.bad:
            out.append(Drop(fact.device, Refusal.WRONG_ID, "a list of chunks"))
        return out + self.go_on(now)

    def lists_expanded(self, fact: ListsExpanded, now: float) -> list[Action | Fact]:
        return self.large.expanded(fact) + self.go_on(now)

    def tick(self, now: float) -> list[Action | Fact]:
        self._ticked = now
        self.small.expire(now)
        for pending in self._asks.silent(now, self._answers.others):
            self._answers.lacks(pending, pending.left, now + SILENT_S, pending.heard)
            self._answers.put_back(pending, pending.left)
        not_given = self.small.not_given(now) + self.large.not_given(now)
        return not_given + self.go_on(now)

    # -- asking -----------------------------------------------------------------------------------

    def go_on(self, now: float) -> list[Action | Fact]:
        """Start what needs no asking; then ask every device as much as it bears."""
        out = self._begin(now)
        for device, credit in self._asks.credits.items():
            out += self._ask_all(device, credit, now)
        return out

    def _go_on_with(self, device: DeviceKey, now: float) -> list[Action | Fact]:
        """The same, after what leaves the others nothing new to be asked: this device has more
        chunks, or bears more questions. (A swarm has many such facts, and many devices.)"""
        if self._wants.ends():
            return self.go_on(now)  # who is slow with the last of a file is a matter of time
        out = self._begin(now)
        credit = self._asks.credits.get(device)
        return out + self._ask_all(device, credit, now) if credit is not None else out

    def _begin(self, now: float) -> list[Action | Fact]:
        out = self.small.from_home() + self.large.start()
        return out + self._haves.tell(self.large.all(), now)

    def _ask_all(self, device: DeviceKey, credit: Credit, now: float) -> list[Action | Fact]:
        """The gets that it bears."""
        out: list[Action | Fact] = []
        while now >= credit.rests_until and credit.gets < GETS_AT_ONCE:
            get = self._next_get(device, credit, now)
            if get is None:
                break
            out.append(get)
        return out

    def _next_get(self, device: DeviceKey, credit: Credit, now: float) -> Send | None:
        for folder, entries in self.small.next_for(device, credit.room + SMALL_ROOM_BYTES):
            pending = Pending(device, folder, {})
            for entry in entries:
                content = bytes(entry.content)
                pending.left[content] = entry.size
                pending.files.setdefault(content, []).append(entry)
            wants = [Want(id, [Ask(id, 0, size)]) for id, size in pending.left.items()]
            return self._send(pending, [], wants, now)
        if credit.gets >= LARGE_GETS_AT_ONCE or not credit.bears_more:
            return None
        for asking in self._wants.next_for(device, credit.room, credit.ask_bytes, now):
            return self._ask(device, asking, now)
        for arriving in self._wants.ends():
            again = self._wants.again_for(device, arriving, self._asks.slow(arriving, now))
            if again is not None:
                return self._ask(device, again, now)
        return None

    def _ask(self, device: DeviceKey, asking: Asking, now: float) -> Send | None:
        arriving = asking.arriving
        pending = Pending(device, arriving.folder, {}, arriving=arriving)
        pending.left = dict.fromkeys(asking.lists, MAX_LIST_BYTES)
        asks = [arriving.ask_of(row) for row in asking.rows]
        for ask, row in zip(asks, asking.rows, strict=True):
            pending.left[ask.id], pending.rows[ask.id] = ask.length, row
        wants = [Want(bytes(arriving.entry.content), asks)] if asks else []
        return self._send(pending, list(asking.lists), wants, now)

    def _send(
        self, pending: Pending, lists: list[bytes], wants: list[Want], now: float
    ) -> Send | None:
        get = Get(0, self._folders[pending.folder].tag, lists, wants)
        send = self._asks.send(pending, get, now)
        if send is None:
            self._answers.put_back(pending, pending.left)
        return send
