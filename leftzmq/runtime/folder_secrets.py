"""The secret of a folder, when the folder is about to be opened.

Knows that a secret is made only for a folder that the state directory does not know yet: any other
one is to be restored. Must not know how a folder is opened.
"""

from __future__ import annotations

import os
from pathlib import Path

from leftzmq.config import FolderConfig
from leftzmq.content.keys import FolderKeys, derive_keys
from leftzmq.errors import KeyFileError
from leftzmq.statedir import index_file, make_secret, read_secret, why_not_made


def folder_keys(state: Path, folder: FolderConfig) -> FolderKeys:
    """Return the folder's keys; the secret of a new one is made. Raises KeyFileError."""
    if not _is_known(state, folder) and not os.path.lexists(folder.secret):
        return derive_keys(make_secret(folder.secret))
    return derive_keys(read_secret(folder.secret))


def check_secret(state: Path, folder: FolderConfig) -> None:
    """Raise the KeyFileError of `folder_keys`, as far as it can be foreseen; make nothing."""
    if _is_known(state, folder) or os.path.lexists(folder.secret):
        read_secret(folder.secret)
    elif error := why_not_made(folder.secret):
        do = "name a place where this user may write"
        raise KeyFileError(f"cannot be made: {error.strerror}", str(folder.secret), do)


def _is_known(state: Path, folder: FolderConfig) -> bool:
    return index_file(state, folder.id).exists()
