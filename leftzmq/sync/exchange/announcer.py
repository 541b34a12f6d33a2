"""The index of one folder towards the others: what we have, told as news and when we are asked.

A version is announced when it is on disk, and named when its sequence is durable. Knows pages and
sequences; what a version means is in `versions`. Must not know what others say: that is in
`hearing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.index.rows import Row
from leftzmq.index.schema import CHECKPOINT_BYTES
from leftzmq.sync.actions import Outputs, Publish, Work, tell_entry
from leftzmq.sync.exchange.index_server import IndexServer
from leftzmq.sync.facts import (
    FoundDeleted,
    FoundDeletedBytes,
    MessageArrived,
    PathsCleared,
    PathsReconsidered,
    RescanWanted,
)
from leftzmq.sync.jobs import Flush, Flushed, PageRead
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.versions.absent_deletes import AbsentDeletes
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import adoptable, found, gone
from leftzmq.sync.versions.name_clashes import NameClashes
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.withheld import WhyWithheld
from leftzmq.tree.entry import Entry, Kind, Observed, ScanKey, local_change, tombstone
from leftzmq.tree.plan import Held
from leftzmq.wire.hello import Standing
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import IndexSince
from leftzmq.wire.page import Page, cut_pages

NEWS_ENTRIES_MAX: Final = 64
"""More than this at once is told as a bare head: whoever wants it asks."""


class Announcer:
    """Of one folder."""

    def __init__(
        self,
        folder: str,
        tag: bytes,
        device: DeviceKey,
        index_view: IndexView,
        resolver: Resolver,
        name_clashes: NameClashes,
        absent_deletes: AbsentDeletes,
        locks: PathLocks,
        news_links: Callable[[], tuple[Link, ...]],
    ) -> None:
        self.folder, self.tag, self._device, self._news_links = folder, tag, device, news_links
        self._index_view, self._resolver, self._store = index_view, resolver, index_view.store
        self._locks, self._name_clashes, self._absent_deletes = locks, name_clashes, absent_deletes
        self._index_server = IndexServer(folder, tag, self._store, lambda: index_view.accepted)
        self.flushed = self._store.heads.sequence  # made durable by the start itself
        self._published = self.flushed
        self._flushing = False

    # -- questions -----------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """All that we committed is durable and told."""
        return self._published == self._store.heads.sequence

    def standing_for(self, device: DeviceKey) -> Standing:
        """What a hello or welcome to this device says of the folder."""
        head = self._store.heads.of(device)
        return Standing(self.folder, self._store.heads.life, self.flushed, head.life, head.head)

    def heartbeat(self) -> Publish:
        """News without entries: it names the head."""
        return Publish(self.folder, self._page(self.flushed, self.flushed, ()), self._news_links())

    # -- our own changes ---------------------------------------------------------------------

    def on_paths_cleared(self, fact: PathsCleared, now: float, wall_ns: int) -> Outputs:
        """A scan is sure of these: versions of ours, or nothing new."""
        out: Outputs = []
        self._index_view.recall(sighting.path for sighting in fact.sightings)
        again: list[str] = []
        buried: list[str] = []
        left: Row | None = None  # what was at the path before, if that is gone
        for sighting in fact.sightings:
            if self._locks.is_changing(sighting.path):
                # It began to work there after the look was over: that is not what is there now.
                again.append(sighting.path)
                continue
            if self._is_no_folder_now(sighting):
                taken, _ = self._absent_deletes.take_below(sighting.path)
                buried += taken
            if sighting.sight is Sight.GONE:
                left = self._index_view.ours(sighting.path)
                entry = gone(self._index_view, sighting.path, wall_ns)
            else:
                assert sighting.observed is not None and sighting.key is not None
                observed, left = _as_it_was(sighting.observed, sighting.key, left), None
                came = self._came_along(observed, sighting.key, wall_ns)
                if came is not None:
                    out += came
                    continue
                change = found(self._index_view, observed, sighting.key)
                if isinstance(change, FoundDeleted):
                    out.append(FoundDeletedBytes(self.folder, change))
                    continue
                entry = change
            if entry is not None:
                out.append(tell_entry(EventKind.SCAN, self.folder, entry))
        if again:
            out.append(RescanWanted(self.folder, tuple(again)))
        paths = (*buried, *(sighting.path for sighting in fact.sightings))
        return [*out, PathsReconsidered(self.folder, paths)]

    def _is_no_folder_now(self, seen: Sighting) -> bool:
        ours = self._index_view.ours(seen.path)
        if ours is None or ours.entry.deleted or ours.entry.kind is not Kind.DIRECTORY:
            return False
        return seen.observed is None or seen.observed.kind is not Kind.DIRECTORY

    def _came_along(self, observed: Observed, key: ScanKey, wall_ns: int) -> Outputs | None:
        """Something that is there only because a folder above got another spelling here: nobody put
        it there. It is what is wanted, but for mtime and exec; or gives way to that; or goes, where
        nothing is wanted. None: it is none of these, or just what is wanted."""
        path = observed.path
        if not self._name_clashes.carried(observed):
            return None
        rows, ours = self._index_view.rows(path), self._index_view.ours(path)
        if ours is not None and not ours.entry.deleted:
            return None
        others = [row.entry for row in rows if row is not ours]
        if adoptable(others, ours, observed) is not None:
            return None
        entry = self._resolver.wanted(path)
        if entry is None and ours is not None:
            entry = ours.entry  # what is gone there was heard of before this was found
        if entry is None:
            life = self._store.heads.life
            came = local_change(observed, None, life, self._index_view.next_sequence())
            entry = tombstone(came, life, self._index_view.next_sequence(), wall_ns)
        elif not entry.deleted and (entry.content, entry.size) != (
            observed.content,
            observed.size,
        ):
            self._index_view.held.hold(path, key, WhyWithheld.GIVES_WAY)
            return []
        return [FoundDeletedBytes(self.folder, FoundDeleted(entry, Held(key, observed.content)))]

    def took(self, outcomes: Sequence[Outcome]) -> list[FoundDeletedBytes]:
        """Operations that are on disk now: their versions are ours (one commit a batch)."""
        self._index_view.recall(outcome.operation.path for outcome in outcomes)
        out: list[FoundDeletedBytes] = []
        for outcome in outcomes:
            if outcome.ending is not Ending.DONE:
                continue
            entry, moved = outcome.operation.entry, outcome.operation.moved
            noise = False
            if moved is not None:
                source = self._index_view.ours(moved.path)
                noise = source is not None and source.noise
                self._resolver.take(moved.entry, None)
            ours = self._index_view.ours(entry.path)
            if outcome.copied_to is not None and ours is not None:
                grave = self._resolver.take_copy(
                    ours.entry, outcome.copied_to, outcome.copy_key, ours.noise
                )
                if grave is not None:
                    out.append(FoundDeletedBytes(self.folder, grave))
            self._resolver.take(entry, None if entry.deleted else outcome.key, noise)
        return out

    def committed(self) -> Outputs:
        """Commit what was decided about one fact; what got a sequence is flushed, then told."""
        self._store.commit()
        is_told = self._published == self._store.heads.sequence
        if self._flushing or (is_told and self._store.log_bytes <= CHECKPOINT_BYTES):
            return []
        self._flushing = True
        return [Work(Flush(self.folder, self._store.heads.sequence))]

    def on_flushed(self, fact: Flushed, now: float) -> Outputs:
        """Sequences up to `head` are durable: now, and not before, news may name them."""
        self._flushing = False
        self._store.flushed()
        if fact.head == self._published:
            return []  # others said much: their entries are ours to keep, and nobody's news
        self.flushed = fact.head
        out: Outputs = []
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

    def on_index_since(self, fact: MessageArrived, now: float) -> Outputs:
        assert isinstance(fact.message, IndexSince)
        return self._index_server.on_index_since(fact.link, fact.message, self.flushed)

    def on_page_read(self, fact: PageRead, now: float) -> Outputs:
        return self._index_server.on_page_read(fact, now, self.flushed)

    def on_device_lost(self, device: DeviceKey) -> None:
        self._index_server.forget_device(device)

    # -- saying ------------------------------------------------------------------------------------

    def _page(self, after: int, last: int, entries: tuple[Entry, ...]) -> Page:
        life = self._store.heads.life
        accepted = self._index_view.accepted.upto(life, last)
        return Page(self._device, self.folder, life, after, last, last, False, entries, accepted)


def _as_it_was(observed: Observed, key: ScanKey, left: Row | None) -> Observed:
    """What was found, if it is what `left` was, just renamed, with the mtime and exec that this had
    as a version: not every disk can show these."""
    if left is None or left.scan is None or left.entry.deleted or not left.scan.same_bytes(key):
        return observed
    if (left.entry.kind, left.entry.content) != (observed.kind, observed.content):
        return observed
    return replace(observed, mtime_ns=left.entry.mtime_ns, exec=left.entry.exec)
