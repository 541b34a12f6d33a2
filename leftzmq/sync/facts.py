"""Facts, in the past tense: from outside, and from one machine to another.

Answers of workers are facts too: see jobs. Must not know which machine receives which fact: see
routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from msgspec import Struct

from leftzmq.bandwidth.timetable import BandwidthLimits
from leftzmq.disk.fs.interface import Buffer
from leftzmq.disk.scan.sighting import Sighting
from leftzmq.errors import Away, Problem, Refusal, Stop
from leftzmq.sync.jobs import Doubt, JobBroke, JobDone, JobStopped
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Held, Staged
from leftzmq.tree.version import Life
from leftzmq.wire.folder_rows import Standing
from leftzmq.wire.messages import (
    Bye,
    Chunks,
    Done,
    EpochWanted,
    Get,
    Giving,
    Have,
    Hello,
    IndexSince,
    Open,
    Reading,
    Refusing,
    Report,
    Welcome,
)
from leftzmq.wire.page import Page
from leftzmq.wire.roster_part import RosterSaid

# -- the agent as a whole --------------------------------------------------------------------------


class Asked(Struct, frozen=True):
    """A question at the admin socket. asker: where the answer is sent."""

    asker: bytes
    verb: str
    fields: dict[str, Any]


class DiskRoom(Struct, frozen=True):
    """Of one file system, in bytes. total_bytes 0: it does not know."""

    free_bytes: int
    total_bytes: int


class OpenFile(Struct, frozen=True):
    """A key or secret file that others may read or change. mode: its permission bits."""

    path: str
    mode: int


class MachineSeen(Struct, frozen=True):
    """What was seen of this machine when a user asked how all is.

    state, state_mode: the state directory and its permission bits. state_why: why it cannot be
        looked at; "": it can
    open_files: keys and secrets that are not this user's alone
    state_room: of its disk; None: the disk does not say
    watches_most: how many directories all programs of this user may watch; None: no inotify
    watched: how many this agent watches; None: no agent runs. unwatched: the folders of which not
        all is watched
    descriptors_most, descriptors_needed: file descriptors that a process may have, and that an
        agent with these peers needs; descriptors_open: those of this agent; None: none runs, or
        the system does not say
    mtu_bytes: the largest packet that reaches a device whole, by its key, where that is known
    """

    state: str
    state_mode: int
    open_files: tuple[OpenFile, ...]
    state_room: DiskRoom | None
    watches_most: int | None
    watched: int | None
    unwatched: tuple[str, ...]
    descriptors_most: int
    descriptors_needed: int
    descriptors_open: int | None
    mtu_bytes: Mapping[bytes, int]
    state_why: str = ""


class DoctorAsked(Struct, frozen=True):
    """A user asks how all is. asker: where the answer is sent."""

    asker: bytes
    machine: MachineSeen


class TimePassed(Struct, frozen=True):
    """The loop woke up; deadlines are checked."""


class PausesSet(Struct, frozen=True):
    """These folders (by their ids) and devices (by their keys) are paused from now on, and no
    others."""

    folders: frozenset[str]
    devices: frozenset[bytes]


class LimitsSet(Struct, frozen=True):
    """These limits are meant from now on, of this device and of single others (by their keys)."""

    ours: BandwidthLimits
    of: Mapping[bytes, BandwidthLimits]


class LocalRulesSet(Struct, frozen=True):
    """These rules of what to ignore are those of this device alone from now on. litter: whether the
    built-in list holds. only: the paths that it fetches; none: all."""

    folder: str
    ignore: tuple[str, ...]
    litter: bool
    only: tuple[str, ...] = ()


class Started(Struct, frozen=True):
    """All sockets are bound and the ZAP gate is tested."""


# -- from other devices ----------------------------------------------------------------------------
# A fact has passed the codec and the check, and its sender is authenticated.


class MessageArrived(Struct, frozen=True):
    """A message that carries no sealed page and no body."""

    link: Link
    message: (
        Hello
        | Welcome
        | Refusing
        | IndexSince
        | Have
        | Bye
        | EpochWanted
        | Done
        | Reading
        | Giving
        | Report
        | Open
        | Get
    )


class PageArrived(Struct, frozen=True):
    """An opened page of an index: it was sealed with the folder's key and names its device."""

    link: Link
    page: Page
    answer: bool  # whether it answers an index_since; False: news


class RosterArrived(Struct, frozen=True):
    """A device says who is in a folder: it was sealed with the folder's key and names its
    device."""

    link: Link
    folder: str
    said: RosterSaid


@dataclass(frozen=True, slots=True)
class EpochKeyArrived:
    """A device sends the secret of an epoch of a folder: it was sealed for us by that device, and
    the tag is that of the secret. epoch: the tag."""

    link: Link
    folder: str
    epoch: bytes
    secret: bytes = field(repr=False)


class FolderNamedOtherwise(Struct, frozen=True):
    """A device that holds the secret of a folder of ours has another id for it, in this life."""

    device: DeviceKey
    folder: str
    theirs: str
    life: Life


class ChunksArrived(Struct, frozen=True):
    """The answer to a get, or a part of it; `body` is ours now."""

    link: Link
    header: Chunks
    body: Buffer


