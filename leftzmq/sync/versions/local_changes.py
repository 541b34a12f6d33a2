"""What a scan found at a path, or found gone: our version, one that others hold, or a new one.

Knows the rows of a path and the rules of `tree`. Must not know which devices can be reached now,
nor what follows for the share (`resolver` does). Runs inside the store's running transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from leftzmq.index.rows import ANYBODY, Row, best_of, ours_of
from leftzmq.sync.facts import FoundDeleted
from leftzmq.sync.versions.index_view import OURS, IndexView
from leftzmq.sync.versions.withheld import NOTHING_TOLD, REPLACED
from leftzmq.tree.entry import (
    Entry,
    Kind,
    Observed,
    ScanKey,
    with_other_deletes,
)
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import parent_of
from leftzmq.tree.permissions import ModesKept
from leftzmq.tree.plan import Held
from leftzmq.tree.reconcile import Verdict, reconcile, succeeds


def found(index_view: IndexView, observed: Observed, key: ScanKey) -> Entry | FoundDeleted | None:
    """A scan found this at its path. Returns our new version, if it is one."""
    index_view.something_lies(observed.path)
    kept = index_view.author.modes
    rows = index_view.rows(observed.path)
    index_view.unsure.discard(observed.path)
    begun = index_view.begun.get(observed.path, ())
    index_view.begun_is_over(observed.path)
    held = index_view.held.at(observed.path)
    index_view.held.release(observed.path)
    ours = ours_of(rows)
    if ours is None and (left := index_view.base(observed.path)) is not None:
        if _is_ours(left, observed, key, kept):
            index_view.take_row(rows, left.entry, key, observed.noise)
            return left.entry
        ours = left
    if ours and not ours.entry.deleted and _is_ours(ours, observed, key, kept):
        if ours.scan != key or observed.noise != ours.noise:
            index_view.change_row(rows, ours, replace(ours, scan=key, noise=observed.noise))
        return None
    if ours and not ours.entry.deleted and _is_ours(ours, observed, key, ModesKept.NONE):
        return _other_mode(index_view, rows, ours, observed, key)
    is_left = ours is not None and ours.entry.deleted and _is_left(ours, observed, key)
    if is_left and not rules_are_back(index_view, observed.path):
        assert ours is not None
        return FoundDeleted(ours.entry, Held(key, observed.content))
    others = [row.entry for row in rows if row is not ours]
    successor_of = None if ours is not None and ours.entry.is_private else ours
    adopted = adoptable([*others, *begun], successor_of, observed, kept)
    if adopted is None:
        # What it replaced unseen has the name of its copy.
        said = (each for each in reversed(begun) if _says(each, observed, kept))
        adopted = next((each for each in said if _was_to_come(each, ours, others)), None)
    if adopted is not None and not (held and held.is_above(adopted)):
        index_view.take_row(rows, adopted, key, observed.noise)
        return adopted
    # Where nothing is taken from others, no delete of theirs is carried out, and what is found is
    # its user's.
    grave = _grave(rows, ours, observed)
    if grave is not None and index_view.takes and not (held and held.is_above(grave)):
        index_view.unsure.add(observed.path)  # until it went it is found once more, perhaps
        return FoundDeleted(grave, Held(key, observed.content))
    given_up = index_view.given_up.pop(observed.path, None)
    late = ours.entry if ours is not None and ours.entry.deleted else None
    if given_up and (late or ours is None) and _is_same(given_up.held.key, key):
        index_view.given_up[observed.path] = given_up
        return FoundDeleted(late or given_up.entry, Held(key, observed.content))
    if late and any(_says(each, observed, kept) and succeeds(late, each) for each in begun):
        # An operation that was not committed put the file there. Its delete arrived since, while
        # the file could not be looked at.
        return FoundDeleted(late, Held(key, observed.content))
    base = ours.entry if ours else None
    if base is None:
        what = (observed.kind, observed.content)
        # An operation put it here, and its user changed its mode or time since.
        base = next((each for each in begun if (each.kind, each.content) == what), None)
    before = ours.scan if ours else None
    entry, sequence = index_view.author.change(observed, base, _winner(rows, ours), before)
    if ours is None and held is not None and held.had != NOTHING_TOLD and not entry.is_private:
        # The file was written before the version that was wanted back here had arrived, or the file
        # is all that is left. It is announced beside that version, and above the version that we
        # had announced.
        entry = replace(entry, stamp=max(entry.stamp, held.had[0] + 1))
    index_view.set_ours(rows, entry, sequence, key, observed.noise)
    return entry


def _other_mode(
    index_view: IndexView, rows: list[Row], ours: Row, observed: Observed, key: ScanKey
) -> Entry | None:
    """Nothing but the mode of our version is another one. An operation that was not committed may
    have set it, as another device says it; else our user did. In a folder that only receives, the
    mode of a directory is nobody else's matter, and no change that is kept: what is in it is."""
    for row in rows:
        entry = ours.entry.with_higher(row.entry)
        if entry is not ours.entry and _says(entry, observed, index_view.author.modes):
            index_view.take_row(rows, entry, key, observed.noise)
            return entry
    if index_view.author.receives and observed.kind is Kind.DIRECTORY:
        index_view.change_row(rows, ours, replace(ours, scan=key))
        return None
    entry, sequence = index_view.author.chmod(observed, ours.entry, _winner(rows, ours), ours.scan)
    index_view.set_ours(rows, entry, sequence, key, observed.noise)
    return entry


