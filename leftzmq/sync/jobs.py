"""Jobs: about 1 MiB of work each, as frozen values, and the fact that answers each.

A machine asks with `Work(job)`; a worker (work/threads), or the simulation, runs it against the
disk (work/runner) and returns exactly one fact. No callables cross. A buffer is handed over and
never shared: the sender does not touch it again.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from leftzmq.content.lists import Expansion, Rows
from leftzmq.disk.apply.outcome import Outcome
from leftzmq.disk.apply.resolve import Choice, Resolved, Wish
from leftzmq.disk.apply.restore import Between, Listing, PutBack, Return, Trashed
from leftzmq.disk.fs.interface import Buffer
from leftzmq.disk.scan.lying import Lying
from leftzmq.disk.scan.sighting import RulesRead, Sighting, SliceSighting
from leftzmq.disk.share import ShareTraits
from leftzmq.disk.trash.retention import Swept, TrashClock
from leftzmq.errors import Problem, Refused, Stop
from leftzmq.index.change_plan import ChangePlan, PlanScope
from leftzmq.index.join_plan import JoinPlan
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.accepted import NOTHING, Accepted
from leftzmq.tree.entry import Entry, ScanKey
from leftzmq.tree.ignoring.share_rules import NO_RULES, IgnoreRules
from leftzmq.tree.plan import Operation, Staged
from leftzmq.tree.version import Life
from leftzmq.wire.messages import Ask, Want

# -- what lies in the share: walks, looks, large files cut -----------------------------------------


class Walk(Struct, frozen=True):
    """Go on with a walk of `prefix` ("" = all), compared with our index, for one slice.

    walk: its number; the first job of a number begins it. Nothing is read but names, stats and
    files of ignore rules. rules: those that hold; what they ignore is not walked.
    """

    folder: str
    walk: int
    prefix: str
    rules: IgnoreRules = NO_RULES


class Walked(Struct, frozen=True):
    """dirty: paths whose stat is not that of our index, or that are gone; in sorted order
    seen: how many paths the slice passed
    stop: the share is not there, or is not the one that we know: nothing of this walk counts
    came: mounts that appeared since the slice before
    mounts: all mounts that are known, packed
    rules: files of ignore rules that are not as they were read last
    modes: of paths that are as our index has them, which does not have their mode
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
    rules: tuple[RulesRead, ...] = ()
    modes: tuple[tuple[str, int], ...] = ()


class Look(Struct, frozen=True):
    """Look at these paths and read what changed. Files of more than one chunk are only named.

    rules: those that hold; what they ignore is not looked at
    edits: those of the paths at which a user may have saved a file a moment ago: it is read at once
    """

    folder: str
    paths: tuple[str, ...]
    rules: IgnoreRules = NO_RULES
    edits: tuple[str, ...] = ()


class Looked(Struct, frozen=True):
    """left: paths that did not fit into this job: ask again. stop: as in Walked."""

    folder: str
    sightings: tuple[Sighting, ...]
    left: tuple[str, ...]
    stop: Stop | None = None


class CutSlice(Struct, frozen=True):
    """Cut and hash a part of a file, beginning at a chunk's border. A file of at most one chunk is
    one part.

    grows: the file may be longer by now, if it is the same file: its content at `key` is wanted.
    """

    folder: str
    path: str
    key: ScanKey
    offset: int
    grows: bool = False


class SliceCut(Struct, frozen=True):
    folder: str
    slice: SliceSighting


class DropCookie(Struct, frozen=True):
    """Write a cookie file into `.left/`: the watcher sees it after everything
    that happened before."""

    folder: str
    name: str


class CookieDropped(Struct, frozen=True):
    """watched: whether the watcher will report the cookie. False: only a walk can tell what
    changed."""

    folder: str
    name: str
    watched: bool
    problem: Problem | None = None


class LookForIndexRoom(Struct, frozen=True):
    """How many bytes fit onto the disk of the state directory?"""

    folder: str


class IndexRoomSeen(Struct, frozen=True):
    """fits_bytes: the bytes that may be added until the floor of free space is reached; negative
    below it."""

    folder: str
    fits_bytes: int


# -- a `.lefting` is filled: lists, chunks of local files and of other devices ---------------------


class ExpandLists(Struct, frozen=True):
    """Which chunks is this large file made of, by the lists that are here? Its size is first
    compared with the free space on the disk. begun: the state that an earlier step returned; the
    job takes it over."""

    folder: str
    entry: Entry
    begun: Expansion | None = None


