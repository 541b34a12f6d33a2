"""The folders of this device: which one is meant, and whether a directory can become one more.

Knows config, and looks at the disk. Makes the directory of a share. Must not know who asks, nor
what was learnt.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from leftzmq import crockford
from leftzmq.config import Config, FolderConfig
from leftzmq.config.values import MAX_FOLDERS, MAX_NAME_CHARS, is_name
from leftzmq.disk.share import folder_in
from leftzmq.errors import ConfigError, UsageError
from leftzmq.tree.rules import LEFT_DIRECTORY

RANDOM_LETTERS: Final = 4
_BASE_CHARS: Final = 32  # of a directory's name in a fresh id


def folder_named(config: Config, id: str) -> FolderConfig:
    """Return the folder of this id. Raises UsageError."""
    found = next((one for one in config.folders if one.id == id), None)
    if found is None:
        names = ", ".join(one.id for one in config.folders) or "none"
        raise UsageError("there is no such folder here", id, f"there is {names}")
    return found


def check_id(config: Config, id: str) -> None:
    """Raise UsageError if there is no place for one more folder, or not for one of this id; "": it
    is not chosen yet."""
    if len(config.folders) >= MAX_FOLDERS:
        what = f"this device has {MAX_FOLDERS} folders, and can have no more"
        raise UsageError(what, "", "share what holds several of them instead")
    if id in config.folder_ids:
        what = "is the name of another folder of this device"
        raise UsageError(what, id, "name it otherwise with --folder, or leave that out")
    if id and not is_name(id):
        what = f"is no name of a folder: 1 to {MAX_NAME_CHARS} printable characters are wanted"
        raise UsageError(what, id[:MAX_NAME_CHARS], "name it otherwise with --folder")


def fresh_id(path: Path, random: Callable[[int], bytes]) -> str:
    """Return an id for the folder of this directory: two people's "docs" are not one folder."""
    name = "".join(c for c in path.name if c.isprintable()).strip()[:_BASE_CHARS] or "folder"
    draw = int.from_bytes(random(RANDOM_LETTERS))
    part = draw % (1 << crockford.BITS_A_LETTER * RANDOM_LETTERS)
    return f"{name}-{crockford.encode(part, RANDOM_LETTERS)}"


def check_no_file(path: Path) -> None:
    """Raise ConfigError if something other than a directory is there."""
    if path.exists() and not path.is_dir():
        raise ConfigError("is no directory", str(path), "name a directory, or a place for one")


def check_marker(path: Path, id: str) -> None:
    """Raise ConfigError if the directory has the marker of another folder: it would not be used."""
    other = folder_in(path)
    if other not in (None, id):
        what = f"is the share of the folder {other}, or was it"
        do = f"name another directory; if it is that no more, delete {LEFT_DIRECTORY}/marker in it"
        raise ConfigError(what, str(path), do)


def make_share(path: Path) -> None:
    """Make the directory, unless it is there. Raises ConfigError if it cannot be made or used."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be made: {error.strerror}"
        raise ConfigError(what, str(path), "name a directory, or a place for one") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        do = "name a directory where this user may write"
        raise ConfigError("may not be read or written by this user", str(path), do)


def is_empty(path: Path) -> bool:
    """Return whether a directory holds nothing of its user's, or is none."""
    try:
        return all(entry.name == LEFT_DIRECTORY for entry in path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # who cannot tell asks
