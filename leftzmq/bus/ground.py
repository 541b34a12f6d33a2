"""What the jobs of one folder work on: its share, its keys, its index, and what goes on from job to
job. Knows no job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from leftzmq.bus.unflushed import Unflushed
from leftzmq.config import Limits
from leftzmq.content.keys import FolderKeys
from leftzmq.disk.giveway import GiveWay
from leftzmq.disk.mounts import Mounts
from leftzmq.disk.recover import TrashListing
from leftzmq.disk.retention import TrashSweep
from leftzmq.disk.root import Root
from leftzmq.disk.walk import TreeWalk
from leftzmq.errors import Stop
from leftzmq.index.losses import LossCount
from leftzmq.index.reader import Reader
from leftzmq.tree.entry import ScanKey


@dataclass(slots=True)
class Ground:
    """Of one folder.

    still_there: None while the share is the one we know, else why it is not (I11)
    watched:     whether a watcher will report a cookie
    mounts:      the folders in it that are mounts
    unflushed:   what a power cut may take back, and is flushed before it is believed
    lacks:       what its file system cannot do, in sentences
    walks, sweeps, ways, listings, counts: what goes on from job to job, by number; one of each at
                 a time
    """

    id: str
    root: Root
    keys: FolderKeys
    index: Path
    device: bytes
    still_there: Callable[[], Stop | None]
    watched: Callable[[], bool] = lambda: True
    limits: Limits = field(default_factory=Limits)
    lacks: tuple[str, ...] = ()
    mounts: Mounts = field(default_factory=Mounts)
    unflushed: Unflushed = field(default_factory=Unflushed)
    walks: dict[int, TreeWalk] = field(default_factory=dict)
    sweeps: dict[int, TrashSweep] = field(default_factory=dict)
    ways: dict[int, GiveWay] = field(default_factory=dict)
    listings: dict[int, TrashListing] = field(default_factory=dict)
    counts: dict[int, LossCount] = field(default_factory=dict)

    def ours(self, after: bytes, limit: int) -> list[tuple[bytes, ScanKey | None]]:
        """What is alive in its index (disk/remembered). For once: who asks often has a reader."""
        reader = Reader.open(self.index)
        try:
            return reader.alive_after(after, limit)
        finally:
            reader.close()