class ListsExpanded(Struct, frozen=True):
    """rows: all rows. None while lists are `missing`, when these lists cannot be of such a file
        (`lie`), when there is no space for it (`problem`), or when more is to be done (`begun`)
    repeats: first row -> the later rows with the same chunk, as ranges
    once: the rows that are not among those, as a set (sync/download/row_sets)
    """

    folder: str
    entry: Entry
    rows: Rows | None = None
    repeats: Mapping[int, tuple[range, ...]] = {}
    once: int = 0
    missing: tuple[bytes, ...] = ()
    lie: Refused | None = None
    problem: Problem | None = None
    begun: Expansion | None = None


class SearchHome(Struct, frozen=True):
    """Which of these rows are in files of ours: in the version that we have (`previous`), or in a
    file with the same content?"""

    folder: str
    entry: Entry
    rows: Rows
    previous: Entry | None


class Home(Struct, frozen=True):
    """A file of ours, and what it should hold of the wanted file: rows, and their offsets in it."""

    path: str
    rows: array[int]
    offsets: array[int]


class HomeSearched(Struct, frozen=True):
    folder: str
    entry: Entry
    homes: tuple[Home, ...]


class OpenStaging(Struct, frozen=True):
    """Make the `.lefting` of a large file, or find the one of an earlier life.

    known: what our index has stored of a `.lefting` for this path, if anything
    """

    folder: str
    entry: Entry
    known: Staged | None


class StagingOpened(Struct, frozen=True):
    """staged: None when it could not be made (`problem`); with a problem: the one that has to wait
    found: the file was there: verify it
    """

    folder: str
    entry: Entry
    staged: Staged | None
    found: bool
    problem: Problem | None = None


class VerifyStaging(Struct, frozen=True):
    """Which of these chunks does the `.lefting` hold? asks: (row's id, offset, length) in order."""

    folder: str
    entry: Entry
    staged: Staged
    asks: tuple[Ask, ...]


class HomeChunk(Struct, frozen=True):
    """One chunk in a file of ours, and where it belongs in the `.lefting`."""

    id: bytes
    length: int
    source_offset: int
    target_offset: int


class LookAtHome(Struct, frozen=True):
    """Copy chunks from a file that we have (the old version, or one with the same content) into the
    `.lefting`."""

    folder: str
    entry: Entry
    staged: Staged
    source: str
    chunks: tuple[HomeChunk, ...]


class ChunksKept(Struct, frozen=True):
    """Answers VerifyStaging and LookAtHome.

    offsets: offsets in the target that hold their chunk
    doubts: files of ours that should have had some of the chunks
    """

    folder: str
    entry: Entry
    staged: Staged
    offsets: tuple[int, ...]
    tried: int
    problem: Problem | None = None
    doubts: tuple[Doubt, ...] = ()


class Piece(Struct, frozen=True):
    """One sealed chunk in a body: its id, its offset and length in the file, and its box. The box
    is shorter where the chunk ends with zeros."""

    id: bytes
    offset: int
    length: int
    box_start: int
    box_bytes: int


class WriteChunks(Struct, frozen=True):
    """Open the boxes, check the ids, write the chunks into the `.lefting`. tag: of the epoch in
    which they are sealed."""

    folder: str
    device: DeviceKey
    entry: Entry
    staged: Staged
    pieces: tuple[Piece, ...]
    tag: bytes
    body: Buffer


class ChunksWritten(Struct, frozen=True):
    """written, bad: pieces that were written, and those whose box did not match its id
    body_bytes: the bytes of the body that the job has released
    """

    folder: str
    device: DeviceKey
    entry: Entry
    staged: Staged
    written: tuple[Piece, ...]
    bad: tuple[Piece, ...]
    body_bytes: int
    problem: Problem | None = None


class SmallFile(Struct, frozen=True):
    """A file of one chunk: its bytes are a box in the body, or are in a file of ours."""

    entry: Entry
    box_start: int = -1
    box_bytes: int = 0
    source: str | None = None


class StageSmall(Struct, frozen=True):
    """Stage whole small files. Empty ones need neither box nor source. tag: of the epoch in which
    the boxes are sealed; b"": there is no box."""

    folder: str
    device: DeviceKey | None
    files: tuple[SmallFile, ...]
    tag: bytes = b""
    body: Buffer = b""


