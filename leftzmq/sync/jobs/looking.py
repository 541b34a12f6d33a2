"""Jobs that read what lies in the share: walks, looks, and cutting large files."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.disk.scan.sighting import Sighting, SliceSighting
from leftzmq.errors import Problem, Stop
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.plan import Staged


@dataclass(frozen=True, slots=True)
class Walk:
    """Go on with a walk of `prefix` ("" = all), compared with our index, for one slice.

    walk: its number; the first job of a number begins it. Nothing is read but names and stats.
    """

    folder: str
    walk: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Walked:
    """dirty: paths whose stat is not that of our index, or that are gone; in sorted order
    seen: how many paths the slice passed
    stop: the share is not there, or is not the one that we know: nothing of this walk counts
    came: mounts that appeared since the slice before
    mounts: all mounts that are known, packed
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
    """Look at these paths and read what changed. Files of more than one chunk are only named."""

    folder: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """left: paths that did not fit into this job: ask again. stop: as in Walked."""

    folder: str
    sightings: tuple[Sighting, ...]
    left: tuple[str, ...]
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class CutSlice:
    """Cut and hash a part of a file, beginning at a chunk's border. A file of at most one chunk is
    one part.

    grows: the file may be longer by now, if it is the same file: its content at `key` is wanted.
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
    """Write a cookie file into `.left/`: the watcher sees it after everything
    that happened before."""

    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class CookieDropped:
    """watched: whether the watcher will report the cookie. False: only a walk can tell what
    changed."""

    folder: str
    name: str
    watched: bool
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class LookForIndexRoom:
    """How many bytes fit onto the disk of the state directory?"""

    folder: str


@dataclass(frozen=True, slots=True)
class IndexRoomSeen:
    """fits_bytes: the bytes that may be added until the floor of free space is reached; negative
    below it."""

    folder: str
    fits_bytes: int
