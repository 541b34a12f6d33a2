"""Jobs: about 1 MiB of work each, as frozen values, and the fact that answers each.

A machine asks with `Work(job)`; a worker (work/threads), or the simulation, runs it against the
disk (work/runner) and returns exactly one fact. No callables cross. A buffer is handed over and
never shared: the sender does not touch it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from leftzmq.errors import Stop
from leftzmq.sync.jobs.applying import (
    Applied,
    Apply,
    CountLosses,
    LookForRoom,
    LossesCounted,
    MakeRoom,
    RoomMade,
    RoomSeen,
)
from leftzmq.sync.jobs.fetching import (
    ChunksKept,
    ChunksWritten,
    ClearStaging,
    Discard,
    Discarded,
    ExpandLists,
    Home,
    HomeChunk,
    HomeSearched,
    Leftover,
    ListsExpanded,
    ListsOpened,
    LookAtHome,
    OpenLists,
    OpenStaging,
    Piece,
    Sample,
    Sampled,
    SearchHome,
    SmallFile,
    SmallStaged,
    StageSmall,
    StagingCleared,
    StagingOpened,
    VerifyStaging,
    WriteChunks,
)
from leftzmq.sync.jobs.keeping import (
    CopiesListed,
    CopyResolved,
    ListCopies,
    ListTrash,
    ReadVersions,
    Resolve,
    RestoreTrash,
    SweepTrash,
    TrashListed,
    TrashRestored,
    TrashSwept,
    VersionsRead,
)
from leftzmq.sync.jobs.looking import (
    CookieDropped,
    CutSlice,
    DropCookie,
    IndexRoomSeen,
    Look,
    Looked,
    LookForIndexRoom,
    SliceCut,
    Walk,
    Walked,
)
from leftzmq.sync.jobs.opening import FolderOpened, OpenFolder
from leftzmq.sync.jobs.telling import (
    BytesChecked,
    CheckBytes,
    ChunksRead,
    Doubt,
    FindLacking,
    Flush,
    Flushed,
    Lacking,
    LackingFound,
    PageRead,
    ReadChunks,
    ReadPage,
)

__all__ = [
    "BULK_JOBS",
    "Applied",
    "Apply",
    "BytesChecked",
    "CheckBytes",
    "ChunksKept",
    "ChunksRead",
    "ChunksWritten",
    "ClearStaging",
    "CookieDropped",
    "CopiesListed",
    "CopyResolved",
    "CountLosses",
    "CutSlice",
    "Discard",
    "Discarded",
    "Doubt",
    "DropCookie",
    "ExpandLists",
    "FindLacking",
    "Flush",
    "Flushed",
    "FolderOpened",
    "Home",
    "HomeChunk",
    "HomeSearched",
    "IndexRoomSeen",
    "Job",
    "JobBroke",
    "JobDone",
    "JobStopped",
    "Lacking",
    "LackingFound",
    "Lane",
    "Leftover",
    "ListCopies",
    "ListTrash",
    "ListsExpanded",
    "ListsOpened",
    "Look",
    "LookAtHome",
    "LookForIndexRoom",
    "LookForRoom",
    "Looked",
    "LossesCounted",
    "MakeRoom",
    "OpenFolder",
    "OpenLists",
    "OpenStaging",
    "PageRead",
    "Piece",
    "ReadChunks",
    "ReadPage",
    "ReadVersions",
    "Resolve",
    "RestoreTrash",
    "RoomMade",
    "RoomSeen",
    "Sample",
    "Sampled",
    "SearchHome",
    "SliceCut",
    "SmallFile",
    "SmallStaged",
    "StageSmall",
    "StagingCleared",
    "StagingOpened",
    "SweepTrash",
    "TrashListed",
    "TrashRestored",
    "TrashSwept",
    "VerifyStaging",
    "VersionsRead",
    "Walk",
    "Walked",
    "WriteChunks",
    "lane_of",
]


class Lane(Enum):
    """The two lanes of workers: an edit never waits behind a gigabyte."""

    SMALL = auto()
    BULK = auto()


Job = (
    Walk
    | Look
    | CutSlice
    | ExpandLists
    | SearchHome
    | OpenStaging
    | VerifyStaging
    | LookAtHome
    | WriteChunks
    | StageSmall
    | Sample
    | Discard
    | ClearStaging
    | OpenLists
    | Apply
    | Flush
    | ReadPage
    | ReadChunks
    | FindLacking
    | CheckBytes
    | DropCookie
    | SweepTrash
    | ListTrash
    | RestoreTrash
    | ListCopies
    | ReadVersions
    | Resolve
    | LookForRoom
    | MakeRoom
    | CountLosses
    | LookForIndexRoom
    | OpenFolder
)

JobDone = (
    Walked
    | Looked
    | SliceCut
    | ListsExpanded
    | HomeSearched
    | StagingOpened
    | ChunksKept
    | ChunksWritten
    | SmallStaged
    | Sampled
    | Discarded
    | StagingCleared
    | ListsOpened
    | Applied
    | Flushed
    | PageRead
    | ChunksRead
    | LackingFound
    | BytesChecked
    | CookieDropped
    | TrashSwept
    | TrashListed
    | TrashRestored
    | CopiesListed
    | VersionsRead
    | CopyResolved
    | RoomSeen
    | RoomMade
    | LossesCounted
    | IndexRoomSeen
    | FolderOpened
)


@dataclass(frozen=True, slots=True)
class JobBroke:
    """A job ended in an exception that nobody foresaw: a bug of ours, which is reported. trace:
    where in our code."""

    job: Job
    why: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class JobStopped:
    """A job could not be done because the share, or the index, cannot be worked with, and its own
    fact has no field for that. Its folder stops."""

    job: Job
    stop: Stop


BULK_JOBS = (
    OpenFolder,
    CutSlice,
    ExpandLists,
    SearchHome,
    VerifyStaging,
    LookAtHome,
    WriteChunks,
    Walk,
    SweepTrash,
    ListTrash,
    MakeRoom,
    CountLosses,
    CheckBytes,
)


def lane_of(job: Job) -> Lane:
    """The lane of a job. Large files have a lane of their own; a small get or a small apply never
    waits for them."""
    if isinstance(job, BULK_JOBS):
        return Lane.BULK
    if isinstance(job, ReadChunks):
        return Lane.SMALL if job.is_small else Lane.BULK
    if isinstance(job, Apply):
        return Lane.BULK if any(o.staged and o.entry.depth for o in job.operations) else Lane.SMALL
    return Lane.SMALL
