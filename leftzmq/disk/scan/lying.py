"""What lies at one path: for a question of a user, from which nothing follows.

Knows kinds. Must not know entries, nor what is ignored.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from leftzmq.disk.fs.errno_meaning import is_gone, raise_if_short
from leftzmq.disk.fs.interface import Root
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import name_of, parent_of


class Lying(Enum):
    """What lies at a path. The value is the word that a user reads."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"  # what cannot be synced, such as a socket
    NOTHING = "nothing"
    UNKNOWN = "unknown"  # this user may not look there


_OF_KIND: Final = {
    Kind.FILE: Lying.FILE,
    Kind.DIRECTORY: Lying.FOLDER,
    Kind.SYMLINK: Lying.LINK,
    None: Lying.OTHER,
}


def lying_at(root: Root, path: str) -> Lying:
    """What lies at `path` now. Raises OSError if the error says nothing about the path."""
    try:
        with root.folder(parent_of(path)) as folder:
            stat = folder.stat(name_of(path))
    except OSError as error:
        raise_if_short(error)
        return Lying.NOTHING if is_gone(error) else Lying.UNKNOWN
    return Lying.NOTHING if stat is None else _OF_KIND[stat.kind]
