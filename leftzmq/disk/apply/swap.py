"""Step 3 of the write order: replaces or removes the old version at a name, checks it, keeps it.

The check comes after the exchange (or the rename aside), because a user can still write before it.
An old version that differs from the index gets its name back. If a user has put something new at
the name meanwhile, the old version is moved to the trash. Nothing is unlinked.

Knows one name and what must be there. Must not know what is put there instead.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from leftzmq.disk.apply.flush import Flushes
from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.fs.interface import Directory, Root, Stat, is_free
from leftzmq.disk.fs.permissions import Access, access_of, keep
from leftzmq.disk.staging.lefting import is_ours, lefting_paths
from leftzmq.disk.trash.trash import TRASH_PATH, Spot, Trash
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.ignoring.share_rules import NO_RULES, IgnoreRules
from leftzmq.tree.path import is_below, name_of, parent_of
from leftzmq.tree.permissions import ModesKept
from leftzmq.tree.plan import Aside, Operation


class Stopped(Exception):
    """The operation ends here with `ending`."""

    def __init__(
        self,
        ending: Ending,
        why: str = "",
        aside: Aside | None = None,
        key: ScanKey | None = None,
    ) -> None:
        self.ending, self.why, self.aside, self.key = ending, why, aside, key
        super().__init__(why or ending.name)


Copied = tuple[str | None, ScanKey | None, str]
"""(path of the conflict copy with the old bytes, its key, what of their access could not be kept,
in words). Path and key are None where the old bytes are in the trash."""

NOT_COPIED: Final[Copied] = (None, None, "")


def is_still(found: Stat | None, key: ScanKey) -> bool:
    """Whether this stat shows the same bytes as `key`."""
    return found is not None and found.kind is not None and found.key().same_bytes(key)


def key_now(folder: Directory, name: str, ours: ScanKey) -> ScanKey:
    """The key found at `name` now. If a user wrote there or changed its mode since, `ours`: the
    next scan then sees the difference."""
    found = folder.stat(name)
    if found is None or not is_still(found, ours) or not found.key().same_mode(ours):
        return ours
    return found.key()


class Place(Struct, frozen=True):
    """The final name of one operation, in its open folder."""

    folder: Directory
    operation: Operation
    trash: Trash
    flushes: Flushes
    rules: IgnoreRules = NO_RULES
    kept: ModesKept = ModesKept.ALL

    @property
    def wanted(self) -> Attributes:
        """What the file is to have beside its bytes."""
        return self.operation.entry.attributes.as_kept(self.kept)

    @property
    def name(self) -> str:
        return name_of(self.operation.path)

    @property
    def where(self) -> str:
        return parent_of(self.operation.path)

    def look(self) -> Stat | None:
        """The stat at the name: None, or that of the version in the index. Raises Stopped (CHANGED)
        if anything else is there."""
        found, old = self.folder.stat(self.name), self.operation.old
        if found is not None and (old is None or not is_still(found, old.key)):
            raise Stopped(Ending.CHANGED, "something else is there")
        copy_to = self.operation.copy_to
        if found is not None and copy_to is not None and self.folder.stat(name_of(copy_to)):
            raise Stopped(Ending.CHANGED, f"{copy_to} is there already")
        return found

    def touch(self) -> None:
        self.flushes.touch(self.where, self.folder)

    def exchange(
        self, new: Spot, ours: ScanKey, seen: Access | None = None, lost: str = ""
    ) -> Copied:
        """Give the name to the file at `new`, which has the key `ours`. Raises Stopped or OSError;
        then the name is as it was, or as a user made it meanwhile.

        seen: the access of the old file, as the new one took it over. lost: what of that access
        could not be kept.
        """
        try:
            new.folder.exchange(new.name, self.folder, self.name)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            return self._replace(new, ours, seen, lost)
        self.touch()
        self.flushes.touch(new.where, new.folder)
        try:
            self._look_again(new)
            if seen is not None:
                lost = self._follow(new, ours, seen, lost)
            copied_to, key, _ = self.keep_old(new)
            return copied_to, key, lost
        except (OSError, Stopped):
            self._go_back(new, ours)
            raise

    def _replace(self, new: Spot, ours: ScanKey, seen: Access | None, lost: str) -> Copied:
        """As `exchange`, where the file system can neither exchange two names nor link a file. The
        old version is moved aside first (docs/decisions/0016): for a moment nothing has the name,
        and a crash just then looks like a delete, which loses to the version that was to come."""
        with self.moved_aside() as aside:
            try:
                new.folder.rename_new(new.name, self.folder, self.name)
            except OSError:
                self.put_back(aside)
                raise
            self.touch()
            self.flushes.touch(new.where, new.folder)
            try:
                if seen is not None:
                    lost = self._follow(aside, ours, seen, lost)
                copied_to, key, _ = self.keep_old(aside)
                return copied_to, key, lost
            except (OSError, Stopped):
                self._take_back(new, ours, aside)
                raise

    def _take_back(self, new: Spot, ours: ScanKey, aside: Spot) -> None:
        """Take the name from our file again, unless a user has replaced it, and give it to the old
        version at `aside`. Raises Stopped, as `put_back`."""
        try:
            if is_still(self.folder.stat(self.name), ours):
                self.folder.rename_new(self.name, new.folder, new.name)
        except OSError as error:
            raise _left_aside(aside, None, error) from error
        self.put_back(aside)

    def _follow(self, new: Spot, ours: ScanKey, seen: Access, lost: str) -> str:
        """Take over the access of the old file again, if somebody changed it after `seen` was read:
        who changed it meant the file of this name. Returns what could not be kept, in words."""
        with new.folder.open_read(new.name) as old:
            if access_of(old) == seen:
                return lost
            with self.folder.open_read(self.name) as file:
                if not is_still(file.stat(), ours):
                    return lost  # a user has replaced our file
                lost = keep(file, old, Attributes(ours.mtime_ns, ours.exec))
                file.flush()
        return lost

    @contextmanager
    def moved_aside(self) -> Iterator[Spot]:
        """Free the name, and give the spot of the old version, which was checked there. The spot is
        the conflict copy if there is to be one, else in the trash, or in the same folder if the
        trash is on another file system. `keep_old` or `put_back` must follow. Raises Stopped or
        OSError, as `exchange`."""
        copy_to = self.operation.copy_to
        if copy_to is not None:
            # Not by way of the trash: if the rename back failed, it would be in the trash only.
            yield self._move_aside(Spot(self.folder, name_of(copy_to), self.where))
            return
        with self.trash.spot(self.operation.path) as spot:
            yield self._move_aside(spot)

    def _move_aside(self, spot: Spot) -> Spot:
        try:
            self.folder.rename_new(self.name, spot.folder, spot.name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            spot = self.beside()
            self.folder.rename_new(self.name, spot.folder, spot.name)
        self.touch()
        self.flushes.touch(spot.where, spot.folder)
        try:
            self._look_again(spot)
        except (OSError, Stopped):
            self.put_back(spot, was_seen=False)
            raise
        return spot

    def put_back(self, spot: Spot, *, was_seen: bool = True) -> None:
        """Give the version at `spot` its name again. If something else took the name, the version
        stays the conflict copy, or is moved to the trash. If all of that fails, raises Stopped,
        which says where the version lies.

        was_seen: the version was once seen at `spot`: what lies at the name of the copy now, and is
        another file, is a user's, who put it there. Before that nobody can tell whether he put it
        there or, just before, at the final name, as editors do: it gets the final name."""
        try:
            if self._is_copy(spot) and self._left(spot, was_seen):
                return
            try:
                spot.folder.rename_new(spot.name, self.folder, self.name)
            except FileExistsError:
                if not self._is_copy(spot):
                    self.trash.move_in(spot, self.operation.path)
        except OSError as error:
            raise _left_aside(spot, None, error) from error
        self.touch()
        self.flushes.touch(spot.where, spot.folder)

    def _left(self, copy: Spot, was_seen: bool) -> bool:
        """Whether a user took the version away from the name of the copy."""
        found, old = copy.folder.stat(copy.name), self.operation.old
        if found is None or old is None:
            return found is None
        is_other = (found.kind, found.inode) != (old.key.kind, old.key.inode)
        return was_seen and is_other

    def keep_old(self, spot: Spot) -> Copied:
        """Make the old version at `spot` the conflict copy, or move it to the trash. Raises Stopped
        or OSError; then the version is still at `spot`."""
        copy_to = self.operation.copy_to
        if copy_to is None:
            self.trash.move_in(spot, self.operation.path)
            return NOT_COPIED
        assert parent_of(copy_to) == self.where
        if self._is_copy(spot):  # and was seen there: from then on a user changes the copy
            assert self.operation.old is not None
            return copy_to, key_now(spot.folder, spot.name, self.operation.old.key), ""
        found = self._look_again(spot)
        try:
            spot.folder.rename_new(spot.name, self.folder, name_of(copy_to))
        except FileExistsError as error:
            raise Stopped(Ending.CHANGED, f"{copy_to} is there already") from error
        return copy_to, key_now(self.folder, name_of(copy_to), found.key()), ""

    def _is_copy(self, spot: Spot) -> bool:
        copy_to = self.operation.copy_to
        return copy_to is not None and spot.name == name_of(copy_to)

    def _look_again(self, spot: Spot) -> Stat:
        found, old = spot.folder.stat(spot.name), self.operation.old
        if found is None or old is None or not is_still(found, old.key):
            raise Stopped(Ending.CHANGED, "it was written in this instant")
        return found

    def _go_back(self, new: Spot, ours: ScanKey) -> None:
        try:
            at_name = self.folder.stat(self.name)
            if at_name is None:  # a user deleted our file: his own version gets the name back
                new.folder.rename_new(new.name, self.folder, self.name)
                return
            if is_still(at_name, ours):
                new.folder.exchange(new.name, self.folder, self.name)
                if is_still(new.folder.stat(new.name), ours):
                    return
                # A user wrote again between check and exchange: the newest version keeps the name.
                new.folder.exchange(new.name, self.folder, self.name)
            self.trash.move_in(new, self.operation.path)
        except OSError as error:
            raise _left_aside(new, ours, error) from error

    def return_aside(self, root: Root) -> None:
        """Give a version that an earlier operation left aside its name again, unless a user has
        replaced the file at either name. Raises Stopped, as `put_back`; OSError."""
        aside = self.operation.aside
        assert aside is not None
        where, name = parent_of(aside.path), name_of(aside.path)
        with root.folder(where) as folder:
            spot = Spot(folder, name, where, in_trash=is_below(where, TRASH_PATH))
            found = folder.stat(name)
            if found is None:
                return
            if aside.ours is None:
                self.put_back(spot)
                return
            if not is_still(found, aside.ours):
                self._go_back(spot, aside.ours)
                self.touch()
                self.flushes.touch(where, folder)
            staged = self.operation.staged is not None
            if not staged and is_still(folder.stat(name), aside.ours):
                folder.unlink(name)  # a link or a copy that was made for this name alone

    def name_copy(self) -> tuple[ScanKey, Copied]:
        """Finish an operation that crashed between the exchange and `keep_old`: make the old
        version, which lies under the name of the `.lefting`, the conflict copy, or move it to the
        trash. Only the exchange put it there: what a user has done since with the new version, or
        with its name, is found by a look. Raises Stopped if something else lies there; OSError."""
        staged, entry = self.operation.staged, self.operation.entry
        assert staged is not None and staged.inode is not None
        spot = Spot(self.folder, name_of(staged.path), self.where)
        self._look_again(spot)
        copied = self.keep_old(spot)
        self.touch()
        found = self.folder.stat(self.name)
        links = found.links if found is not None and is_ours(found, staged) else 1
        # The key from when the file got its name, except for the ctime: the next walk checks it.
        kind, inode = Kind.FILE, staged.inode
        key = ScanKey(kind, entry.size, entry.mtime_ns, 0, inode, entry.exec, links)
        return key, copied

    def beside(self) -> Spot:
        """A free `.lefting` name in the same folder. The caller must not close this spot."""
        path = self.operation.path
        names = [name_of(path) for path in lefting_paths(path)]
        free = (name for name in names if is_free(self.folder, name))
        return Spot(self.folder, next(free, names[-1]), self.where)


def _left_aside(spot: Spot, ours: ScanKey | None, error: OSError) -> Stopped:
    lies = f"{spot.where}/{spot.name}".lstrip("/")
    why = f"{error.strerror or error}; the old version lies at {lies}"
    return Stopped(Ending.FAILED, why, Aside(lies, ours))
