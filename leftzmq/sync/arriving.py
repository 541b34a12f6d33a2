"""One large file that is arriving: its lists, its `.lefting`, and which chunks it has.

Knows rows and marks. Must not know devices, links or files: the downloader asks and writes. A
chunk that stands in several rows is fetched for the first of them and copied to the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from leftzmq.content.lists import Rows
from leftzmq.sync.jobs import Home, HomeChunk
from leftzmq.sync.spread import Spread
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged
from leftzmq.wire.messages import Ask

SLICE_BYTES: Final = 16 << 20
"""Of a file that one verifying or copying job looks at."""
SLICE_CHUNKS: Final = 256


class Phase(Enum):
    """What is being done about the file; each leads to the next."""

    LISTS = auto()  # its lists are not all here
    OPENING = auto()  # its `.lefting` is being made or found
    VERIFYING = auto()  # what a `.lefting` of an earlier life holds
    AT_HOME = auto()  # copying chunks that other files of ours have
    FETCHING = auto()  # the rest comes from the others
    WHOLE = auto()


@dataclass(slots=True)
class Arriving:
    """marks: a byte a row, 1: its chunk is in the `.lefting`. Sets of rows are ints, bit i for
    row i: `here` is the same as marks, `missing` are rows to be asked for. asked: how often a row
    is asked for now. fresh: the `.lefting` was made in this life: where nothing was written it
    is a hole. copies: (row that is here, rows with the same chunk). twice_bytes: asked for while
    they were asked for elsewhere. certain: a `.lefting` of this life, and the rows that were
    written into it.
    """

    folder: str
    entry: Entry
    spread: Spread
    previous: Entry | None = None
    phase: Phase = Phase.LISTS
    staged: Staged | None = None
    fresh: bool = False
    lists_missing: tuple[bytes, ...] = ()
    lists_asked: set[bytes] = field(default_factory=set)
    rows: Rows | None = None
    repeats: Mapping[int, tuple[range, ...]] = field(default_factory=dict)
    marks: bytearray = field(default_factory=bytearray)
    here: int = 0
    missing: int = 0
    asked: dict[int, int] = field(default_factory=dict)
    have_bytes: int = 0
    fetched_bytes: int = 0
    twice_bytes: int = 0
    at: int = 0  # the next row to verify, or of the first home to copy
    homes: deque[Home] = field(default_factory=deque)
    copies: deque[tuple[int, Iterator[int]]] = field(default_factory=deque)
    copying: tuple[HomeChunk, ...] = ()
    lacking: dict[bytes, float] = field(default_factory=dict)  # device -> not before (monotonic)
    told_at: float = 0.0
    certain: tuple[Staged, int] | None = None

    def set_rows(self, rows: Rows, repeats: Mapping[int, tuple[range, ...]]) -> None:
        self.rows, self.repeats = rows, repeats
        self.marks = bytearray(len(rows))
        self.missing = (1 << len(rows)) - 1
        for runs in repeats.values():
            for run in runs:
                self.missing &= ~_mask(run)

    @property
    def whole(self) -> bool:
        return self.have_bytes == self.entry.size

    @property
    def lacks(self) -> bool:
        """Whether there is something of it to be asked for."""
        if self.phase is Phase.LISTS:
            return bool(self.lists_missing)
        return self.phase is Phase.FETCHING and self.missing != 0

    @property
    def have_chunks(self) -> int:
        return self.here.bit_count()

    def ask_of(self, row: int) -> Ask:
        assert self.rows is not None
        return Ask(bytes(self.rows.id(row)), self.rows.offset(row), self.rows.length(row))

    # -- what is here --------------------------------------------------------------------------

    def got(self, offsets: Iterable[int]) -> None:
        """The chunks at these offsets are verified and in the `.lefting`."""
        assert self.rows is not None
        for offset in offsets:
            row = self.rows.at(offset)
            if row is not None and not self.marks[row]:
                self.marks[row] = 1
                self.here |= 1 << row
                self.missing &= ~(1 << row)
                self.asked.pop(row, None)
                self.have_bytes += self.rows.length(row)

    def repeat(self, row: int, *, zeros: bool) -> None:
        """The chunk of `row` came: it belongs to other rows, too."""
        assert self.rows is not None
        runs = self.repeats.get(row, ())
        if not (zeros and self.fresh):
            if runs:
                self.copies.append((row, _all_of(runs)))
            return
        for run in runs:  # holes already
            self.marks[run.start : run.stop] = b"\1" * len(run)
            self.here |= _mask(run)
            self.have_bytes += self.rows.offset(run.stop) - self.rows.offset(run.start)

    def repeat_what_is_here(self) -> None:
        """After looking at home: of rows with the same chunk, one that is here serves all."""
        for first, runs in self.repeats.items():
            have = next((row for row in (first, *_all_of(runs)) if self.marks[row]), None)
            if have is not None and not all(self.marks[row] for row in (first, *_all_of(runs))):
                self.missing &= ~(1 << first)
                self.copies.append((have, iter((first, *_all_of(runs)))))

    def go_on_from_what_is_certain(self) -> None:
        """What this life has written into the `.lefting` before need not be read again."""
        if self.rows is None or self.certain is None:
            return
        (staged, here), self.certain = self.certain, None
        if staged == self.staged and here and not self.fresh:
            self.got(self.rows.offset(row) for row in rows_in(here))
            self.at = len(self.rows)

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.asked[row] = self.asked.get(row, 0) + 1
            self.missing &= ~(1 << row)

    def asked_in_vain(self, rows: Iterable[int]) -> None:
        """These will not come from where they were asked: they are missing again."""
        for row in rows:
            left = self.asked.get(row, 0) - 1
            if left > 0:
                self.asked[row] = left
            elif not self.marks[row]:
                self.asked.pop(row, None)
                self.missing |= 1 << row

    # -- slices of work ---------------------------------------------------------------------------

    def verify_slice(self) -> tuple[Ask, ...]:
        """The next rows to be looked for in the `.lefting` itself; empty at the end."""
        assert self.rows is not None
        first = self.at
        size = 0
        while self.at < len(self.rows) and self.at - first < SLICE_CHUNKS and size < SLICE_BYTES:
            size += self.rows.length(self.at)
            self.at += 1
        return tuple(self.ask_of(row) for row in range(first, self.at))

    def home_slice(self) -> tuple[str, tuple[HomeChunk, ...]] | None:
        """The next chunks to copy, and from which file of ours; None at the end."""
        while self.homes:
            home = self.homes[0]
            chunks: list[HomeChunk] = []
            size = 0
            while self.at < len(home.rows) and len(chunks) < SLICE_CHUNKS and size < SLICE_BYTES:
                row, offset = home.rows[self.at], home.offsets[self.at]
                self.at += 1
                if not self.marks[row]:
                    chunks.append(self._copy(row, offset))
                    size += chunks[-1].length
            if chunks:
                return home.path, tuple(chunks)
            self.homes.popleft()
            self.at = 0
        return None

    def copy_slice(self) -> tuple[HomeChunk, ...]:
        """The next chunks to copy within the `.lefting`; empty when there are none."""
        assert self.rows is not None
        chunks: list[HomeChunk] = []
        size = 0
        while self.copies and len(chunks) < SLICE_CHUNKS and size < SLICE_BYTES:
            source, rows = self.copies[0]
            row = next(rows, None)
            if row is None:
                self.copies.popleft()
            elif not self.marks[row]:
                chunks.append(self._copy(row, self.rows.offset(source)))
                size += chunks[-1].length
        self.copying = tuple(chunks)
        return self.copying

    def copied(self) -> None:
        """What was to be copied and is not here must be fetched after all."""
        assert self.rows is not None
        for chunk in self.copying:
            row = self.rows.at(chunk.target_offset)
            if row is not None and not self.marks[row]:
                self.missing |= 1 << row
        self.copying = ()

    def _copy(self, row: int, source_offset: int) -> HomeChunk:
        assert self.rows is not None
        return HomeChunk(
            bytes(self.rows.id(row)), self.rows.length(row), source_offset, self.rows.offset(row)
        )


def _mask(run: range) -> int:
    return ((1 << len(run)) - 1) << run.start


def _all_of(runs: Iterable[range]) -> Iterator[int]:
    return (row for run in runs for row in run)


def rows_in(rows: int) -> Iterator[int]:
    """The rows of a set, in ascending order."""
    digits = f"{rows:b}"[::-1]
    row = digits.find("1")
    while row >= 0:
        yield row
        row = digits.find("1", row + 1)
