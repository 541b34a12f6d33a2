"""Tickets into gets, and answers into whole `.lefting` files: from whom, how much, in which order.

One downloader an agent. Knows holders and credit. Must not know what a version is worth (the
replica said so) or how bytes are written (jobs do).

Small files go before large ones: many of them travel in one frame and are staged by one job.
Every ask is answered once, or goes elsewhere when its device dies, lies or stays silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from leftzmq.content.lists import MAX_LIST_BYTES
from leftzmq.content.seal import MAC_BYTES
from leftzmq.errors import Refusal
from leftzmq.index.store import Store
from leftzmq.sync.actions import Action, Drop, Send, Work
from leftzmq.sync.arriving import Arriving
from leftzmq.sync.credit import Credit
from leftzmq.sync.facts import (
    ChunksArrived,
    Fact,
    FileNotWanted,
    FileWanted,
    PeerConnected,
    PeerLost,
)
from leftzmq.sync.jobs import (
    ChunksKept,
    ChunksWritten,
    ListsOpened,
    OpenLists,
    Piece,
    SmallStaged,
    StageSmall,
    StagingOpened,
    WriteChunks,
)
from leftzmq.sync.large import LargeFiles
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.small import SmallFiles
from leftzmq.tree.entry import Entry
from leftzmq.wire.messages import Ask, Chunks, Get, Want

GETS_AT_ONCE: Final = 12
"""Of one device: more messages than that only fill queues; what waits here travels in fewer."""
SILENT_S: Final = 2.0
"""An ask so long without an answer goes elsewhere, if somebody else has it."""
SILENT_ALONE_S: Final = 30.0  # with nobody else to ask
RETRY_S: Final = 1.0


class FolderView(Protocol):
    """What the downloader needs to know of a folder."""

    tag: bytes
    store: Store

    def holders(self, entry: Entry) -> list[DeviceKey]:
        """Reachable devices that say they have this version."""

    def received(self, count: int) -> None:
        """So many sealed bytes arrived."""


@dataclass(slots=True)
class Pending:
    """A get that is not fully answered. Of the three kinds it holds one.

    files: content -> the entries that wait for it; rows: chunk id -> rows of `arriving`
    """

    device: DeviceKey
    folder: str
    sent: float
    heard: float
    left: dict[bytes, int]  # id -> credit bytes
    files: dict[bytes, list[Entry]] = field(default_factory=dict)
    arriving: Arriving | None = None
    rows: dict[bytes, list[int]] = field(default_factory=dict)


class Downloader:
    """Of the agent. number: of its first get, less one; not one that an earlier life began with:
    what that one asked for may still be answered, over a link that a peer made again."""

    def __init__(
        self,
        folders: Mapping[str, FolderView],
        link_to: Callable[[DeviceKey], Link | None],
        number: int = 0,
    ) -> None:
        self._folders, self._link_to = folders, link_to
        self._credit: dict[DeviceKey, Credit] = {}
        self._pending: dict[tuple[DeviceKey, int], Pending] = {}
        self._number = number
        self._ticked = 0.0
        self.small = SmallFiles(folders)
        self.large = LargeFiles(folders)

    # -- questions -----------------------------------------------------------------------------

    def deadline(self, now: float) -> float | None:
        again = self._ticked + RETRY_S  # for what the last tick could do nothing about
        silent_at = (p.heard + SILENT_S for p in self._pending.values())
        times = [at if at > self._ticked else again for at in silent_at]
        if self.small.waits or self.large.waits:
            times.append(again)
        return min(times, default=None)

    def rate_bytes_s(self) -> float:
        return sum(credit.rate_bytes_s for credit in self._credit.values() if credit.outstanding)

    def under_way(self) -> list[Arriving]:
        return self.large.all()

    # -- facts ---------------------------------------------------------------------------------

    def wanted(self, fact: FileWanted, now: float) -> list[Action | Fact]:
        if fact.entry.depth == 0:
            self.small.want(fact.folder, fact.entry, fact.home)
        else:
            self.large.want(fact.folder, fact.entry, fact.previous)
        return []

    def not_wanted(self, fact: FileNotWanted, now: float) -> list[Action | Fact]:
        self.small.forget(fact.folder, fact.path)
        return self.large.forget(fact.folder, fact.path)

    def connected(self, fact: PeerConnected, now: float) -> list[Action | Fact]:
        self._give_up_all(fact.device, now)  # what was asked over an older connection
        self._credit[fact.device] = Credit(fact.max_credit)
        return self.go_on(now)

    def lost(self, fact: PeerLost, now: float) -> list[Action | Fact]:
        self._credit.pop(fact.device, None)
        self._give_up_all(fact.device, now)
        return self.go_on(now)

    def chunks(self, fact: ChunksArrived, now: float) -> list[Action | Fact]:
        """(A part of) an answer: hand the body to a job that opens, checks and writes it."""
        device, header = fact.link.device, fact.header
        key = (device, header.number)
        pending = self._pending.get(key)
        if pending is None:
            return []  # answered too late: it was asked elsewhere meanwhile
        folder = self._folders[pending.folder]
        ids = [part.id for part in header.parts] + list(header.missing)
        if header.tag != folder.tag or any(id not in pending.left for id in ids):
            return [Drop(device, Refusal.UNASKED, f"chunks for get {header.number}")]
        out = self._hand_over(fact, pending)
        credit = self._credit.get(device)
        if credit is not None:
            works = [action.job for action in out if isinstance(action, Work)]
            credit.held += sum(
                len(job.body) for job in works if isinstance(job, WriteChunks | StageSmall)
            )
        self._account(fact, pending, now)
        if header.missing:
            self._missing(pending, header, now)
        if not pending.left:
            self._close(key)
        folder.received(sum(part.length + MAC_BYTES for part in header.parts))
        return out + self.go_on(now)

    def staging_opened(self, fact: StagingOpened, now: float) -> list[Action | Fact]:
        return self.large.opened(fact) + self.go_on(now)

    def chunks_kept(self, fact: ChunksKept, now: float) -> list[Action | Fact]:
        return self.large.kept(fact, now) + self.go_on(now)

    def chunks_written(self, fact: ChunksWritten, now: float) -> list[Action | Fact]:
        self._let_go(fact.device, fact.body_bytes)
        out = self.large.written(fact, now)
        if fact.bad:
            detail = f"{len(fact.bad)} chunks of {fact.entry.path}"
            out.append(Drop(fact.device, Refusal.WRONG_ID, detail))
        return out + self.go_on(now)

    def small_staged(self, fact: SmallStaged, now: float) -> list[Action | Fact]:
        if fact.device is not None:
            self._let_go(fact.device, fact.body_bytes)
        out = self.small.staged(fact)
        if fact.bad and fact.device is not None:
            detail = f"{len(fact.bad)} files, {fact.bad[0].path} among them"
            out.append(Drop(fact.device, Refusal.WRONG_ID, detail))
        return out + self.go_on(now)

    def lists_opened(self, fact: ListsOpened, now: float) -> list[Action | Fact]:
        store = self._folders[fact.folder].store
        for id, rows in fact.lists:
            store.put_list(id, rows)
        out: list[Action | Fact] = list(self.large.lists_came(fact))
        if fact.bad:
            out.append(Drop(fact.device, Refusal.WRONG_ID, "a list of chunks"))
        return out + self.go_on(now)

    def tick(self, now: float) -> list[Action | Fact]:
        self._ticked = now
        self.small.expire(now)
        for key, pending in list(self._pending.items()):
            silent = now >= pending.heard + SILENT_S
            too_long = now >= pending.heard + SILENT_ALONE_S
            if silent and (self._others(pending) or too_long):
                self._give_up(key, now)
        return self.go_on(now)

    # -- asking -----------------------------------------------------------------------------------

    def go_on(self, now: float) -> list[Action | Fact]:
        """Start what needs no asking; then ask every device as much as it bears."""
        out = self.small.from_home() + self.large.start()
        for device, credit in self._credit.items():
            while credit.room > 0 and credit.gets < GETS_AT_ONCE:
                get = self._next_get(device, credit, now)
                if get is None:
                    break
                out.append(get)
        return out

    def _next_get(self, device: DeviceKey, credit: Credit, now: float) -> Send | None:
        for folder, entries in self.small.next_for(device, credit.room):
            pending = Pending(device, folder, now, now, {})
            for entry in entries:
                content = bytes(entry.content)
                pending.left[content] = entry.size
                pending.files.setdefault(content, []).append(entry)
            wants = [
                Want(content, [Ask(content, 0, size)]) for content, size in pending.left.items()
            ]
            return self._send(pending, credit, Get(0, self._folders[folder].tag, [], wants))
        for arriving, lists, rows in self.large.next_for(device, credit.room, now):
            pending = Pending(device, arriving.folder, now, now, {}, arriving=arriving)
            asks: dict[bytes, Ask] = {}
            for id in lists:
                pending.left[id] = MAX_LIST_BYTES
            for row in rows:
                ask = arriving.ask_of(row)
                asks.setdefault(ask.id, ask)
                pending.left[ask.id] = ask.length
                pending.rows.setdefault(ask.id, []).append(row)
            wants = [Want(bytes(arriving.entry.content), list(asks.values()))] if asks else []
            tag = self._folders[arriving.folder].tag
            return self._send(pending, credit, Get(0, tag, list(lists), wants))
        return None

    def _send(self, pending: Pending, credit: Credit, get: Get) -> Send | None:
        link = self._link_to(pending.device)
        if link is None:
            self._return(pending)
            return None
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._pending[pending.device, self._number] = pending
        credit.asked(sum(pending.left.values()))
        credit.gets += 1
        return Send(link, Get(self._number, get.tag, get.lists, get.wants))

    # -- answers ---------------------------------------------------------------------------------

    def _hand_over(self, fact: ChunksArrived, pending: Pending) -> list[Action | Fact]:
        pieces: list[Piece] = []
        entries: list[tuple[Entry, int]] = []
        lists: list[Piece] = []
        start = 0
        arriving = pending.arriving
        for part in fact.header.parts:
            if part.id in pending.files:
                entries += [(entry, start) for entry in pending.files[part.id]]
            elif part.id in pending.rows:
                assert arriving is not None and arriving.rows is not None
                for row in pending.rows[part.id]:
                    offset = arriving.rows.offset(row)
                    pieces.append(Piece(part.id, offset, part.length, start))
            else:
                lists.append(Piece(part.id, 0, part.length, start))
            start += part.length + MAC_BYTES
        out: list[Action | Fact] = []
        if entries:
            out += self.small.arrived(pending.folder, pending.device, entries, fact.body)
        if lists:
            job = OpenLists(pending.folder, pending.device, tuple(lists), fact.body)
            out.append(Work(job))
        if pieces and arriving is not None and self.large.is_current(arriving):
            assert arriving.staged is not None
            out.append(
                Work(
                    WriteChunks(
                        pending.folder,
                        pending.device,
                        arriving.entry,
                        arriving.staged,
                        tuple(pieces),
                        fact.body,
                    )
                )
            )
        return out

    def _account(self, fact: ChunksArrived, pending: Pending, now: float) -> None:
        credit = self._credit.get(pending.device)
        size = sum(pending.left.pop(part.id, 0) for part in fact.header.parts)
        if credit is not None:
            credit.arrived(size, now - pending.sent, now)
        if fact.header.parts or fact.header.missing:  # an empty answer is silence
            pending.heard = now

    def _missing(self, pending: Pending, header: Chunks, now: float) -> None:
        credit = self._credit.get(pending.device)
        for id in header.missing:
            size = pending.left.pop(id, 0)
            if credit is not None:
                credit.returned(size)
            self._put_back(pending, id)
            if id in pending.files:
                self.small.lacks(pending.device, pending.folder, pending.files[id], now + RETRY_S)
        if pending.arriving is not None:
            pending.arriving.lacking[pending.device] = now + RETRY_S

    def _give_up_all(self, device: DeviceKey, now: float) -> None:
        for key in [key for key in self._pending if key[0] == device]:
            self._give_up(key, now)

    def _give_up(self, key: tuple[DeviceKey, int], now: float) -> None:
        """Not answered: what it asked for is missing again and goes to whoever else has it."""
        pending = self._close(key)
        credit = self._credit.get(pending.device)
        if credit is not None:
            credit.returned(sum(pending.left.values()))
            if pending.arriving is not None:
                pending.arriving.lacking[pending.device] = now + SILENT_S
            for entries in pending.files.values():
                self.small.lacks(pending.device, pending.folder, entries, now + SILENT_S)
        self._return(pending)

    def _let_go(self, device: DeviceKey, count: int) -> None:
        credit = self._credit.get(device)
        if credit is not None:
            credit.held = max(0, credit.held - count)

    def _close(self, key: tuple[DeviceKey, int]) -> Pending:
        credit = self._credit.get(key[0])
        if credit is not None:
            credit.gets -= 1
        return self._pending.pop(key)

    def _return(self, pending: Pending) -> None:
        for id in pending.left:
            self._put_back(pending, id)

    def _put_back(self, pending: Pending, id: bytes) -> None:
        if id in pending.files:
            self.small.put_back(pending.folder, pending.files[id])
        elif pending.arriving is not None:
            pending.arriving.asked_in_vain(pending.rows.get(id, ()))
            pending.arriving.lists_asked.discard(id)

    def _others(self, pending: Pending) -> bool:
        """Whether somebody else can be asked for (something of) it."""
        entries = [e for es in pending.files.values() for e in es[:1]]
        if pending.arriving is not None:
            entries = [pending.arriving.entry]
        view = self._folders[pending.folder]
        return any(h != pending.device for entry in entries[:8] for h in view.holders(entry))
