"""Facts from the world, past tense. Answers of workers are facts too: see jobs.

By the time something is a fact it has passed codec and check, and its sender is authenticated.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from leftzmq.disk.root import Buffer
from leftzmq.disk.sighting import Sighting
from leftzmq.errors import Problem, Refusal
from leftzmq.sync.jobs import JobBroke, JobDone
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.sync.versions import FoundDeleted
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged
from leftzmq.wire.messages import (
    Bye,
    Chunks,
    FolderHello,
    Get,
    Have,
    Hello,
    IndexSince,
    Open,
    Refusing,
    Welcome,
)
from leftzmq.wire.page import Page


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A message that carries no sealed page and no body."""

    link: Link
    message: Hello | Welcome | Refusing | IndexSince | Have | Bye | Open | Get


@dataclass(frozen=True, slots=True)
class PageArrived:
    """An opened page of an index: it was sealed with the folder's key and names its device."""

    link: Link
    page: Page
    answer: bool  # to index_since; False: news


@dataclass(frozen=True, slots=True)
class ChunksArrived:
    """(A part of) the answer to a get; `body` is ours now."""

    link: Link
    header: Chunks
    body: Buffer


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A dialed control connection finished its handshake (again)."""

    link: Link


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """A link is gone."""

    link: Link
    why: str


@dataclass(frozen=True, slots=True)
class BulkRestored:
    """A dialed bulk connection is up again after it was broken, or took long to come: what was
    asked over it until now may never be answered."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A dialed device could not be reached this time."""

    device: DeviceKey
    why: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A device's SUB arrived at our news socket (which one is not known)."""


@dataclass(frozen=True, slots=True)
class StrangerRefused:
    """Someone outside was not let in, or a paired device sent what it must not."""

    device: DeviceKey | None
    refusal: Refusal
    detail: str


class Touch(Enum):
    """What the watcher saw happen to a path."""

    CLOSED = auto()  # closed after writing, or moved here: whole, as far as anyone can tell
    MODIFIED = auto()  # written to, still open
    MADE = auto()  # a folder or link appeared, or attributes changed
    GONE = auto()  # deleted or moved away


@dataclass(frozen=True, slots=True)
class PathsTouched:
    folder: str
    touches: tuple[tuple[str, Touch], ...]


@dataclass(frozen=True, slots=True)
class WatchLost:
    """Events below `prefix` were lost, or are not to be had (`polled`): walk it."""

    folder: str
    prefix: str
    polled: bool
    why: str


@dataclass(frozen=True, slots=True)
class CookieSeen:
    """Everything that happened in the share before this cookie has been reported."""

    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question at the admin socket. asker: where its answer goes."""

    asker: bytes
    verb: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The loop woke up; deadlines are looked at."""


@dataclass(frozen=True, slots=True)
class Started:
    """All sockets are bound and the gate is tested."""


# ---- between machines: what one decided that another one must know -----------------------------


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
class PathsReconsidered:
    """The rows of these paths changed: there may be tickets."""

    folder: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RescanWanted:
    """Somebody found these paths to be other than the index says; `walk`: also below them."""

    folder: str
    paths: tuple[str, ...]
    walk: bool = False


@dataclass(frozen=True, slots=True)
class WalkEnded:
    """A walk is over and everything that it found has been looked at."""

    folder: str
    prefix: str


@dataclass(frozen=True, slots=True)
class FoundDeletedBytes:
    """A scan found what a tombstone, new to us, deleted: it goes to the trash."""

    folder: str
    found: FoundDeleted


@dataclass(frozen=True, slots=True)
class FileWanted:
    """The applier wants the bytes of this version.

    previous: the version that we have at this path. home: a path of ours with the same content.
    kept: a `.lefting` that holds a part of them; from now on the downloader cares for it
    """

    folder: str
    entry: Entry
    previous: Entry | None
    home: str | None = None
    kept: Staged | None = None


@dataclass(frozen=True, slots=True)
class FileNotWanted:
    """A version is not wanted any more (a newer one is, or it was taken)."""

    folder: str
    path: str


@dataclass(frozen=True, slots=True)
class FileStaged:
    """The bytes of this version are whole and verified in their `.lefting`."""

    folder: str
    entry: Entry
    staged: Staged


@dataclass(frozen=True, slots=True)
class FileLeft:
    """A version is not wanted now; this is what has arrived of it."""

    folder: str
    entry: Entry
    staged: Staged


@dataclass(frozen=True, slots=True)
class FileHeldUp:
    """The bytes of this version cannot be had or kept for now; `problem` says why."""

    folder: str
    entry: Entry
    problem: Problem


@dataclass(frozen=True, slots=True)
class PeerGreeted:
    """A device said hello (or welcome): these are its folders that are ours, too."""

    link: Link
    folders: tuple[FolderHello, ...]


@dataclass(frozen=True, slots=True)
class PeerForgot:
    """A device that we never lost says hello again: it lost us, and what we asked it."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A device can be asked. max_credit: bytes it bears unanswered."""

    device: DeviceKey
    max_credit: int


@dataclass(frozen=True, slots=True)
class PeerLost:
    """No link to a device is left; asks in flight go elsewhere."""

    device: DeviceKey


@dataclass(frozen=True, slots=True)
class FolderStopped:
    """The share is not the one we know (I11): its folder stops, the others go on."""

    folder: str
    why: str


Inner = (
    PathsSettled
    | PathsCleared
    | PathsReconsidered
    | RescanWanted
    | WalkEnded
    | FoundDeletedBytes
    | FileWanted
    | FileNotWanted
    | FileStaged
    | FileLeft
    | FileHeldUp
    | PeerGreeted
    | PeerForgot
    | PeerConnected
    | PeerLost
    | FolderStopped
)

Fact = (
    MessageArrived
    | PageArrived
    | ChunksArrived
    | LinkOpened
    | LinkClosed
    | DialFailed
    | BulkRestored
    | Subscribed
    | StrangerRefused
    | PathsTouched
    | WatchLost
    | CookieSeen
    | Asked
    | TimePassed
    | Started
    | JobDone
    | JobBroke
    | Inner
)
