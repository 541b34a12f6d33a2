"""Looks at this machine for `doctor`: limits, permissions of private files, room on disks.

Each function asks the system once and is quick; none waits for a disk of a share. Must not know
what any figure means.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from leftzmq.statedir import PAIRING_FILE, device_key_file
from leftzmq.sync.facts import DiskRoom, OpenFile

_INOTIFY: Final = Path("/proc/sys/fs/inotify")
_OTHERS: Final = 0o077
_SECRETS: Final = "*.secret"
_ROSTERS: Final = "rosters.db*"


def watches_most(base: Path = _INOTIFY) -> int | None:
    """Return how many directories all programs of this user may watch; None: no inotify here."""
    try:
        return int((base / "max_user_watches").read_text())
    except (OSError, ValueError):
        return None


def descriptors_open(base: Path = Path("/proc/self/fd")) -> int | None:
    """Return how many files and connections this process has open; None: the system does not
    say."""
    try:
        return len(os.listdir(base))
    except OSError:
        return None


def room_at(path: Path) -> DiskRoom | None:
    """Return the room on the disk where a directory is, or will be; None: the system does not
    say."""
    try:
        found = os.statvfs(next(each for each in (path, *path.parents) if each.exists()))
    except OSError:
        return None
    return DiskRoom(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def mode_of(path: Path) -> tuple[int, str]:
    """Return the permission bits of something, and ""; or 0 and why it cannot be looked at. 0 and
    "": nothing is there yet."""
    try:
        return stat.S_IMODE(path.stat().st_mode), ""
    except FileNotFoundError:
        return 0, ""
    except OSError as error:
        return 0, error.strerror or str(error)


def open_files(state: Path, secrets: Iterable[Path]) -> tuple[OpenFile, ...]:
    """Return the files with a key or a secret that others may read or change: those of a state
    directory, and the secrets of folders. What cannot be looked at is left out."""
    private = [device_key_file(state), state / PAIRING_FILE, *secrets]
    for pattern in (_SECRETS, _ROSTERS):
        private += sorted(state.glob(pattern))
    modes = {path: mode_of(path)[0] for path in private}
    return tuple(
        OpenFile(str(path), mode) for path, mode in sorted(modes.items()) if mode & _OTHERS
    )
