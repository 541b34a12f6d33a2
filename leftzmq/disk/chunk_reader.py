"""Reads the chunks that other devices asked for, and checks each against its id before it is sent.

Knows paths, offsets and ids. Must not know who asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import FolderKeys
from leftzmq.disk.fs.interface import File, LastFolder
from leftzmq.tree.path import name_of, parent_of

Asked = tuple[bytes, int, int]
"""(id, offset in the file, length)."""


def read_chunks(
    near: LastFolder, paths: Sequence[str], asks: Sequence[Asked], keys: FolderKeys
) -> tuple[list[tuple[bytes, bytes]], list[bytes], list[tuple[str, Asked]]]:
    """Look for chunks in files that should all have the same content.

    Returns three lists: the chunks found, as (id, bytes); the ids of the chunks not found; the
    paths whose bytes differ from the index, each with its first missing chunk. These paths changed
    since their last scan and must be scanned again. Bytes that do not match their id are never
    returned.
    """
    found: list[tuple[bytes, bytes]] = []
    left = list(asks)
    stale: list[tuple[str, Asked]] = []
    with ExitStack() as stack:
        for path in paths:
            if not left:
                break
            file = _open(near, path, stack)
            missed = [ask for ask in left if not _read(file, ask, keys, found)]
            if missed:
                stale.append((path, missed[0]))
            left = missed
    return found, [id for id, _, _ in left], stale


def _open(near: LastFolder, path: str, stack: ExitStack) -> File | None:
    try:
        return stack.enter_context(near.at(parent_of(path)).open_read(name_of(path)))
    except OSError:
        return None


def _read(
    file: File | None, ask: Asked, keys: FolderKeys, found: list[tuple[bytes, bytes]]
) -> bool:
    if file is None:
        return False
    id, offset, length = ask
    try:
        data = file.read(offset, length)
    except OSError:
        return False
    if len(data) != length or chunk_id(keys, data) != id:
        return False
    found.append((id, data))
    return True
