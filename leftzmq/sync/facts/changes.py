"""Between machines: what changed in the share, from the settler's sighting to a version of ours."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.disk.scan.sighting import Sighting
from leftzmq.errors import Stop
from leftzmq.sync.jobs import Doubt
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Held


@dataclass(frozen=True, slots=True)
class PathsSettled:
    """The settler is sure of these sightings (FOUND and GONE only)."""

    folder: str
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class PathsCleared:
    """Those of the settled sightings that are no flood of deletes: they may be versions of ours."""

    folder: str
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class RescanWanted:
    """Somebody found these paths to be other than the index says; `walk`: also below them."""

    folder: str
    paths: tuple[str, ...]
    walk: bool = False


@dataclass(frozen=True, slots=True)
class BytesDoubted:
    """What was read of files of ours was not what its ids say."""

    folder: str
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class WalkEnded:
    """A walk is over and everything that it found has been looked at."""

    folder: str
    prefix: str


@dataclass(frozen=True, slots=True)
class FoundDeleted:
    """A scan found the very bytes that a tombstone, which our index did not hold, deleted.

    Where `entry` is no tombstone: those of a version that is wanted there, and that nobody put
    there: they are to get its mtime and exec.
    """

    entry: Entry
    held: Held


@dataclass(frozen=True, slots=True)
class FoundDeletedBytes:
    """A scan found what a tombstone, new to us, deleted: it goes to the trash."""

    folder: str
    found: FoundDeleted


@dataclass(frozen=True, slots=True)
class FolderStopped:
    """The share is not there or not the one we know (I11), or the index cannot be used: the folder
    stops, the others go on."""

    folder: str
    stop: Stop


@dataclass(frozen=True, slots=True)
class FolderBegun:
    """The folder that was stopped is open anew, with machines of a new life."""

    folder: str