class SmallStaged(Struct, frozen=True):
    """staged: entries with their `.lefting`
    bad: entries whose box did not match its id
    unfound: local copies whose source was not what the index says
    problems: the rest
    left: the `.lefting` files of these that could not even be deleted
    noise: the staged files that look encrypted
    doubts: the sources of `unfound`
    stop: the folder stops; what the job had made by then is in the answer
    """

    folder: str
    device: DeviceKey | None
    staged: tuple[tuple[Entry, Staged], ...]
    bad: tuple[Entry, ...]
    unfound: tuple[Entry, ...]
    problems: tuple[tuple[Entry, Problem], ...]
    body_bytes: int
    left: tuple[tuple[Entry, Staged], ...] = ()
    noise: frozenset[Staged] = frozenset()
    doubts: tuple[Doubt, ...] = ()
    stop: Stop | None = None


class Sample(Struct, frozen=True):
    """Does a large file that is complete in its `.lefting` look encrypted?"""

    folder: str
    entry: Entry
    staged: Staged


class Sampled(Struct, frozen=True):
    """noise: False where the file is not there any more; the operation that gives it its name finds
    that out. problem: why the file could not be read."""

    folder: str
    entry: Entry
    staged: Staged
    noise: bool
    problem: Problem | None = None


class Discard(Struct, frozen=True):
    """Delete `.lefting` files that nobody needs any more. A file is deleted only if its inode is
    ours. A file whose inode was never learned is moved to the trash: it might be a user's."""

    folder: str
    staged: tuple[Staged, ...]


class Discarded(Struct, frozen=True):
    """staged: those of which nothing is left, or nothing of ours
    left: those that could not be deleted, or that are on a mount that is not there
    missing: which of `staged` were not there
    """

    folder: str
    staged: tuple[Staged, ...]
    left: tuple[Staged, ...] = ()
    missing: tuple[Staged, ...] = ()


class Leftover(Struct, frozen=True):
    """A `.lefting` of an earlier life, and what it was to become: `content` at `path`.

    old: the stat of our version at `path`, if any
    """

    path: str
    staged: Staged
    content: bytes
    old: ScanKey | None = None


class ClearStaging(Struct, frozen=True):
    """Clear up what an earlier life left: `useless` is deleted as by Discard; of `resumable` those
    are deleted that are not ours any more."""

    folder: str
    useless: tuple[Leftover, ...]
    resumable: tuple[Leftover, ...]


class StagingCleared(Struct, frozen=True):
    """gone: those of which nothing is left, or nothing of ours
    left: the useless ones that could not be deleted, or that are on a mount that is not there
    missing: which of `gone` were not there
    swapped: those that got their final name, while the file that had it before is under the name
             of the `.lefting`; nothing was done about these
    """

    folder: str
    gone: tuple[Staged, ...]
    left: tuple[Staged, ...] = ()
    missing: tuple[Staged, ...] = ()
    swapped: tuple[Leftover, ...] = ()


class OpenLists(Struct, frozen=True):
    """Open boxes that hold lists. Offsets and lengths of the pieces are unused (0). tag: of the
    epoch in which they are sealed."""

    folder: str
    device: DeviceKey
    pieces: tuple[Piece, ...]
    tag: bytes
    body: Buffer


class ListsOpened(Struct, frozen=True):
    folder: str
    device: DeviceKey
    lists: tuple[tuple[bytes, bytes], ...]
    bad: tuple[bytes, ...]


# -- the share is changed; disk space, and changes that lose a file --------------------------------


class Apply(Struct, frozen=True):
    """A batch of operations, in order; steps 2 to 4 of the write order (docs/design.md). rules:
    those that hold."""

    folder: str
    batch: int
    operations: tuple[Operation, ...]
    rules: IgnoreRules = NO_RULES


class Applied(Struct, frozen=True):
    """stop: the share is not there, or is not the one that we know: nothing was done."""

    folder: str
    batch: int
    outcomes: tuple[Outcome, ...]
    stop: Stop | None = None


class LookForRoom(Struct, frozen=True):
    """How many bytes fit onto the disk where `path` is to be?"""

    folder: str
    path: str


class RoomSeen(Struct, frozen=True):
    """fits_bytes: the bytes that may be added until the floor of free space is reached; negative
    below it."""

    folder: str
    fits_bytes: int


class MeasureShare(Struct, frozen=True):
    """How many bytes are free on the disk of the share? That is told to people and other
    devices."""

    folder: str


class ShareMeasured(Struct, frozen=True):
    """free_bytes: None: the disk does not say."""

    folder: str
    free_bytes: int | None


