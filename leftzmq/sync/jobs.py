"""Jobs: about 1 MiB of work each, as frozen values, and the fact that answers each.

A machine asks with `Work(job)`; a worker (bus/workers), or the simulation, runs it against the
disk (bus/jobs) and hands back exactly one fact. No callables cross; a buffer is handed over and
never shared: who sends it does not touch it again.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from leftzmq.content.lists import Rows
from leftzmq.disk.outcome import Outcome
from leftzmq.disk.recover import Listing, PutBack, Return
from leftzmq.disk.resolve import Choice, Resolved
from leftzmq.disk.retention import Swept, TrashClock
from leftzmq.disk.sighting import Sighting, SliceSighting
from leftzmq.errors import Problem, Refused
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry, ScanKey
from leftzmq.tree.plan import Operation, Staged
from leftzmq.tree.version import Life
from leftzmq.wire.messages import Ask, Want

Buffer = bytes | bytearray | memoryview


class Lane(Enum):
    """An edit never waits behind a gigabyte: two lanes of workers."""

    SMALL = auto()
    BULK = auto()


# ---- scanning ---------------------------------------------------------------------------------


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

    seen: how many paths the slice passed. alive: False when the share itself is not the one we
    know (missing, unmounted, replaced): nothing of this walk counts, `why` says what is the matter.
    came: mounts that are there since this slice. mounts: all that are known, packed
    """

    folder: str
    walk: int
    prefix: str
    dirty: tuple[str, ...]
    seen: int
    problems: tuple[Problem, ...]
    foreign: tuple[str, ...]  # .lefting files found that our index does not know
    done: bool
    alive: bool = True
    why: str = ""
    came: tuple[str, ...] = ()
    mounts: bytes = b""


@dataclass(frozen=True, slots=True)
class Look:
    """Look at these paths and read what changed; files over one chunk are only named."""

    folder: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """left: paths that did not fit into this job's work; ask again."""

    folder: str
    sightings: tuple[Sighting, ...]
    left: tuple[str, ...]
    alive: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class CutSlice:
    """Cut and hash a part of a large file, from a chunk's border on."""

    folder: str
    path: str
    key: ScanKey
    offset: int


@dataclass(frozen=True, slots=True)
class SliceCut:
    folder: str
    slice: SliceSighting


# ---- staging ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExpandLists:
    """Which chunks is this large file made of, by the lists that are here?"""

    folder: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class ListsExpanded:
    """rows: all of them; None while lists are `missing`, or when these lists cannot be of such a
    file (`lie`). repeats: first row -> the later rows with the same chunk, as ranges."""

    folder: str
    entry: Entry
    rows: Rows | None = None
    repeats: Mapping[int, tuple[range, ...]] = field(default_factory=dict)
    missing: tuple[bytes, ...] = ()
    lie: Refused | None = None


@dataclass(frozen=True, slots=True)
class SearchHome:
    """Which of these rows lie in files of ours: in the version that we have (`previous`), or in
    one with the same content?"""

    folder: str
    entry: Entry
    rows: Rows
    previous: Entry | None


@dataclass(frozen=True, slots=True)
class Home:
    """A file of ours, and what of the wanted one it should hold: rows, and their offsets in it."""

    path: str
    rows: array[int]
    offsets: array[int]


@dataclass(frozen=True, slots=True)
class HomeSearched:
    folder: str
    entry: Entry
    homes: tuple[Home, ...]


@dataclass(frozen=True, slots=True)
class OpenStaging:
    """Make the `.lefting` of a large file, or find ours of an earlier life.

    known: what our index remembers of a `.lefting` for this path, if anything
    """

    folder: str
    entry: Entry
    known: Staged | None


@dataclass(frozen=True, slots=True)
class StagingOpened:
    """staged: None when it could not be made (`problem`); with a problem, one that has to wait.
    found: it was there: verify it."""

    folder: str
    entry: Entry
    staged: Staged | None
    found: bool
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class VerifyStaging:
    """Which of these chunks does the `.lefting` hold? asks: (row's id, offset, length) in order."""

    folder: str
    entry: Entry
    staged: Staged
    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class HomeChunk:
    """One chunk that lies in a file of ours, and where it belongs in the `.lefting`."""

    id: bytes
    length: int
    source_offset: int
    target_offset: int


@dataclass(frozen=True, slots=True)
class LookAtHome:
    """Copy chunks from a file that we have (the old version, a twin) into the `.lefting`."""

    folder: str
    entry: Entry
    staged: Staged
    source: str
    chunks: tuple[HomeChunk, ...]


