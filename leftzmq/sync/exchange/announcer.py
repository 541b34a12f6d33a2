"""Announces our index of one folder: what we have, sent as news and on request.

A version is announced when it is on disk, and news names it when its sequence is durable. Knows
pages and sequences. Must not know what a version means (sync/versions/resolver does), nor what
other devices announce (`index_client` does).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from msgspec.structs import replace

from leftzmq.content.epochs import Epochs
from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.index.rows import Row
from leftzmq.index.schema import CHECKPOINT_BYTES
from leftzmq.sync.actions import Outputs, Publish, Work, tell_entry
from leftzmq.sync.exchange.index_server import IndexServer
from leftzmq.sync.facts import (
    EpochBegan,
    Fact,
    FoundDeleted,
    FoundDeletedBytes,
    MessageArrived,
    PathsCleared,
    PathsReconsidered,
    RescanWanted,
)
from leftzmq.sync.guard.hold import Hold
from leftzmq.sync.jobs import Flush, Flushed, PageRead
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.scan.keeping import Keeping
from leftzmq.sync.versions.absent_deletes import AbsentDeletes
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.local_changes import adoptable, found, gone
from leftzmq.sync.versions.name_clashes import NameClashes
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.withheld import NOTHING_TOLD, WhyWithheld
from leftzmq.tree.change import Change, Withdrawal
from leftzmq.tree.entry import BELOW_ALL, Entry, Kind, Observed, ScanKey
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import folders_above
from leftzmq.tree.plan import Held
from leftzmq.wire.folder_rows import Standing
from leftzmq.wire.local import EventKind
from leftzmq.wire.messages import Capability, IndexSince
from leftzmq.wire.page import Page, cut_pages

NEWS_ENTRIES_MAX: Final = 64
"""Of more changes than this, news names only the head: a device that wants them asks."""


class Announcer:
    """One per folder.

    flushed: our last durable sequence. While the folder is held, nothing of it is told: others are
    told of a head of 0, as of a device that has nothing. While it is paused, nothing is announced.
    understands: whether a device understands something
    members: the devices to which news goes
    """

    def __init__(
        self,
        folder: str,
        epochs: Epochs,
        device: DeviceKey,
        index_view: IndexView,
        resolver: Resolver,
        name_clashes: NameClashes,
        absent_deletes: AbsentDeletes,
        locks: PathLocks,
        news_links: Callable[[], tuple[Link, ...]],
        understands: Callable[[Capability, DeviceKey], bool],
        members: Callable[[], Collection[DeviceKey]],
        keeping: Keeping,
        hold: Hold,
    ) -> None:
        self._hold = hold
        self.paused = False
        self.folder, self._device, self._news_links = folder, device, news_links
        self._index_view, self._resolver, self._store = index_view, resolver, index_view.store
        self._locks, self._name_clashes, self._absent_deletes = locks, name_clashes, absent_deletes
        self._understands, self._members = understands, members
        self._keeping = keeping
        self._index_server = IndexServer(
            folder, epochs, self._store, lambda: index_view.accepted, understands
        )
        self.flushed = self._store.heads.sequence  # the start itself made it durable
        self._published = self._told_head
        self._flushing = False

    # -- questions -----------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether all that we committed is durable and announced."""
        return self._published == self._store.heads.sequence

    def has_told(self, sequence: int) -> bool:
        """Whether what our index says under this sequence was announced."""
        return sequence <= self._published and sequence <= self._told_head

    def standing_for(self, device: DeviceKey) -> Standing:
        """Return what a hello or welcome to this device says of the folder."""
        head = self._store.heads.head_of(device)
        return Standing(self.folder, self._store.heads.life, self._told_head, head.life, head.head)

    def heartbeat(self) -> Publish:
        """Return news without entries: it names only the head."""
        head = self._told_head
        return Publish(self.folder, self._page(head, head, ()), self._news_links())

    @property
    def _told_head(self) -> int:
        """The last sequence that others may hear of."""
        return 0 if self._hold.holds else self.flushed

    # -- our own changes ---------------------------------------------------------------------

    def on_paths_cleared(self, fact: PathsCleared, now: float, wall_ns: int) -> Outputs:
        """A scan has confirmed these paths: record changes as versions of ours."""
        out: Outputs = []
        self._index_view.recall(sighting.path for sighting in fact.sightings)
        again: list[str] = []
        buried: list[str] = []
        revived: list[str] = []
        left: Row | None = None  # what the last sighting showed deleted: perhaps a rename
        for sighting in fact.sightings:
            if self._locks.is_changing(sighting.path):
                # The applier took a lock on the path after the scan: the sighting is out of date.
                again.append(sighting.path)
                continue
            if not self._keeping.may_tell(sighting):
                continue  # rules changed since the look
            if self._is_no_folder_now(sighting):
                taken, _ = self._absent_deletes.take_below(sighting.path)
                buried += taken
            if sighting.sight is Sight.GONE:
                left = self._index_view.ours(sighting.path)
                entry = gone(self._index_view, sighting.path, wall_ns)
            else:
                assert sighting.observed is not None and sighting.key is not None
                observed, left = _as_it_was(sighting.observed, sighting.key, left), None
                came = self._came_along(observed, sighting.key)
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
                folders = self._revived_above(entry)
                revived += [folder.path for folder in folders]
                out += [tell_entry(EventKind.SCAN, self.folder, folder) for folder in folders]
                if not entry.deleted:
                    self._resolver.stays_above(entry.path)
        if again:
            out.append(RescanWanted(self.folder, tuple(again)))
        paths = (*buried, *revived, *(sighting.path for sighting in fact.sightings))
        return [*out, PathsReconsidered(self.folder, paths)]

    def _revived_above(self, entry: Entry) -> list[Entry]:
        """Publish the shells again in which something that is kept appeared. Above a folder that is
        no shell there is none."""
        revived: list[Entry] = []
        for path in [] if entry.deleted else folders_above(entry.path):
            folder = self._resolver.revive(path)
            if folder is None:
                break
            revived.append(folder)
        return revived

    def _is_no_folder_now(self, seen: Sighting) -> bool:
        ours = self._index_view.ours(seen.path)
        if ours is None or ours.entry.deleted or ours.entry.kind is not Kind.DIRECTORY:
            return False
        return seen.observed is None or seen.observed.kind is not Kind.DIRECTORY

    def _came_along(self, observed: Observed, key: ScanKey) -> Outputs | None:
        """Handle an object that exists only because a directory above it got another spelling here.
        No user put it there. There are three cases. The object is what is wanted, except for mtime
        and exec. Or it is replaced by what is wanted. Or it is deleted, because nothing is wanted
        there. None: the object is none of these, or exactly what is wanted."""
        path = observed.path
        if not self._name_clashes.carried(observed):
            return None
        rows, ours = self._index_view.rows(path), self._index_view.ours(path)
        if ours is not None and not ours.entry.deleted:
            return None
        others = [row.entry for row in rows if row is not ours]
        if adoptable(others, ours, observed, self._index_view.author.modes) is not None:
            return None
        entry = self._resolver.winner_of(path)
        if ours is not None and (entry is None or entry.rank < ours.entry.rank):
            # The deletion was received before this object was found; a device that has not heard of
            # it may still have what it deletes.
            entry = ours.entry
        if entry is None:
            entry = self._unsaid_delete(observed)
        elif not entry.deleted and (entry.content, entry.size) != (
            observed.content,
            observed.size,
        ):
            self._index_view.held.withhold(path, key, WhyWithheld.GIVES_WAY)
            return []
        return [FoundDeletedBytes(self.folder, FoundDeleted(entry, Held(key, observed.content)))]

    def _unsaid_delete(self, observed: Observed) -> Entry:
        """What takes away what came along and is not wanted. No user deleted it at this path, and
        whoever spelled the folder otherwise may have it there, with a word that is still on its
        way: so this is below whatever anybody makes, and above what we told there."""
        author, held = self._index_view.author, self._index_view.held.at(observed.path)
        came, _ = author.change(observed, None)
        grave, _ = author.delete(came, 0)
        told = held.had if held is not None and not grave.is_private else NOTHING_TOLD
        return replace(grave, stamp=BELOW_ALL if told == NOTHING_TOLD else told[0] + 1)

    def took(self, outcomes: Sequence[Outcome]) -> list[Fact]:
        """Record finished operations of the applier: their versions are ours now (one commit a
        batch)."""
        self._index_view.recall(outcome.operation.path for outcome in outcomes)
        out: list[Fact] = []
        for outcome in outcomes:
            if outcome.ending is Ending.SHELL and outcome.operation.entry.deleted:
                self._resolver.take_over(outcome.operation.entry, outcome.key)
            if outcome.ending is not Ending.DONE:
                continue
            entry, moved = outcome.operation.entry, outcome.operation.moved
            noise = False
            if moved is not None:
                source = self._index_view.ours(moved.path)
                noise = source is not None and source.noise
                self._resolver.take_over(moved.entry, None)
            ours = self._index_view.ours(entry.path)
            if outcome.copied_to is not None and ours is not None:
                grave = self._resolver.take_copy(
                    ours.entry, outcome.copied_to, outcome.copy_key, ours.noise
                )
                if grave is not None:
                    out.append(FoundDeletedBytes(self.folder, grave))
            if entry.deleted and self._index_view.unseen(entry.path):
                # What was deleted below this folder was not taken over yet, as nobody could look
                # there. Nothing lies there now, and it is told before the folder.
                self._absent_deletes.take_below(entry.path)
            self._resolver.take_over(entry, None if entry.deleted else outcome.key, noise)
            for path in outcome.operation.paths:
                self._index_view.withdraw(path)  # rules changed while it was put there
            changed = outcome.operation.paths + ((moved.path,) if moved is not None else ())
            if rules := tuple(filter(is_rule_file, changed)):
                out.append(RescanWanted(self.folder, rules))
        return out

    def committed(self) -> Outputs:
        """Commit what was decided about one fact. Entries that got a sequence are flushed, then
        announced; if the folder was held, when that is over."""
        self._store.commit()
        out = self._announced()
        is_durable = self.flushed == self._store.heads.sequence
        if self._flushing or (is_durable and self._store.log_bytes <= CHECKPOINT_BYTES):
            return out
        self._flushing = True
        return [*out, Work(Flush(self.folder, self._store.heads.sequence))]

    def on_flushed(self, fact: Flushed, now: float) -> Outputs:
        """Sequences up to `head` are durable: from now on, and not earlier, news may name them."""
        self._flushing = False
        self._store.flushed()
        self.flushed = fact.head
        return self._announced()

    def _announced(self) -> Outputs:
        """Announce what is durable and was not announced yet. Often that is nothing: entries of
        others had filled the log, and are not our news."""
        if self._hold.holds or self.paused or self.flushed == self._published:
            return []
        out: Outputs = []
        changes = self._store.changes(self._published, self.flushed, NEWS_ENTRIES_MAX + 1)
        if len(changes) > NEWS_ENTRIES_MAX or not self._all_understand(changes):
            out.append(self.heartbeat())
        else:
            links = self._news_links()
            for cut in cut_pages(changes, self._published, self.flushed, self.flushed):
                page = self._page(cut.after, cut.last, cut.entries, cut.withdrawals)
                out.append(Publish(self.folder, page, links))
        self._published = self.flushed
        return out

    def _all_understand(self, changes: Sequence[Change]) -> bool:
        """Whether these may be news, which all devices are sent alike."""
        needed = [Capability.WITHDRAWN] if any(change.withdrawn for change in changes) else []
        entries = (change.entry for change in changes)
        if any(entry is not None and entry.permissions is not None for entry in entries):
            needed.append(Capability.MODES)
        members = self._members() if needed else ()
        return all(self._understands(each, member) for each in needed for member in members)

    # -- requests of other devices ---------------------------------------------------------------

    def on_index_since(self, fact: MessageArrived, now: float) -> Outputs:
        assert isinstance(fact.message, IndexSince)
        return self._index_server.on_index_since(fact.link, fact.message, self._told_head)

    def on_page_read(self, fact: PageRead, now: float) -> Outputs:
        return self._index_server.on_page_read(fact, now, self._told_head)

    def on_epoch_began(self, fact: EpochBegan, now: float) -> Outputs:
        """Answer what waited for an epoch, and say where our index stands: while none was in use,
        our news was not sent."""
        beat = [] if self.paused else [self.heartbeat()]
        return [*self._index_server.go_on(self._told_head), *beat]

    def on_device_lost(self, device: DeviceKey) -> None:
        self._index_server.forget_device(device)

    # -- pages -------------------------------------------------------------------------------------

    def _page(
        self,
        after: int,
        last: int,
        entries: tuple[Entry, ...],
        withdrawals: tuple[Withdrawal, ...] = (),
    ) -> Page:
        life = self._store.heads.life
        accepted = self._index_view.accepted.upto(life, last)
        span = (after, last, last, False)
        return Page(self._device, self.folder, life, *span, entries, accepted, withdrawals)


def _as_it_was(observed: Observed, key: ScanKey, left: Row | None) -> Observed:
    """Return `observed`, with the mtime and mode of `left` if it is the same content, just renamed:
    not every disk can store these two."""
    if left is None or left.scan is None or left.entry.deleted:
        return observed
    if not left.scan.same_bytes(key) or not left.scan.same_mode(key):
        return observed
    if (left.entry.kind, left.entry.content) != (observed.kind, observed.content):
        return observed
    mtime_ns, exec, bits = left.entry.attributes
    mode = observed.mode if bits is None else bits
    return replace(observed, mtime_ns=mtime_ns, exec=exec, mode=mode)
