"""Trees of small files that are all alike, made once for A and once for B.

Knows files. Must not know which program syncs them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from ground import Needs
from programs.pair import Failed, Pair, longest_s
from shares import Manifest

from leftzmq.cli.demo.stage import wait_until
from rows.row import Scale

SMALL_BYTES: Final = 100
FILES_A_FOLDER: Final = 100
TREE: Final = "tree"
BOTH: Final = 2
INDEX_BYTES_A_FILE: Final = 1_000
"""More than any program needs, for what a scan of so many files takes on the disk."""
RIPE_S: Final = 1.5
"""What is younger than a second may still be written: a program may wait for it."""
LOOK_S: Final = 0.05


def make(share: Path, files: int, size: int = SMALL_BYTES, time_s: int = 0) -> Manifest:
    """Make `files` files of `size` bytes, FILES_A_FOLDER in a folder. time_s: the time that each
    file gets as its last change; 0: now."""
    found: Manifest = {}
    tree = share / TREE
    tree.mkdir()
    folder = tree
    for number in range(files):
        if number % FILES_A_FOLDER == 0:
            folder = tree / f"{number // FILES_A_FOLDER:05}"
            folder.mkdir()
        path = f"{folder}/{number:07}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            if size:  # no two files of a tree have the same bytes
                os.write(handle, f"{number:0{size}}".encode())
            if time_s:
                os.utime(handle, (time_s, time_s))
        finally:
            os.close(handle)
        found[f"{TREE}/{folder.name}/{number:07}"] = size
    return found


def ripen() -> None:
    """Wait until no file is so young that it may still be written."""
    time.sleep(RIPE_S)


def make_both(pair: Pair, files: int) -> Manifest:
    """Make the same tree in both shares, times included, as if it had been synced before."""
    time_s = int(pair.a.stat().st_mtime) - 60
    make(pair.b, files, time_s=time_s)
    return make(pair.a, files, time_s=time_s)


def settle(pair: Pair, manifest: Manifest) -> None:
    """Start both, and return when they know that they have the same."""
    pair.begin(len(manifest), sum(manifest.values()))
    pair.join()
    if not wait_until(pair.settled, longest_s(len(manifest)), period_s=LOOK_S):
        raise Failed(f"A and B do not settle: {pair.log_tail()}")


def one_tree(scale: Scale) -> Needs:
    return Needs(files=scale.files, size=scale.size + scale.files * INDEX_BYTES_A_FILE)


def both_trees(scale: Scale) -> Needs:
    return Needs(files=BOTH * scale.files, size=BOTH * scale.files * INDEX_BYTES_A_FILE)