@dataclass(frozen=True, slots=True)
class ChunksKept:
    """Answers VerifyStaging and LookAtHome: offsets in the target that hold their chunk."""

    folder: str
    entry: Entry
    staged: Staged
    offsets: tuple[int, ...]
    tried: int
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One sealed chunk in a body: its id, where it goes in the file and how long it is there, and
    its box: shorter where the chunk ends with zeros."""

    id: bytes
    offset: int
    length: int
    box_start: int
    box_bytes: int


@dataclass(frozen=True, slots=True)
class WriteChunks:
    """Open the boxes, check the ids, write them into the `.lefting`."""

    folder: str
    device: DeviceKey
    entry: Entry
    staged: Staged
    pieces: tuple[Piece, ...]
    body: Buffer


@dataclass(frozen=True, slots=True)
class ChunksWritten:
    """written, bad: pieces that were written, and those whose box was not what its id says.
    body_bytes: of the body that the job has let go of."""

    folder: str
    device: DeviceKey
    entry: Entry
    staged: Staged
    written: tuple[Piece, ...]
    bad: tuple[Piece, ...]
    body_bytes: int
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file of one chunk: its bytes are a box in the body, or lie in a file of ours."""

    entry: Entry
    box_start: int = -1
    box_bytes: int = 0
    source: str | None = None


@dataclass(frozen=True, slots=True)
class StageSmall:
    """Stage whole small files. Empty ones need neither box nor source."""

    folder: str
    device: DeviceKey | None
    files: tuple[SmallFile, ...]
    body: Buffer = b""


