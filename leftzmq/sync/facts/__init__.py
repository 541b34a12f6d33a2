"""Facts, in the past tense: from outside, and from one machine to another.

Answers of workers are facts too: see jobs. Must not know which machine receives which fact: see
routes.
"""

from __future__ import annotations

from leftzmq.sync.facts.agent import (
    Asked,
    Started,
    TimePassed,
)
from leftzmq.sync.facts.changes import (
    BytesDoubted,
    FolderBegun,
    FolderStopped,
    FoundDeleted,
    FoundDeletedBytes,
    PathsCleared,
    PathsSettled,
    RescanWanted,
    WalkEnded,
)
from leftzmq.sync.facts.devices import (
    BulkRestored,
    ChunksArrived,
    DeviceDropped,
    DialFailed,
    FolderNamedOtherwise,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PageArrived,
    PeerListed,
    PeerUnlisted,
    Stranger,
    StrangerRefused,
    Subscribed,
)
from leftzmq.sync.facts.peers import (
    PeerConnected,
    PeerForgot,
    PeerGreeted,
    PeerLeft,
    PeerLost,
    PeerRemoved,
)
from leftzmq.sync.facts.share import (
    CookieSeen,
    MountChanged,
    PathsTouched,
    Touch,
    WatchLost,
    WatchRegained,
)
from leftzmq.sync.facts.tickets import (
    FileHeldUp,
    FileLeft,
    FileNotWanted,
    FileStaged,
    FileWanted,
    HoldersChanged,
    PathsReconsidered,
)
from leftzmq.sync.jobs import JobBroke, JobDone, JobStopped

__all__ = [
    "Asked",
    "BulkRestored",
    "BytesDoubted",
    "ChunksArrived",
    "CookieSeen",
    "DeviceDropped",
    "DialFailed",
    "Fact",
    "FileHeldUp",
    "FileLeft",
    "FileNotWanted",
    "FileStaged",
    "FileWanted",
    "FolderBegun",
    "FolderNamedOtherwise",
    "FolderStopped",
    "FoundDeleted",
    "FoundDeletedBytes",
    "HoldersChanged",
    "Inner",
    "LinkClosed",
    "LinkOpened",
    "MessageArrived",
    "MountChanged",
    "PageArrived",
    "PathsCleared",
    "PathsReconsidered",
    "PathsSettled",
    "PathsTouched",
    "PeerConnected",
    "PeerForgot",
    "PeerGreeted",
    "PeerLeft",
    "PeerListed",
    "PeerLost",
    "PeerRemoved",
    "PeerUnlisted",
    "RescanWanted",
    "Started",
    "Stranger",
    "StrangerRefused",
    "Subscribed",
    "TimePassed",
    "Touch",
    "WalkEnded",
    "WatchLost",
    "WatchRegained",
]

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
    | PeerLost
    | PeerRemoved
    | FolderStopped
    | FolderBegun
)

Fact = (
    MessageArrived
    | PageArrived
    | FolderNamedOtherwise
    | ChunksArrived
    | LinkOpened
    | LinkClosed
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
    | TimePassed
    | Started
    | JobDone
    | JobBroke
    | JobStopped
    | Inner
)
