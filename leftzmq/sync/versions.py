"""What we have and what others have, path by path: taking, finding, deleting, joining, outbidding.

Knows the index and the rules of `tree`. Must not know devices' links, files, or the time of day
(it is passed in). Every method leaves the rows of a path in one of the states that
docs/design.md section 5 allows, inside the store's running transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Final

from msgspec.structs import replace

from leftzmq.index.heads import Head
from leftzmq.index.rows import Row
from leftzmq.index.schema import OUR_BIT
from leftzmq.index.store import Store
from leftzmq.sync.tally import Recount, Tally
from leftzmq.tree.conflict import conflict_copy
from leftzmq.tree.entry import (
    Entry,
    Kind,
    Observed,
    ScanKey,
    joined,
    local_change,
    published_again,
    tombstone,
)
from leftzmq.tree.path import sort_key
from leftzmq.tree.plan import Held
from leftzmq.tree.reconcile import Verdict, reconcile, succeeds
from leftzmq.tree.version import Life

OURS: Final = 1 << OUR_BIT
MEMO_PATHS: Final = 8192  # about 1 KiB each


class Heard(Enum):
    """What hearing an entry of another device means."""

    OLDER = auto()  # it must not say so: it said a newer one before
    SAME = auto()  # it has what we have, and nobody has anything else
    OPEN = auto()  # there may be a ticket now


@dataclass(frozen=True, slots=True)
class Ticket:
    """A path whose winning version we do not have yet; derived from the rows, never stored.

    entry:   the version to be taken (the highest rank that a reachable device holds)
    ours:    the row that we have now, if any
    copy:    our bytes become a conflict copy
    attributes: only mtime and exec differ: no bytes move
    """

    entry: Entry
    ours: Row | None
    copy: bool
    attributes: bool

    @property
    def held(self) -> Held | None:
        """What should be on disk now, by our index."""
        if self.ours is None or self.ours.entry.deleted or self.ours.scan is None:
            return None
        return Held(self.ours.scan, self.ours.entry.content)


@dataclass(frozen=True, slots=True)
class FoundDeleted:
    """A scan found the very bytes that a tombstone, which our index did not hold, deleted."""

    entry: Entry
    held: Held


class Versions:
    """The rows of one folder. `reach`: the bits of the devices that can be asked now."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.reach = 0
        self.tally = Tally.of(store)
        self._memo: dict[str, list[Row]] = {}
        self._sweeping: dict[int, int] = {}  # bit -> the id of the row up to which it is gone
        self._recount: Recount | None = None

    def rows(self, path: str) -> list[Row]:
        """All versions of a path that somebody holds. A ticket is looked at a dozen times on its
        way, so the rows are remembered until they change."""
        if path not in self._memo:
            self.recall((path,))
        return self._memo[path]

    def recall(self, paths: Iterable[str]) -> None:
        """Look up many paths at once, before each of them is asked for."""
        unknown = [path for path in paths if path not in self._memo]
        if unknown:
            for path in list(islice(self._memo, max(0, len(self._memo) - MEMO_PATHS))):
                del self._memo[path]  # the oldest
            found = self.store.rows_of(unknown)
            if swept := self.store.heads.swept_mask:
                found = {path: _swept(rows, swept) for path, rows in found.items()}
            self._memo.update(found)

    def ours(self, path: str) -> Row | None:
        """The version of a path that we have (a tombstone, too, is something we have)."""
        return _ours(self.rows(path))

    def new_generation(self, device: bytes, life: Life) -> Head:
        """The first page of a device's whole index: what it said before counts for nothing."""
        self.reach &= ~self.store.heads.of(device).mask
        head = self.store.heads.new_generation(device, life)
        self.reach |= head.mask
        self._memo.clear()
        return head

    def sweep(self, device: bytes) -> None:
        """Its last page is here: the bits of its old generations go, some rows a turn."""
        self._sweeping.update(dict.fromkeys(self.store.heads.to_sweep(device), 0))

    @property
    def swept(self) -> bool:
        """Whether nothing is left to sweep, and all is counted."""
        return not self._sweeping and self._recount is None

    def sweep_some(self) -> None:
        """One step of sweeping; then rows are gone that were counted, so count anew."""
        if self._sweeping:
            bit, at = next(iter(self._sweeping.items()))
            end = self.store.sweep_some(bit, at)
            if end is not None:
                self._sweeping[bit] = end
                return
            del self._sweeping[bit]
            self._recount = None if self._sweeping else Recount()
        elif self._recount is not None and not self._recount.step(self.store):
            self.tally, self._recount = self._recount.tally, None

    # -- what the share says -------------------------------------------------------------------

    def found(self, observed: Observed, key: ScanKey) -> Entry | FoundDeleted | None:
        """A scan found this at its path. Returns our new version, if that is one."""
        rows = self.rows(observed.path)
        ours = _ours(rows)
        if ours and not ours.entry.deleted and _says(ours.entry, observed):
            if ours.scan != key:
                self._change(rows, [*_without(rows, ours), replace(ours, scan=key)])
            return None
        adopted = self._adoptable(rows, ours, observed)
        if adopted is not None:
            self._take_row(rows, adopted.entry, key)
            return adopted.entry
        if ours is None and (grave := _grave(rows, observed)) is not None:
            return FoundDeleted(grave, Held(key, observed.content))
        entry = local_change(
            observed, ours.entry if ours else None, self.store.heads.life, self._next()
        )
        self._set_ours(rows, entry, entry.counter, key)
        return entry

    def gone(self, path: str, now_ns: int) -> Entry | None:
        """A scan found nothing at `path`. Returns our tombstone where we had something live."""
        rows = self.rows(path)
        ours = _ours(rows)
        if ours is None or ours.entry.deleted:
            return None
        entry = tombstone(ours.entry, self.store.heads.life, self._next(), now_ns)
        self._set_ours(rows, entry, entry.counter, None)
        return entry

    # -- what others say -------------------------------------------------------------------------

    def heard(self, bit: int, entry: Entry) -> Heard:
        """The device of `bit` has `entry`. Within one chain an entry is replaced only by one of
        the same or higher rank."""
        rows = self.rows(entry.path)
        mask = 1 << bit
        before = next((row for row in rows if row.holders & mask), None)
        if before is not None and entry.rank < before.entry.rank:
            return Heard.OLDER
        after = [replace(r, holders=r.holders & ~mask) if r is before else r for r in rows]
        same = next((r for r in after if r.entry.rank == entry.rank), None)
        if same is None:
            after.append(Row(entry, mask))
        else:
            vector = same.entry.vector.joined(entry.vector, keep=(entry.writer,))
            grown = replace(same, holders=same.holders | mask)
            if vector != same.entry.vector:
                grown = replace(grown, entry=replace(same.entry, vector=vector))
                if grown.is_ours:
                    grown = replace(grown, seq=self._next())
            after[after.index(same)] = grown
        self._change(rows, after)
        held = [row for row in after if row.holders]
        return Heard.SAME if len(held) == 1 and held[0].is_ours else Heard.OPEN

    # -- what follows ------------------------------------------------------------------------------

    def ticket(self, path: str) -> Ticket | None:
        """What is to be done about `path` on disk, if anything. Does first, in the index alone,
        what needs no disk: joins, deletes of what we do not have, publishing again."""
        for _ in range(8):  # each round takes or outbids one version; rows are few
            rows = self.rows(path)
            ours = _ours(rows)
            theirs = self._best(rows)
            if theirs is None:
                return None
            known = [row.entry for row in rows]
            match reconcile(ours.entry if ours else None, theirs.entry, known):
                case Verdict.KEEP:
                    self._join_lower(rows, ours)
                    return None
                case Verdict.PUBLISH_AGAIN:
                    assert ours is not None
                    self._outbid(rows, ours, theirs.entry)
                case Verdict.JOIN:
                    assert ours is not None
                    ticket = self._join(rows, ours, theirs)
                    if ticket is not None:
                        return ticket
                    self._join_lower(self.rows(path), None)
                    return None
                case verdict:
                    if theirs.entry.deleted and (ours is None or ours.entry.deleted):
                        self._take_row(rows, theirs.entry, None)
                        continue
                    copy = verdict is Verdict.TAKE_AND_COPY
                    return Ticket(theirs.entry, ours, copy, False)
        return None

    def take(self, entry: Entry, key: ScanKey | None) -> None:
        """`entry` is on disk (or its delete is): it is ours now, with the stat found now."""
        self._take_row(self.rows(entry.path), entry, key)

    def take_copy(self, loser: Entry, path: str, key: ScanKey | None) -> Entry:
        """The loser's bytes are at `path` now, as a conflict copy: the same entry everywhere."""
        entry = conflict_copy(loser, path)
        rows = self.rows(path)
        ours = _ours(rows)
        if ours is None or ours.entry.rank <= entry.rank:
            self._take_row(rows, entry, key)
        return entry

    def keep_folder(self, path: str) -> bool:
        """Something lives below our folder that must stay: publish it again above whatever would
        take its place (case c). False where nothing would."""
        rows = self.rows(path)
        ours, theirs = _ours(rows), self._best(rows)
        if ours is None or theirs is None:
            return False
        verdict = reconcile(ours.entry, theirs.entry, (), in_use=True)
        if verdict is not Verdict.PUBLISH_AGAIN:
            return False
        self._outbid(rows, ours, theirs.entry)
        return True

    def stays(self, path: str) -> bool:
        """Whether the version of `path` that wins among what can be had now is a live one."""
        rows = self.rows(path)
        best = max(
            (row.entry for row in rows if row.holders & (self.reach | OURS)),
            key=lambda entry: entry.rank,
            default=None,
        )
        return best is not None and not best.deleted

    # -- rows -----------------------------------------------------------------------------------

    def _next(self) -> int:
        return self.store.heads.next_sequence()

    def _best(self, rows: list[Row]) -> Row | None:
        """The highest rank that a reachable device other than us holds."""
        held = [row for row in rows if row.holders & self.reach]
        return max(held, key=lambda row: row.entry.rank, default=None)

    def _join(self, rows: list[Row], ours: Row, theirs: Row) -> Ticket | None:
        """Same kind and content, theirs perhaps of higher rank: a ticket for mtime and exec."""
        if ours is theirs or ours.entry.rank == theirs.entry.rank:
            return None
        entry = joined(ours.entry, theirs.entry)
        differ = (entry.mtime_ns, entry.exec) != (ours.entry.mtime_ns, ours.entry.exec)
        if differ and not entry.deleted and entry.kind is Kind.FILE:
            return Ticket(entry, ours, False, True)
        if entry.rank != ours.entry.rank:
            self._take_row(rows, entry, ours.scan)
        elif entry.vector != ours.entry.vector:
            grown = replace(ours, entry=entry, seq=self._next())
            self._change(rows, [*_without(rows, ours), grown])
        return None

    def _join_lower(self, rows: list[Row], ours: Row | None) -> None:
        """Ours stands: what others hold of the same content under lower ranks is joined into it."""
        ours = ours or _ours(rows)
        if ours is None:
            return
        entry = ours.entry
        for row in rows:
            if row is not ours and row.holders & self.reach and entry.same_content(row.entry):
                entry = joined(entry, row.entry) if row.entry.rank < entry.rank else entry
        if entry.vector != ours.entry.vector:
            grown = replace(ours, entry=entry, seq=self._next())
            self._change(rows, [*_without(rows, ours), grown])

    def _outbid(self, rows: list[Row], ours: Row, above: Entry) -> None:
        sequence = self._next()
        entry = published_again(ours.entry, above, self.store.heads.life, sequence)
        self._set_ours(rows, entry, sequence, ours.scan)

    def _adoptable(self, rows: list[Row], ours: Row | None, observed: Observed) -> Row | None:
        """A version of exactly these bytes that a peer holds and that our index may take: we have
        no entry, or ours was seen by it (a crash came before the index commit)."""
        best: Row | None = None
        for row in rows:
            if row is ours or row.entry.deleted or not _says(row.entry, observed):
                continue
            if ours is not None and not succeeds(row.entry, ours.entry):
                continue
            if best is None or row.entry.rank > best.entry.rank:
                best = row
        return best

    def _take_row(self, rows: list[Row], entry: Entry, key: ScanKey | None) -> None:
        """Our bit moves to the row of this rank; it is announced under a new sequence."""
        ours = _ours(rows)
        if ours is not None and ours.entry == entry:
            self._change(rows, [*_without(rows, ours), replace(ours, scan=key)])
            return
        self._set_ours(rows, entry, self._next(), key)

    def _set_ours(self, rows: list[Row], entry: Entry, seq: int, key: ScanKey | None) -> None:
        after: list[Row] = []
        placed = False
        for row in rows:
            held = row.holders & ~OURS
            if row.entry.rank == entry.rank:
                vector = row.entry.vector.joined(entry.vector, keep=(entry.writer,))
                entry = replace(row.entry, vector=vector)
                after.append(replace(row, entry=entry, holders=held | OURS, seq=seq, scan=key))
                placed = True
            else:
                after.append(replace(row, holders=held, seq=None, scan=None))
        if not placed:
            after.append(Row(entry, OURS, 0, seq, key))
        self._change(rows, after)

    def _change(self, before: list[Row], after: list[Row]) -> None:
        path = (before or after)[0].entry.path
        self.tally.change(before, after)
        if self._recount is not None:
            self._recount.change(before, after, sort_key(path))
        self._memo[path] = self.store.replace(before, after)


def _ours(rows: Iterable[Row]) -> Row | None:
    return next((row for row in rows if row.is_ours), None)


def _swept(rows: Iterable[Row], mask: int) -> list[Row]:
    """The rows without these bits; without a holder it is no row any more."""
    left = (replace(row, holders=row.holders & ~mask) for row in rows)
    return [row for row in left if row.holders]


def _without(rows: Iterable[Row], gone: Row) -> list[Row]:
    return [row for row in rows if row is not gone]


def _says(entry: Entry, observed: Observed) -> bool:
    """Whether the entry is what was observed: bytes and all that is synced beside them."""
    if (entry.kind, entry.content) != (observed.kind, observed.content):
        return False
    if entry.kind is not Kind.FILE:
        return True
    return (entry.mtime_ns, entry.exec) == (observed.mtime_ns, observed.exec)


def _grave(rows: list[Row], observed: Observed) -> Entry | None:
    """The winning tombstone, if it deleted exactly these bytes."""
    winner = max((row.entry for row in rows), key=lambda entry: entry.rank, default=None)
    if winner is None or not winner.deleted:
        return None
    same = winner.kind == observed.kind and winner.content == observed.content
    return winner if same else None