class ExamineShare(Struct, frozen=True):
    """What can the file system of the share do? A user asks how all is."""

    folder: str


class ShareExamined(Struct, frozen=True):
    """traits: None: that could not be found out. why: the error; "" else."""

    folder: str
    traits: ShareTraits | None
    why: str = ""


class MakeRoom(Struct, frozen=True):
    """Free space in the trash (disk/trash/make_room) until `need_bytes` fit at `path`, or free
    nothing if that is impossible. The first job of a number begins it. spare_day: nothing of the
    last day is deleted."""

    folder: str
    number: int
    path: str
    need_bytes: int
    spare_day: bool


class RoomMade(Struct, frozen=True):
    """files, bytes: what this step deleted
    fits_bytes: as in RoomSeen
    stop: the share is not there, or is not the one that we know: nothing was done
    """

    folder: str
    number: int
    files: int
    bytes: int
    fits_bytes: int
    done: bool
    stop: Stop | None = None


class CountLosses(Struct, frozen=True):
    """Go on counting (index/losses) how many files of ours the announced changes would lose. The
    first job of a number begins it.

    reach: bits of the devices that can be asked
    accepted: what does not count
    readers: bits of the devices that may only read the folder
    """

    folder: str
    number: int
    reach: int
    accepted: Accepted
    readers: int = 0


class LossesCounted(Struct, frozen=True):
    folder: str
    number: int
    files: int
    done: bool


# -- what other devices receive: durable sequences, pages of our index, chunks ---------------------


class Flush(Struct, frozen=True):
    """Make durable what the index has committed so far; `head` is the sequence that it had then."""

    folder: str
    head: int


class Flushed(Struct, frozen=True):
    folder: str
    head: int


class ReadPage(Struct, frozen=True):
    """Read and seal one page of our index: the entries after `after`, up to the durable `upto`.
    tag: of the epoch in which it is sealed; accepted: what users let pass; withdrawn, permissions:
    whether the asker understands these."""

    folder: str
    link: Link
    tag: bytes
    life: Life
    after: int
    upto: int
    whole: bool
    accepted: Accepted = NOTHING
    withdrawn: bool = True
    permissions: bool = True


class PageRead(Struct, frozen=True):
    """sealed: the page; tag: of its epoch
    last: where the page ends; the answer goes on from there until `upto`
    """

    folder: str
    link: Link
    tag: bytes
    life: Life
    after: int
    last: int
    upto: int
    whole: bool
    sealed: bytes


class ReadChunks(Struct, frozen=True):
    """Read, check and seal what a get asked for, at most about 1 MiB of it. tag: of the get, and
    of the epoch in which it is sealed."""

    folder: str
    link: Link
    number: int
    tag: bytes
    lists: tuple[bytes, ...]
    wants: tuple[Want, ...]
    asked_bytes: int

    @property
    def content_bytes(self) -> int:
        """The bytes of the chunks alone."""
        return sum(ask.length for want in self.wants for ask in want.asks)

    @property
    def asks(self) -> int:
        """The number of lists and chunks."""
        return len(self.lists) + sum(len(want.asks) for want in self.wants)

    @property
    def is_small(self) -> bool:
        """Whether only lists and small files are asked for."""
        return not any(ask.offset or len(w.asks) > 1 for w in self.wants for ask in w.asks)


class Doubt(Struct, frozen=True):
    """A file of ours whose `length` bytes at `offset` did not match the id that
    they should have."""

    path: str
    id: bytes
    offset: int
    length: int


class CheckBytes(Struct, frozen=True):
    """Are these bytes of a file of ours what our own index says, if the file's stat is still the
    same?"""

    folder: str
    doubt: Doubt


class BytesChecked(Struct, frozen=True):
    """key: the stat of the file whose bytes are wrong, or cannot be read (`why`). None: the bytes
    are right; or they are no part of the file; or the file was changed, which a look finds."""

    folder: str
    path: str
    key: ScanKey | None
    why: str = ""


class ChunksRead(Struct, frozen=True):
    """parts: (id, length) of what `body` holds
    stale: files whose bytes are not what we announced
    tag, asked_bytes, content_bytes, asks, is_small: of the job
    """

    folder: str
    link: Link
    number: int
    tag: bytes
    parts: tuple[tuple[bytes, int], ...]
    missing: tuple[bytes, ...]
    body: Buffer
    stale: tuple[Doubt, ...]
    asked_bytes: int
    content_bytes: int
    asks: int
    is_small: bool


