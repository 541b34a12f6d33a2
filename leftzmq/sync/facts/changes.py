"""Between machines: what changed in the share, from a sighting of the scheduler to our version."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.disk.scan.sighting import Sighting
from leftzmq.errors import Stop
from leftzmq.sync.jobs import Doubt
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Held


@dataclass(frozen=True, slots=True)
class PathsSettled:
    """The scheduler is sure of these sightings (FOUND and GONE only)."""

    folder: str
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class PathsCleared:
    """Those of the settled sightings that are no flood of losses: they may be versions of ours."""

    folder: str
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class RescanWanted:
    """Somebody found that these paths differ from the index. walk: also below them."""

    folder: str
    paths: tuple[str, ...]
    walk: bool = False


@dataclass(frozen=True, slots=True)
class BytesDoubted:
    """Bytes that were read from files of ours did not match their ids."""

    folder: str
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class WalkEnded:
    """A walk is over, and everything that it found has been looked at."""

    folder: str
    prefix: str


@dataclass(frozen=True, slots=True)
class FoundDeleted:
    """A scan found the very bytes that a tombstone deleted, and our index did not have that
    tombstone.

    Where `entry` is no tombstone, the bytes are those of a version that is wanted there, and nobody
    put them there. They are to get the mtime and exec of that version.
    """

    entry: Entry
    held: Held


@dataclass(frozen=True, slots=True)
class FoundDeletedBytes:
    """A scan found what a tombstone, new to us, deleted: it is moved to the trash."""

    folder: str
    found: FoundDeleted


@dataclass(frozen=True, slots=True)
class FolderStopped:
    """The share is not there, or not the one that we know (I11), or the index cannot be used: the
    folder stops, the other folders go on."""

    folder: str
    stop: Stop


@dataclass(frozen=True, slots=True)
class FolderBegun:
    """The folder that was stopped is open again, with machines of a new life."""

    folder: str
