"""Makes commits durable, off the loop, and tells whether the disk has space for more.

A commit in WAL mode with synchronous=NORMAL is in the page cache. Flushing the `-wal` file makes
every earlier commit durable (https://www.sqlite.org/wal.html, "Checkpointing"): its frames carry
checksums and are replayed up to the last whole commit.
"""

from __future__ import annotations

import os
from pathlib import Path

from leftzmq.index.connection import disk_errors
from leftzmq.index.schema import CHECKPOINT_BYTES, connect


def flush(file: Path) -> None:
    """Makes all commits so far durable. Raises IndexFailed when the disk fails."""
    wal = file.with_name(file.name + "-wal")
    with disk_errors(file):
        try:
            descriptor = os.open(wal, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # the checkpoint when the last connection closed flushed everything
        try:
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
    if size > CHECKPOINT_BYTES:
        connection = connect(file)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            connection.close()


def log_bytes(file: Path) -> int:
    """The length of the -wal in bytes; 0 where there is none."""
    try:
        return os.stat(f"{file}-wal").st_size
    except OSError:
        return 0


def index_bytes(file: Path) -> int | None:
    """The length of the database in bytes, without its -wal. None: there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def fits_bytes(file: Path, min_free_percent: float) -> int:
    """The bytes that may still be added to the file system of this index until the floor of free
    space is reached; negative below it. Raises IndexFailed."""
    with disk_errors(file):
        found = os.statvfs(file.parent)
    total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    if not total:  # some network file systems do not know their size
        return 1 << 62
    return free - int(total * min_free_percent / 100)
