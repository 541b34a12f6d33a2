"""Jobs that fill a `.lefting`: chunk lists, and chunks of local files and of other devices."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

from leftzmq.content.lists import Expansion, Rows
from leftzmq.disk.fs.interface import Buffer
from leftzmq.errors import Problem, Refused
from leftzmq.sync.jobs.telling import Doubt
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.entry import Entry, ScanKey
from leftzmq.tree.plan import Staged
from leftzmq.wire.messages import Ask


@dataclass(frozen=True, slots=True)
class ExpandLists:
    """Which chunks is this large file made of, by the lists that are here? Its size is first
    compared with the free space on the disk. begun: the state that an earlier step returned; the
    job takes it over."""

    folder: str
    entry: Entry
    begun: Expansion | None = None


@dataclass(frozen=True, slots=True)
class ListsExpanded:
    """rows: all rows. None while lists are `missing`, when these lists cannot be of such a file
        (`lie`), when there is no space for it (`problem`), or when more is to be done (`begun`)
    repeats: first row -> the later rows with the same chunk, as ranges
    once: the rows that are not among those, as a set (sync/download/row_sets)
    """

    folder: str
    entry: Entry
    rows: Rows | None = None
    repeats: Mapping[int, tuple[range, ...]] = field(default_factory=dict)
    once: int = 0
    missing: tuple[bytes, ...] = ()
    lie: Refused | None = None
    problem: Problem | None = None
    begun: Expansion | None = None


@dataclass(frozen=True, slots=True)
class SearchHome:
    """Which of these rows are in files of ours: in the version that we have (`previous`), or in a
    file with the same content?"""

    folder: str
    entry: Entry
    rows: Rows
    previous: Entry | None


@dataclass(frozen=True, slots=True)
class Home:
    """A file of ours, and what it should hold of the wanted file: rows, and their offsets in it."""

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
    """Make the `.lefting` of a large file, or find the one of an earlier life.

    known: what our index has stored of a `.lefting` for this path, if anything
    """

    folder: str
    entry: Entry
    known: Staged | None


@dataclass(frozen=True, slots=True)
class StagingOpened:
    """staged: None when it could not be made (`problem`); with a problem: the one that has to wait
    found: the file was there: verify it
    """

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
    """One chunk in a file of ours, and where it belongs in the `.lefting`."""

    id: bytes
    length: int
    source_offset: int
    target_offset: int


@dataclass(frozen=True, slots=True)
class LookAtHome:
    """Copy chunks from a file that we have (the old version, or one with the same content) into the
    `.lefting`."""

    folder: str
    entry: Entry
    staged: Staged
    source: str
    chunks: tuple[HomeChunk, ...]


@dataclass(frozen=True, slots=True)
class ChunksKept:
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


@dataclass(frozen=True, slots=True)
class Piece:
    """One sealed chunk in a body: its id, its offset and length in the file, and its box. The box
    is shorter where the chunk ends with zeros."""

    id: bytes
    offset: int
    length: int
    box_start: int
    box_bytes: int


@dataclass(frozen=True, slots=True)
class WriteChunks:
    """Open the boxes, check the ids, write the chunks into the `.lefting`."""

    folder: str
    device: DeviceKey
    entry: Entry
    staged: Staged
    pieces: tuple[Piece, ...]
    body: Buffer


@dataclass(frozen=True, slots=True)
class ChunksWritten:
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


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file of one chunk: its bytes are a box in the body, or are in a file of ours."""

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
    """staged: entries with their `.lefting`
    bad: entries whose box did not match its id
    unfound: local copies whose source was not what the index says
    problems: the rest
    left: the `.lefting` files of these that could not even be deleted
    noise: the staged files that look encrypted
    doubts: the sources of `unfound`
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


@dataclass(frozen=True, slots=True)
class Sample:
    """Does a large file that is complete in its `.lefting` look encrypted?"""

    folder: str
    entry: Entry
    staged: Staged


@dataclass(frozen=True, slots=True)
class Sampled:
    """noise: False where the file is not there any more; the operation that gives it its name finds
    that out. problem: why the file could not be read."""

    folder: str
    entry: Entry
    staged: Staged
    noise: bool
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete `.lefting` files that nobody needs any more. A file is deleted only if its inode is
    ours. A file whose inode was never learned is moved to the trash: it might be a user's."""

    folder: str
    staged: tuple[Staged, ...]


@dataclass(frozen=True, slots=True)
class Discarded:
    """staged: those of which nothing is left, or nothing of ours
    left: those that could not be deleted, or that are on a mount that is not there
    missing: which of `staged` were not there
    """

    folder: str
    staged: tuple[Staged, ...]
    left: tuple[Staged, ...] = ()
    missing: tuple[Staged, ...] = ()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A `.lefting` of an earlier life, and what it was to become: `content` at `path`.

    old: the stat of our version at `path`, if any
    """

    path: str
    staged: Staged
    content: bytes
    old: ScanKey | None = None


@dataclass(frozen=True, slots=True)
class ClearStaging:
    """Clear up what an earlier life left: `useless` is deleted as by Discard; of `resumable` those
    are deleted that are not ours any more."""

    folder: str
    useless: tuple[Leftover, ...]
    resumable: tuple[Leftover, ...]


@dataclass(frozen=True, slots=True)
class StagingCleared:
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
