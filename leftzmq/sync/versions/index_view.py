"""The local index and the open index of one folder: who holds which version of a path.

One table holds both, a row for each version and a bit for each device; the rows that are looked at
are remembered. Knows rows, bits and sequences. Must not know which version wins, or what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from leftzmq.index.heads import Head
from leftzmq.index.rows import Row, ours_of
from leftzmq.index.schema import OUR_BIT
from leftzmq.index.store import Store
from leftzmq.sync.versions.counters import Recount
from leftzmq.sync.versions.withheld import Withheld
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import Entry, Kind, ScanKey
from leftzmq.tree.path import sort_key
from leftzmq.tree.version import Life

OURS: Final = 1 << OUR_BIT
_ACCEPTED: Final = "accepted"
MEMO_PATHS: Final = 8192  # about 1 KiB each
BEGUN_MAX: Final = 16_384  # about 1 KiB each; what is beyond is called an edit of this device


class IndexView:
    """Both indexes, changed inside the store's running transaction.

    reach: the bits of the devices that can be asked now tally: what `status` counts; holdings: how
    much each device says that it has unsure: paths at which something may lie that an operation put
    there and that could not be flushed: until a look tells, no delete is taken over there begun:
    versions that an operation may have put there, of an earlier life or of now, by path: they may
    have their names without being ours, and those who had them have the next version changing:
    whether somebody changes what is at a path, or will walked: everything that was in the share at
    the start has been looked at held: what lies in the share and is not told accepted: what users
    let pass the guard, here or on another device kept: paths of which `leftings` keeps something
    that is to be gone on with; apart: those that cannot be here beside another spelling
    (sync/versions/name_clashes); turned: those whose rows are others since they were asked for:
    whoever changes a row, they are asked for again
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.reach = 0
        self.held = Withheld(store)
        self.accepted = Accepted.unpack(store.meta(_ACCEPTED) or b"")
        count = Recount.whole(store, self.accepted)
        self.counters, self.peer_counts = count.counters, count.peer_counts
        self.begun = store.all_begun()
        self._kept_begun, self._guessed = set(self.begun), set[str]()
        self.changing: Callable[[str], bool] = lambda path: False
        self.walked = False
        self.unsure: set[str] = set()
        self.kept: Collection[str] = ()
        self.apart: Collection[str] = ()
        self.turned: set[str] = set()
        self._memo: dict[str, list[Row]] = {}
        self._sweeping: tuple[frozenset[int], int] | None = None  # bits; the row they are gone from
        self._to_sweep: set[int] = set()  # in the next pass through the rows
        self._recount: Recount | None = None

    # -- looking ---------------------------------------------------------------------------------

    def goes_on_after(self, before: IndexView) -> None:
        """What operations may have put into the share is there still."""
        self.begun = before.begun | self.begun
        self._guessed |= before._guessed
        self.unsure |= before.unsure

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
        return ours_of(self.rows(path))

    def deleted(self, contents: Sequence[bytes]) -> int:
        """How many of these, of files that are gone, no other file of ours has: not only moved."""
        homes = self.store.homes(set(contents))
        return sum(content not in homes for content in contents)

    # -- changing --------------------------------------------------------------------------------

    def next_sequence(self) -> int:
        return self.store.heads.next_sequence()

    def change(self, before: list[Row], after: list[Row]) -> None:
        """The rows of one path become others; those without holders are dropped."""
        path = (before or after)[0].entry.path
        self.counters.change(before, after)
        self.peer_counts.change(before, after)
        if self._recount is not None:
            self._recount.change(before, after, sort_key(path))
        self._memo[path] = self.store.replace(before, after)
        if path in self.kept or path in self.apart:
            self.turned.add(path)

    # -- what may have its name ------------------------------------------------------------------

    def outdated(self, entry: Entry) -> None:
        """Nobody holds this version any more. It may be here all the same: an operation is under
        way at its path, or one was that the index does not know of. Some leave a `.lefting` behind;
        a file that was moved, and a link, do not."""
        path = entry.path
        if entry.deleted or entry.kind is Kind.DIRECTORY:
            return
        known = self.begun.get(path)
        if known is not None and known.rank != entry.rank:
            return
        if known is None and not self.changing(path):
            if self.walked or not self._needs_no_lefting(entry):
                return
            if len(self.begun) >= BEGUN_MAX:
                return
            self._guessed.add(path)
        self.begun[path] = entry
        self._kept_begun.add(path)
        self.store.put_begun(entry)

    def _needs_no_lefting(self, entry: Entry) -> bool:
        return entry.kind is Kind.SYMLINK or bool(self.store.twins(entry.content, 1))

    def begun_is_over(self, *paths: str) -> None:
        """It is known what is at these paths."""
        for path in paths:
            self.begun.pop(path, None)
            self._guessed.discard(path)
            if path in self._kept_begun:
                self._kept_begun.discard(path)
                self.store.drop_begun(path)

    def all_walked(self) -> None:
        """What is in the share was looked at. What could not be is remembered in this life."""
        self.walked = True
        self.begun_is_over(*(path for path in self._guessed if not self.changing(path)))
        for path in [path for path in self._kept_begun if not self.changing(path)]:
            self._kept_begun.discard(path)
            self.store.drop_begun(path)

    def change_row(self, rows: list[Row], row: Row, after: Row) -> None:
        """One of the rows of a path becomes another."""
        self.change(rows, [*(other for other in rows if other is not row), after])

    def set_ours(
        self,
        rows: list[Row],
        entry: Entry,
        seq: int,
        key: ScanKey | None,
        noise: bool = False,
    ) -> None:
        """Our bit moves to the row of this entry's rank, which may be a new one. noise: its bytes
        are known to be; what the path's rows know of the same bytes goes on to hold."""
        self.held.told(entry.path)
        after: list[Row] = []
        placed = False
        noise = noise or any(row.noise and row.entry.content == entry.content for row in rows)
        for row in rows:
            held = row.holders & ~OURS
            if row.entry.rank == entry.rank:
                vector = row.entry.vector.joined(entry.vector, keep=(entry.writer,))
                entry = replace(row.entry, vector=vector)
                ours = replace(row, entry=entry, holders=held | OURS, seq=seq, scan=key)
                after.append(replace(ours, noise=noise))
                placed = True
            else:
                after.append(replace(row, holders=held, seq=None, scan=None))
        if not placed:
            after.append(Row(entry, OURS, 0, seq, key, noise))
        self.change(rows, after)

    def take_row(
        self, rows: list[Row], entry: Entry, key: ScanKey | None, noise: bool = False
    ) -> None:
        """Our bit moves to the row of this rank; it is announced under a new sequence."""
        ours = ours_of(rows)
        if ours is not None and ours.entry == entry:
            self.change_row(rows, ours, replace(ours, scan=key, noise=ours.noise or noise))
            return
        self.set_ours(rows, entry, self.next_sequence(), key, noise)

    def is_noise(self, entry: Entry) -> None:
        """The bytes of this version came, and are noise."""
        rows = self.rows(entry.path)
        for row in rows:
            if row.entry.rank == entry.rank and not row.noise:
                self.change_row(rows, row, replace(row, noise=True))

    def accept(self, more: Accepted) -> None:
        """A user let these pass, here or on another device."""
        if self.accepted.includes(more):
            return
        before, self.accepted = self.accepted, self.accepted.joined(more)
        self.store.put_meta(_ACCEPTED, self.accepted.pack())
        counted = self.counters.losses or self.counters.turned or self._recount is not None
        if counted or not self.accepted.includes(before):
            self._recount = Recount(self.accepted)
        else:
            self.counters.accepted = self.accepted

    # -- generations -----------------------------------------------------------------------------

    def new_generation(self, device: bytes, life: Life) -> Head | None:
        """The first page of a device's whole index: what it said before counts for nothing. What
        was old before goes now: an index that never ends would keep it for ever. None: no bit is
        free, and nothing changed."""
        self.sweep(device)
        before = self.store.heads.of(device).mask
        head = self.store.heads.new_generation(device, life)
        if head is not None:
            self._stands_as(before, head)
        return head

    def begin_anew(self, device: bytes) -> Head | None:
        """What a device said until now counts for nothing, and its index can come under another
        bit, which it has from now on. None: no bit is free, and nothing changed."""
        heads = self.store.heads
        if not heads.bits_left:
            return None
        before = heads.of(device).mask
        self.give_up(device)
        head = heads.place(device)
        assert head is not None, "a bit is left"
        self._stands_as(before, head)
        return head

    def give_up(self, device: bytes) -> None:
        """What a device said until now counts for nothing; its bit is free when it is swept."""
        self.reach &= ~self.store.heads.of(device).mask
        self.store.heads.forget(device)
        self._memo.clear()
        self.sweep(device)

    def _stands_as(self, before: int, head: Head) -> None:
        self.reach = self.reach & ~before | head.mask
        self._memo.clear()

    def sweep(self, device: bytes) -> None:
        """Its last page is here: the bits of its old generations go, some rows a turn."""
        under_way = self._sweeping[0] if self._sweeping else frozenset()
        self._to_sweep.update(set(self.store.heads.to_sweep(device)) - under_way)

    def sweep_all(self) -> bool:
        """No bit is free: those of all old generations go now. Whether there are any."""
        for device in self.store.heads.swept_keys():
            self.sweep(device)
        return self._sweeping is not None or bool(self._to_sweep)

    @property
    def swept(self) -> bool:
        """Whether nothing is left to sweep, and all is counted."""
        return not self._sweeping and not self._to_sweep and self._recount is None

    def sweep_some(self) -> None:
        """One step of sweeping; then rows are gone that were counted, so count anew."""
        if self._sweeping is None and self._to_sweep:
            self._sweeping, self._to_sweep = (frozenset(self._to_sweep), 0), set()
        if self._sweeping is not None:
            bits, at = self._sweeping
            end = self.store.sweep_some(bits, at)
            self._sweeping = None if end is None else (bits, end)
            if end is None:
                self.turned.update(self.kept, self.apart)  # who held it may hold it no more
                self._recount = None if self._to_sweep else Recount(self.accepted)
        elif self._recount is not None and not self._recount.step(self.store):
            self.counters, self.peer_counts = self._recount.counters, self._recount.peer_counts
            self._recount = None


def _swept(rows: Iterable[Row], mask: int) -> list[Row]:
    """The rows without these bits; without a holder it is no row any more."""
    left = (replace(row, holders=row.holders & ~mask) for row in rows)
    return [row for row in left if row.holders]