@dataclass(frozen=True, slots=True)
class SmallStaged:
    """staged: entries with their `.lefting`; bad: boxes that were not what their id says;
    unfound: home copies whose source was not what the index says; problems: the rest."""

    folder: str
    device: DeviceKey | None
    staged: tuple[tuple[Entry, Staged], ...]
    bad: tuple[Entry, ...]
    unfound: tuple[Entry, ...]
    problems: tuple[tuple[Entry, Problem], ...]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Throw away `.lefting` files that nobody needs any more (only with the inode that is ours;
    one whose inode was never learned (0) goes to the trash: it might be a user's)."""

    folder: str
    staged: tuple[Staged, ...]


@dataclass(frozen=True, slots=True)
class Discarded:
    folder: str
    staged: tuple[Staged, ...]


@dataclass(frozen=True, slots=True)
class ClearStaging:
    """What an earlier life left: `useless` is thrown away as by Discard; of `resumable` what is
    not ours any more (it has its name, and the old version may lie there)."""

    folder: str
    useless: tuple[Staged, ...]
    resumable: tuple[Staged, ...]


@dataclass(frozen=True, slots=True)
class StagingCleared:
    """gone: those of which nothing is left, or nothing of ours."""

    folder: str
    gone: tuple[Staged, ...]


@dataclass(frozen=True, slots=True)
class OpenLists:
    """Open boxes that hold lists. Offsets and lengths of the pieces are unused (0)."""

    folder: str
    device: DeviceKey
    pieces: tuple[Piece, ...]
    body: Buffer


@dataclass(frozen=True, slots=True)
class ListsOpened:
    folder: str
    device: DeviceKey
    lists: tuple[tuple[bytes, bytes], ...]
    bad: tuple[bytes, ...]


# ---- applying ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Apply:
    """A batch of operations, in order; steps 2 to 4 of the write order (design.md section 9)."""

    folder: str
    batch: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    folder: str
    batch: int
    outcomes: tuple[Outcome, ...]
    alive: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class LookForRoom:
    """How much may come onto the disk where `path` is to be?"""

    folder: str
    path: str


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """fits_bytes: so much more leaves the floor of free space; negative below it."""

    folder: str
    fits_bytes: int


@dataclass(frozen=True, slots=True)
class CountDeletes:
    """Go on counting (index/deletes) how many files of ours the deletes that were heard of would
    take; the first job of a number begins it. reach: bits of the devices that can be asked."""

    folder: str
    number: int
    reach: int


@dataclass(frozen=True, slots=True)
class DeletesCounted:
    folder: str
    number: int
    deletes: int
    done: bool


# ---- the trash --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SweepTrash:
    """Go on with a sweep of the trash (disk/retention) for one step; the first job of a number
    begins it, with the clock that the last sweep left."""

    folder: str
    sweep: int
    clock: TrashClock | None


@dataclass(frozen=True, slots=True)
class TrashSwept:
    """None: the share is not the one we know; nothing was done."""

    folder: str
    sweep: int
    swept: Swept | None


@dataclass(frozen=True, slots=True)
class ListTrash:
    """Go on with a listing of the trash (disk/recover) for one step; the first job of a number
    begins it. path: "" is everything. when, before: which batches."""

    folder: str
    listing: int
    path: str
    when: str
    before: str


@dataclass(frozen=True, slots=True)
class TrashListed:
    folder: str
    listing: int
    part: Listing
    alive: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class RestoreTrash:
    """Put these versions back into the share."""

    folder: str
    listing: int
    wanted: tuple[PutBack, ...]


@dataclass(frozen=True, slots=True)
class TrashRestored:
    folder: str
    listing: int
    returns: tuple[Return, ...]
    alive: bool = True
    why: str = ""


# ---- conflict copies --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListCopies:
    """Which conflict copies are there, after the sort key `after`?"""

    folder: str
    number: int
    after: bytes


@dataclass(frozen=True, slots=True)
class CopiesListed:
    """after: where to go on; b"" at the end."""

    folder: str
    number: int
    copies: tuple[Entry, ...]
    after: bytes


@dataclass(frozen=True, slots=True)
class ReadVersions:
    """What are the versions of a path (or of the file that this conflict copy is one of)?"""

    folder: str
    number: int
    path: str


@dataclass(frozen=True, slots=True)
class VersionsRead:
    """found: the file, if there is one, and its copies; each with its text, if it is a small one
    that is UTF-8, else None. No copies: `found` is empty."""

    folder: str
    number: int
    found: tuple[tuple[Entry, str | None], ...]


@dataclass(frozen=True, slots=True)
class Resolve:
    """Carry out what a user decided about the conflict copy at `path` (or the one of `path`).

    names: how a person calls the devices, by their letters; for the new name of a copy
    """

    folder: str
    number: int
    path: str
    choice: Choice
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CopyResolved:
    """copy: what was decided about. path: the name that it has now; for MINE that of its file.
    copies: those that could be meant, if several."""

    folder: str
    number: int
    resolved: Resolved
    why: str = ""
    copy: str = ""
    path: str = ""
    copies: tuple[str, ...] = ()
    alive: bool = True


# ---- index and serving ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flush:
    """Make what the index committed so far durable; `head` is the sequence it had then."""

    folder: str
    head: int


@dataclass(frozen=True, slots=True)
class Flushed:
    folder: str
    head: int


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Read and seal one page of our index: what came after `after`, up to the durable `upto`."""

    folder: str
    link: Link
    life: Life
    after: int
    upto: int
    whole: bool


@dataclass(frozen=True, slots=True)
class PageRead:
    """sealed: the page. last: where it ends; the answer goes on from there until `upto`."""

    folder: str
    link: Link
    life: Life
    after: int
    last: int
    upto: int
    whole: bool
    sealed: bytes


@dataclass(frozen=True, slots=True)
class ReadChunks:
    """Read, check and seal what a get asked for, at most about 1 MiB of it."""

    folder: str
    link: Link
    number: int
    lists: tuple[bytes, ...]
    wants: tuple[Want, ...]
    asked_bytes: int

    @property
    def asks(self) -> int:
        """How many lists and chunks."""
        return len(self.lists) + sum(len(want.asks) for want in self.wants)


@dataclass(frozen=True, slots=True)
class ChunksRead:
    """parts: (id, length) of what `body` holds; stale: paths whose bytes are not what we said.
    asked_bytes, asks: of the job."""

    folder: str
    link: Link
    number: int
    parts: tuple[tuple[bytes, int], ...]
    missing: tuple[bytes, ...]
    body: Buffer
    stale: tuple[str, ...]
    asked_bytes: int
    asks: int


@dataclass(frozen=True, slots=True)
class CountUnacknowledged:
    """How many of our versions (up to `head`) do not all of these holders have?"""

    folder: str
    holders: int
    head: int


@dataclass(frozen=True, slots=True)
class UnacknowledgedCounted:
    folder: str
    holders: int
    head: int
    count: int


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
    | Discard
    | ClearStaging
    | OpenLists
    | Apply
    | Flush
    | ReadPage
    | ReadChunks
    | CountUnacknowledged
    | DropCookie
    | SweepTrash
    | ListTrash
    | RestoreTrash
    | ListCopies
    | ReadVersions
    | Resolve
    | LookForRoom
    | CountDeletes
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
    | Discarded
    | StagingCleared
    | ListsOpened
    | Applied
    | Flushed
    | PageRead
    | ChunksRead
    | UnacknowledgedCounted
    | CookieDropped
    | TrashSwept
    | TrashListed
    | TrashRestored
    | CopiesListed
    | VersionsRead
    | CopyResolved
    | RoomSeen
    | DeletesCounted
)


@dataclass(frozen=True, slots=True)
class JobBroke:
    """A job ended in an exception that nobody foresaw: our own mistake, said aloud."""

    job: Job
    why: str


BULK_JOBS = (
    CutSlice,
    SearchHome,
    VerifyStaging,
    LookAtHome,
    WriteChunks,
    Walk,
    SweepTrash,
    ListTrash,
    CountDeletes,
)


def lane_of(job: Job) -> Lane:
    """Large things have a lane of their own; a small get or a small apply never waits for them."""
    if isinstance(job, BULK_JOBS):
        return Lane.BULK
    if isinstance(job, ReadChunks):
        return (
            Lane.BULK
            if any(ask.offset or len(w.asks) > 1 for w in job.wants for ask in w.asks)
            else Lane.SMALL
        )
    if isinstance(job, Apply):
        return Lane.BULK if any(o.staged and o.entry.depth for o in job.operations) else Lane.SMALL
    return Lane.SMALL
