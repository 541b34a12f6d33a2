"""Where measurements are made: a folder on a file system, with room for what a measurement needs.

Knows the room and the inodes of a file system, and when files may be deleted: never during a
measurement nor right before one, as ext4 makes files slowly for a minute after many deletes
(shares.DELETED_S). Must not know what is measured.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from programs.pair import Lacking
from shares import forget_the_deleted

FEW_FILES: Final = 2_000
"""So many files are deleted at once: they make no difference to the next measurement."""
SPARE: Final = 1.2
"""More than is counted is asked for: indexes, logs and blocks that are not full."""
BLOCK_BYTES: Final = 4096
GB: Final = 10**9


@dataclass(frozen=True, slots=True)
class Needs:
    """What a measurement puts on a file system. memory_bytes: of the machine, besides that."""

    files: int = 0
    size: int = 0
    memory_bytes: int = 0

    @property
    def disk_bytes(self) -> int:
        return int((self.size + self.files * BLOCK_BYTES) * SPARE)


class Ground:
    """A folder of its own below `place`. Remove it with `close`."""

    def __init__(
        self, place: Path, forget: Callable[[], None] = forget_the_deleted, few: int = FEW_FILES
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lzb-", dir=place))
        self._left = self.folder / "left"
        self._left.mkdir()
        self._forget, self._few = forget, few
        self._number = 0

    def new_home(self) -> Path:
        """Return a path for a new folder. It is short, as sockets are put below it."""
        self._number += 1
        return self.folder / str(self._number)

    def leave(self, home: Path) -> None:
        """Take what a measurement made: delete a few files at once, many later."""
        if not home.exists():
            return
        if _has_more_than(home, self._few):
            self._number += 1
            home.rename(self._left / str(self._number))
        else:
            shutil.rmtree(home)

    def clear(self, *, has_deleted: bool = False) -> None:
        """Delete what was left, and wait until that makes no difference any more. has_deleted:
        others have deleted many files just now, so it waits in any case."""
        is_anything_left = any(self._left.iterdir())
        if is_anything_left:
            shutil.rmtree(self._left)
            self._left.mkdir()
        if is_anything_left or has_deleted:
            self._forget()

    def require(self, needs: Needs) -> None:
        """Make room, if there is too little. Raise Lacking, if there still is."""
        if self._short_of(needs):
            self.clear()
        if short := self._short_of(needs):
            raise Lacking(short)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _short_of(self, needs: Needs) -> str:
        found = os.statvfs(self.folder)
        room = found.f_bavail * found.f_frsize
        if room < needs.disk_bytes:
            return (
                f"it needs {needs.disk_bytes / GB:.1f} GB, and {room / GB:.1f} GB are free "
                f"at {self.folder.parent}"
            )
        inodes = found.f_favail
        if found.f_files and inodes < needs.files * SPARE:
            return (
                f"it needs {needs.files:,} files, and {inodes:,} more can be made "
                f"at {self.folder.parent}"
            )
        if (free := _free_memory_bytes()) < needs.memory_bytes:
            return (
                f"it needs {needs.memory_bytes / GB:.1f} GB of memory, and {free / GB:.1f} GB "
                "are free"
            )
        return ""


def _free_memory_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    line = next(line for line in lines if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def _has_more_than(folder: Path, most: int) -> bool:
    found = 0
    for _, folders, files in os.walk(folder):
        found += len(folders) + len(files)
        if found > most:
            return True
    return False
