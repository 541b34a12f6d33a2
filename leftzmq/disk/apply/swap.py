"""Step 3 of the write order: what lies at a name gives way, is looked at, and is put somewhere.

The look comes after the exchange (or the rename aside), because before it a user can still write.
What comes out and is not what the index says goes back; where even that has become impossible,
because a user put something new there again, it goes to the trash. Nothing is unlinked.

Knows one name and what must be there. Must not know what is put there instead.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from leftzmq.disk.apply.flush import Flushes
from leftzmq.disk.apply.outcome import Ending
from leftzmq.disk.fs.interface import Directory, Root, Stat, is_free
from leftzmq.disk.fs.permissions import Access, access_of, keep
from leftzmq.disk.staging.lefting import is_ours, lefting_paths
from leftzmq.disk.trash.trash import TRASH_PATH, Spot, Trash
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import is_below, name_of, parent_of
from leftzmq.tree.plan import Aside, Operation


class Stopped(Exception):
    """The operation ends here and is not DONE."""

    def __init__(self, ending: Ending, why: str = "", aside: Aside | None = None) -> None:
        self.ending, self.why, self.aside = ending, why, aside
        super().__init__(why or ending.name)


Copied = tuple[str | None, ScanKey | None, str]
"""Where the old bytes are as a conflict copy, and their stat; (None, None): in the trash. And what
of the access to them could not be kept, in words."""

NOT_COPIED: Final[Copied] = (None, None, "")


def is_still(found: Stat | None, key: ScanKey) -> bool:
    """Whether this stat is that of the bytes that had `key`."""
    return found is not None and found.kind is not None and found.key().same_bytes(key)


def key_now(folder: Directory, name: str, ours: ScanKey) -> ScanKey:
    """The stat found at `name` now; `ours` if a user wrote there since, so that it is noticed."""
    found = folder.stat(name)
    return found.key() if found is not None and is_still(found, ours) else ours


@dataclass(frozen=True, slots=True)
class Place:
    """The final name of one operation, in its open folder."""

    folder: Directory
    operation: Operation
    trash: Trash
    flushes: Flushes

    @property
    def name(self) -> str:
        return name_of(self.operation.path)

    @property
    def where(self) -> str:
        return parent_of(self.operation.path)

    def look(self) -> Stat | None:
        """What is there: None, or what the index says. Raises Stopped (CHANGED) for all else."""
        found, old = self.folder.stat(self.name), self.operation.old
        if found is not None and (old is None or not is_still(found, old.key)):
            raise Stopped(Ending.CHANGED, "something else is there")
        copy_to = self.operation.copy_to
        if found is not None and copy_to is not None and self.folder.stat(name_of(copy_to)):
            raise Stopped(Ending.CHANGED, f"{copy_to} is there already")
        return found

    def touch(self) -> None:
        self.flushes.touch(self.where)

    def exchange(
        self, new: Spot, ours: ScanKey, seen: Access | None = None, lost: str = ""
    ) -> Copied:
        """Give the name to what lies at `new`, whose stat is `ours`. Raises Stopped or OSError;
        then the name is as it was, or as a user made it meanwhile.

        seen: the access of the file that has the name, as it was taken over; lost: without what.
        """
        new.folder.exchange(new.name, self.folder, self.name)
        self.touch()
        self.flushes.touch(new.where)
        try:
            self._look_again(new)
            if seen is not None:
                lost = self._follow(new, ours, seen, lost)
            copied_to, key, _ = self.settle(new)
            return copied_to, key, lost
        except (OSError, Stopped):
            self._go_back(new, ours)
            raise

    def _follow(self, new: Spot, ours: ScanKey, seen: Access, lost: str) -> str:
        """What came out may be open to others than it was when its access was taken over: who
        changed that meanwhile meant the file of this name. What could not be kept, in words."""
        with new.folder.open_read(new.name) as old:
            if access_of(old) == seen:
                return lost
            with self.folder.open_read(self.name) as file:
                if not is_still(file.stat(), ours):
                    return lost  # a user's by now
                lost = keep(file, old, ours.exec)
                file.flush()
        return lost

    @contextmanager
    def moved_aside(self) -> Iterator[Spot]:
        """Free the name: what was there is the conflict copy at once, where there is to be one,
        else it lies in the trash, or beside where that is on another file system. It was looked
        at and waits for `settle` or `put_back`. Raises Stopped or OSError, as `exchange`."""
        copy_to = self.operation.copy_to
        if copy_to is not None:
            # Not by way of the trash: where the way back fails too, it would be there only.
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
        self.flushes.touch(spot.where)
        try:
            self._look_again(spot)
        except (OSError, Stopped):
            self.put_back(spot)
            raise
        return spot

    def put_back(self, spot: Spot) -> None:
        """Give what was moved aside its name again; if something took the name, it stays the
        conflict copy, or is trash. Raises Stopped where it can do neither, and says where it
        lies."""
        try:
            try:
                spot.folder.rename_new(spot.name, self.folder, self.name)
            except FileExistsError:
                if not self._is_copy(spot):
                    self.trash.take(spot, self.operation.path)
        except OSError as error:
            raise _left_aside(spot, None, error) from error
        self.touch()
        self.flushes.touch(spot.where)

    def settle(self, spot: Spot) -> Copied:
        """What came out becomes the conflict copy or goes to the trash. Raises Stopped or OSError;
        then it is still at `spot`."""
        copy_to = self.operation.copy_to
        if copy_to is None:
            self.trash.take(spot, self.operation.path)
            return NOT_COPIED
        assert parent_of(copy_to) == self.where
        found = self._look_again(spot)
        if self._is_copy(spot):
            return copy_to, found.key(), ""
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
            if at_name is None:  # a user deleted ours: his own version comes back
                new.folder.rename_new(new.name, self.folder, self.name)
                return
            if is_still(at_name, ours):
                new.folder.exchange(new.name, self.folder, self.name)
                if is_still(new.folder.stat(new.name), ours):
                    return
                # He wrote again between the look and the exchange: the newest keeps the name.
                new.folder.exchange(new.name, self.folder, self.name)
            self.trash.take(new, self.operation.path)
        except OSError as error:
            raise _left_aside(new, ours, error) from error

    def return_aside(self, root: Root) -> None:
        """What an earlier operation had to leave aside gets its name again, as far as nobody took
        one of the two meanwhile. Raises Stopped, as `put_back`; OSError."""
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
                self.flushes.touch(where)
            staged = self.operation.staged is not None
            if not staged and is_still(folder.stat(name), aside.ours):
                folder.unlink(name)  # a link or a copy that was made for this name alone

    def name_copy(self) -> tuple[ScanKey, Copied]:
        """A crash came between the exchange and `settle`: what came out lies under the name of
        what was staged. Raises Stopped, where either is something else; OSError."""
        staged, entry = self.operation.staged, self.operation.entry
        assert staged is not None
        found = self.folder.stat(self.name)
        if found is None or not is_ours(found, staged):
            raise Stopped(Ending.CHANGED, "what was put there is gone")
        copied = self.settle(Spot(self.folder, name_of(staged.path), self.where))
        self.touch()
        # As it was when it got its name, but for its ctime: the next walk looks at it.
        kind, inode = Kind.FILE, staged.inode
        key = ScanKey(kind, entry.size, entry.mtime_ns, 0, inode, entry.exec, found.key().links)
        return key, copied

    def beside(self) -> Spot:
        """A free name in the same folder that nobody takes for a file; not to be closed."""
        path = self.operation.path
        names = [name_of(path) for path in lefting_paths(path)]
        free = (name for name in names if is_free(self.folder, name))
        return Spot(self.folder, next(free, names[-1]), self.where)


def _left_aside(spot: Spot, ours: ScanKey | None, error: OSError) -> Stopped:
    lies = f"{spot.where}/{spot.name}".lstrip("/")
    why = f"{error.strerror or error}; the old version lies at {lies}"
    return Stopped(Ending.FAILED, why, Aside(lies, ours))
