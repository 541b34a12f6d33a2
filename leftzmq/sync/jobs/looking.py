"""What lies in the share: walks, looks, and cutting large files."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.disk.scan.sighting import Sighting, SliceSighting
from leftzmq.errors import Problem, Stop
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.plan import Staged


@dataclass(frozen=True, slots=True)
class Walk:
    """Go on with a walk of `prefix` ("" = all), merged with our index, for one slice.

    walk: its number; the first job of a number begins it. Nothing is read but names and stats.
    """

    folder: str
    walk: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Walked:
    """dirty: paths whose stat is not that of our index, or that are gone; in sorted order.

    seen: how many paths the slice passed. stop: the share is not there, or is not the one we know:
    nothing of this walk counts.
    came: mounts that are there since this slice. mounts: all that are known, packed
    """

    folder: str
    walk: int
    prefix: str
    dirty: tuple[str, ...]
    seen: int
    problems: tuple[Problem, ...]
    foreign: tuple[Staged, ...]  # all that ends in .lefting
    done: bool
    stop: Stop | None = None
    came: tuple[str, ...] = ()
    mounts: bytes = b""


@dataclass(frozen=True, slots=True)
class Look:
    """Look at these paths and read what changed; files over one chunk are only named."""

    folder: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """left: paths that did not fit into this job's work; ask again. stop: as of Walked."""

    folder: str
    sightings: tuple[Sighting, ...]
    left: tuple[str, ...]
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class CutSlice:
    """Cut and hash a part of a file, from a chunk's border on; one of at most a chunk is one.

    grows: the file may be longer by now, if it is the same one: what it was at `key` is wanted.
    """

    folder: str
    path: str
    key: ScanKey
    offset: int
    grows: bool = False


@dataclass(frozen=True, slots=True)
class SliceCut:
    folder: str
    slice: SliceSighting


@dataclass(frozen=True, slots=True)
class DropCookie:
    """Write a cookie file into `.left/`: the watcher will see it after all that came before."""

    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class CookieDropped:
    """watched: whether the watcher will report it; False: only a walk can tell what changed."""

    folder: str
    name: str
    watched: bool
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class LookForIndexRoom:
    """How much may come onto the disk of the state directory?"""

    folder: str


@dataclass(frozen=True, slots=True)
class IndexRoomSeen:
    """fits_bytes: so much more leaves the floor of free space; negative below it."""

    folder: str
    fits_bytes: int
