"""Copies chunks from other local files into a `.lefting`, without asking another device.

If the file system can share blocks (btrfs, xfs), blocks are shared. One call shares a run of chunks
that are consecutive in both files, as in a copy or in the old version of a file that grew at its
end. The blocks at the ends of a run, and everything on other file systems, are copied.

All shared bytes are read back from the `.lefting` and checked there: a user may have written into
the source between any two calls. Blocks that he writes later are no longer shared.

Knows chunks and offsets. Must not know why these files were thought of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from leftzmq.content.keys import FolderKeys
from leftzmq.disk.fs.interface import CANNOT_CLONE, CLONE_BYTES, File, Root
from leftzmq.disk.staging.staging import held, open_ours, put
from leftzmq.tree.path import name_of, parent_of
from leftzmq.tree.plan import Staged

HomeCopy = tuple[bytes, int, int, int]
"""(id, length, offset in the source, offset in the target)."""

_NOTHING: Final = range(0)


def copy_home(
    root: Root, staged: Staged, source: str, chunks: Sequence[HomeCopy], keys: FolderKeys
) -> list[int]:
    """Copy `chunks` from `source`, a local file. Returns the offsets in the target that have their
    chunk now.

    A source that was moved, shrank or cannot be read is no error: fewer chunks are copied. Raises
    StagingLost, DiskFull, or Unstageable if the target cannot be written.
    """
    here: list[int] = []
    with open_ours(root, staged, write=True) as target:
        try:
            with root.folder(parent_of(source)) as folder:
                file = folder.open_read(name_of(source))
        except OSError:
            return here
        with file:
            for run in _runs(chunks):
                shared = _share(file, target, run)
                here += [
                    chunk[3] for chunk in run if _brought(file, target, staged, chunk, shared, keys)
                ]
    return here


def _brought(
    source: File, target: File, staged: Staged, chunk: HomeCopy, shared: range, keys: FolderKeys
) -> bool:
    """Make sure that the target has the chunk, or zeros. Returns whether it has the chunk. shared:
    the range of the target that was shared and is not checked yet."""
    id, length, source_offset, offset = chunk
    unseen = offset < shared.stop and shared.start < offset + length
    if unseen and held(target, offset, length, id, keys) is not None:
        return True
    data = held(source, source_offset, length, id, keys)
    if data is None and not unseen:
        return False
    # Shared bytes that are not the chunk are overwritten: a range without a chunk must be zeros.
    put(target, staged, offset, bytes(length) if data is None else data)
    return data is not None


def _share(source: File, target: File, run: Sequence[HomeCopy]) -> range:
    """Share the whole blocks of the run. Returns the range of the target that may have bytes of the
    source now."""
    _, _, source_offset, first = run[0]
    end = run[-1][3] + run[-1][1]
    start, stop = -(-first // CLONE_BYTES) * CLONE_BYTES, end // CLONE_BYTES * CLONE_BYTES
    ahead = source_offset - first
    if start >= stop or ahead % CLONE_BYTES:
        return _NOTHING
    try:
        target.clone(start, source, start + ahead, stop - start)
    except OSError as error:
        if error.errno in CANNOT_CLONE:
            return _NOTHING
    return range(start, stop)


def _runs(chunks: Sequence[HomeCopy]) -> Iterator[list[HomeCopy]]:
    """Split `chunks` into runs of chunks that are consecutive in both files."""
    run: list[HomeCopy] = []
    for chunk in chunks:
        if run and (run[-1][2] + run[-1][1], run[-1][3] + run[-1][1]) != chunk[2:]:
            yield run
            run = []
        run.append(chunk)
    if run:
        yield run