MAX_DIFFERING: Final = 100_000
"""More are listed, and overridden, when these are."""


class Winner(Struct, frozen=True):
    """The version that other devices have of a path, and that is not taken here. rank: its stamp
    and writer."""

    path: str
    rank: tuple[int, bytes]


class FindDiffering(Struct, frozen=True):
    """At `path` and below it ("": everywhere): which versions of others are above ours?

    number: the answer carries it
    readers: the bits of devices whose versions nobody takes
    """

    folder: str
    number: int
    path: str
    readers: int


class DifferingFound(Struct, frozen=True):
    """winners: in path order, MAX_DIFFERING at the most."""

    folder: str
    number: int
    winners: tuple[Winner, ...]


class FindLacking(Struct, frozen=True):
    """At `path` and below it ("": everywhere): what does each of these devices lack of ours, and
    what do we lack of anybody's?

    number: the answer carries it
    masks: the bit of each device, as a set of bits; 0: a device that has nothing
    shown: how many paths are named for each
    done: for each of the masks the sequence up to which the device is done with our index: of that
        it lacks nothing
    silent: the bits of those whose versions nobody takes (sync/versions/index_view)
    takes: whether what others have is to come here
    """

    folder: str
    number: int
    masks: tuple[int, ...]
    path: str
    shown: int
    done: tuple[int, ...]
    silent: int = 0
    takes: bool = True


class Lacking(Struct, frozen=True):
    """bytes: the sizes of the versions that are lacking. first: the first paths, in path order."""

    paths: int
    bytes: int
    first: tuple[str, ...]


class LackingFound(Struct, frozen=True):
    """lacking: one for each of the masks. coming: what we lack."""

    folder: str
    number: int
    masks: tuple[int, ...]
    lacking: tuple[Lacking, ...]
    coming: Lacking


class ReadJoinPlan(Struct, frozen=True):
    """Go on with the plan of a join by one slice of the index (index/join_plan).

    number: the answer carries it
    swept: bits of the index that count no more
    doomed: paths where something was found that others deleted
    """

    folder: str
    number: int
    plan: JoinPlan
    swept: int
    doomed: frozenset[str]


class JoinPlanRead(Struct, frozen=True):
    folder: str
    number: int
    plan: JoinPlan


class ReadChangePlan(Struct, frozen=True):
    """Go on with what would happen now by one slice of the index (index/change_plan)."""

    folder: str
    number: int
    plan: ChangePlan
    scope: PlanScope


class ChangePlanRead(Struct, frozen=True):
    folder: str
    number: int
    plan: ChangePlan


# -- what is ignored -------------------------------------------------------------------------------


class LookWhatLies(Struct, frozen=True):
    """What lies at a path now? A user asks by which rule it is ignored."""

    folder: str
    number: int
    path: str


class LyingSeen(Struct, frozen=True):
    folder: str
    number: int
    lies: Lying


class LookForWhy(Struct, frozen=True):
    """What lies at a path now? A user asks why it is not the same everywhere. in_trash: which is
    its newest version in the trash is asked, too."""

    folder: str
    number: int
    path: str
    in_trash: bool


class LookedForWhy(Struct, frozen=True):
    """trashed: the newest version in the trash; None: there is none in its newest batches, or
    nobody asked for it."""

    folder: str
    number: int
    lies: Lying
    trashed: Trashed | None


class CountNotKept(Struct, frozen=True):
    """How many paths does this device not keep? nobody: as in Reader.not_kept."""

    folder: str
    number: int
    nobody: int


class NotKeptCounted(Struct, frozen=True):
    """not_kept: paths of which others have something. withdrawn: those of which we had a version
    that was told."""

    folder: str
    number: int
    not_kept: int
    withdrawn: int


# -- files for a user: from the trash, and both versions of a conflict -----------------------------


class SweepTrash(Struct, frozen=True):
    """Go on with a sweep of the trash (disk/trash/retention) for one step. The first job of a
    number begins it, with the clock that the last sweep left. spare_day: nothing is deleted that
    was moved to the trash within the last day."""

    folder: str
    sweep: int
    clock: TrashClock | None
    spare_day: bool = False


class TrashSwept(Struct, frozen=True):
    """stop: as in TrashListed; then `swept` is None."""

    folder: str
    sweep: int
    swept: Swept | None
    stop: Stop | None = None


