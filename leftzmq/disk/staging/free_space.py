"""The floor under the disk's free space: what arrives leaves that much.

A disk that is filled to its last byte stops its user's own programs, and our index with them.
Knows free bytes. Must not know what needs them.
"""

from __future__ import annotations

from leftzmq.disk.fs.interface import Directory, Root
from leftzmq.tree.path import parent_of


class LowSpace(Exception):
    """Too little would stay free. need_bytes: of what is to come. fits_bytes: what may come now.
    free: how much is free, in words."""

    def __init__(self, path: str, need_bytes: int, fits_bytes: int, need: str, free: str) -> None:
        self.path, self.need_bytes, self.fits_bytes, self.free = path, need_bytes, fits_bytes, free
        self.said = f"{need}, {free}"
        super().__init__(f"{path}: {self.said}")


def nearest(root: Root, path: str) -> Directory:
    """The folder at `path`, or the nearest one above it that is there. OSError."""
    while path:
        try:
            return root.folder(path)
        except OSError:
            path = parent_of(path)
    return root.folder("")


def fits_bytes(folder: Directory, min_free_percent: float) -> int:
    """How much may still come onto the file system of `folder`; below the floor it is negative."""
    return folder.free_bytes() - int(folder.total_bytes() * min_free_percent / 100)


def check_room(
    folder: Directory,
    path: str,
    now_bytes: int,
    min_free_percent: float,
    need_bytes: int | None = None,
) -> None:
    """Raises LowSpace if the floor would not hold with `now_bytes` more. OSError.

    need_bytes: all that is still to come for `path`, if that is more. A floor of 0 is none: then
    the file system itself says when it is full.
    """
    if now_bytes <= 0 or min_free_percent <= 0:
        return
    total = folder.total_bytes()
    fits = fits_bytes(folder, min_free_percent)
    if total and fits < now_bytes:  # some network file systems do not know their size: 0
        need = max(now_bytes, need_bytes or 0)
        free = folder.free_bytes()
        said = f"{_mib(free)} of {_mib(total)} are free, min_free_percent = {min_free_percent:g}"
        raise LowSpace(path, need, fits, f"{_mib(need)} more are needed", said)


def check_size(folder: Directory, path: str, size: int) -> None:
    """Raises LowSpace where the file system could not hold so much if it were empty. OSError."""
    total = folder.total_bytes()
    if total and size > total:
        said = f"the whole file system {_mib(total)}"
        raise LowSpace(path, size, folder.free_bytes(), f"it has {_mib(size)}", said)


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
