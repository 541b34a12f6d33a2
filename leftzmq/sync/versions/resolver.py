"""What follows from what we have and what others have, path by path: taking, joining, outbidding.

Knows the two indexes and the rules of `tree`. Must not know devices' links, files, or how a
version came into the rows (`found`, `heard`). Every method leaves the rows of a path in one of the
states that docs/design.md, "Versions" allows, inside the store's running transaction.
"""

from __future__ import annotations

from msgspec.structs import replace

from leftzmq.index.rows import Row, best_of, ours_of, theirs_of
from leftzmq.sync.facts import FoundDeleted
from leftzmq.sync.versions.index_view import OURS, IndexView
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.sync.versions.withheld import WANTED_BACK, WhyWithheld
from leftzmq.tree.conflict import HEX_DIGITS, MAX_DIGITS, conflict_copy, conflict_path
from leftzmq.tree.entry import (
    Entry,
    Kind,
    Observed,
    ScanKey,
    joined,
    local_change,
    published_again,
    with_other_deletes,
)
from leftzmq.tree.path import path_of_key, sort_key
from leftzmq.tree.plan import Held, Operation, Staged, Verb
from leftzmq.tree.reconcile import Verdict, reconcile


class Resolver:
    """The rules of one folder."""

    def __init__(self, index_view: IndexView) -> None:
        self._index_view, self._heads = index_view, index_view.store.heads

    @property
    def walked(self) -> bool:
        """Everything that was in the share at the start has been looked at."""
        return self._index_view.walked

    @property
    def may_find(self) -> bool:
        """Whether files that this index has never known may be in the share: it is new, and has
        not been through the share yet."""
        return not self.walked and len(self._heads.chain) <= 1

    # -- what follows ------------------------------------------------------------------------------

    def ticket(self, path: str) -> Ticket | None:
        """What is to be done about `path` on disk, if anything. Does first, in the index alone,
        what needs no disk: joins, deletes of what we do not have, publishing again. Nothing where
        a user is to decide first what lies there."""
        held = self._index_view.held.at(path)
        if held is not None and held.why not in WANTED_BACK:
            return None
        lies = held.key if held is not None and held.why is WhyWithheld.GIVES_WAY else None
        for _ in range(8):  # each round takes or outbids one version; rows are few
            rows = self._index_view.rows(path)
            ours = ours_of(rows)
            theirs = best_of(rows, self._index_view.reach)
            if theirs is None:
                return None
            is_here = ours is not None and not ours.entry.deleted
            if theirs.entry.deleted and not is_here and path in self._index_view.unsure:
                return None  # what lies there, perhaps, is what it deleted
            if held is not None and held.is_above(theirs.entry):
                return None
            if not self.walked and theirs.entry.deleted and _may_hide(ours):
                return None
            known = [row.entry for row in rows]
            match reconcile(ours.entry if ours else None, theirs.entry, known):
                case Verdict.KEEP:
                    self._join_lower(rows, ours)
                    return None
                case Verdict.PUBLISH_AGAIN:
                    assert ours is not None
                    self._outbid(rows, ours.entry, ours.scan, theirs.entry)
                case Verdict.JOIN:
                    assert ours is not None
                    ticket = self._join(rows, ours, theirs)
                    if ticket is not None:
                        return ticket
                    self._join_lower(self._index_view.rows(path), None)
                    return None
                case verdict:
                    if theirs.entry.deleted and not is_here:
                        self._index_view.held.let_be(path)
                        self._index_view.take_row(
                            rows, with_other_deletes(theirs.entry, known), None
                        )
                        continue
                    copy = verdict is Verdict.TAKE_AND_COPY
                    return Ticket(theirs.entry, ours, copy, False, lies)
        return None

    def may_lie(self, entry: Entry, *paths: str) -> None:
        """An operation may have put something at these paths, which is not ours yet; at its own
        it is this version. A look is to tell."""
        self._index_view.unsure.update(paths)
        if not entry.deleted:
            self._index_view.begun[entry.path] = entry

    def bury(self, path: str) -> bool:
        """Take over the delete that wins, where we have nothing and nothing lies. Whether it was
        one."""
        rows = self._index_view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, self._index_view.reach)
        is_here = ours is not None and not ours.entry.deleted
        if is_here or theirs is None or not theirs.entry.deleted:
            return False
        known = [row.entry for row in rows]
        verdict = reconcile(ours.entry if ours else None, theirs.entry, known)
        lies = self._index_view.held.at(path) is not None or path in self._index_view.unsure
        if verdict is not Verdict.TAKE or lies:
            return False
        self._index_view.take_row(rows, with_other_deletes(theirs.entry, known), None)
        return True

    def take(self, entry: Entry, key: ScanKey | None, noise: bool = False) -> None:
        """`entry` is on disk (or its delete is): it is ours now, with the stat found now."""
        self._index_view.held.forget(entry.path)
        self._index_view.unsure.discard(entry.path)
        self._index_view.begun_is_over(entry.path)
        rows = self._index_view.rows(entry.path)
        entry = with_other_deletes(entry, (row.entry for row in rows))
        self._index_view.take_row(rows, entry, key, noise)

    def copy_path(self, loser: Entry, digits: int) -> str | None:
        """Where the loser's bytes go as a conflict copy; None: they are there already, or somebody
        who had the copy deleted or replaced it: it is not made again."""
        path = conflict_path(loser, digits)
        copy = conflict_copy(loser, path)
        rows = self._index_view.rows(path)
        known = [row.entry for row in rows]
        for row in rows:
            verdict = reconcile(copy, row.entry, known)
            is_there = verdict is Verdict.JOIN and row.is_ours
            if verdict is Verdict.TAKE or is_there:
                return None
        return path

    def owed_copy(self, path: str, content: bytes, staged: Staged) -> Operation | None:
        """Bytes of `content` have the name already, and ours lies under that of the `.lefting`:
        what makes it the conflict copy, if it is to be one."""
        rows = self._index_view.rows(path)
        ours = ours_of(rows)
        taken = theirs_of(rows, content)
        if ours is None or ours.scan is None or taken is None:
            return None
        known = [row.entry for row in rows]
        if reconcile(ours.entry, taken, known) is not Verdict.TAKE_AND_COPY:
            return None
        copy_to = self._free_copy_path(ours.entry)
        held = Held(ours.scan, ours.entry.content)
        return Operation(Verb.NAME_COPY, taken, held, copy_to, staged) if copy_to else None

    def _free_copy_path(self, loser: Entry) -> str | None:
        """As `copy_path`, with so many digits that nothing of ours has the name."""
        for digits in range(HEX_DIGITS, MAX_DIGITS + 1, HEX_DIGITS):
            path = self.copy_path(loser, digits)
            if path is None:
                return None
            there = self._index_view.ours(path)
            if there is None or there.entry.deleted:
                return path
        return None

    def take_copy(
        self, loser: Entry, path: str, key: ScanKey | None, noise: bool = False
    ) -> FoundDeleted | None:
        """The loser's bytes are at `path` now, as a conflict copy: the same entry everywhere. If
        meanwhile we heard that somebody deleted it, it is to go again. Where another copy, or a
        user's file, had that name and was deleted, nobody has seen this one: it stays, above that
        delete."""
        entry = conflict_copy(loser, path)
        rows = self._index_view.rows(path)
        ours = ours_of(rows)
        if ours is None or ours.entry.rank <= entry.rank:
            self._index_view.take_row(rows, entry, key, noise)
        elif ours.entry.deleted and key is not None:
            verdict = reconcile(entry, ours.entry, [row.entry for row in rows])
            if verdict is not Verdict.PUBLISH_AGAIN:
                return FoundDeleted(ours.entry, Held(key, entry.content))
            self._outbid(rows, entry, key, ours.entry, noise)
        return None

    def keep_folder(self, path: str) -> bool:
        """Something lives below our folder that must stay: publish it again above whatever would
        take its place (case c). False where nothing would."""
        rows = self._index_view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, self._index_view.reach)
        if ours is None or theirs is None:
            return False
        verdict = reconcile(ours.entry, theirs.entry, (), in_use=True)
        if verdict is not Verdict.PUBLISH_AGAIN:
            return False
        self._outbid(rows, ours.entry, ours.scan, theirs.entry)
        return True

    def keep_found(self, found: Operation) -> None:
        """A folder that a tombstone deleted was found, is nothing of ours, and cannot go because of
        what is in it: it is ours from now on, above its delete (case c)."""
        grave = found.entry
        rows = self._index_view.rows(grave.path)
        ours = ours_of(rows)
        if found.old is None or (ours is not None and not ours.entry.deleted):
            return
        observed = Observed(grave.path, Kind.DIRECTORY)
        sequence, life = self._index_view.next_sequence(), self._heads.life
        entry = local_change(observed, ours.entry if ours else None, life, sequence)
        above = published_again(entry, grave, life, sequence)
        self._index_view.set_ours(rows, above, sequence, found.old.key)

    def stay(self, path: str) -> bool:
        """A user wants ours kept: publish it again above whatever would replace or delete it.
        False where nothing would."""
        rows = self._index_view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, self._index_view.reach)
        if ours is None or theirs is None or theirs.entry.rank <= ours.entry.rank:
            return False
        self._outbid(rows, ours.entry, ours.scan, theirs.entry)
        return True

    def unhave(self, path: str, seen: ScanKey | None = None, *, gone: bool = True) -> bool:
        """What we had is not here any more, and is wanted back: it is ours no longer, and a ticket
        where another device holds it, or what followed it. seen: its stat; gone: False: that of
        what lies there instead and gives way. False where no device does; nothing is changed
        then."""
        rows = self._index_view.rows(path)
        ours = ours_of(rows)
        if ours is None or ours.entry.deleted:
            return False
        theirs = [row for row in rows if row.holders & ~OURS and not row.entry.leaps(ours.entry)]
        if not any(row.entry.rank >= ours.entry.rank for row in theirs):
            return False
        key = seen or ours.scan
        if key is not None:
            why = WhyWithheld.WANTED if gone else WhyWithheld.GIVES_WAY
            self._index_view.held.hold(path, key, why, (ours.entry.stamp, ours.entry.writer))
        others = replace(ours, holders=ours.holders & ~OURS, seq=None, scan=None)
        self._index_view.change_row(rows, ours, others)
        return True

    def lies_in_the_way(self, path: str) -> bool:
        """What was to give way to our version at `path` cannot: it is told, beside that."""
        return self._index_view.held.lies_in_the_way(path)

    def leap(self, path: str) -> bool:
        """Whether a reachable device holds a version of `path` that leaps: nobody takes it."""
        rows = self._index_view.rows(path)
        ours, reach = ours_of(rows), self._index_view.reach
        held = [row.entry for row in rows if row.holders & reach]
        return any(entry.leaps(ours.entry if ours else None) for entry in held)

    def stays(self, path: str) -> bool:
        """Whether the version of `path` that wins among what can be had now is a live one."""
        rows = self._index_view.rows(path)
        best = max(
            (row.entry for row in rows if row.holders & (self._index_view.reach | OURS)),
            key=lambda entry: entry.rank,
            default=None,
        )
        return best is not None and not best.deleted

    def alive_below(self, folder: str, limit: int) -> list[str]:
        """What we have below a folder, children before parents; `limit` paths at most."""
        head = sort_key(folder) + b"\0"
        found = [key for key, _ in self._index_view.store.alive_after(head, limit)]
        paths = [path_of_key(key) for key in found if key.startswith(head)]
        self._index_view.recall(paths)
        return paths[::-1]

    def wanted(self, path: str) -> Entry | None:
        """The live version of `path` that wins among what can be had now."""
        theirs = best_of(self._index_view.rows(path), self._index_view.reach)
        return None if theirs is None or theirs.entry.deleted else theirs.entry

    def wants_same(self, path: str, other: str) -> bool:
        """Whether what we have at `path` is, by kind and content, what wins at `other`."""
        ours, theirs = (
            self._index_view.ours(path),
            best_of(self._index_view.rows(other), self._index_view.reach),
        )
        return ours is not None and theirs is not None and ours.entry.same_content(theirs.entry)

    # -- rows -----------------------------------------------------------------------------------

    def _join(self, rows: list[Row], ours: Row, theirs: Row) -> Ticket | None:
        """Same kind and content, theirs perhaps of higher rank: a ticket for mtime and exec."""
        if ours is theirs or ours.entry.rank == theirs.entry.rank:
            return None
        entry = joined(ours.entry, theirs.entry)
        differ = (entry.mtime_ns, entry.exec) != (ours.entry.mtime_ns, ours.entry.exec)
        if differ and not entry.deleted and entry.kind is Kind.FILE:
            return Ticket(entry, ours, False, True)
        if entry.rank != ours.entry.rank:
            self._index_view.take_row(rows, entry, ours.scan)
        elif entry.vector != ours.entry.vector:
            self._grow(rows, ours, entry)
        return None

    def _join_lower(self, rows: list[Row], ours: Row | None) -> None:
        """Ours stands: what others hold of the same content under lower ranks is joined into it;
        into a tombstone, their other tombstones."""
        ours = ours or ours_of(rows)
        if ours is None:
            return
        entry = with_other_deletes(ours.entry, (row.entry for row in rows))
        for row in rows:
            reached = row is not ours and row.holders & self._index_view.reach
            if reached and entry.same_content(row.entry):
                entry = joined(entry, row.entry) if row.entry.rank < entry.rank else entry
        if entry.vector != ours.entry.vector:
            self._grow(rows, ours, entry)

    def _grow(self, rows: list[Row], ours: Row, entry: Entry) -> None:
        """Our version has seen more: it is announced under a new sequence."""
        seq = self._index_view.next_sequence()
        self._index_view.change_row(rows, ours, replace(ours, entry=entry, seq=seq))

    def _outbid(
        self, rows: list[Row], ours: Entry, key: ScanKey | None, above: Entry, noise: bool = False
    ) -> None:
        sequence = self._index_view.next_sequence()
        entry = published_again(ours, above, self._heads.life, sequence)
        self._index_view.set_ours(rows, entry, sequence, key, noise)


def _may_hide(ours: Row | None) -> bool:
    """Before the first walk is over: a crash may have hidden from us what it is going to find at
    this path; or below it, and then a folder would be said to be gone before its children."""
    return ours is None or ours.entry.deleted or ours.entry.kind is Kind.DIRECTORY