class LinkOpened(Struct, frozen=True):
    """A dialed control connection finished its handshake (again)."""

    link: Link


class LinkClosed(Struct, frozen=True):
    """A link is gone."""

    link: Link
    why: str


class ConnectionsGone(Struct, frozen=True):
    """No connection that this device made is open any more, as the system says. A link that it made
    may be gone: nothing was sent over it since, perhaps."""

    device: DeviceKey


class DeviceDropped(Struct, frozen=True):
    """We refuse a device, and cut every connection with it."""

    device: DeviceKey
    why: str


class PeerListed(Struct, frozen=True):
    """A device is in our list of peers from now on, or has another entry there.

    dials: whether the config has an address of it
    text: its key as `leftzmq id` prints it there
    """

    device: DeviceKey
    name: str
    dials: bool
    text: str = ""


class PeerUnlisted(Struct, frozen=True):
    """A device is no peer of ours any more. All its connections are closed."""

    device: DeviceKey


class BulkRestored(Struct, frozen=True):
    """A dialed bulk connection is up again after it was broken, or took long to open: what was
    requested over it until now may never be answered."""

    device: DeviceKey


class DialFailed(Struct, frozen=True):
    """A dialed device could not be reached this time. why: the sentence that says so"""

    device: DeviceKey
    why: str
    away: Away


class Subscribed(Struct, frozen=True):
    """A SUB socket of a device arrived at our news socket (which device is not known)."""


class Stranger(Struct, frozen=True):
    """A device that is not in our list of peers.

    key: as `leftzmq id` prints it on that device
    address: where it connected from, as far as that is known
    """

    key: str
    address: str


class StrangerRefused(Struct, frozen=True):
    """An unknown device was refused, or a paired device sent what it must not.

    stranger: the unknown device, if it showed a key
    """

    device: DeviceKey | None
    refusal: Refusal
    detail: str
    stranger: Stranger | None = None


# -- between machines: devices ---------------------------------------------------------------------


class PeerGreeted(Struct, frozen=True):
    """A device said hello (or welcome). folders: its folders whose secret both of us have."""

    link: Link
    folders: tuple[Standing, ...]


class RosterGrew(Struct, frozen=True):
    """A command of this device said something in the roster of a folder, and it is durable."""

    folder: str


class ModesChanged(Struct, frozen=True):
    """Who may only read a folder is known, or other devices may now. readers: all of them, this
    device too if it is one."""

    folder: str
    readers: frozenset[DeviceKey]


class EpochBegan(Struct, frozen=True):
    """Another epoch of a folder can be opened, or is in use: what waited for it goes on."""

    folder: str


class MemberExcluded(Struct, frozen=True):
    """A device was removed from a folder: whatever secret it holds, it gets nothing of it."""

    folder: str
    device: DeviceKey


class OurAddressesFound(Struct, frozen=True):
    """Where other devices can reach this one, as texts of endpoints, best first."""

    endpoints: tuple[str, ...]


class PeerLeft(Struct, frozen=True):
    """A device that greeted us is in these folders of ours no more: they are stopped on that
    device, or have another id there."""

    device: DeviceKey
    folders: tuple[str, ...]


class PeerForgot(Struct, frozen=True):
    """A device that we never lost says hello again: it lost us, and what we requested from it."""

    device: DeviceKey


class PeerConnected(Struct, frozen=True):
    """A device can be asked. max_credit: the bytes that may be unanswered at a time."""

    device: DeviceKey
    max_credit: int


class PeerRemoved(Struct, frozen=True):
    """A device is no peer any more, and no link to it is left: what it said is given up."""

    device: DeviceKey


class PeerLost(Struct, frozen=True):
    """No link to a device is left; requests in flight are sent to other devices."""

    device: DeviceKey


# -- from the watcher ------------------------------------------------------------------------------


class Touch(Enum):
    """What the watcher saw happen to a path."""

    CLOSED = auto()  # closed after writing, or moved here: whole, as far as anyone can tell
    MODIFIED = auto()  # written to, still open
    MADE = auto()  # a directory or link appeared, or attributes changed
    GONE = auto()  # deleted or moved away


class PathsTouched(Struct, frozen=True):
    folder: str
    touches: tuple[tuple[str, Touch], ...]


class WatchRegained(Struct, frozen=True):
    """Paths below `prefix` were polled, and are watched from now on: walk them once."""

    folder: str
    prefix: str


class WatchLost(Struct, frozen=True):
    """Events below `prefix` were lost, or are not available (`polled`): walk it."""

    folder: str
    prefix: str
    polled: bool
    why: str


class CookieSeen(Struct, frozen=True):
    """Everything that happened in the share before this cookie has been reported."""

    folder: str
    name: str


class MountChanged(Struct, frozen=True):
    """Something was mounted or unmounted at `path`; what is there now is watched. "": at the share
    itself, or above it."""

    folder: str
    path: str


# -- between machines: what changed in the share ---------------------------------------------------


class PathsSettled(Struct, frozen=True):
    """The scheduler is sure of these sightings (FOUND and GONE only)."""

    folder: str
    sightings: tuple[Sighting, ...]


