"""What a run was made on and with: the machine, its file systems, and the versions of programs.

Knows where this is found on Linux. Must not know what is measured.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import zmq
from programs import rsync, syncthing, unison
from rows.row import RSYNC, SYNCTHING, UNISON

import leftzmq

ROOT: Final = Path(__file__).resolve().parents[1]
GIB: Final = 1 << 30


def described(disk: Path, memory: Path) -> dict[str, str]:
    """Return text by subject. disk, memory: where the files of the measurements lie."""
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {_memory_gib():.0f} GiB of memory",
        "load at the start": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "files": f"{file_system(disk)} at {disk}",
        "files in memory": f"{file_system(memory)} at {memory}",
        "Python": platform.python_version(),
        "libzmq": zmq.zmq_version(),
        "leftzmq": f"{leftzmq.__version__}, {_commit()}",
        SYNCTHING: _version_of(syncthing.PROGRAM, _syncthing),
        UNISON: _version_of(unison.PROGRAM, _unison),
        RSYNC: _version_of(rsync.PROGRAM, rsync.version),
    }


def file_system(folder: Path) -> str:
    """Return the type of the file system of a folder, as the kernel calls it."""
    best, found = "", "a file system that is not known"
    here = str(folder.resolve())
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        inside = place == "/" or here == place or here.startswith(place + "/")
        if inside and len(place) >= len(best):
            best, found = place, kind
    return found


def _version_of(program: str, ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (OSError, subprocess.CalledProcessError):
        return f"{program} is not installed"


def _syncthing() -> str:
    return f"{syncthing.version()}, its watcher set to {syncthing.SHORTEST_DELAY_S} s, the least"


def _unison() -> str:
    return "; ".join(part for part in (unison.version(), unison.lacks()) if part)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "commit not known"
    return f"commit {said.stdout.strip()}"