class ListTrash(Struct, frozen=True):
    """Go on with a listing of the trash (disk/apply/restore) for one step. The first job of a
    number begins it.

    path: "" is everything
    between: which batches
    after: (batch, path) of the version before the first one that is wanted; ("", "") at the
           beginning
    """

    folder: str
    listing: int
    path: str
    between: Between
    after: tuple[str, str]


class TrashListed(Struct, frozen=True):
    """stop: the share is not there, or is not the one that we know: nothing was done."""

    folder: str
    listing: int
    part: Listing
    stop: Stop | None = None


class LetGo(Struct, frozen=True):
    """Remove these from this device (Verb.LET_GO), each only if it is still what it was."""

    folder: str
    number: int
    operations: tuple[Operation, ...]


class LetGone(Struct, frozen=True):
    """stop: as in TrashListed."""

    folder: str
    number: int
    outcomes: tuple[Outcome, ...]
    stop: Stop | None = None


class RestoreTrash(Struct, frozen=True):
    """Put these versions back into the share."""

    folder: str
    listing: int
    wanted: tuple[PutBack, ...]


class TrashRestored(Struct, frozen=True):
    """stop: as in TrashListed."""

    folder: str
    listing: int
    returns: tuple[Return, ...]
    stop: Stop | None = None


class ListCopies(Struct, frozen=True):
    """Which conflict copies are there, after the sort key `after`?"""

    folder: str
    number: int
    after: bytes


class CopiesListed(Struct, frozen=True):
    """after: where to go on; b"" at the end."""

    folder: str
    number: int
    copies: tuple[Entry, ...]
    after: bytes


class ReadVersions(Struct, frozen=True):
    """What are the versions of a path (or of the file that this conflict copy is one of)?"""

    folder: str
    number: int
    path: str


class VersionsRead(Struct, frozen=True):
    """found: the file, if there is one, and its copies. Each has its text, if it is small and
    UTF-8, else None. Without copies, `found` is empty."""

    folder: str
    number: int
    found: tuple[tuple[Entry, str | None], ...]


class Resolve(Struct, frozen=True):
    """Carry out what a user decided about the conflict copy at `path` (or the one of `path`).

    names: what a person calls the devices, by their letters; for the new name of a copy
    """

    folder: str
    number: int
    path: str
    wish: Wish
    names: Mapping[str, str]


class CopyResolved(Struct, frozen=True):
    """copy: the copy that was decided about
    path: the name that the copy has now; if the copy is gone, the name of its file
    choice: what was done with the copy, if that was clear
    copies: those that could be meant, if several
    stop: as in TrashListed
    """

    folder: str
    number: int
    resolved: Resolved
    why: str = ""
    copy: str = ""
    path: str = ""
    copies: tuple[str, ...] = ()
    choice: Choice | None = None
    stop: Stop | None = None


# -- a stopped folder is opened again --------------------------------------------------------------


class OpenFolder(Struct, frozen=True):
    """Close what is still open of the folder's share, and open the folder as at a start. Not while
    another job of the folder is running."""

    folder: str


class FolderOpened(Struct, frozen=True):
    """stop: None: the folder is open, and waits to be taken over (actions.TakeOver). Else why it is
    not."""

    folder: str
    stop: Stop | None


# -- the unions, mistakes, and lanes ---------------------------------------------------------------


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
    | ReadJoinPlan
    | ReadChangePlan
    | LookWhatLies
    | LookForWhy
    | CountNotKept
    | FindDiffering
    | CheckBytes
    | DropCookie
    | SweepTrash
    | ListTrash
    | LetGo
    | RestoreTrash
    | ListCopies
    | ReadVersions
    | Resolve
    | LookForRoom
    | MeasureShare
    | ExamineShare
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
    | JoinPlanRead
    | ChangePlanRead
    | LyingSeen
    | LookedForWhy
    | NotKeptCounted
    | DifferingFound
    | BytesChecked
    | CookieDropped
    | TrashSwept
    | TrashListed
    | LetGone
    | TrashRestored
    | CopiesListed
    | VersionsRead
    | CopyResolved
    | RoomSeen
    | ShareMeasured
    | ShareExamined
    | RoomMade
    | LossesCounted
    | IndexRoomSeen
    | FolderOpened
)


class JobBroke(Struct, frozen=True):
    """A job ended in an exception that nobody foresaw: a bug of ours, which is reported. trace:
    where in our code."""

    job: Job
    why: str
    trace: str = ""


class JobStopped(Struct, frozen=True):
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
    ReadJoinPlan,
    ReadChangePlan,
    CountNotKept,
    FindDiffering,
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
