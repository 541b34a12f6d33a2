"""What is in a share, and in what two shares differ."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from leftzmq.tree.conflict import CONFLICT_MARK

SHOWN = 12

Tree = dict[str, tuple[object, ...]]
"""path -> (kind, what is synced of it): for a file mtime in ns, exec, size and digest."""


def tree_of(share: Path) -> Tree:
    """Everything that is synced, and what ought not to be there any more (`.lefting` files)."""
    found: Tree = {}
    for root, folders, files in os.walk(share):
        if Path(root) == share:
            folders[:] = [name for name in folders if name != ".left"]
        for name in (*folders, *files):
            path = Path(root) / name
            found[str(path.relative_to(share))] = _what(path)
    return found


def _what(path: Path) -> tuple[object, ...]:
    try:
        if path.is_symlink():
            return ("link", os.readlink(path))
        if path.is_dir():
            return ("folder",)
        stat = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        # An agent took it away after it was listed: no tree is equal to this one.
        return ("gone meanwhile", object())
    return ("file", stat.st_mtime_ns, bool(stat.st_mode & 0o100), stat.st_size, digest)


def equal(trees: Mapping[str, Tree]) -> None:
    """All of these trees are the first one. Raises AssertionError with the first differences."""
    (first_name, first), *others = trees.items()
    for name, tree in others:
        if tree == first:
            continue
        paths = sorted(p for p in first.keys() | tree.keys() if first.get(p) != tree.get(p))
        told = [f"{p}\n    {first_name}: {first.get(p)}\n    {name}: {tree.get(p)}" for p in paths]
        shown = "\n  ".join(told[:SHOWN])
        raise AssertionError(f"{first_name} and {name} differ in {len(paths)} paths:\n  {shown}")


def files_like(share: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in share.glob(pattern))


def copies(share: Path) -> list[str]:
    """The conflict copies."""
    return sorted(path for path in tree_of(share) if CONFLICT_MARK in path)
