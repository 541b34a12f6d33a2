"""What the benches do with a share, the same way whichever program syncs it: fill it, check whether
all files are there, make the same files without any sync.

Knows files. Must not know agents.
"""

from __future__ import annotations

import filecmp
import os
import random
import time
from pathlib import Path

BLOCK = 1 << 20
DELETED_S = 61
"""For so many seconds ext4 gives no deleted inode's number to a new file, and looks at each deleted
inode whenever it makes a file (fs/ext4/ialloc.c, recently_deleted: 60 s, and 300 s more while the
inode is not written)."""
SMALL_MOST = 11_600  # 58 MB in 10,000 files

Manifest = dict[str, int]
"""Path in the share -> size."""


def fill(share: Path, size: int, files: int) -> Manifest:
    """Make random bytes: one file of `size`, or `files` small ones. Returns the manifest."""
    found: Manifest = {}
    if not files:
        with (share / "large").open("wb") as file:
            for _ in range(size // BLOCK):
                file.write(os.urandom(BLOCK))
        return {"large": size // BLOCK * BLOCK}
    dice = random.Random(42)
    for number in range(files):
        folder = share / f"d{number // 100:03}"
        folder.mkdir(exist_ok=True)
        data = os.urandom(dice.randrange(1, SMALL_MOST))
        path = folder / f"f{number:05}"
        path.write_bytes(data)
        found[str(path.relative_to(share))] = len(data)
    return found


class Arrival:
    """Finds which files of a manifest are still to come. Looks at names and sizes: both programs
    give a file its name when it is whole; `differs` compares the bytes afterwards."""

    def __init__(self, share: Path, manifest: Manifest) -> None:
        self._share, self._manifest = share, manifest
        self._left = sorted(manifest, reverse=True)

    def whole(self) -> bool:
        """Whether all files are there. Continues where the last look found a missing file, so that
        looking costs almost nothing."""
        while self._left:
            path = self._left[-1]
            try:
                size = (self._share / path).stat().st_size
            except OSError:
                return False
            if size != self._manifest[path]:
                return False
            self._left.pop()
        return True

    def differs(self, source: Path) -> list[str]:
        """Returns the paths whose bytes are not those of the source."""
        paths = list(self._manifest)
        _, other, unreadable = filecmp.cmpfiles(source, self._share, paths, shallow=False)
        return other + unreadable


def plain_s(source: Path, target: Path, manifest: Manifest) -> float:
    """Returns the seconds in which one thread of plain Python makes the same files: read it (from
    memory, as it was just written), create under another name, write, rename. Nothing is flushed,
    hashed or sent: this is the cost of the file system alone."""
    target.mkdir()
    began = time.monotonic()
    for path in manifest:
        final = target / path
        final.parent.mkdir(exist_ok=True)
        arriving = final.with_name(final.name + ".new")
        with (source / path).open("rb") as read, arriving.open("wb") as write:
            while block := read.read(BLOCK):
                write.write(block)
        arriving.rename(final)
    return time.monotonic() - began


def stands(target: Path, data: bytes) -> bool:
    """Whether a file is there now, with these bytes."""
    try:
        return target.read_bytes() == data
    except FileNotFoundError:  # Syncthing removes the old file before it renames the new one
        return False


def forget_the_deleted() -> None:
    """Wait until deleted files no longer make new files expensive: right after the 30,000 files of
    the run before, each new file took 0.3 ms more of the kernel's time."""
    os.sync()
    time.sleep(DELETED_S)
