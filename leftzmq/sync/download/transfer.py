"""The transfer of one large file: its lists, its `.lefting`, and which chunks are in it.

Knows rows and marks. Must not know devices, links or files: the downloader sends requests and
writes. A chunk that occurs in several rows is fetched for the first of them and copied to the
others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from leftzmq.content.lists import Rows
from leftzmq.sync.download.rarest_first import RarestFirst
from leftzmq.sync.download.row_sets import marks_of, set_of, set_of_runs
from leftzmq.sync.jobs import Home, HomeChunk, Piece
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged
from leftzmq.wire.messages import Ask

SLICE_BYTES: Final = 16 << 20
"""Bytes of a file that one verifying or copying job reads."""
SLICE_CHUNKS: Final = 256
SLICE_ROWS: Final = 1 << 14
"""Rows that one turn searches for them: about 5 ms."""


class TransferPhase(Enum):
    """What is being done with the file; each phase leads to the next."""

    LISTS = auto()  # its lists are not all here
    OPENING = auto()  # its `.lefting` is being made or found
    VERIFYING = auto()  # checking the contents of a `.lefting` of an earlier life
    AT_HOME = auto()  # copying chunks that other local files have
    FETCHING = auto()  # the rest comes from other devices
    WHOLE = auto()  # a job checks whether it looks like noise


class TransferMove(Enum):
    """What happens to the file."""

    LIST = auto()  # all its lists are here: which chunks it has is known
    OPEN = auto()  # its `.lefting` is made or found
    VERIFY = auto()  # the whole `.lefting` was looked at
    COPY = auto()  # all chunks that other files of ours have are copied
    COMPLETE = auto()  # every byte of it is here


S, M = TransferPhase, TransferMove
MOVES: Final[dict[tuple[TransferPhase, TransferMove], TransferPhase]] = {
    # What cannot happen in a phase changes nothing.
    **{(phase, move): phase for phase in TransferPhase for move in TransferMove},
    (S.LISTS, M.LIST): S.OPENING,
    (S.OPENING, M.OPEN): S.VERIFYING,
    (S.VERIFYING, M.VERIFY): S.AT_HOME,
    (S.AT_HOME, M.COPY): S.FETCHING,
    (S.FETCHING, M.COMPLETE): S.WHOLE,
}


@dataclass(slots=True)
class Transfer:
    """The state of one large file.

    marks: one byte for each row; 1: its chunk is in the `.lefting`
    here: the same as marks, as a set. Sets of rows are ints, bit i for row i
    missing: the rows to be requested, as a set
    asked: how many open requests each row has
    fresh: the `.lefting` was made in this life, so what was not written is a hole
    copies: (row that is here, rows with the same chunk)
    twice_bytes: bytes requested from a second device while the first request was open
    certain: a `.lefting` of this life, the rows that were written into it, and their bytes
    """

    folder: str
    entry: Entry
    rarest_first: RarestFirst
    previous: Entry | None = None
    phase: TransferPhase = TransferPhase.LISTS
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
    copying: tuple[HomeChunk, ...] | None = None  # by the running job, if there is one
    lacking: dict[bytes, float] = field(default_factory=dict)  # device -> not before (monotonic)
    told_at: float = 0.0
    certain: tuple[Staged, int, int] | None = None

    def move(self, move: TransferMove) -> None:
        self.phase = MOVES[self.phase, move]

    def set_rows(self, rows: Rows, repeats: Mapping[int, tuple[range, ...]], once: int) -> None:
        """All lists are here. once: the set of rows to be requested: the first row of each
        chunk."""
        self.rows, self.repeats = rows, repeats
        self.marks = bytearray(len(rows))
        self.missing = once
        self.rarest_first.set_rows(len(rows))
        self.move(TransferMove.LIST)

    def lists_left(self, missing: tuple[bytes, ...]) -> None:
        """These lists are to be asked for."""
        self.lists_missing = missing

    def has_certainly(self, staged: Staged, here: int, have_bytes: int) -> None:
        """What this life has written into that `.lefting` before: these rows, of so many bytes."""
        self.certain = (staged, here, have_bytes)

    def lies_in(self, staged: Staged | None, *, fresh: bool) -> None:
        """Where it is written; None: no `.lefting` could be had."""
        self.staged, self.fresh = staged, fresh

    def homes_found(self, homes: Iterable[Home]) -> None:
        """Files of ours that have some of its chunks."""
        self.homes.extend(homes)
        self.at = 0

    def tells(self, now: float, period_s: float) -> bool:
        """Whether its progress is to be told now: once in a period."""
        if now - self.told_at < period_s:
            return False
        self.told_at = now
        return True

    @property
    def whole(self) -> bool:
        return self.have_bytes == self.entry.size

    @property
    def lacks(self) -> bool:
        """Whether some of the file is left to request."""
        if self.phase is TransferPhase.LISTS:
            return bool(self.lists_missing)
        return self.phase is TransferPhase.FETCHING and self.missing != 0

    @property
    def have_chunks(self) -> int:
        return self.here.bit_count()

    def ask_of(self, row: int) -> Ask:
        assert self.rows is not None
        return Ask(bytes(self.rows.id(row)), self.rows.offset(row), self.rows.length(row))

    # -- what is here --------------------------------------------------------------------------

    def got(self, offsets: Iterable[int]) -> None:
        """Mark the chunks at these offsets: they are verified and in the `.lefting`."""
        assert self.rows is not None
        found = {self.rows.at(offset) for offset in offsets}
        new = [row for row in found if row is not None and not self.marks[row]]
        for row in new:
            self.marks[row] = 1
            self.asked.pop(row, None)
            self.have_bytes += self.rows.length(row)
        came = set_of(new)
        self.here |= came
        self.missing &= ~came

    def fetched(self, pieces: Iterable[Piece]) -> None:
        """These came from other devices and are in the `.lefting`."""
        written = list(pieces)
        self.got(piece.offset for piece in written)
        self.fetched_bytes += sum(piece.length for piece in written)

    def repeat(self, row: int, *, zeros: bool) -> None:
        """The chunk of `row` arrived: schedule copies for the other rows that it belongs to."""
        assert self.rows is not None
        runs = self.repeats.get(row, ())
        if not (zeros and self.fresh):
            if runs:
                self.copies.append((row, _all_of(runs)))
            return
        for run in runs:  # these rows are holes already
            self.marks[run.start : run.stop] = b"\1" * len(run)
            self.have_bytes += self.rows.offset(run.stop) - self.rows.offset(run.start)
        self.here |= set_of_runs(runs)

    def repeat_what_is_here(self) -> None:
        """After copying local chunks: if one of several rows with the same chunk is here, copy it
        to the others."""
        if not self.here:
            return
        served: list[int] = []
        for first, later in self.repeats.items():
            runs = (range(first, first + 1), *later)
            found = (self.marks.find(1, run.start, run.stop) for run in runs)
            have = next((row for row in found if row >= 0), None)
            if have is None:
                continue
            if any(self.marks.find(0, run.start, run.stop) >= 0 for run in runs):
                served.append(first)
                self.copies.append((have, _all_of(runs)))
        self.missing &= ~set_of(served)

    def go_on_from_what_is_certain(self) -> None:
        """Use the rows that this life has written into the `.lefting` before: they need not be read
        again."""
        if self.rows is None or self.certain is None:
            return
        (staged, here, have_bytes), self.certain = self.certain, None
        if staged == self.staged and here and not self.fresh:
            self.marks, self.here = marks_of(here, len(self.rows)), here
            self.missing &= ~here
            self.have_bytes = have_bytes
            self.at = len(self.rows)

    # -- requests --------------------------------------------------------------------------------

    def ask_twice(self, row: int) -> None:
        """It is asked for elsewhere already."""
        assert self.rows is not None
        self.twice_bytes += self.rows.length(row)
        self.ask((row,))

    def ask(self, rows: Sequence[int]) -> None:
        for row in rows:
            self.asked[row] = self.asked.get(row, 0) + 1
        self.missing &= ~set_of(rows)

    def asked_in_vain(self, rows: Iterable[int]) -> None:
        """These rows will not arrive from the device that was asked: they are missing again."""
        again: list[int] = []
        for row in rows:
            left = self.asked.get(row, 0) - 1
            if left > 0:
                self.asked[row] = left
            elif not self.marks[row]:
                self.asked.pop(row, None)
                again.append(row)
        self.missing |= set_of(again)

    # -- slices of work ---------------------------------------------------------------------------

    def verify_slice(self) -> tuple[Ask, ...]:
        """Return the next rows to verify in the `.lefting` itself; empty at the end."""
        assert self.rows is not None
        first = self.at
        size = 0
        while self.at < len(self.rows) and self.at - first < SLICE_CHUNKS and size < SLICE_BYTES:
            size += self.rows.length(self.at)
            self.at += 1
        return tuple(self.ask_of(row) for row in range(first, self.at))

    def home_slice(self) -> tuple[str, tuple[HomeChunk, ...]] | None:
        """Return the path of a local file and the next chunks to copy from it; None at the end. A
        slice may contain no chunk, because skipping rows that are here takes time, too."""
        if not self.homes:
            return None
        home = self.homes[0]
        chunks: list[HomeChunk] = []
        size = 0
        last = min(len(home.rows), self.at + SLICE_ROWS)
        while self.at < last and len(chunks) < SLICE_CHUNKS and size < SLICE_BYTES:
            row, offset = home.rows[self.at], home.offsets[self.at]
            self.at += 1
            if not self.marks[row]:
                chunks.append(self._copy(row, offset))
                size += chunks[-1].length
        if self.at == len(home.rows):
            self.homes.popleft()
            self.at = 0
        return home.path, tuple(chunks)

    def copy_slice(self) -> tuple[HomeChunk, ...] | None:
        """Return the next chunks to copy within the `.lefting`; None when there are none. A slice
        may contain no chunk, as in `home_slice`."""
        assert self.rows is not None
        if not self.copies:
            return None
        chunks: list[HomeChunk] = []
        size = 0
        for _ in range(SLICE_ROWS):
            if not self.copies or len(chunks) == SLICE_CHUNKS or size >= SLICE_BYTES:
                break
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
        rows = [self.rows.at(chunk.target_offset) for chunk in self.copying or ()]
        self.missing |= set_of([row for row in rows if row is not None and not self.marks[row]])
        self.copying = None

    def _copy(self, row: int, source_offset: int) -> HomeChunk:
        assert self.rows is not None
        return HomeChunk(
            bytes(self.rows.id(row)), self.rows.length(row), source_offset, self.rows.offset(row)
        )


def _all_of(runs: Iterable[range]) -> Iterator[int]:
    return (row for run in runs for row in run)
