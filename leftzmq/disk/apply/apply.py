"""Carries out steps 2 to 4 of "Write order" in docs/design.md. No other module gives a file its
final name.

2. (disk/apply/ready) Staged files get mtime, owner and mode and are flushed.
3. A new name is taken only while nothing has it. A file that is replaced or removed is first
   exchanged or moved aside, then checked (disk/apply/swap). If it differs from the index, a user
   wrote it meanwhile, and it gets its name back. Old bytes become the conflict copy or trash;
   nothing is ever overwritten or unlinked unchecked.
4. (disk/apply/flush) The touched folders are flushed. Then the caller may commit its index.

After every system call a file's name leads to the old bytes or to the new ones, complete. There are
four exceptions, in which the name is absent for an instant: a folder replaces a file, a link
replaces the loser of a conflict, something replaces an empty folder, or a file is moved. In that
instant the old bytes are in the conflict copy or in the trash. A disk that folds names takes two
spellings for one name; there, a change of spelling alone is one rename.

Knows operations. Must not know why they are wanted, nor the index.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from leftzmq.disk.apply.attributes import LeftBehind, set_attributes
from leftzmq.disk.apply.flush import ALONE, GROUP_FROM, Beside, Flushes
from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.disk.apply.ready import Ready, make_ready
from leftzmq.disk.apply.remains import Remains, holds_ignored, names_of, remains_in
from leftzmq.disk.apply.swap import NOT_COPIED, Copied, Place, Stopped, is_still, key_now
from leftzmq.disk.fs.errno_meaning import is_full
from leftzmq.disk.fs.interface import Directory, LastFolder, OtherSpelling, Root, Stat
from leftzmq.disk.fs.permissions import make_folder
from leftzmq.disk.trash.trash import Spot, Trash
from leftzmq.errors import Refused
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.ignoring.share_rules import NO_RULES, IgnoreRules
from leftzmq.tree.path import join, name_of, parent_of
from leftzmq.tree.plan import Operation, Verb
from leftzmq.tree.rules import check_path


def apply(
    root: Root,
    operations: Sequence[Operation],
    *,
    now_ns: int,
    group_from: int = GROUP_FROM,
    beside: Beside = ALONE,
    rules: IgnoreRules = NO_RULES,
) -> list[Outcome]:
    """Carry out `operations` in their order. Returns one Outcome for each, in the same order.

    now_ns: wall clock; it names the trash batch. beside: the other batches of the share.
    rules: by which paths are ignored; what is ignored is not touched, but for litter.
    A failed operation never stops the others. Raises OSError only if the root itself cannot be
    opened; then nothing was done.
    """
    flushes = Flushes(root, group_from, beside)
    ready, ended = make_ready(root, operations, flushes)
    with LastFolder(root) as near:
        batch = _Batch(root, near, operations, flushes, now_ns, rules)
        for at, operation in enumerate(operations):
            if at not in ended:
                flushes.at = at
                ended[at] = batch.carry_out(operation, ready.get(at))
    for at, why in flushes.finish().items():
        if ended[at].ending is Ending.DONE:
            ended[at] = Outcome(operations[at], Ending.FLUSH_FAILED, why=why)
    batch.tidy()
    return [ended[at] for at in range(len(operations))]


class _Batch:
    def __init__(
        self,
        root: Root,
        near: LastFolder,
        operations: Sequence[Operation],
        flushes: Flushes,
        now_ns: int,
        rules: IgnoreRules,
    ) -> None:
        self._root, self._near, self._flushes = root, near, flushes
        self._rules = rules
        self._trash = Trash(root, now_ns, flushes.touch, flushes.settle)
        attributes = sum(operation.verb is Verb.SET_ATTRIBUTES for operation in operations)
        self._attributes_together = flushes.many(attributes)
        passing = (Verb.MOVE_FILE, Verb.LET_GO)
        self._moved = any(operation.verb in passing for operation in operations)

    def tidy(self) -> None:
        """Remove the empty trash folders that moved files passed through."""
        if self._moved:
            self._trash.remove_empty()

    def carry_out(self, operation: Operation, ready: Ready | None) -> Outcome:
        try:
            check_path(operation.path)
            check_path(operation.copy_to or operation.path)
            folder = self._parent(operation)
            place = Place(folder, operation, self._trash, self._flushes, self._rules)
            key, copied = self._do(place, ready)
        except LeftBehind as left:
            return msgspec.structs.replace(_ended(operation, left.error), left=left.staged)
        except (Stopped, OSError, OverflowError, Refused) as error:
            return _ended(operation, error)
        return Outcome(operation, Ending.DONE, key, *copied)

    def _parent(self, operation: Operation) -> Directory:
        try:
            return self._near.at(parent_of(operation.path))
        except FileNotFoundError as error:
            # Its folder is gone, so the file to be removed is gone too.
            done = operation.verb is Verb.REMOVE
            raise Stopped(Ending.DONE if done else Ending.NO_PARENT) from error
        except NotADirectoryError as error:
            raise Stopped(
                Ending.NO_PARENT, "a link or a file is in the place of a folder"
            ) from error

    def _do(self, place: Place, ready: Ready | None) -> tuple[ScanKey | None, Copied]:
        match place.operation.verb:
            case Verb.REMOVE:
                return None, _remove(place)
            case Verb.LET_GO:
                return None, _let_go(place)
            case Verb.MAKE_DIRECTORY:
                return _make_directory(place)
            case Verb.PUT_LINK:
                return _put_link(place)
            case Verb.PUT_FILE:
                assert ready is not None
                return self._put_file(place, ready)
            case Verb.MOVE_FILE:
                return self._move_file(place)
            case Verb.SET_ATTRIBUTES:
                return set_attributes(place, self._attributes_together)
            case Verb.GO_BACK:
                place.return_aside(self._root)
                return None, NOT_COPIED
            case Verb.NAME_COPY:
                return place.name_copy()

    def _move_file(self, place: Place) -> tuple[ScanKey, Copied]:
        """Move the file aside like a deleted one, check it where no user reaches it, then give it
        its new name. A direct rename would be ambiguous: if the bytes at the new name then differed
        from the index, nobody could tell whether a user wrote them at the old or the new path."""
        moved = place.operation.moved
        assert moved is not None
        where, key = parent_of(moved.path), moved.held.key
        if place.folder.stat(place.name) is not None:
            raise Stopped(Ending.CHANGED, "something else is there")
        spelled = place.folder.spelled(place.name)
        if spelled is not None and join(place.where, spelled) == moved.path:
            return self._respell_file(place, spelled, moved.held.key), NOT_COPIED
        with self._root.folder(where) as folder:
            going = Operation(Verb.REMOVE, moved.entry, moved.held)
            source = Place(folder, going, self._trash, self._flushes)
            if source.look() is None:
                raise Stopped(Ending.CHANGED, f"{moved.path} is gone")
            self._flushes.settle_way(place.where)
            with source.moved_aside() as aside:
                try:
                    aside.folder.rename_new(aside.name, place.folder, place.name)
                except OSError:
                    source.put_back(aside)
                    raise
        place.touch()
        return key_now(place.folder, place.name, key), NOT_COPIED

    def _respell_file(self, place: Place, spelled: str, key: ScanKey) -> ScanKey:
        """Returns the key at the new name. Bytes that a user writes in this instant are at the new
        name, too, and differ from `key`."""
        if not is_still(place.folder.stat(spelled), key):
            raise Stopped(Ending.CHANGED, "something else is there")
        place.folder.respell(spelled, place.name)
        place.touch()
        return key_now(place.folder, place.name, key)

    def _put_file(self, place: Place, ready: Ready) -> tuple[ScanKey, Copied]:
        staged = place.operation.staged
        assert staged is not None
        where = parent_of(staged.path)
        if where == place.where:
            return _give_name(place, Spot(place.folder, name_of(staged.path), where), ready)
        with self._root.folder(where) as folder:
            return _give_name(place, Spot(folder, name_of(staged.path), where), ready)


def _give_name(place: Place, new: Spot, ready: Ready) -> tuple[ScanKey, Copied]:
    """Give the final name to the file at `new`, which is `ready`."""
    ours = ready.key
    if _is_free(place):
        new.folder.rename_new(new.name, place.folder, place.name)
        place.touch()
        place.flushes.touch(new.where, new.folder)
        copied: Copied = (None, None, ready.lost)
    else:
        copied = place.exchange(new, ours, ready.seen, ready.lost)
    return key_now(place.folder, place.name, ours), copied


def _is_free(place: Place) -> bool:
    """Whether the name is free, as the index says. An empty folder at the name is removed first.

    False: the file or link that the index says is there. Raises Stopped for anything else."""
    if place.operation.old is None:
        return True  # as far as we know: the call that takes the name fails if something has it
    found = place.look()
    if found is None:
        raise Stopped(Ending.CHANGED, "what was there is gone")
    if found.kind is not Kind.DIRECTORY:
        return False
    _remove_folder(place, found)
    return True


def _remove_folder(place: Place, found: Stat) -> None:
    for again in (False, True):
        try:
            place.folder.remove_folder(place.name)
            break
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if again or not _took_litter(place, found):
                raise Stopped(Ending.NOT_EMPTY) from error
    place.flushes.removed(place.operation.path, (found.device, found.inode))
    place.touch()


def _took_litter(place: Place, found: Stat) -> bool:
    """Move what is left in the folder to the trash, if it is litter. Returns whether it was. Raises
    Stopped (SHELL) if it is ignored otherwise."""
    path = place.operation.path
    with place.folder.folder(place.name) as folder:
        match remains_in(folder, path, place.rules):
            case Remains.IGNORED:
                raise Stopped(Ending.SHELL, key=found.key())
            case Remains.LITTER:
                for name in names_of(folder):
                    place.trash.move_in(Spot(folder, name, path), join(path, name))
                return True
    return False


def _stays_with_what_it_ignores(place: Place, found: Stat) -> None:
    """Raises Stopped (SHELL) if a file of rules is to go with its folder, in which something is
    ignored. Without it that would be synced, and so it would if the folder stays, too, for what
    else is in it."""
    if holds_ignored(place.folder, place.where, place.rules):
        raise Stopped(Ending.SHELL, key=found.key())


def _remove(place: Place) -> Copied:
    found = place.look()
    if found is not None and place.operation.ends_folder:
        _stays_with_what_it_ignores(place, found)
    if found is None:
        place.touch()  # an operation that could not be flushed may have removed it
        return NOT_COPIED
    if found.kind is Kind.DIRECTORY:
        _remove_folder(place, found)
        return NOT_COPIED
    with place.moved_aside() as aside:
        try:
            return place.keep_old(aside)
        except (OSError, Stopped):
            place.put_back(aside)
            raise


def _let_go(place: Place) -> Copied:
    """Remove what others have. The one file that is unlinked, and is not in the trash: room is the
    purpose. It is looked at once more where no user reaches it."""
    found = place.look()
    if found is None:
        raise Stopped(Ending.CHANGED, "it is gone")
    if found.kind is Kind.DIRECTORY:
        _remove_folder(place, found)
        return NOT_COPIED
    with place.moved_aside() as aside:
        try:
            aside.folder.unlink(aside.name)
        except OSError:
            place.put_back(aside)
            raise
    return NOT_COPIED


def _make_directory(place: Place) -> tuple[ScanKey | None, Copied]:
    found = place.folder.stat(place.name)
    if found is not None and found.kind is Kind.DIRECTORY:
        # A user made it. No stat is returned, so that the next scan walks the folder: files that
        # he moved here in this instant have no event of their own.
        # An operation that could not be flushed may have made it instead.
        place.flushes.made(place.where, place.folder)
        return None, NOT_COPIED
    copied = NOT_COPIED
    if place.operation.spelled is not None:
        _respell_folder(place, name_of(place.operation.spelled))
        return None, NOT_COPIED
    if _is_free(place):
        make_folder(place.folder, place.name)
    else:
        with place.moved_aside() as aside:
            copied = _folder_for_file(place, aside)
    place.flushes.made(place.where, place.folder)
    made = place.folder.stat(place.name)
    if made is None or made.kind is not Kind.DIRECTORY:
        raise Stopped(Ending.CHANGED, "the folder was replaced at once")
    return made.key(), copied


def _respell_folder(place: Place, spelled: str) -> None:
    """Rename a folder to its other spelling. No stat is returned, so that the next scan walks the
    folder: its content was renamed with it."""
    found = place.folder.stat(spelled)
    if found is None or found.kind is not Kind.DIRECTORY:
        raise Stopped(Ending.CHANGED, f"{spelled} is gone, or no folder any more")
    place.folder.respell(spelled, place.name)
    place.touch()


def _folder_for_file(place: Place, aside: Spot) -> Copied:
    try:
        make_folder(place.folder, place.name)
    except OSError:
        place.put_back(aside)
        raise
    try:
        return place.keep_old(aside)
    except (OSError, Stopped):
        with suppress(OSError):  # a folder that is no longer empty keeps the name
            place.folder.remove_folder(place.name)
        place.put_back(aside)
        raise


def _put_link(place: Place) -> tuple[ScanKey, Copied]:
    target = bytes(place.operation.entry.content)
    if _is_free(place):
        return _made_link(place, target), NOT_COPIED
    if place.operation.copy_to is not None:
        # Not by an exchange with the trash: after a crash before the copy is named, the old version
        # would be in the trash only, and no row of the index would say so.
        with place.moved_aside() as aside:
            return _link_beside_copy(place, aside, target)
    # Made in the trash, at the path for the replaced version: the exchange puts both in place.
    with place.trash.spot(place.operation.path) as spot:
        try:
            return _link_for_file(place, spot, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return _link_for_file(place, place.beside(), target)


def _made_link(place: Place, target: bytes) -> ScanKey:
    place.folder.make_link(place.name, target)
    place.touch()
    made = place.folder.stat(place.name)
    if made is None or made.kind is not Kind.SYMLINK:
        raise Stopped(Ending.CHANGED, "the link was replaced at once")
    return made.key()


def _link_beside_copy(place: Place, aside: Spot, target: bytes) -> tuple[ScanKey, Copied]:
    made: ScanKey | None = None
    try:
        made = _made_link(place, target)
        return made, place.keep_old(aside)
    except (OSError, Stopped):
        if made is not None:
            _unmake_link(Spot(place.folder, place.name, place.where), made)
        place.put_back(aside)
        raise


def _link_for_file(place: Place, new: Spot, target: bytes) -> tuple[ScanKey, Copied]:
    new.folder.make_link(new.name, target)
    made = new.folder.stat(new.name)
    assert made is not None
    try:
        copied = place.exchange(new, made.key())
    except (OSError, Stopped):
        _unmake_link(new, made.key())
        raise
    return key_now(place.folder, place.name, made.key()), copied


def _unmake_link(spot: Spot, made: ScanKey) -> None:
    """Remove the link that was made at `spot`, if it is still there. If that fails, the link stays,
    and no error is raised: the error being handled may say where the old version lies."""
    with suppress(OSError):
        if is_still(spot.folder.stat(spot.name), made):
            spot.folder.unlink(spot.name)


def _ended(operation: Operation, error: Exception) -> Outcome:
    if isinstance(error, Stopped):
        return Outcome(operation, error.ending, error.key, why=error.why, aside=error.aside)
    if isinstance(error, OtherSpelling) and error.name == name_of(operation.path):
        other = join(parent_of(operation.path), error.other) if error.other else ""
        return Outcome(operation, Ending.OTHER_SPELLING, why=str(error), other=other)
    if isinstance(error, FileExistsError | FileNotFoundError):
        return Outcome(operation, Ending.CHANGED, why=str(error))  # since the check before
    if isinstance(error, OSError) and is_full(error):
        return Outcome(operation, Ending.DISK_FULL, why=str(error))
    return Outcome(operation, Ending.FAILED, why=str(error))
