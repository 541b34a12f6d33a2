"""Holds what the jobs of one folder use: its share, keys and index, and work that continues from
job to job. Knows no job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from leftzmq.config import Limits
from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import FolderKeys
from leftzmq.disk.apply.restore import TrashListing
from leftzmq.disk.fs.interface import Root
from leftzmq.disk.scan.mounts import Mounts
from leftzmq.disk.scan.walk import TreeWalk
from leftzmq.disk.share import cannot_be_used
from leftzmq.disk.trash.make_room import GiveWay
from leftzmq.disk.trash.retention import TrashSweep
from leftzmq.errors import IndexFailed, Stop, StopCause
from leftzmq.index.losses import LossCount
from leftzmq.index.reader import Reader
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.permissions import ModesKept
from leftzmq.work.unflushed_names import UnflushedNames


@dataclass(slots=True)
class FolderContext:
    """The context of one folder's jobs.

    epochs:      by the tag that a job names, the keys that seal and open; the loop adds to them
    still_there: None while the share is the one we know, else why it is not (I11)
    watched:     whether a watcher will report a cookie
    mounts:      the folders in the share that are mounts
    unflushed_names: names that a power cut may undo; they are flushed before they are believed
    modes:       which bits of modes are set
    exact_device: the number of the share's file system, if its times tell each change apart
    lacks:       sentences that say what the share's file system cannot do
    walks, sweeps, ways, listings, counts: work that continues from job to job, by number; one of
                 each at a time
    """

    id: str
    root: Root
    keys: FolderKeys
    epochs: Epochs
    index: Path
    device: bytes
    still_there: Callable[[], Stop | None]
    watched: Callable[[], bool] = lambda: True
    limits: Limits = field(default_factory=Limits)
    modes: ModesKept = ModesKept.ALL
    exact_device: int | None = None
    lacks: tuple[str, ...] = ()
    mounts: Mounts = field(default_factory=Mounts)
    unflushed_names: UnflushedNames = field(default_factory=UnflushedNames)
    walks: dict[int, TreeWalk] = field(default_factory=dict)
    sweeps: dict[int, TrashSweep] = field(default_factory=dict)
    ways: dict[int, GiveWay] = field(default_factory=dict)
    listings: dict[int, TrashListing] = field(default_factory=dict)
    counts: dict[int, LossCount] = field(default_factory=dict)

    def ours(self, after: bytes, limit: int) -> list[tuple[bytes, ScanKey | None]]:
        """The live entries of its index (disk/scan/index_cursor). This opens the index each time:
        frequent callers use their own reader."""
        reader = Reader.open(self.index)
        try:
            return reader.alive_after(after, limit)
        finally:
            reader.close()

    def stop_after(self, error: IndexFailed | OSError) -> Stop:
        """Why the folder stops after this error. An error of a path is part of an answer; this one
        means that the index or the share cannot be used."""
        if isinstance(error, IndexFailed):
            return Stop(StopCause.INDEX, str(error))
        return cannot_be_used(error, self.id).stop
