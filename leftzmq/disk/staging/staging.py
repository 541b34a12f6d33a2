"""Writes received chunks into `.lefting` files, each in the folder of its target (write order,
step 1).

A chunk is written into a `.lefting` of ours only after its id was checked. disk/staging/lefting
says which `.lefting` files are ours, and their names.

Knows chunks, offsets and inodes. Must not know where chunks come from, nor give a file its final
name: that is disk/apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import EpochKeys, FolderKeys
from leftzmq.content.noise import SAMPLE_BYTES, is_known, looks_random, places
from leftzmq.content.seal import open_chunk
from leftzmq.content.zeros import trimmed
from leftzmq.disk.fs.errno_meaning import is_full, is_gone
from leftzmq.disk.fs.interface import PRIVATE_MODE, Buffer, Directory, File, LastFolder, Root
from leftzmq.disk.fs.permissions import give_new, heir_of
from leftzmq.disk.staging.free_space import check_room, check_size
from leftzmq.disk.staging.lefting import (
    Unlearned,
    create_lefting,
    is_ours,
    is_there,
    lefting_path,
    thrown_away,
)
from leftzmq.errors import ProblemKind, Refused
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import name_of, parent_of
from leftzmq.tree.permissions import ModesKept
from leftzmq.tree.plan import Staged
from leftzmq.tree.rules import LEFTING_SUFFIX

HOLE_BYTES: Final = 64 << 10  # fewer zeros are written: a hole saves whole blocks only
FLUSH_STEP_BYTES: Final = 4 << 20
"""A write across a multiple of this starts the writeback of the bytes before it. So the disk works
while the rest is received, and little is left for the final flush, which every edit of a small file
would wait for (1 GiB: 0.35 s on a disk of 3 GB/s; docs/performance.md)."""
Chunk = tuple[bytes, int, int]
"""(id, offset in the target, length)."""

Box = tuple[bytes, int, int, Buffer]
"""(id, offset in the target, length of the chunk, the box)."""


class DiskFull(Exception):
    """No free space, on the disk or in the quota: the ticket waits. left: as in Unstageable."""

    left: Staged | None = None


class StagingLost(Exception):
    """The `.lefting` is gone, or another file has its name: begin again with a new one."""


class Unstageable(Exception):
    """Nothing can be staged at `path` now. `kind` and `detail` are those of the Problem.

    left: a new `.lefting` that could not be deleted either
    """

    left: Staged | None = None

    def __init__(self, path: str, kind: ProblemKind, detail: str = "") -> None:
        self.path, self.kind, self.detail = path, kind, detail
        super().__init__(f"{path}: {kind.value} ({detail})" if detail else f"{path}: {kind.value}")


def open_staging(
    root: Root, path: str, known: Staged | None, size: int, min_free_percent: float = 0.0
) -> tuple[Staged, bool]:
    """Prepare the `.lefting` for `path`, `size` bytes long. Returns it with True if it is from an
    earlier life (verify it), or with False if it is new: a single hole.

    known: the `.lefting` in the index. min_free_percent: of the disk, must be free in the end.
    Raises Unstageable, DiskFull, StagingLost or LowSpace.
    """
    left: Staged | None = None
    try:
        is_known = known is not None and is_there(root, known)
        with root.folder(parent_of(path)) as folder:
            if is_known:
                assert known is not None
                check_room(folder, path, _missing(folder, known, size), min_free_percent)
                with open_ours(root, known, write=True) as file:
                    file.set_mode(PRIVATE_MODE)  # it may date from when all users could read it
                    file.truncate(size)  # that of an earlier version may be longer
                return known, True
            check_room(folder, path, size, min_free_percent)
            file, staged = create_lefting(folder, path)
            with file:
                try:
                    file.truncate(size)
                except OSError:
                    left = thrown_away(folder, staged)
                    raise
                return staged, False
    except OSError as error:
        raise _why_not(path, error, left) from error


def check_whole(
    folder: Directory, path: str, known: Staged | None, size: int, min_free_percent: float
) -> None:
    """Raises LowSpace if there is no space for a file of `size` bytes at `path`, also without a
    minimum if the whole file system is smaller. OSError. folder: above `path`; its parent if there
    is a `.lefting` already."""
    missing = size if known is None else _missing(folder, known, size)
    check_size(folder, path, size)
    check_room(folder, path, missing, min_free_percent)


def verify_chunks(
    root: Root, staged: Staged, chunks: Sequence[Chunk], keys: FolderKeys
) -> list[int]:
    """The offsets of those `chunks` that the `.lefting` has. Raises StagingLost, DiskFull or
    Unstageable."""
    with open_ours(root, staged, write=False) as file:
        return [at for id, at, length in chunks if held(file, at, length, id, keys) is not None]


def is_staged_noise(root: Root, staged: Staged, size: int) -> bool:
    """Whether a complete `.lefting` of `size` bytes looks encrypted. Raises StagingLost, DiskFull
    or Unstageable."""
    with open_ours(root, staged, write=False) as file:
        try:
            samples = [file.read(at, SAMPLE_BYTES) for at in places(size)]
        except OSError as error:
            raise _lost_or(staged, error) from error
    return not is_known(samples[0]) and any(looks_random(sample) for sample in samples)


def check_staging(
    root: Root, staged: Staged, more: int, size: int, min_free_percent: float
) -> None:
    """Raises LowSpace if `more` bytes in the `.lefting` would leave less than `min_free_percent` of
    the disk free; StagingLost, DiskFull or Unstageable. size: of the complete file."""
    try:
        with root.folder(parent_of(staged.path)) as folder:
            missing = _missing(folder, staged, size)
            check_room(folder, staged.path, min(more, missing), min_free_percent, missing)
    except OSError as error:
        raise _lost_or(staged, error) from error


def write_chunks(
    root: Root, staged: Staged, pieces: Sequence[Box], keys: FolderKeys, epoch: EpochKeys
) -> tuple[list[int], list[int]]:
    """Open the boxes and write their chunks. Returns the positions in `pieces` that were written,
    and those that were bad. A bad chunk does not match its id, or is longer or shorter than the
    list says (it would overwrite its neighbour). Raises StagingLost, DiskFull or Unstageable.
    """
    written: list[int] = []
    bad: list[int] = []
    with open_ours(root, staged, write=True) as file:
        for position, (id, offset, length, box) in enumerate(pieces):
            try:
                data = open_chunk(keys, epoch, id, box, length)
            except Refused:
                bad.append(position)
                continue
            put(file, staged, offset, data)
            written.append(position)
    return written, bad


def stage_small(
    near: LastFolder,
    entry: Entry,
    data: bytes,
    min_free_percent: float = 0.0,
    kept: ModesKept = ModesKept.ALL,
) -> Staged:
    """Write a whole file of checked bytes, with its mtime, and with its mode if it replaces no
    file. Returns its `.lefting`, not flushed: disk/apply flushes a whole batch. Raises Unstageable,
    DiskFull or LowSpace.
    """
    left: Staged | None = None
    try:
        folder = near.at(parent_of(entry.path))
        check_room(folder, entry.path, len(data), min_free_percent)
        file, staged = create_lefting(folder, entry.path)
        with file:
            try:
                file.write(0, data)
                if not heir_of(folder, entry.path):  # else it gets the access of the old file
                    give_new(file, folder, entry.attributes.as_kept(kept))
                file.set_times(entry.mtime_ns)
            except OSError:
                left = thrown_away(folder, staged)
                raise
        return staged
    except OSError as error:
        raise _why_not(entry.path, error, left) from error


def _missing(folder: Directory, staged: Staged, size: int) -> int:
    """How many bytes are still to be written, at most. OSError."""
    found = folder.stat(name_of(staged.path))
    return size - (found.allocated if found is not None and is_ours(found, staged) else 0)


def open_ours(root: Root, staged: Staged, *, write: bool) -> File:
    """Open the `.lefting` itself. Raises StagingLost, DiskFull or Unstageable."""
    try:
        with root.folder(parent_of(staged.path)) as folder:
            name = name_of(staged.path)
            file = folder.open_write(name) if write else folder.open_read(name)
    except OSError as error:
        raise _lost_or(staged, error) from error
    if not is_ours(file.stat(), staged):
        file.close()
        raise StagingLost(f"{staged.path}: another file has its name")
    return file


def held(file: File, offset: int, length: int, id: bytes, keys: FolderKeys) -> bytes | None:
    """The bytes of the chunk `id` if they are at `offset`, else None."""
    try:
        data = file.read(offset, length)
    except OSError:
        return None
    return data if len(data) == length and chunk_id(keys, data) == id else None


def put(file: File, staged: Staged, offset: int, data: bytes) -> None:
    """Write a chunk into the `.lefting`. Raises DiskFull or Unstageable.

    Zeros at the end of the chunk are not written where the file has a hole. A `.lefting` from an
    earlier life may have other bytes there.
    """
    try:
        body = trimmed(data)
        if len(data) - len(body) < HOLE_BYTES:
            file.write(offset, data)
        else:
            if body:
                file.write(offset, body)
            if trimmed(file.read(offset + len(body), len(data) - len(body))):
                file.write(offset + len(body), bytes(len(data) - len(body)))
        first, last = offset // FLUSH_STEP_BYTES, (offset + len(data)) // FLUSH_STEP_BYTES
        if first < last:
            file.begin_flush(first * FLUSH_STEP_BYTES, (last - first) * FLUSH_STEP_BYTES)
    except OSError as error:
        raise _why_not(staged.path, error) from error


def _lost_or(staged: Staged, error: OSError) -> StagingLost | DiskFull | Unstageable:
    """StagingLost only if the `.lefting` is gone: one that cannot be opened now is still there."""
    if is_gone(error):
        return StagingLost(f"{staged.path}: {error.strerror}")
    return _why_not(staged.path.removesuffix(LEFTING_SUFFIX), error)


def _why_not(path: str, error: OSError, left: Staged | None = None) -> DiskFull | Unstageable:
    why = _reason(path, error)
    why.left = error.staged if isinstance(error, Unlearned) else left
    return why


def _reason(path: str, error: OSError) -> DiskFull | Unstageable:
    if is_full(error):
        return DiskFull(path)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Unstageable(path, ProblemKind.WAITING_FOR_FOLDER)
    if isinstance(error, FileExistsError):
        return Unstageable(lefting_path(path), ProblemKind.FOREIGN_LEFTING)
    return Unstageable(path, ProblemKind.UNWRITABLE, error.strerror or str(error))
