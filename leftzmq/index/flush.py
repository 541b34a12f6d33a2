"""Making commits durable, off the loop.

A commit in WAL mode with synchronous=NORMAL is in the page cache. Flushing the `-wal` file makes
every earlier commit durable (https://www.sqlite.org/wal.html, "Checkpointing"): its frames carry
checksums and are replayed up to the last whole commit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from leftzmq.index.connection import disk_errors
from leftzmq.index.schema import connect

CHECKPOINT_BYTES: Final = 8 << 20
"""A -wal file above this is moved into the database: reading through a long one gets slow."""


def flush(file: Path) -> None:
    """Make all commits so far durable. Raises IndexFailed when the disk will not."""
    wal = file.with_name(file.name + "-wal")
    with disk_errors(file):
        try:
            descriptor = os.open(wal, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # a checkpoint that ended with the last connection flushed it all
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
