"""Wanted changes as operations on a tree, and the order in which they are safe.

Knows paths and entries. Must not know how an operation is carried out (disk/apply does).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.tree.entry import ContentId, Entry, ScanKey
from leftzmq.tree.path import sort_key


class Verb(Enum):
    """What is to happen at a path."""

    REMOVE = "remove"
    MAKE_DIRECTORY = "make the folder"
    PUT_FILE = "put the file"
    MOVE_FILE = "move the file"
    PUT_LINK = "put the link"
    SET_ATTRIBUTES = "set mtime and mode"
    LET_GO = "let go"  # remove it from this device alone: others have it
    GO_BACK = "put the old version back"
    NAME_COPY = "name the conflict copy"  # or move what needs none to the trash


class Held(Struct, frozen=True):
    """What our index says lies at a path now. The file that a replace takes out
    must be this one."""

    key: ScanKey
    content: ContentId


class Staged(Struct, frozen=True):
    """A `.lefting`: its path in the share, and the inode that makes it ours.

    inode: None: it was never learned
    in_doubt: another one was about to get the name; it or the file with this inode has it now
    unread: one was certainly made under this very name, and its inode could not be read
    """

    path: str
    inode: int | None
    in_doubt: bool = False
    unread: bool = False

    @property
    def is_certain(self) -> bool:
        """Whether the inode tells if a file of that name is ours."""
        return self.inode is not None and not self.in_doubt

    @property
    def undoubted(self) -> Staged:
        """The file with this inode, whether it still has the name or not."""
        return replace(self, in_doubt=False) if self.in_doubt else self


class Moved(Struct, frozen=True):
    """The source of a MOVE_FILE.

    entry: the tombstone of that path
    held: what must be there
    """

    entry: Entry
    held: Held

    @property
    def path(self) -> str:
        return self.entry.path


class Aside(Struct, frozen=True):
    """Where an old version lies after the disk allowed neither its move nor its way back.

    ours: the stat of what we had put in its place; None: nothing
    """

    path: str
    ours: ScanKey | None


class Operation(Struct, frozen=True):
    """One change of one path; for a move, of two paths.

    entry:   the version that will be there (for REMOVE its tombstone; for NAME_COPY: that was put)
    old:     what must be there now; None: nothing may be there
    copy_to: where the old bytes are put as a conflict copy; None: they are moved to the trash
    staged:  for PUT_FILE: the bytes; for NAME_COPY: the `.lefting` under whose name the old bytes
        are
    moved:   the source of the bytes, for MOVE_FILE
    aside:   the old version that is to have the name again, for GO_BACK
    spelled: for MAKE_DIRECTORY: the present spelling of the directory, on a disk that takes both
             spellings for one name
    ends_folder: for REMOVE of a file of ignore rules: its folder is to go, too. It stays while
             something in the folder is ignored, which would be synced without it
    """

    verb: Verb
    entry: Entry
    old: Held | None = None
    copy_to: str | None = None
    staged: Staged | None = None
    moved: Moved | None = None
    aside: Aside | None = None
    spelled: str | None = None
    ends_folder: bool = False

    @property
    def path(self) -> str:
        return self.entry.path

    @property
    def paths(self) -> tuple[str, ...]:
        """Every final name that the operation may give."""
        return (self.path,) if self.copy_to is None else (self.path, self.copy_to)


def ordered(operations: Iterable[Operation]) -> list[Operation]:
    """Sorts operations: children are removed before parents, then parents are made before children.

    Removing first frees the names for swaps (file <-> directory <-> link) and for renames that only
    change the case.
    """
    removes: list[Operation] = []
    puts: list[Operation] = []
    for operation in operations:
        (removes if operation.verb is Verb.REMOVE else puts).append(operation)
    removes.sort(key=lambda o: sort_key(o.path), reverse=True)
    puts.sort(key=lambda o: sort_key(o.path))
    return removes + puts