def gone(index_view: IndexView, path: str, now_ns: int) -> Entry | None:
    """A scan found nothing at `path`. Returns our tombstone where we had something live."""
    rows = index_view.rows(path)
    ours = ours_of(rows)
    index_view.unsure.discard(path)
    held = index_view.held.at(path)
    index_view.held.release(path)
    if ours is None and held is not None and held.why in REPLACED:
        index_view.judge_anew(path)  # what was to replace it may not be wanted any more
    index_view.begun_is_over(path)
    index_view.drop_base(path)
    index_view.given_up.pop(path, None)
    if ours is not None and ours.entry.deleted and ours.scan is not None:
        index_view.change_row(rows, ours, replace(ours, scan=None))
    if ours is None or ours.entry.deleted:
        return None
    entry, sequence = index_view.author.delete(ours.entry, now_ns, _winner(rows, ours))
    if not entry.is_private:
        entry = with_other_deletes(entry, (row.entry for row in rows))
    index_view.set_ours(rows, entry, sequence, None)
    return entry


def adoptable(
    others: Iterable[Entry],
    ours: Row | None,
    observed: Observed,
    kept: ModesKept,
) -> Entry | None:
    """A version of exactly these bytes that our index may take. A peer holds it, or an earlier life
    was fetching it. The index may take it where we have no entry, or where the version succeeds
    ours: a crash came before the index commit."""
    best: Entry | None = None
    for entry in others:
        if entry.deleted or not _says(entry, observed, kept):
            continue
        if entry.leaps(ours.entry if ours else None):
            continue
        if ours is not None and not succeeds(entry, ours.entry):
            continue
        if best is None or entry.rank > best.rank:
            best = entry
    return best


def rules_are_back(index_view: IndexView, path: str) -> bool:
    """Whether a file of rules stayed at `path` for what it ignores, when its folder was to go, and
    the folder is here for all again. Then the file is ours again, too, above its delete, unless
    somebody wrote another one: without it what it ignores would be told. Who deleted or replaced
    the folder may be away: it is not back for that."""
    if not is_rule_file(path) or not is_here_for_all(index_view, parent_of(path), ANYBODY):
        return False
    rows = index_view.rows(path)
    ours, best = ours_of(rows), best_of(rows, ANYBODY)
    stayed = ours is not None and ours.entry.deleted and ours.scan is not None
    return stayed and best is not None and best.entry.deleted


def is_here_for_all(index_view: IndexView, folder: str, holders: int) -> bool:
    """Whether we have this folder, and nothing else is to come in its place that these devices
    have."""
    rows = index_view.rows(folder) if folder else []
    ours, winner = ours_of(rows), best_of(rows, holders | OURS)
    if ours is None or ours.entry.deleted or winner is None:
        return False
    return winner.entry.kind is Kind.DIRECTORY and not winner.entry.deleted


def _was_to_come(begun: Entry, ours: Row | None, others: list[Entry]) -> bool:
    """Whether an operation was to put this version in the place of ours, seen or not."""
    if begun.leaps(ours.entry if ours else None):
        return False
    verdict = reconcile(ours.entry if ours else None, begun, others)
    return verdict in (Verdict.TAKE, Verdict.TAKE_AND_COPY)


def _says(entry: Entry, observed: Observed, kept: ModesKept) -> bool:
    """Whether the entry describes what was observed: its bytes and all attributes that are synced,
    as far as this device keeps them."""
    if (entry.kind, entry.content) != (observed.kind, observed.content):
        return False
    if entry.kind is not Kind.FILE:
        return entry.attributes.same_mode(observed.attributes, kept)
    if (entry.size, entry.depth) != (observed.size, observed.depth):
        return False  # the entry lies about these bytes
    return entry.attributes.agrees(observed.attributes, kept)


def _is_ours(ours: Row, observed: Observed, key: ScanKey, kept: ModesKept) -> bool:
    """Whether our version is what was observed, or the disk still shows for it the same stat as
    when our version was last known to be there. Not every disk can show what the version says: some
    have no x bits, or only whole seconds. kept: which bits of the mode are compared"""
    entry, before = ours.entry, ours.scan
    if _says(entry, observed, kept):
        if before is None or entry.kind is Kind.SYMLINK or entry.permissions is not None:
            return True
        return before.attributes.same_mode(key.attributes, kept)
    if before is None or entry.kind is Kind.SYMLINK or entry.kind is not observed.kind:
        return False
    same = (entry.content, entry.size, entry.depth)
    if same != (observed.content, observed.size, observed.depth):
        return False
    return before.attributes.agrees(key.attributes, kept)


def _is_left(grave: Row, observed: Observed, key: ScanKey) -> bool:
    """Whether this is what stayed when it was deleted, because of what is ignored in it or beside
    it. Perhaps it can go now. What was deleted elsewhere may have been something else by then: a
    link in the place of the folder, or a later version of the file of rules."""
    entry, shell = grave.entry, grave.scan
    if shell is None:
        return False
    is_that = (entry.kind, entry.content) == (observed.kind, observed.content)
    return shell.same_bytes(key) or (is_that and shell.inode == key.inode)


def _is_same(before: ScanKey, now: ScanKey) -> bool:
    """Whether nobody wrote there in between."""
    if now.kind is Kind.DIRECTORY:
        return (before.kind, before.inode) == (now.kind, now.inode)
    return before.same_bytes(now)


def _winner(rows: list[Row], ours: Row | None) -> Entry | None:
    """The highest version that others have."""
    theirs = best_of([row for row in rows if row is not ours], ANYBODY)
    return theirs.entry if theirs else None


def _grave(rows: list[Row], ours: Row | None, observed: Observed) -> Entry | None:
    """The winning tombstone, if it deleted exactly these bytes and is not ours."""
    if ours is not None and not ours.entry.deleted:
        return None
    best = best_of(rows, ANYBODY)
    if best is None or not best.entry.deleted or best.is_ours:
        return None
    winner = best.entry
    same = winner.kind == observed.kind and winner.content == observed.content
    return winner if same else None