class PathsCleared(Struct, frozen=True):
    """Those of the settled sightings that are no flood of losses: they may be versions of ours."""

    folder: str
    sightings: tuple[Sighting, ...]


class RescanWanted(Struct, frozen=True):
    """Somebody found that these paths differ from the index. walk: also below them."""

    folder: str
    paths: tuple[str, ...]
    walk: bool = False


class BytesDoubted(Struct, frozen=True):
    """Bytes that were read from files of ours did not match their ids."""

    folder: str
    doubts: tuple[Doubt, ...]


class WalkEnded(Struct, frozen=True):
    """A walk is over, and everything that it found has been looked at. saw_more: some of that could
    not be looked at before, since the start."""

    folder: str
    prefix: str
    saw_more: bool


class FoundDeleted(Struct, frozen=True):
    """A scan found the very bytes that a tombstone deleted, and our index did not have that
    tombstone.

    Where `entry` is no tombstone, the bytes are those of a version that is wanted there, and nobody
    put them there. They are to get the mtime and exec of that version.
    """

    entry: Entry
    held: Held


class FoundDeletedBytes(Struct, frozen=True):
    """A scan found what a tombstone, new to us, deleted: it is moved to the trash."""

    folder: str
    found: FoundDeleted


class FolderStopped(Struct, frozen=True):
    """The share is not there, or not the one that we know (I11), or the index cannot be used: the
    folder stops, the other folders go on."""

    folder: str
    stop: Stop


class FolderAdded(Struct, frozen=True):
    """The user added a folder while the agent runs. It is stopped (OPENING) until a worker has
    opened it."""

    folder: str


class FolderTakenOff(Struct, frozen=True):
    """The user took a folder off this device. It is stopped, and goes when its last job has ended
    and its members have been told."""

    folder: str


class HoldEnded(Struct, frozen=True):
    """The user said yes to the plan of a folder that was held, and that is durable."""

    folder: str


class FolderBegun(Struct, frozen=True):
    """The folder that was stopped is open again, with machines of a new life."""

    folder: str


# -- between machines: tickets ---------------------------------------------------------------------


class PathsReconsidered(Struct, frozen=True):
    """The rows of these paths changed: there may be tickets. source: the bit (as a set of bits) of
    the device that announced the change; 0: we made it."""

    folder: str
    paths: tuple[str, ...]
    source: int = 0


class FileWanted(Struct, frozen=True):
    """The applier wants the bytes of this version.

    previous: the version that we have at this path
    home: a path of ours with the same content
    kept: a `.lefting` that holds a part of the bytes; the downloader is responsible for it from now
    """

    folder: str
    entry: Entry
    previous: Entry | None
    home: str | None = None
    kept: Staged | None = None


class HoldersChanged(Struct, frozen=True):
    """The set of devices that may have a wanted version changed."""

    folder: str
    path: str


class FileNotWanted(Struct, frozen=True):
    """A version is not wanted any more (a newer one is, or it was taken)."""

    folder: str
    path: str


class FileStaged(Struct, frozen=True):
    """The bytes of this version are whole and verified in their `.lefting`. noise: they look
    encrypted."""

    folder: str
    entry: Entry
    staged: Staged
    noise: bool = False


class FileLeft(Struct, frozen=True):
    """A version is not wanted now; `staged` is what has arrived of it."""

    folder: str
    entry: Entry
    staged: Staged


class FileHeldUp(Struct, frozen=True):
    """The bytes of this version are not available, or cannot be kept, for now;
    `problem` says why."""

    folder: str
    entry: Entry
    problem: Problem


# -- the unions ------------------------------------------------------------------------------------

# Decisions of one machine that another one must know.
Inner = (
    PathsSettled
    | PathsCleared
    | PathsReconsidered
    | RescanWanted
    | BytesDoubted
    | WalkEnded
    | FoundDeletedBytes
    | FileWanted
    | FileNotWanted
    | HoldersChanged
    | FileStaged
    | FileLeft
    | FileHeldUp
    | PeerGreeted
    | PeerForgot
    | PeerConnected
    | PeerLeft
    | RosterArrived
    | EpochKeyArrived
    | EpochBegan
    | RosterGrew
    | ModesChanged
    | MemberExcluded
    | OurAddressesFound
    | PeerLost
    | PeerRemoved
    | FolderStopped
    | FolderAdded
    | FolderTakenOff
    | FolderBegun
    | HoldEnded
)

Fact = (
    MessageArrived
    | PageArrived
    | FolderNamedOtherwise
    | ChunksArrived
    | LinkOpened
    | LinkClosed
    | ConnectionsGone
    | DeviceDropped
    | DialFailed
    | PeerListed
    | PeerUnlisted
    | BulkRestored
    | Subscribed
    | StrangerRefused
    | PathsTouched
    | WatchLost
    | WatchRegained
    | MountChanged
    | CookieSeen
    | Asked
    | DoctorAsked
    | TimePassed
    | LimitsSet
    | LocalRulesSet
    | PausesSet
    | Started
    | JobDone
    | JobBroke
    | JobStopped
    | Inner
)
