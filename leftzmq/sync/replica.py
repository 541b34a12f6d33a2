"""The index of one folder towards the others: news out, news in, and index_since both ways.

News is a hint, never the record: a gap, another life or an impossible number has one cure, to ask
that device for its index since the last sequence that we hold. Knows pages and heads; what a
version means is in `versions`. Must not know sockets or files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from leftzmq.disk.outcome import Ending, Outcome
from leftzmq.disk.sighting import Sight
from leftzmq.errors import Refusal
from leftzmq.index.heads import NO_LIFE
from leftzmq.index.store import Store
from leftzmq.sync.actions import Action, Drop, Publish, Send, Tell, Work, tell_entry
from leftzmq.sync.facts import (
    Fact,
    FoundDeletedBytes,
    MessageArrived,
    PageArrived,
    PathsReconsidered,
    PathsSettled,
    PeerGreeted,
)
from leftzmq.sync.indexes import Indexes
from leftzmq.sync.jobs import Flush, Flushed, PageRead, ReadPage
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.versions import FoundDeleted, Heard, Versions
from leftzmq.tree.entry import Entry
from leftzmq.tree.version import Life
from leftzmq.wire.local import EventKind, Scalar
from leftzmq.wire.messages import FolderHello, IndexPage, IndexSince
from leftzmq.wire.page import Page, cut_pages

PAGES_AN_ASK: Final = 16
"""index_since is answered with so many pages; the asker asks on from the last one."""
KEPT_PAGES_MAX: Final = 64  # news above the end of a running answer; more, and we ask once more
ANSWER_TIMEOUT_S: Final = 20.0
NEWS_ENTRIES_MAX: Final = 64
"""More than this at once is told as a bare head: whoever wants it asks."""


@dataclass(slots=True)
class Running:
    """An answer to our index_since that is not over yet.

    whole: its pages are a new generation. kept: news that came meanwhile, above its end
    """

    since: float
    pages_left: int
    whole: bool = False
    kept: list[Page] = field(default_factory=list)


@dataclass(slots=True)
class Answering:
    """Our answer to a device's index_since that is being read page by page; `at`: where it is."""

    life: Life
    at: int
    pages_left: int


