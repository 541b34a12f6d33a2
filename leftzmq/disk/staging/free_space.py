"""Checks the minimum of free disk space that received files must leave.

A completely full disk stops the user's own programs, and our index, too.
Knows free bytes. Must not know what needs them.
"""

from __future__ import annotations

from leftzmq.disk.fs.interface import Directory, Root
from leftzmq.tree.path import parent_of


class LowSpace(Exception):
    """Too little space would stay free. need_bytes: still to be written. fits_bytes: may be written
    now. free: how much is free, in words."""

    def __init__(self, path: str, need_bytes: int, fits_bytes: int, need: str, free: str) -> None:
        self.path, self.need_bytes, self.fits_bytes, self.free = path, need_bytes, fits_bytes, free
        self.said = f"{need}, {free}"
        super().__init__(f"{path}: {self.said}")


def nearest(root: Root, path: str) -> Directory:
    """Open the folder at `path`, or the nearest existing one above it. OSError."""
    while path:
        try:
            return root.folder(path)
        except OSError:
            path = parent_of(path)
    return root.folder("")


def fits_bytes(folder: Directory, min_free_percent: float) -> int:
    """How many bytes may still be written on the file system of `folder`. Negative if less than
    the minimum is free. OSError."""
    return folder.free_bytes() - int(folder.total_bytes() * min_free_percent / 100)


def check_room(
    folder: Directory,
    path: str,
    now_bytes: int,
    min_free_percent: float,
    need_bytes: int | None = None,
) -> None:
    """Raises LowSpace if `now_bytes` more would leave less than the minimum free. OSError.

    need_bytes: all that is still to be written for `path`, if that is more. A minimum of 0 turns
    the check off: then the file system itself reports that it is full.
    """
    if now_bytes <= 0 or min_free_percent <= 0:
        return
    total = folder.total_bytes()
    fits = fits_bytes(folder, min_free_percent)
    if total and fits < now_bytes:  # 0: some network file systems do not know their size
        need = max(now_bytes, need_bytes or 0)
        free = folder.free_bytes()
        said = f"{_mib(free)} of {_mib(total)} are free, min_free_percent = {min_free_percent:g}"
        raise LowSpace(path, need, fits, f"{_mib(need)} more are needed", said)


def check_size(folder: Directory, path: str, size: int) -> None:
    """Raises LowSpace if `size` is larger than the whole file system. OSError."""
    total = folder.total_bytes()
    if total and size > total:
        said = f"the whole file system {_mib(total)}"
        raise LowSpace(path, size, folder.free_bytes(), f"it has {_mib(size)}", said)


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
