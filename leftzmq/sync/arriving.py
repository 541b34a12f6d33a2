"""One large file that is arriving: its lists, its `.lefting`, and which chunks it has.

Knows rows and marks. Must not know devices, links or files: the downloader asks and writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from leftzmq.content.lists import Rows
from leftzmq.sync.jobs import HomeChunk
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged
from leftzmq.wire.messages import Ask

SLICE_BYTES: Final = 16 << 20
"""Of a file that one verifying or copying job looks at."""
SLICE_CHUNKS: Final = 256
ASK_BYTES: Final = 1 << 20

_MISSING, _ASKED, _HAVE = 0, 1, 2


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
    """marks: a byte a row. home: files of ours to look into, with the rows of each."""

    folder: str
    entry: Entry
    phase: Phase = Phase.LISTS
    staged: Staged | None = None
    rows: Rows | None = None
    marks: bytearray = field(default_factory=bytearray)
    home: list[tuple[str, Rows]] = field(default_factory=list)
    have_bytes: int = 0
    fetched_bytes: int = 0
    at: int = 0  # the next row to verify, or of `todo` to copy
    todo: list[HomeChunk] = field(default_factory=list)
    next_ask: int = 0
    lists_asked: set[bytes] = field(default_factory=set)
    lacking: dict[bytes, float] = field(default_factory=dict)  # device -> not before (monotonic)
    told_at: float = 0.0

    def set_rows(self, rows: Rows) -> None:
        self.rows = rows
        self.marks = bytearray(len(rows))

    @property
    def whole(self) -> bool:
        return self.have_bytes == self.entry.size

    @property
    def have_chunks(self) -> int:
        return self.marks.count(_HAVE)

    def ask_of(self, row: int) -> Ask:
        assert self.rows is not None
        return Ask(bytes(self.rows.id(row)), self.rows.offset(row), self.rows.length(row))

    def verify_slice(self) -> tuple[Ask, ...]:
        """The next rows to be looked for in the `.lefting` itself; empty at the end."""
        assert self.rows is not None
        first = self.at
        size = 0
        while self.at < len(self.rows) and self.at - first < SLICE_CHUNKS and size < SLICE_BYTES:
            size += self.rows.length(self.at)
            self.at += 1
        return tuple(self.ask_of(row) for row in range(first, self.at))

    def plan_home(self, rows: Rows) -> None:
        """Which missing chunks does a file of ours have, by its rows?"""
        assert self.rows is not None
        where = {rows.id(row): row for row in range(len(rows))}
        self.todo, self.at = [], 0
        for row in range(len(self.rows)):
            source = where.get(self.rows.id(row))
            if source is not None and self.marks[row] == _MISSING:
                length = self.rows.length(row)
                chunk = HomeChunk(
                    self.rows.id(row), length, rows.offset(source), self.rows.offset(row)
                )
                self.todo.append(chunk)

    def home_slice(self) -> tuple[HomeChunk, ...]:
        """The next chunks to copy from home; empty at the end."""
        first, size = self.at, 0
        while self.at < len(self.todo) and self.at - first < SLICE_CHUNKS and size < SLICE_BYTES:
            size += self.todo[self.at].length
            self.at += 1
        return tuple(self.todo[first : self.at])

    def next_rows(self, most_bytes: int) -> list[int]:
        """Rows to ask for next, in order, at least one if any is missing and room is there."""
        assert self.rows is not None
        taken: list[int] = []
        size = 0
        row = self.next_ask
        while row < len(self.rows):
            if self.marks[row] == _MISSING:
                length = self.rows.length(row)
                if size + length > min(most_bytes, ASK_BYTES):
                    break
                taken.append(row)
                size += length
            row += 1
        self.next_ask = row
        for asked in taken:
            self.marks[asked] = _ASKED
        return taken

    def has_missing(self) -> bool:
        """Whether something is neither here nor asked for."""
        found = self.marks.find(_MISSING, self.next_ask)
        if found < 0:
            self.next_ask = len(self.marks)
            return False
        self.next_ask = found
        return True

    def asked_in_vain(self, rows: Iterable[int]) -> None:
        """These will not come from where they were asked: they are missing again."""
        for row in rows:
            if self.marks[row] == _ASKED:
                self.marks[row] = _MISSING
                self.next_ask = min(self.next_ask, row)

    def got(self, offsets: Iterable[int]) -> None:
        """The chunks at these offsets are verified and in the `.lefting`."""
        assert self.rows is not None
        for offset in offsets:
            row = self.rows.at(offset)
            if row is not None and self.marks[row] != _HAVE:
                self.marks[row] = _HAVE
                self.have_bytes += self.rows.length(row)