class Replica:
    """Of one folder."""

    def __init__(
        self,
        folder: str,
        tag: bytes,
        device: DeviceKey,
        store: Store,
        link_to: Callable[[DeviceKey], Link | None],
        news_links: Callable[[], tuple[Link, ...]],
    ) -> None:
        self.folder, self.tag, self._device, self._store = folder, tag, device, store
        self._link_to, self._news_links = link_to, news_links
        self.indexes = Indexes(store)
        self.versions = Versions(self.indexes)
        self.flushed = store.heads.sequence  # made durable by the start itself
        self._published = self.flushed
        self._flushing = False
        self._running: dict[DeviceKey, Running] = {}
        self._answering: dict[Link, Answering] = {}
        self.members: set[DeviceKey] = set()

    # -- questions -----------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """All that we committed is durable and told, no answer is running, all is counted."""
        told = self._published == self._store.heads.sequence
        return told and not self._running and self.indexes.swept

    def hello_for(self, device: DeviceKey) -> FolderHello:
        head = self._store.heads.of(device)
        return FolderHello(
            self.folder, self.tag, self._store.heads.life, self.flushed, head.life, head.head
        )

    def heartbeat(self) -> Publish:
        """News without entries: it names the head."""
        return Publish(self.folder, self._page(self.flushed, self.flushed, ()), self._news_links())

    # -- our own changes ---------------------------------------------------------------------

    def settled_paths(self, fact: PathsSettled, wall_ns: int) -> list[Action | Fact]:
        """A scan is sure of these: versions of ours, or nothing new."""
        out: list[Action | Fact] = []
        self.indexes.recall(sighting.path for sighting in fact.sightings)
        for sighting in fact.sightings:
            if sighting.sight is Sight.GONE:
                entry = self.versions.gone(sighting.path, wall_ns)
            else:
                assert sighting.observed is not None and sighting.key is not None
                found = self.versions.found(sighting.observed, sighting.key)
                if isinstance(found, FoundDeleted):
                    out.append(FoundDeletedBytes(self.folder, found))
                    continue
                entry = found
            if entry is not None:
                out.append(tell_entry(EventKind.SCAN, self.folder, entry))
        paths = tuple(sighting.path for sighting in fact.sightings)
        return [*out, PathsReconsidered(self.folder, paths)]

    def took(self, outcomes: Sequence[Outcome]) -> None:
        """Operations that are on disk now: their versions are ours (one commit a batch)."""
        self.indexes.recall(outcome.operation.path for outcome in outcomes)
        for outcome in outcomes:
            if outcome.ending is not Ending.DONE:
                continue
            entry, moved = outcome.operation.entry, outcome.operation.moved
            if moved is not None:
                self.versions.take(moved.entry, None)
            if outcome.copied_to is not None:
                ours = self.indexes.ours(entry.path)
                if ours is not None:
                    self.versions.take_copy(ours.entry, outcome.copied_to, outcome.copy_key)
            self.versions.take(entry, None if entry.deleted else outcome.key)

    def committed(self) -> list[Work]:
        """Commit what was decided about one fact; what got a sequence is flushed, then told."""
        self._store.commit()
        if self._flushing or self._published == self._store.heads.sequence:
            return []
        self._flushing = True
        return [Work(Flush(self.folder, self._store.heads.sequence))]

    def was_flushed(self, fact: Flushed) -> list[Action | Fact]:
        """Sequences up to `head` are durable: now, and not before, news may name them."""
        self._flushing = False
        self.flushed = fact.head
        out: list[Action | Fact] = []
        entries = self._store.changes(self._published, self.flushed, NEWS_ENTRIES_MAX + 1)
        if len(entries) > NEWS_ENTRIES_MAX:
            out.append(self.heartbeat())
        else:
            links = self._news_links()
            for cut in cut_pages(entries, self._published, self.flushed, self.flushed):
                page = self._page(cut.after, cut.last, cut.entries)
                out.append(Publish(self.folder, page, links))
        self._published = self.flushed
        return out

    # -- what others ask -------------------------------------------------------------------------

    def asked_index(self, fact: MessageArrived) -> list[Action | Fact]:
        """index_since: from N if that life is in our chain and N possible, else everything."""
        message = fact.message
        assert isinstance(message, IndexSince)
        life, after = Life(message.life), message.after
        delta = self._store.heads.answers_from(life, after) and after <= self.flushed
        if not delta:
            after = 0
        self._answering[fact.link] = Answering(self._store.heads.life, after, PAGES_AN_ASK)
        return [self._read_page(fact.link, after, not delta)]

    def page_read(self, fact: PageRead) -> list[Action | Fact]:
        answering = self._answering.get(fact.link)
        if answering is None or (answering.life, answering.at) != (fact.life, fact.after):
            return []  # it was asked anew meanwhile
        out: list[Action | Fact] = [Send(fact.link, IndexPage(self.tag, fact.sealed))]
        answering.pages_left -= 1
        answering.at = fact.last
        if fact.last >= fact.upto or answering.pages_left == 0:
            del self._answering[fact.link]
        else:
            out.append(self._read_page(fact.link, fact.last, fact.whole))
        return out

    def _read_page(self, link: Link, after: int, whole: bool) -> Work:
        life = self._store.heads.life
        return Work(ReadPage(self.folder, link, life, after, self.flushed, whole))

    # -- what others say -------------------------------------------------------------------------

    def holders(self, entry: Entry) -> list[DeviceKey]:
        """Reachable devices that say they have this very version's bytes."""
        bits = 0
        for row in self.indexes.rows(entry.path):
            said = row.entry
            # One that gives these bytes another size lies, or the others do: none vouches for it.
            if said.same_content(entry) and (said.size, said.depth) == (entry.size, entry.depth):
                bits |= row.holders
        heads = self._store.heads
        return [device for device in self.members if heads.of(device).mask & bits]

    def greeted(self, fact: PeerGreeted, hello: FolderHello, now: float) -> list[Action | Fact]:
        """A device that shares this folder: it can be reached now; ask for what we lack."""
        device = fact.link.device
        self.members.add(device)
        head = self._store.heads.of(device)
        self.indexes.reach |= head.mask
        if (head.life, head.head) == (hello.life, hello.head) or device in self._running:
            out: list[Action | Fact] = []
        else:
            out = self._ask(device, now)
        return [*out, PathsReconsidered(self.folder, ())]

    def lost(self, device: DeviceKey) -> list[Action | Fact]:
        """No link to the device is left: what only it holds is pending from now on."""
        self.indexes.reach &= ~self._store.heads.of(device).mask
        self._running.pop(device, None)
        for link in [link for link in self._answering if link.device == device]:
            del self._answering[link]
        if device not in self.members:
            return []
        self.members.discard(device)
        return [PathsReconsidered(self.folder, ())]

    def page(self, fact: PageArrived, now: float) -> list[Action | Fact]:
        """A page of another device's index: (a part of) an answer, or news."""
        device = fact.link.device
        if device not in self.members:
            return []  # it has not said hello over this connection yet; then we ask anyway
        running = self._running.get(device)
        if fact.answer:
            return self._answer(fact.page, device, running, now) if running else []
        if running is not None:
            if len(running.kept) < KEPT_PAGES_MAX:
                running.kept.append(fact.page)
            return []
        return self._news(fact.page, device, now)

    def tick(self, now: float) -> list[Action | Fact]:
        """Answers that stay out are asked for once more; what counts for nothing is swept."""
        self.indexes.sweep_some()
        late = [d for d, r in self._running.items() if now - r.since > ANSWER_TIMEOUT_S]
        out: list[Action | Fact] = []
        for device in late:
            del self._running[device]
            out += self._ask(device, now)
        return out

    def deadline(self, now: float) -> float | None:
        if not self.indexes.swept:
            return now
        return min((r.since + ANSWER_TIMEOUT_S for r in self._running.values()), default=None)

    def _news(self, page: Page, device: DeviceKey, now: float) -> list[Action | Fact]:
        head = self._store.heads.of(device)
        if page.life == head.life and page.last <= head.head:
            return []
        if page.life != head.life or page.after > head.head:
            return self._ask(device, now)
        out: list[Action | Fact] = []
        if page.entries:
            fields: dict[str, Scalar] = {"device": device.hex(), "folder": self.folder}
            out.append(Tell(EventKind.HAVE_NEWS, fields | {"paths": len(page.entries)}))
        return out + self._hear(page, device, now)

    def _answer(
        self, page: Page, device: DeviceKey, running: Running, now: float
    ) -> list[Action | Fact]:
        heads = self._store.heads
        head = heads.of(device)
        if page.whole and page.after == 0 and not running.whole:
            running.whole = True
            head = self.indexes.new_generation(device, page.life)
        elif page.after < head.head and page.life == head.life:
            return []  # the rest of an answer that we asked for once more
        elif page.after != head.head or (page.whole and page.life != head.life):
            return self._ask(device, now)  # a page was lost
        running.since, running.pages_left = now, running.pages_left - 1
        out = self._hear(page, device, now)
        if page.last < page.head:
            if running.pages_left == 0:
                running.pages_left = PAGES_AN_ASK
                out.append(self._since(device))
            return out
        self.indexes.sweep(device)
        del self._running[device]
        for kept in running.kept:
            out += self._news(kept, device, now)
        return out

    def _hear(self, page: Page, device: DeviceKey, now: float) -> list[Action | Fact]:
        """The entries and the head that they lead to, in one commit."""
        head = self._store.heads.of(device)
        out: list[Action | Fact] = []
        open_paths: list[str] = []
        self.indexes.recall(entry.path for entry in page.entries)
        for entry in page.entries:
            heard = self.versions.heard(head.bit, entry)
            if heard is Heard.OPEN:
                open_paths.append(entry.path)
            elif heard is Heard.OLDER:
                detail = f"{entry.path}: an older version than it said before"
                out.append(Drop(device, Refusal.BAD_PAGE, detail))
                return out
        self._store.heads.advance(device, page.life, page.last)
        return [*out, PathsReconsidered(self.folder, tuple(open_paths))] if open_paths else out

    def _ask(self, device: DeviceKey, now: float) -> list[Action | Fact]:
        self._running[device] = Running(now, PAGES_AN_ASK)
        return [self._since(device)]

    def _since(self, device: DeviceKey) -> Send:
        head = self._store.heads.of(device)
        link = self._link_to(device)
        assert link is not None, "a member has a link"
        after = 0 if head.life == NO_LIFE else head.head
        return Send(link, IndexSince(self.tag, head.life, after))

    # -- saying ------------------------------------------------------------------------------------

    def _page(self, after: int, last: int, entries: tuple[Entry, ...]) -> Page:
        life = self._store.heads.life
        return Page(self._device, self.folder, life, after, last, last, False, entries)
