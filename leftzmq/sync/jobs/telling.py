"""Jobs for what other devices receive from us: durable sequences, pages of our index, chunks."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.disk.fs.interface import Buffer
from leftzmq.sync.link import Link
from leftzmq.tree.accepted import NOTHING, Accepted
from leftzmq.tree.entry import ScanKey
from leftzmq.tree.version import Life
from leftzmq.wire.messages import Want


@dataclass(frozen=True, slots=True)
class Flush:
    """Make durable what the index has committed so far; `head` is the sequence that it had then."""

    folder: str
    head: int


@dataclass(frozen=True, slots=True)
class Flushed:
    folder: str
    head: int


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Read and seal one page of our index: the entries after `after`, up to the durable `upto`.
    accepted: what users let pass."""

    folder: str
    link: Link
    life: Life
    after: int
    upto: int
    whole: bool
    accepted: Accepted = NOTHING


@dataclass(frozen=True, slots=True)
class PageRead:
    """sealed: the page
    last: where the page ends; the answer goes on from there until `upto`
    """

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
        """The number of lists and chunks."""
        return len(self.lists) + sum(len(want.asks) for want in self.wants)

    @property
    def is_small(self) -> bool:
        """Whether only lists and small files are asked for."""
        return not any(ask.offset or len(w.asks) > 1 for w in self.wants for ask in w.asks)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A file of ours whose `length` bytes at `offset` did not match the id that
    they should have."""

    path: str
    id: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class CheckBytes:
    """Are these bytes of a file of ours what our own index says, if the file's stat is still the
    same?"""

    folder: str
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class BytesChecked:
    """key: the stat of the file whose bytes are wrong, or cannot be read (`why`). None: the bytes
    are right; or they are no part of the file; or the file was changed, which a look finds."""

    folder: str
    path: str
    key: ScanKey | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ChunksRead:
    """parts: (id, length) of what `body` holds
    stale: files whose bytes are not what we announced
    asked_bytes, asks, is_small: of the job
    """

    folder: str
    link: Link
    number: int
    parts: tuple[tuple[bytes, int], ...]
    missing: tuple[bytes, ...]
    body: Buffer
    stale: tuple[Doubt, ...]
    asked_bytes: int
    asks: int
    is_small: bool


@dataclass(frozen=True, slots=True)
class FindLacking:
    """At `path` and below it ("": everywhere): what does each of these devices lack of ours, and
    what do we lack of anybody's?

    number: the answer carries it
    masks: the bit of each device, as a set of bits; 0: a device that has nothing
    shown: how many paths are named for each
    """

    folder: str
    number: int
    masks: tuple[int, ...]
    path: str
    shown: int


@dataclass(frozen=True, slots=True)
class Lacking:
    """bytes: the sizes of the versions that are lacking. first: the first paths, in path order."""

    paths: int
    bytes: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LackingFound:
    """lacking: one for each of the masks. coming: what we lack."""

    folder: str
    number: int
    masks: tuple[int, ...]
    lacking: tuple[Lacking, ...]
    coming: Lacking
