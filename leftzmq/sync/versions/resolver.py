"""What follows from what we have and what others have, path by path: taking, joining, outbidding.

Knows the local and the remote indexes and the rules of `tree`. Must not know devices' links, files,
or how a version got into the rows (`local_changes`, `remote_changes`). Every method leaves the rows
of a path in one of the states that docs/design.md, "Versions" allows, inside the store's running
transaction.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from msgspec.structs import replace

from leftzmq.index.rows import ANYBODY, Row, best_of, ours_of, theirs_of
from leftzmq.sync.facts import FoundDeleted
from leftzmq.sync.versions.index_view import OURS, IndexView
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.sync.versions.withheld import REPLACED, WANTED_BACK, WhyWithheld
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.conflict import HEX_DIGITS, MAX_DIGITS, conflict_copy, conflict_path
from leftzmq.tree.entry import (
    BELOW_ALL,
    Entry,
    Kind,
    Observed,
    ScanKey,
    joined,
    with_other_deletes,
)
from leftzmq.tree.ignoring.rule_file import GITIGNORE, LEFTIGNORE
from leftzmq.tree.path import folders_above, join, keys_below, path_of_key
from leftzmq.tree.plan import Held, Operation, Staged, Verb
from leftzmq.tree.reconcile import Verdict, reconcile

STAYING_SAMPLE: Final = 64
_IN_THE_INDEX: Final = (Verdict.JOIN, Verdict.PUBLISH_AGAIN)
"""Done there alone, where an operation would look first at what lies in the share."""


class Resolver:
    """The rules of one folder."""

    def __init__(self, index_view: IndexView) -> None:
        self._index_view, self._heads = index_view, index_view.store.heads
        self._made_way: list[str] = []
        self._rules_in_kept: set[str] = set()

    @property
    def walked(self) -> bool:
        """Everything that was in the share at the start has been looked at."""
        return self._index_view.walked

    @property
    def may_find(self) -> bool:
        """Whether files that this index has never known may be in the share: the index is new, and
        no walk has covered the share yet."""
        return not self.walked and len(self._heads.chain) <= 1

    # -- what follows ------------------------------------------------------------------------------

    def ticket(self, path: str) -> Ticket | None:
        """What is to be done about `path` on disk, if anything. First makes those changes of the
        index that need no disk: joins, deletes of what we do not have, publishing again. Returns
        None where a user is to decide first what happens to the file at `path`."""
        self._index_view.judge_first(path)
        held = self._index_view.held.at(path)
        if held is not None and held.why not in WANTED_BACK:
            return None
        lies = held.key if held is not None and held.why in REPLACED else None
        for _ in range(8):  # each round takes or outbids one version; rows are few
            rows = self._index_view.rows(path)
            ours = ours_of(rows)
            theirs = best_of(rows, self._index_view.reach)
            if theirs is None:
                return None
            is_here = ours is not None and not ours.entry.deleted
            if not is_here and self._may_be_base(path):
                return None  # it is kept again, and a look is to tell what lies there
            unknown = path in self._index_view.unsure or self._index_view.unseen(path)
            if theirs.entry.deleted and not is_here and unknown:
                return None  # what may lie there is perhaps what this delete deleted
            if held is not None and held.is_above(theirs.entry):
                return None
            if not self.walked and theirs.entry.deleted and _may_hide(ours):
                return None
            if ours is not None and ours.entry.is_private and not is_here and theirs.entry.deleted:
                if self._hides(rows):
                    return None
                self._index_view.take_row(rows, theirs.entry, None)  # deleted there as well
                continue
            known = [row.entry for row in rows]
            verdict = reconcile(ours.entry if ours else None, theirs.entry, known)
            if verdict in _IN_THE_INDEX and self._is_in_doubt(path):
                return None
            match verdict:
                case Verdict.KEEP:
                    return self._join_lower(rows, ours)
                case Verdict.PUBLISH_AGAIN:
                    assert ours is not None
                    self._outbid(rows, ours.entry, ours.scan, theirs.entry)
                    if is_here:
                        self.stays_above(path)
                case Verdict.JOIN:
                    assert ours is not None
                    ticket = self._join(rows, ours, theirs)
                    if ticket is not None:
                        return ticket if self._index_view.takes else None
                    return self._join_lower(self._index_view.rows(path), None)
                case _:
                    if theirs.entry.deleted and not is_here:
                        if held is not None and held.why is WhyWithheld.ROTTEN:
                            return Ticket(theirs.entry, ours, False, False, lies)
                        self._index_view.held.let_be(path)
                        if path in self._index_view.given_up:
                            self._index_view.held.look_at(path)
                        entry = with_other_deletes(self._registered(rows, theirs.entry), known)
                        self._index_view.take_row(rows, entry, _shell_of(ours))
                        continue
                    if not self._index_view.may_take(theirs.entry, ours):
                        self._keep_folder_not_taken(path)
                        return None
                    copy = verdict is Verdict.TAKE_AND_COPY
                    if not theirs.entry.deleted:
                        self._makes_way_above(path)
                    return Ticket(self._registered(rows, theirs.entry), ours, copy, False, lies)
        return None

    @staticmethod
    def _hides(rows: list[Row]) -> bool:
        """Whether our delete, which we keep to ourselves, is of what a device has that is away
        now, above the deletes of those that are here: it would come when that one is back."""
        highest = best_of(rows, ~OURS)
        return highest is not None and not highest.entry.deleted

    def sets(self, entry: Entry) -> Attributes:
        """What this device sets of a file of this version beside its bytes."""
        return entry.attributes.as_kept(self._index_view.author.modes)

    def made_way(self) -> list[str]:
        """Where something else may follow since the last call: folders that others have, and what
        lies in those that others have again."""
        paths, self._made_way = self._made_way, []
        return paths

    def _makes_way_above(self, path: str) -> None:
        """Something is to be put at `path`. Where a folder above it is missing or is no folder only
        because of a change that we keep to ourselves, others' folder is made again: what lies there
        becomes a conflict copy."""
        if not self._index_view.author.receives:
            return
        for folder in folders_above(path):
            rows = self._index_view.rows(folder)
            ours, theirs = ours_of(rows), best_of(rows, self._index_view.reach)
            if ours is None or theirs is None or not ours.entry.is_private:
                continue
            is_folder = ours.entry.kind is Kind.DIRECTORY and not ours.entry.deleted
            if is_folder or theirs.entry.deleted or theirs.entry.rank > ours.entry.rank:
                continue
            low = replace(ours, id=0, entry=replace(ours.entry, stamp=BELOW_ALL))
            high = replace(ours, holders=0, seq=None, scan=None)
            others = (row for row in rows if row is not ours)
            self._index_view.change(rows, [*others, high, low])
            self._made_way.append(folder)

    def _may_be_base(self, path: str) -> bool:
        """Whether a look is to tell what became of the version that we had when we stopped keeping
        the path. No look does while something of that kind is not kept there: a version of another
        kind is taken then, or waits for what is in its way."""
        base = self._index_view.base(path)
        return base is not None and self._index_view.keeps(path, base.entry.kind)

    def saw_ignored(self, path: str, kind: Kind) -> bool:
        """A look saw something of this kind at a path, which we do not keep. What we had there of
        another kind, when we stopped keeping the path, is gone, as if nothing lay there. Returns
        whether a look was to tell that."""
        base = self._index_view.base(path)
        if base is None or base.entry.kind is kind or not self._may_be_base(path):
            return False
        self._index_view.drop_base(path)
        return True

    def may_lie(self, entry: Entry, *paths: str) -> None:
        """An operation may have put something at these paths, which is not ours yet. At the entry's
        own path that is this version. A look is to tell."""
        self._index_view.unsure.update(paths)
        if not entry.deleted:
            self._index_view.remember_begun(entry)

    def stands(self, path: str) -> bool:
        """A look saw at this path what our index has. Whether anything else might have lain there
        until then."""
        if path not in self._index_view.unsure:
            return False
        self._index_view.unsure.discard(path)
        self._index_view.begun_is_over(path)
        return True

    def _is_in_doubt(self, path: str) -> bool:
        """Whether an operation may have put something else there than our index has: what ours
        lost to. Then nothing follows from ours before a look tells, or the first walk there."""
        begun = path in self._index_view.begun and not self._index_view.is_walked(path)
        return begun or path in self._index_view.unsure

    def bury(self, path: str) -> bool:
        """Takes over the winning delete, where we have nothing and nothing lies on disk. Returns
        whether it did."""
        rows = self._index_view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, self._index_view.reach)
        is_here = ours is not None and not ours.entry.deleted
        if is_here or theirs is None or not theirs.entry.deleted:
            return False
        known = [row.entry for row in rows]
        verdict = reconcile(ours.entry if ours else None, theirs.entry, known)
        lies = self._index_view.held.at(path) is not None or path in self._index_view.unsure
        lies = lies or path in self._index_view.given_up or self._may_be_base(path)
        if verdict is not Verdict.TAKE or lies:
            return False
        entry = with_other_deletes(theirs.entry, known)
        self._index_view.take_row(rows, entry, _shell_of(ours))
        return True

    def is_shell(self, path: str) -> bool:
        """Whether what we have as deleted still lies there, with what is ignored."""
        return _shell_of(self._index_view.ours(path)) is not None

    def revive(self, path: str) -> Entry | None:
        """If a shell is at `path`: something that is kept is in it, so it is our folder again,
        above its delete."""
        rows = self._index_view.rows(path)
        ours = ours_of(rows)
        key = _shell_of(ours)
        if ours is None or key is None or key.kind is not Kind.DIRECTORY:
            return None
        observed = Observed(path, Kind.DIRECTORY, mode=key.mode)
        entry, sequence = self._index_view.author.change(observed, ours.entry)
        self._index_view.set_ours(rows, entry, sequence, key)
        return entry

    def take_over(self, entry: Entry, key: ScanKey | None, noise: bool = False) -> None:
        """`entry` is on disk (or its delete is): it is ours now, with the stat found now."""
        self._index_view.held.true_again(entry.path)
        self._index_view.unsure.discard(entry.path)
        self._index_view.begun_is_over(entry.path)
        self._index_view.given_up.pop(entry.path, None)
        self._rules_in_kept.discard(entry.path)
        rows = self._index_view.rows(entry.path)
        entry = with_other_deletes(entry, (row.entry for row in rows))
        self._index_view.take_row(rows, entry, key, noise)

    def copy_path(self, loser: Entry, digits: int) -> str | None:
        """The path at which the loser's bytes become a conflict copy. None: the copy is there
        already, or a device that had the copy deleted or replaced it, and it is not made again."""
        # A change that we keep to ourselves is of this device.
        maker = self._heads.life if loser.is_private else loser.writer
        path = conflict_path(replace(loser, writer=maker), digits)
        copy = conflict_copy(loser, path)
        rows = self._index_view.rows(path)
        known = [row.entry for row in rows]
        for row in rows:
            verdict = reconcile(copy, row.entry, known)
            is_there = verdict is Verdict.JOIN and row.is_ours
            if verdict is Verdict.TAKE or is_there:
                return None
        return path

    def owed_move(self, path: str, content: bytes, staged: Staged) -> Operation | None:
        """Bytes of `content` got the name already, and our file lies under the name of the
        `.lefting`. Returns the operation that makes our file the conflict copy, or moves it to the
        trash if it is not to become one; None where nobody has such a version any more."""
        rows = self._index_view.rows(path)
        ours = ours_of(rows)
        taken = theirs_of(rows, content)
        if ours is None or ours.scan is None or taken is None:
            return None
        verdict = reconcile(ours.entry, taken, [row.entry for row in rows])
        if verdict not in (Verdict.TAKE, Verdict.TAKE_AND_COPY):
            return None
        copies = verdict is Verdict.TAKE_AND_COPY
        copy_to = self._free_copy_path(ours.entry) if copies else None
        held = Held(ours.scan, ours.entry.content)
        return Operation(Verb.NAME_COPY, taken, held, copy_to, staged)

    def _free_copy_path(self, loser: Entry) -> str | None:
        """As `copy_path`, with as many digits as are needed for a name that nothing of ours has."""
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
        """The loser's bytes are at `path` now, as a conflict copy: the same entry on every device.
        If the delete of the copy arrived meanwhile, the copy is to be deleted again. If that delete
        was of another copy, or of a user's file, that had the same name, no device has seen this
        copy: it stays, above that delete."""
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

    def _keep_folder_not_taken(self, path: str) -> None:
        """In a folder that only sends, nothing takes our directory away, and so nothing finds that
        it is not empty. If others have what is below it, or are to have it, they need the directory
        (case c)."""
        ours, view = self._index_view.ours(path), self._index_view
        if ours is None or ours.entry.deleted or ours.entry.kind is not Kind.DIRECTORY:
            return
        if view.store.has_winner_below(path, view.readers) and self.keep_folder(path):
            self.stays_above(path)

    def keep_folder(self, path: str) -> bool:
        """Something that must stay lives below our directory: publishes the directory again above
        whatever would take its place (case c). Returns False where nothing would."""
        rows = self._index_view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, self._index_view.reach)
        if ours is None or theirs is None:
            return False
        verdict = reconcile(ours.entry, theirs.entry, (), in_use=True)
        if verdict is not Verdict.PUBLISH_AGAIN:
            return False
        self._outbid(rows, ours.entry, ours.scan, theirs.entry)
        if theirs.entry.deleted:
            files = (join(path, name) for name in (LEFTIGNORE, GITIGNORE))
            self._rules_in_kept.update(file for file in files if self._goes(file))
        return True

    def is_in_kept_folder(self, file: str) -> bool:
        """Whether this file of rules was deleted elsewhere with its folder, which stayed here."""
        return file in self._rules_in_kept

    def keep_found(self, found: Operation) -> None:
        """A scan found a directory that a tombstone deleted and that is not ours. It cannot be
        removed because of what is in it. It is ours from now on, above its delete (case c)."""
        grave = found.entry
        rows = self._index_view.rows(grave.path)
        ours = ours_of(rows)
        if found.old is None or (ours is not None and not ours.entry.deleted):
            return
        observed = Observed(grave.path, Kind.DIRECTORY, mode=found.old.key.mode)
        base = ours.entry if ours else None
        entry, sequence = self._index_view.author.kept(observed, base, grave)
        self._index_view.set_ours(rows, entry, sequence, found.old.key)
        self._index_view.unsure.discard(grave.path)  # it does not go any more

    def stays_above(self, path: str) -> None:
        """Something of ours is at `path`. In a folder that only sends, others may have deleted
        folders above it, or replaced them, which this device did not take: these are published
        again, or nobody could take what is in them; also while nobody is connected."""
        for folder in [] if self._index_view.takes else folders_above(path):
            ours = self._index_view.ours(folder)
            if ours is not None and not ours.entry.deleted:
                self._stay(folder, ANYBODY)

    def stay(self, path: str) -> bool:
        """A user wants our version kept: publishes it again above whatever would replace or delete
        it. Returns False where nothing would."""
        return self._stay(path, self._index_view.reach)

    def _stay(self, path: str, holders: int) -> bool:
        """holders: the bits of the devices whose versions are meant."""
        rows = self._index_view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, holders)
        if ours is None or theirs is None or theirs.entry.rank <= ours.entry.rank:
            return False
        self._outbid(rows, ours.entry, ours.scan, theirs.entry)
        return True

    def unhave(
        self, path: str, seen: ScanKey | None = None, why: WhyWithheld = WhyWithheld.WANTED
    ) -> bool:
        """The version that we had is not on disk any more, and is wanted back. It is ours no
        longer, and becomes a ticket where another device holds it, or a successor of it. seen: the
        stat of our version; for a reason of REPLACED the stat of what lies there instead. Returns
        False, and changes nothing, where no device that may write holds such a version: what only
        readers hold does not count, and would never come."""
        rows = self._index_view.rows(path)
        ours = ours_of(rows)
        if ours is None or ours.entry.deleted:
            return False
        full = ~(OURS | self._index_view.readers)
        theirs = [row for row in rows if row.holders & full and not row.entry.leaps(ours.entry)]
        if not any(_is_at_least(row.entry, ours.entry) for row in theirs):
            return False
        key = seen or ours.scan
        if key is not None:
            self._index_view.held.withhold(path, key, why, (ours.entry.stamp, ours.entry.writer))
        others = replace(ours, holders=ours.holders & ~OURS, seq=None, scan=None)
        self._index_view.change_row(rows, ours, others)
        return True

    def lies_in_the_way(self, path: str) -> bool:
        """What our version at `path` was to replace cannot be moved away: it is announced beside
        our version."""
        return self._index_view.held.lies_in_the_way(path)

    def leap(self, path: str) -> bool:
        """Whether a reachable device holds a version of `path` that leaps. No device takes such a
        version."""
        rows = self._index_view.rows(path)
        ours, reach = ours_of(rows), self._index_view.reach
        held = [row.entry for row in rows if row.holders & reach]
        return any(entry.leaps(ours.entry if ours else None) for entry in held)

    def _goes(self, path: str) -> bool:
        """Whether we have something there that others deleted."""
        rows = self._index_view.rows(path)
        ours, theirs = ours_of(rows), best_of(rows, self._index_view.reach)
        is_here = ours is not None and not ours.entry.deleted
        return is_here and theirs is not None and theirs.entry.deleted

    def stays(self, path: str) -> bool:
        """Whether the winner among the versions of `path` that are available now is a live one."""
        rows = self._index_view.rows(path)
        best = max(
            (row.entry for row in rows if row.holders & (self._index_view.reach | OURS)),
            key=lambda entry: entry.rank,
            default=None,
        )
        return best is not None and not best.deleted

    def alive_below(self, folder: str, limit: int) -> list[str]:
        """What we have below a directory ("" is the share's root), children before parents; `limit`
        paths at most."""
        low, high = keys_below(folder)
        found = self._index_view.store.alive_after(low, limit, high)
        paths = [path_of_key(key) for key, _ in found]
        self._index_view.recall(paths)
        return paths[::-1]

    def stays_below(self, folder: str) -> bool:
        """Whether something that we have below a directory stays. Judged by a sample."""
        return any(self.stays(path) for path in self.alive_below(folder, STAYING_SAMPLE))

    def goes_below(self, folder: str, but: Container[str] = ()) -> bool:
        """Whether what we have below a directory, other than `but`, is still to be removed. Judged
        by a sample; False where something stays, and where we have nothing."""
        below = self.alive_below(folder, STAYING_SAMPLE)
        left = [path for path in below if path not in but]
        return bool(left) and not any(self.stays(path) for path in left)

    def winner_of(self, path: str) -> Entry | None:
        """The winner among the versions of `path` that are available now, if it is live."""
        theirs = best_of(self._index_view.rows(path), self._index_view.reach)
        return None if theirs is None or theirs.entry.deleted else theirs.entry

    def wants_same(self, path: str, other: str) -> bool:
        """Whether what we have at `path` is, by kind and content, the version
        that wins at `other`."""
        ours, theirs = (
            self._index_view.ours(path),
            best_of(self._index_view.rows(other), self._index_view.reach),
        )
        return ours is not None and theirs is not None and ours.entry.same_content(theirs.entry)

    # -- rows -----------------------------------------------------------------------------------

    def _join(self, rows: list[Row], ours: Row, theirs: Row) -> Ticket | None:
        """Kind and content are the same, and their rank may be higher: returns a ticket for mtime
        and mode."""
        if ours is theirs or ours.entry.rank == theirs.entry.rank:
            return None
        if ours.entry.is_private:
            return self._agrees(rows, ours, theirs)
        entry = self._registered(rows, joined(ours.entry, theirs.entry))
        if self._differs_on_disk(entry, ours):
            return Ticket(entry, ours, False, True)
        if entry.rank != ours.entry.rank:
            self._index_view.take_row(rows, entry, ours.scan)
        elif entry.vector != ours.entry.vector:
            self._grow(rows, ours, entry)
        return None

    def _agrees(self, rows: list[Row], ours: Row, theirs: Row) -> Ticket | None:
        """What we kept to ourselves is what others have: it is theirs from now on. Other attributes
        than theirs are a change that stays ours, until theirs are newer. Below a private folder
        nothing is told, so there what is newer is taken, and is private again. And where somebody
        has a higher version than theirs, ours is against that one, also while they are away."""
        is_newer = theirs.entry.rank > ours.entry.rank
        if not is_newer:
            best = best_of([row for row in rows if row is not ours], ANYBODY)
            is_best = best is not None and best.entry.rank == theirs.entry.rank
            if not is_best or self._index_view.is_below_private(ours.entry.path):
                return None
        if ours.entry.kind is Kind.DIRECTORY and not ours.entry.deleted:
            low, high = keys_below(ours.entry.path)
            below = self._index_view.store.private_after(low, -1, high)
            self._made_way += [path for _, path in below]
        if not self._differs_on_disk(theirs.entry, ours):
            self._index_view.take_row(rows, theirs.entry, ours.scan)
        elif is_newer:
            return Ticket(theirs.entry, ours, False, True)
        return None

    def _differs_on_disk(self, entry: Entry, ours: Row) -> bool:
        """Whether `entry`, of the same content, asks for another mtime or mode than ours has."""
        if entry.deleted or entry.kind is Kind.SYMLINK:
            return False
        has, wanted = ours.entry.attributes, self.sets(entry)
        if has.bits is None and ours.scan is not None:
            has = has._replace(bits=ours.scan.attributes.bits)
        if wanted.bits is not None and has.bits is None:
            return True  # nobody knows its mode: it is set
        return not wanted.agrees(has, self._index_view.author.modes)

    def _registered(self, rows: list[Row], entry: Entry) -> Entry:
        """`entry` with the highest register of its path, whatever version that stands beside. What
        was deleted keeps what it had: so a file that is made anew is above it."""
        first, known = entry, self._index_view.reach | OURS
        for row in rows:
            said = row.entry
            if said is first or said.permissions is None:
                continue
            if not row.holders & known or said.is_private:
                continue
            if (entry.deleted or not said.deleted) and not said.permissions.leaps(
                first.permissions
            ):
                entry = entry.with_higher(said)
        return entry

    def _join_lower(self, rows: list[Row], ours: Row | None) -> Ticket | None:
        """Our version stays. Versions of the same content that others hold under lower ranks are
        joined into it. Other tombstones that others hold are joined into a tombstone. Returns a
        ticket if others have a higher register beside another version."""
        ours = ours or ours_of(rows)
        if ours is None or ours.entry.is_private:
            return None
        entry = with_other_deletes(ours.entry, (row.entry for row in rows))
        for row in rows:
            reached = row is not ours and row.holders & self._index_view.reach
            if reached and entry.same_content(row.entry):
                entry = joined(entry, row.entry) if row.entry.rank < entry.rank else entry
        if self._index_view.takes:
            entry = self._registered(rows, entry)
            if self._differs_on_disk(entry, ours):
                return Ticket(entry, ours, False, True)
        elif self._differs_on_disk(entry, ours):
            entry = entry.with_register(ours.entry.permissions)  # it says what is here
        if entry.permissions != ours.entry.permissions:
            self._index_view.take_row(rows, entry, ours.scan)
        elif entry.vector != ours.entry.vector:
            self._grow(rows, ours, entry)
        return None

    def _grow(self, rows: list[Row], ours: Row, entry: Entry) -> None:
        """Our version now includes more versions: it is announced under a new sequence."""
        seq = self._index_view.next_sequence()
        self._index_view.change_row(rows, ours, replace(ours, entry=entry, seq=seq))

    def _outbid(
        self, rows: list[Row], ours: Entry, key: ScanKey | None, above: Entry, noise: bool = False
    ) -> None:
        entry, sequence = self._index_view.author.again(ours, above)
        self._index_view.set_ours(rows, entry, sequence, key, noise)


def _is_at_least(theirs: Entry, ours: Entry) -> bool:
    """Whether it has our bytes or what came after them. Its register may be an older one."""
    return theirs.rank >= ours.rank or theirs.same_content(ours)


def _shell_of(ours: Row | None) -> ScanKey | None:
    """The stat of what still lies at a path that we have as deleted: a folder with what is ignored,
    or the file of rules in it."""
    return ours.scan if ours is not None and ours.entry.deleted else None


def _may_hide(ours: Row | None) -> bool:
    """Whether a crash may have hidden from us what the first walk is still going to find at this
    path, or below it. If it is below, the delete of a directory would be announced before its
    children's."""
    return ours is None or ours.entry.deleted or ours.entry.kind is Kind.DIRECTORY
