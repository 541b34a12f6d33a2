"""The local index and the remote indexes of one folder: which device holds which version of a path.

One table holds both: a row for each version, and in it a bit for each device. Rows that were looked
up are kept in memory. Knows rows, bits and sequences. Must not know which version wins, or what
follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum, auto
from itertools import islice
from typing import Final

from msgspec.structs import replace

from leftzmq.index.change_ages import ChangeTimes
from leftzmq.index.heads import Head
from leftzmq.index.rows import ANYBODY, Row, best_of, counting, ours_of
from leftzmq.index.schema import OURS as OURS
from leftzmq.index.store import Store
from leftzmq.sync.facts import FoundDeleted
from leftzmq.sync.versions.author import Author
from leftzmq.sync.versions.counters import Recount, count
from leftzmq.sync.versions.peer_counts import Lack
from leftzmq.sync.versions.withheld import NOTHING_TOLD, Withheld
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.attributes import NO_MODE
from leftzmq.tree.entry import Entry, Kind, ScanKey, kept_back
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.path import folders_above, keys_below, path_of_key, sort_key
from leftzmq.tree.version import Life

_ACCEPTED: Final = "accepted"
BELOW_AT_ONCE: Final = 4096
MEMO_PATHS: Final = 8192  # about 1 KiB each
# About 1 KiB each; a version beyond this limit counts as an edit of this device.
BEGUN_MAX: Final = 16_384
BEGUN_OF_PATH_MAX: Final = 4  # one for each life that ended before it had looked


class KeepingChange(Enum):
    """What became of a path when it was judged anew."""

    THE_SAME = auto()
    KEPT = auto()  # what others have of it counts again
    NOT_KEPT = auto()  # it counts no more, and we had no version
    WITHDRAWN = auto()  # it counts no more, nor does our version


class IndexView:
    """Both indexes, changed inside the store's running transaction.

    author: makes the versions of this device
    reach: the bits of the devices that can be asked now
    counters: what `status` counts
    peer_counts: how much each device says that it has
    times: when the rows were made
    unsure: paths where an operation may have left something that could not be flushed, or where
        something was found that is still to be deleted. Until a look tells, or that is deleted, no
        delete is taken over there
    begun: versions that an operation may have put on disk, in an earlier life or in this one, by
        path. One of them may have its name on disk without being ours. The devices that had such a
        version have the next one
    changing: whether somebody changes what is at a path, or is about to
    walked: everything that was in the share at the start has been looked at, except for what is
        `unseen`
    unseen: whether nobody could look at a path since the start
    held: what lies in the share and is not announced
    accepted: what users let pass the guard, here or on another device
    kept: paths of which `leftings` keeps a partial file with which a transfer is to continue
    apart: paths that cannot be here beside another spelling (sync/versions/name_clashes)
    keeps: whether this device may keep what is at a path, if it is of this kind: no rule ignores it
    wants: whether it fetches what is at a path. What is here already is kept in any case. The rows
        of paths that it does not keep stay in the index, and nothing follows from them here
    brings: whether a user asked for what others have at a path, in a folder that only sends. What
        is missing here is taken then
    judge_first: judges the rows of a path by rules that hold since a moment ago, if that is still
        to be done. Nothing is to be begun at a path by the rules before
    dropped: paths that count as if nothing of ours were here: they are being let go
    some_apart: whether there may be rows of paths that this device does not keep
    has_bases: whether versions may be kept of paths that this device stopped keeping
    given_up: private versions that a user gave up, and that are still there, by path. Whatever
        others have by now, also a delete, comes in their place
    touched: paths at which something may have changed that this device made and nobody takes; empty
        while it may write
    turned: paths of `kept` and `apart` whose rows changed since this set was last emptied. These
        paths are considered again, whoever changed the rows
    """

    def __init__(self, store: Store) -> None:
        self.store, self.author = store, Author(store.heads)
        self.reach = 0
        self.held = Withheld(store)
        self.accepted = Accepted.unpack(store.meta(_ACCEPTED) or b"")
        self.times = ChangeTimes(store.last_id)
        whole = Recount.whole(store, self.accepted, times=self.times)
        self.counters, self.peer_counts = whole.counters, whole.peer_counts
        self.begun = store.all_begun()
        self._kept_begun, self._guessed = set(self.begun), set[str]()
        self.changing: Callable[[str], bool] = lambda path: False
        self.unseen: Callable[[str], bool] = lambda path: False
        self.keeps: Callable[[str, Kind], bool] = lambda path, kind: True
        self.brings: Callable[[str, Kind], bool] = lambda path, kind: False
        self.wants: Callable[[str, Kind], bool] = lambda path, kind: True
        self.judge_first: Callable[[str], None] = lambda path: None
        self.dropped: set[str] = set()
        self.has_bases, self.some_apart = store.has_bases, store.has_apart
        self.walked = False
        self.unsure: set[str] = set()
        self.kept: Collection[str] = ()
        self.apart: Collection[str] = ()
        self.turned: set[str] = set()
        self.touched: set[str] = set()
        self.given_up: dict[str, FoundDeleted] = {}
        self.readers_known: frozenset[bytes] = frozenset()
        self._we_read = self._some_read = False
        self._memo: dict[str, list[Row]] = {}
        # The bits; the row that was swept last.
        self._sweeping: tuple[frozenset[int], int] | None = None
        self._to_sweep: set[int] = set()  # bits for the next pass through the rows
        self._recount: Recount | None = None

    # -- looking ---------------------------------------------------------------------------------

    def goes_on_after(self, before: IndexView) -> None:
        """Takes over what the view before this one knew of operations: what they may have put into
        the share is still there."""
        for entries in before.begun.values():
            for entry in entries:
                self.remember_begun(entry)
        self._guessed |= before._guessed
        self.unsure |= before.unsure

    def rows(self, path: str) -> list[Row]:
        """All versions of a path that count: of a path that we keep, those that a full member
        holds, or we. What is decided about a path is decided from these rows."""
        rows = self.all_rows(path)
        is_mixed = self.readers_known or self.some_apart
        return counting(rows, self.readers) if is_mixed else rows

    def told_rows(self, path: str) -> list[Row]:
        """All versions of a path that a full member holds, or we, whether we keep the path or
        not."""
        rows = self.all_rows(path)
        if not self.readers_known:
            return rows
        readers = self.readers
        return [row for row in rows if row.holders & ~readers]

    def new_row(self, entry: Entry, holders: int) -> Row:
        """A version that nobody had so far."""
        here = bool(holders & OURS) or self._is_here(entry.path)
        return self._marked(Row(entry, holders), here)

    def _marked(self, row: Row, here: bool) -> Row:
        """The row with the mark whether it is apart. A tombstone that we have is what we told last,
        whatever kind it was of: what we tell next is above it. And where something lies that we
        keep, others take a tombstone for its delete. here: see _is_apart"""
        counts = row.entry.deleted and (row.is_ours or here)
        apart = not counts and self._is_apart(row.entry.path, row.entry.kind, here)
        self.some_apart = self.some_apart or apart
        return row if row.apart is apart else replace(row, apart=apart)

    def all_rows(self, path: str) -> list[Row]:
        """All versions of a path that some device holds. A ticket looks up its path a dozen times,
        so the rows stay in memory until they change."""
        if path not in self._memo:
            self.recall((path,))
        return self._memo[path]

    def recall(self, paths: Iterable[str]) -> None:
        """Looks up many paths at once, before each of them is asked for."""
        unknown = [path for path in paths if path not in self._memo]
        if unknown:
            for path in list(islice(self._memo, max(0, len(self._memo) - MEMO_PATHS))):
                del self._memo[path]  # the oldest
            found = self.store.rows_of(unknown)
            if swept := self.store.heads.swept_mask:
                found = {path: _swept(rows, swept) for path, rows in found.items()}
            self._memo.update(found)

    def ours(self, path: str) -> Row | None:
        """The version of a path that we have. A tombstone, too, is a version that we have."""
        return ours_of(self.rows(path))

    def deleted(self, contents: Sequence[bytes]) -> int:
        """How many of these contents of deleted files no other file of ours has: files that were
        not only moved."""
        homes = self.store.homes(set(contents))
        return sum(content not in homes for content in contents)

    @property
    def readers(self) -> int:
        """The bits of the other devices that may only read the folder. They are on rows as
        acknowledgements; no version counts that these alone hold."""
        return self.store.heads.bits_of(self.readers_known) if self.readers_known else 0

    @property
    def silent(self) -> int:
        """The bits of those whose versions nobody takes: of readers, and ours if we are one."""
        return self.readers | (OURS if self._we_read else 0)

    @property
    def we_read(self) -> bool:
        """Whether this device may only read the folder."""
        return self._we_read

    def is_walked(self, path: str) -> bool:
        """Whether what was at `path` at the start has been looked at."""
        return self.walked and not self.unseen(path)

    # -- changing --------------------------------------------------------------------------------

    def now_is(self, now: float) -> None:
        """Called before each fact: rows that are made next are of this time (monotonic seconds)."""
        self.times.now_is(self.store.last_id, now)

    @property
    def takes(self) -> bool:
        """Whether what others change is taken into the share."""
        return self.author.mode is not FolderMode.SEND

    def may_take(self, theirs: Entry, ours: Row | None) -> bool:
        """Whether this version of others may come. ours: what we have at its path. A folder that
        only sends takes what it had itself and lost, and what a user asked for, where this device
        made nothing and deleted nothing."""
        if self.takes or (ours is None and self.held.is_wanted_back(theirs.path)):
            return True
        if not self.brings(theirs.path, theirs.kind) or not self._made_nothing(ours):
            return False
        above = map(self.ours, folders_above(theirs.path))
        return all(_is_folder(each) or self._made_nothing(each) for each in above)

    def _made_nothing(self, ours: Row | None) -> bool:
        """Whether this device neither made nor deleted what is ours at a path."""
        if ours is None:
            return True
        return ours.entry.deleted and ours.entry.writer not in dict(self.store.heads.chain)

    def to_come(self, mask: int) -> Lack:
        """What the device of this bit has and is still to come here."""
        return self.peer_counts.coming(mask) if self.takes else Lack()

    def declined(self, mask: int) -> int:
        """How many versions the device of this bit has that are not to come here."""
        passed = self.peer_counts.not_kept(mask)
        return passed if self.takes else passed + self.peer_counts.coming(mask).paths

    @property
    def tickets(self) -> int:
        """How many paths there are whose winner is to come here."""
        return self.counters.tickets if self.takes else 0

    @property
    def differs(self) -> int:
        """How many paths are otherwise here than on other devices, as this device only sends the
        folder, or only receives it."""
        return self.counters.differs if self.takes else self.counters.tickets

    def next_sequence(self) -> int:
        return self.store.heads.next_sequence()

    def change(self, before: list[Row], after: list[Row]) -> None:
        """The rows of one path change from `before` to `after`. Rows without
        holders are dropped."""
        path, silent = (before or after)[0].entry.path, 0
        if self._some_read or self.some_apart:
            before, after = self._with_others(path, before, after)
        if self._some_read:
            silent = self.silent
            if self._we_read:
                self.touched.add(path)
        # They have their ids then.
        after = self._memo[path] = self.store.replace(before, after)
        count(self.counters, self.peer_counts, before, after, silent)
        if self._recount is not None:
            self._recount.change(before, after, sort_key(path), silent)
        if path in self.kept or path in self.apart:
            self.turned.add(path)

    def _with_others(
        self, path: str, before: list[Row], after: list[Row]
    ) -> tuple[list[Row], list[Row]]:
        """The rows that do not count stay as they are. Where such a version comes to count, its
        holders hold it with the others; what else they said of it counts for nothing."""
        known = {row.id for row in before}
        theirs = [row for row in self.all_rows(path) if row.id not in known]
        if not theirs:
            return before, after
        ranks = {row.entry.rank: row for row in theirs}
        joined = [
            replace(row, holders=row.holders | ranks.pop(row.entry.rank).holders)
            if row.holders and row.entry.rank in ranks
            else row
            for row in after
        ]
        return [*before, *theirs], [*joined, *ranks.values()]

    # -- versions that may be on disk ----------------------------------------------------------

    def outdated(self, entry: Entry) -> None:
        """No device holds this version any more. It may still be on disk: an operation is under way
        at its path, or one was that the index does not know of. Some operations leave a `.lefting`
        behind; the move of a file and the making of a link do not."""
        path = entry.path
        if entry.deleted or entry.kind is Kind.DIRECTORY:
            return
        known = self.begun.get(path, ())
        if known and all(each.rank != entry.rank for each in known):
            return
        ours = self.ours(path)
        if not known and ours is not None and ours.entry.rank > entry.rank:
            # No operation puts a version there that ours is above. If its bytes come back to a path
            # that our index has as deleted, a user put them there.
            return
        if not known and not self.changing(path):
            if self.is_walked(path) or not self._needs_no_lefting(entry):
                return
            if len(self.begun) >= BEGUN_MAX:
                return
            self._guessed.add(path)
        self.may_have_come(entry)

    def may_have_come(self, entry: Entry) -> None:
        """An operation may have put this version on disk, and our index does not say so. That is
        known until a look tells what is there, over starts, too."""
        if self.remember_begun(entry):
            self._kept_begun.add(entry.path)
            self.store.put_begun(entry)

    def remember_begun(self, entry: Entry) -> bool:
        """The same, for this life alone. Returns False where so many are known of the path that
        this one is passed over."""
        known = self.begun.get(entry.path, ())
        others = tuple(each for each in known if each.rank != entry.rank)
        if len(others) >= BEGUN_OF_PATH_MAX:
            return False
        self.begun[entry.path] = (*others, entry)
        return True

    def _needs_no_lefting(self, entry: Entry) -> bool:
        return entry.kind is Kind.SYMLINK or bool(self.store.twins(entry.content, 1))

    def begun_is_over(self, *paths: str) -> None:
        """It is known now what is at these paths."""
        for path in paths:
            self.begun.pop(path, None)
            self._guessed.discard(path)
            if path in self._kept_begun:
                self._kept_begun.discard(path)
                self.store.drop_begun(path)

    def all_walked(self) -> None:
        """Everything in the share has been looked at, except for what is unseen. What an earlier
        life may have put elsewhere is known then, also where nothing lies that a look would report.
        Versions at paths that still change, or at which a look is to tell, stay in memory."""
        self.walked = True
        over = [path for path in self.begun if self._is_over(path)]
        self.begun_is_over(*(path for path in over if path not in self.unsure))
        for path in [path for path in self._kept_begun if self._is_over(path)]:
            self._kept_begun.discard(path)
            self.store.drop_begun(path)

    def _is_over(self, path: str) -> bool:
        """Whether what an earlier life put there is known, and nothing is being put there. What is
        ignored no walk looks at: it is known when it is kept again, and a look tells."""
        is_looked_at = all(self.keeps(path, each.kind) for each in self.begun.get(path, ()))
        return is_looked_at and not self.unseen(path) and not self.changing(path)

    def change_row(self, rows: list[Row], row: Row, after: Row) -> None:
        """One row of a path changes from `row` to `after`."""
        self.change(rows, [*(other for other in rows if other is not row), after])

    def set_ours(
        self,
        rows: list[Row],
        entry: Entry,
        seq: int,
        key: ScanKey | None,
        noise: bool = False,
    ) -> None:
        """Moves our bit to the row of this entry's rank, which may be a new row. noise: the entry's
        bytes are known to be noise. If another row of the path has the same content and is noise,
        this one is, too."""
        was_wanted_back = self.held.announced_above(entry.path)
        self.drop_base(entry.path)
        if not entry.deleted:
            self.given_up.pop(entry.path, None)
        if not (entry.is_private or entry.deleted) and self.is_below_private(entry.path):
            entry = kept_back(entry, entry)
        after: list[Row] = []
        if entry.is_private and self._keeps_to_itself(rows, entry, was_wanted_back):
            return
        placed = False
        here = not entry.deleted and entry.path not in self.dropped
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
                theirs = replace(row, holders=held, seq=None, scan=None)
                after.append(self._marked(theirs, here))
        if not placed:
            after.append(replace(self.new_row(entry, OURS), seq=seq, scan=key, noise=noise))
        self.change(rows, after)
        if entry.is_private and entry.kind is Kind.DIRECTORY and not entry.deleted:
            self._withdraw_below(entry.path)
        if self.some_apart:
            self.judge_anew(entry.path)  # what is not here any more may not be wanted

    def is_below_private(self, path: str) -> bool:
        """Whether a folder above `path` is private. What is told below such a folder would wait for
        it on all other devices, for ever."""
        if not self.author.receives:
            return False
        folders = (self.ours(folder) for folder in folders_above(path))
        return any(row.entry.is_private and not row.entry.deleted for row in folders if row)

    def _withdraw_below(self, folder: str) -> None:
        """The folder is private now: what we told below it is as well, but for what others have
        deleted: that is still to go, and would be ours to tell."""
        low, high = keys_below(folder)
        while found := self.store.alive_after(low, BELOW_AT_ONCE, high):
            low = found[-1][0]
            for path in [path_of_key(key) for key, _ in found]:
                rows = self.rows(path)
                ours = ours_of(rows)
                if ours is None or ours.entry.is_private:
                    continue
                best = best_of(rows, ANYBODY)
                if best is None or not best.entry.deleted:
                    entry = kept_back(ours.entry, ours.entry)
                    self.set_ours(rows, entry, self.next_sequence(), ours.scan, ours.noise)

    def _keeps_to_itself(self, rows: list[Row], entry: Entry, was_wanted_back: bool) -> bool:
        """Our next version of the path is private: what we had told is withdrawn. Returns whether
        that is all, because `entry` deletes what nobody else has."""
        ours = ours_of(rows)
        if was_wanted_back or (ours is not None and not ours.entry.is_private):
            self.store.put_withdrawn(entry.path, self.next_sequence())
        if not entry.deleted or any(row.holders & ~OURS for row in rows):
            return False
        if ours is not None:
            self.change_row(rows, ours, replace(ours, holders=0, seq=None, scan=None))
        return True

    def take_row(
        self, rows: list[Row], entry: Entry, key: ScanKey | None, noise: bool = False
    ) -> None:
        """Moves our bit to the row of this rank and announces the entry under a new sequence."""
        ours = ours_of(rows)
        if ours is not None and ours.entry == entry:
            self.change_row(rows, ours, replace(ours, scan=key, noise=ours.noise or noise))
            return
        self.set_ours(rows, entry, self.next_sequence(), key, noise)

    def write_down(self, modes: Sequence[tuple[str, int]]) -> None:
        """A walk found our versions at these paths, with these modes, which are not in our index:
        it is from a time before they were. Nothing is told."""
        self.recall(path for path, _ in modes)
        for path, mode in modes:
            rows = self.all_rows(path)
            ours = ours_of(rows)
            if ours is None or ours.scan is None or self.held.at(path) is not None:
                continue
            if ours.scan.mode == NO_MODE:
                self.change_row(rows, ours, replace(ours, scan=replace(ours.scan, mode=mode)))

    def is_noise(self, entry: Entry) -> None:
        """The bytes of this version arrived, and they are noise."""
        rows = self.rows(entry.path)
        for row in rows:
            if row.entry.same_content(entry) and not row.noise:
                self.change_row(rows, row, replace(row, noise=True))

    # -- paths that are not kept -----------------------------------------------------------------

    def judge_anew(self, path: str) -> KeepingChange:
        """What we keep at a path may be something else now. Our version of what we do not keep any
        more is withdrawn."""
        return self._judge(path, self._is_here(path))

    def something_lies(self, path: str) -> None:
        """Something that is synced lies at a path, so that is kept: what others have of it counts,
        wanted or not."""
        if self.some_apart and path not in self.dropped:
            self._judge(path, here=True)

    def _is_here(self, path: str) -> bool:
        """Whether we have something live at a path that we keep, and do not let it go."""
        ours = ours_of(self.all_rows(path))
        if ours is None or ours.entry.deleted or path in self.dropped:
            return False
        return self.keeps(path, ours.entry.kind)

    def _is_apart(self, path: str, kind: Kind, here: bool) -> bool:
        """here: whether something lies at the path that we have."""
        return not self.keeps(path, kind) or not (here or self.wants(path, kind))

    def _judge(self, path: str, here: bool) -> KeepingChange:
        rows = self.all_rows(path)
        after = [self._marked(row, here) for row in rows]
        is_other = after != rows
        if is_other:
            self.some_apart = True
            self.change(rows, after)
        if self.withdraw(path):
            return KeepingChange.WITHDRAWN
        if not is_other:
            return KeepingChange.THE_SAME
        is_kept = any(old.apart and not new.apart for old, new in zip(rows, after, strict=True))
        return KeepingChange.KEPT if is_kept else KeepingChange.NOT_KEPT

    def withdraw(self, path: str) -> bool:
        """If we do not keep what we have at a path, it is ours no longer, and that is said once.
        What it was stays as a base, from which the path goes on when it is kept again. Returns
        whether it was withdrawn. Tombstones stay: others may have to hear of them still."""
        rows = self.all_rows(path)
        ours = ours_of(rows)
        if ours is None:
            return self._wants_back_no_more(path)
        if ours.entry.deleted or not ours.apart:
            return False
        self.held.release(path)
        self.begun_is_over(path)
        self.unsure.discard(path)
        self.store.put_base(ours.entry, ours.scan)
        self.has_bases = True
        self.store.put_withdrawn(path, self.next_sequence())
        theirs = replace(ours, holders=ours.holders & ~OURS, seq=None, scan=None)
        self.change_row(rows, ours, theirs)
        return True

    def _wants_back_no_more(self, path: str) -> bool:
        """As withdraw. What we told of the path is on disk no more, and was wanted back. Others
        take us for one that has it, also where no version is left that somebody has."""
        held = self.held.at(path)
        if held is None or held.had == NOTHING_TOLD:
            return False
        if not self._is_apart(path, held.key.kind, here=False):
            return False
        self.held.told_withdrawn(path)
        self.store.put_withdrawn(path, self.next_sequence())
        return True

    def base(self, path: str) -> Row | None:
        """The version that we had of a path when we stopped keeping it, as if it were ours."""
        found = self.store.base(path) if self.has_bases else None
        return None if found is None else Row(found[0], OURS, scan=found[1])

    def drop_base(self, path: str) -> None:
        """What is at the path is known again."""
        if self.has_bases:
            self.store.drop_base(path)

    def accept(self, more: Accepted) -> None:
        """A user accepted these, here or on another device."""
        if self.accepted.includes(more):
            return
        before, self.accepted = self.accepted, self.accepted.joined(more)
        self.store.put_meta(_ACCEPTED, self.accepted.pack())
        counted = self.counters.losses or self.counters.turned or self._recount is not None
        if counted or not self.accepted.includes(before):
            self._recount = self._counted_anew()
        else:
            self.counters.accepted = self.accepted

    def may_only_read(self, readers: frozenset[bytes], we_do: bool) -> bool:
        """These other devices may only read the folder; we_do: so may we. Returns whether other
        rows count now."""
        before = self.silent
        self.readers_known, self._we_read = readers, we_do
        self._some_read = bool(readers) or we_do
        if self.silent == before:
            return False
        self.turned.update(self.kept, self.apart)
        self._recount = self._counted_anew()
        return True

    # -- generations -----------------------------------------------------------------------------

    def new_generation(self, device: bytes, life: Life) -> Head | None:
        """The first page of a device's whole index arrives: what the device said before no longer
        counts. Older generations are swept first, because an index that never ends would keep them
        for ever. Returns None, and changes nothing, if no bit is free."""
        self.sweep(device)
        before = self.store.heads.head_of(device).mask
        head = self.store.heads.new_generation(device, life)
        if head is not None:
            self._stands_as(before, head)
        return head

    def begin_anew(self, device: bytes) -> Head | None:
        """What a device said until now no longer counts. The device gets a new bit, under which its
        index can arrive. Returns None, and changes nothing, if no bit is free."""
        heads = self.store.heads
        if not heads.bits_left:
            return None
        before = heads.head_of(device).mask
        self.give_up(device)
        head = heads.place(device)
        assert head is not None, "a bit is left"
        self._stands_as(before, head)
        return head

    def give_up(self, device: bytes) -> None:
        """What a device said until now no longer counts. Its bit is free when it has been swept."""
        self.reach &= ~self.store.heads.head_of(device).mask
        self.store.heads.give_up_device(device)
        self._memo.clear()
        self.sweep(device)

    def _stands_as(self, before: int, head: Head) -> None:
        self.reach = self.reach & ~before | head.mask
        self._memo.clear()

    def sweep(self, device: bytes) -> None:
        """The last page of the device's index is here: the bits of its old generations are removed,
        some rows in each turn."""
        under_way = self._sweeping[0] if self._sweeping else frozenset()
        self._to_sweep.update(set(self.store.heads.to_sweep(device)) - under_way)

    def sweep_all(self) -> bool:
        """No bit is free: the bits of all old generations are removed now. Returns whether there
        are any."""
        for device in self.store.heads.swept_keys():
            self.sweep(device)
        return self._sweeping is not None or bool(self._to_sweep)

    @property
    def swept(self) -> bool:
        """Whether nothing is left to sweep, and the recount is complete."""
        return not self._sweeping and not self._to_sweep and self._recount is None

    def _counted_anew(self) -> Recount:
        return Recount(self.accepted, self.times)

    def sweep_some(self) -> None:
        """Does one step of sweeping. When rows that were counted have been removed, the count
        starts again."""
        if self._sweeping is None and self._to_sweep:
            self._sweeping, self._to_sweep = (frozenset(self._to_sweep), 0), set()
        if self._sweeping is not None:
            bits, at = self._sweeping
            end = self.store.sweep_some(bits, at)
            self._sweeping = None if end is None else (bits, end)
            if end is None:
                # A device that held them may no longer hold them.
                self.turned.update(self.kept, self.apart)
                self._recount = None if self._to_sweep else self._counted_anew()
        elif self._recount is not None:
            goes_on = self._recount.step(self.store, silent=self.silent)
            self.touched.update(self._recount.own)
            self._recount.own.clear()
            if not goes_on:
                self.counters, self.peer_counts = self._recount.counters, self._recount.peer_counts
                self._recount = None


def _swept(rows: Iterable[Row], mask: int) -> list[Row]:
    """The rows without these bits. Rows without a holder are left out."""
    left = (replace(row, holders=row.holders & ~mask) for row in rows)
    return [row for row in left if row.holders]


def _is_folder(ours: Row | None) -> bool:
    return ours is not None and not ours.entry.deleted and ours.entry.kind is Kind.DIRECTORY
