"""What lies in a share while an agent works in it: what is gone before it is read is not there.

Knows folders and files. Must not know agents.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def paths_in(folder: Path) -> Iterator[Path]:
    """Everything in it, at any depth. `Path.rglob` raises where a folder goes meanwhile."""
    for top, folders, files in os.walk(folder):
        yield from (Path(top, name) for name in (*folders, *files))


def files_in(folder: Path) -> dict[str, bytes]:
    """The bytes of every file, by its path from the folder; without `.left`."""
    found: dict[str, bytes] = {}
    for path in paths_in(folder):
        name = str(path.relative_to(folder))
        with suppress(OSError):
            if name.split("/", 1)[0] != ".left" and path.is_file() and not path.is_symlink():
                found[name] = path.read_bytes()
    return found
