"""The lists of a large file: which chunks it consists of, in order.

A list is packed rows of ROW_BYTES: 32-byte id, 4-byte big-endian length. Rows of the lowest level
are chunks. If they do not fit into one list, they are cut into several lists. These are listed
again: a row is then a list's id and the length of its packed form (a file's length would not fit).

Knows rows. Must not know where lists are kept or how they arrive; the caller supplies `get`.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate
from typing import Final

from msgspec import Struct

from leftzmq.content.cut import MAX_CHUNK_BYTES, MIN_CHUNK_BYTES
from leftzmq.content.ids import ChunkId, ListId, list_id
from leftzmq.content.keys import FolderKeys
from leftzmq.errors import Refusal, Refused
from leftzmq.tree.entry import ID_BYTES, ContentId

ROW_BYTES: Final = 36
MAX_LIST_BYTES: Final = 512 << 10
MAX_LEVELS: Final = 4
MAX_ROWS: Final = 1 << 22
"""Chunks of one file. Lists may repeat (a sparse file of a terabyte is one list, over and over), so
four lists of 512 KiB could name 2**55 rows: without this limit a peer could fill our memory with 2
MiB. 2**22 rows that all differ take 184 MiB here, and are files of 256 GiB at the least, 1.2 TiB on
average. A repeated list takes no memory."""

MAX_DISTINCT: Final = 1 << 18
"""Chunks held in a table at a time: about 40 MiB; a file of 64 GiB has so many."""

MAX_RUNS: Final = 1 << 15
"""Runs of rows whose chunk occurred before, in one file: about 5 MiB, and 30 ms of a turn."""

STEP_ROWS: Final = 1 << 16
"""Rows that one step of an expansion reads: about 30 ms."""


class Listed(Struct, frozen=True):
    """The lists of one file.

    content: the id of the top list
    depth:   levels of lists; 1: the top list's rows are chunks
    lists:   every list of every level once, packed; the lowest level first, the top list last
    """

    content: ContentId
    depth: int
    lists: tuple[tuple[ListId, bytes], ...]


class Rows:
    """The chunk rows of a whole file, with fast access to each of them.

    Row i is the chunk id(i) of length(i) bytes at offset(i) of the file; `total` is the file's size
    in bytes. Takes 44 bytes for each row of each distinct list.
    """

    __slots__ = ("_ends", "_lists", "_offsets", "_step", "total")

    def __init__(self, *lists: bytes) -> None:
        """lists: the packed lists of the lowest level, in order; all but the last are of one
        length."""
        assert not any(len(packed) % ROW_BYTES for packed in lists)
        same = {packed: packed for packed in lists}  # one object for equal lists
        self._lists = [same[packed] for packed in lists]
        offsets = {packed: array("Q", accumulate(_lengths(packed), initial=0)) for packed in same}
        self._offsets = [offsets[packed] for packed in lists]
        self._step = max((len(packed) // ROW_BYTES for packed in lists), default=0) or 1
        self._ends = array("Q", accumulate((at[-1] for at in self._offsets), initial=0))
        self.total: int = self._ends[-1]

    def __len__(self) -> int:
        return sum(map(len, self._lists[-1:])) // ROW_BYTES + self._step * max(self.lists - 1, 0)

    @property
    def lists(self) -> int:
        """The number of lists that it consists of."""
        return len(self._lists)

    @property
    def packed(self) -> bytes:
        """All rows, as they would be in one list."""
        return b"".join(self._lists)

    def one_list(self, number: int) -> tuple[int, bytes]:
        """Return (first row, packed rows) of one of the lists."""
        return number * self._step, self._lists[number]

    def id(self, row: int) -> ChunkId:
        number, at = divmod(row, self._step)
        return ChunkId(self._lists[number][at * ROW_BYTES : at * ROW_BYTES + ID_BYTES])

    def length(self, row: int) -> int:
        number, at = divmod(row, self._step)
        return self._offsets[number][at + 1] - self._offsets[number][at]

    def offset(self, row: int) -> int:
        """Return the byte offset of the row's chunk; for the row after the last one, the end of the
        file."""
        number, at = divmod(row, self._step)
        return self._ends[number] + (self._offsets[number][at] if number < self.lists else 0)

    def at(self, offset: int) -> int | None:
        """Return the row whose chunk begins at `offset` of the file, or None."""
        number = bisect_right(self._ends, offset) - 1
        if not 0 <= number < self.lists:
            return None
        offsets, within = self._offsets[number], offset - self._ends[number]
        at = bisect_left(offsets, within)
        return number * self._step + at if offsets[at] == within else None

    def ids(self, first: int = 0, count: int | None = None) -> Iterator[ChunkId]:
        """Yield the ids of `count` rows from `first` on, in order, repeated ids included."""
        end = len(self) if count is None else min(first + count, len(self))
        while first < end:
            number, at = divmod(first, self._step)
            packed = self._lists[number]
            stop = min(at + end - first, len(packed) // ROW_BYTES)
            for start in range(at * ROW_BYTES, stop * ROW_BYTES, ROW_BYTES):
                yield ChunkId(packed[start : start + ID_BYTES])
            first += stop - at

    def find(self, wanted: Collection[bytes]) -> Iterator[int]:
        """Yield the numbers of all rows whose id is in `wanted` (a set or dict), in order."""
        found: dict[bytes, list[int]] = {}
        for number, packed in enumerate(self._lists):
            if packed not in found:
                found[packed] = [
                    at
                    for at, start in enumerate(range(0, len(packed), ROW_BYTES))
                    if packed[start : start + ID_BYTES] in wanted
                ]
            yield from (number * self._step + at for at in found[packed])


class Expansion:
    """Finds the rows of a file whose chunk occurred before, step by step.

    repeats: the first row of each chunk that occurs in several rows -> the later rows, as ranges.
    Only the first MAX_DISTINCT chunks and MAX_RUNS ranges are tracked: others count as if each
    occurred once. While a worker has an expansion, no other thread may use it.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._number = 0
        self._first: dict[bytes, int] = {}
        self._later: dict[int, list[range]] = {}
        self._runs = 0

    @property
    def repeats(self) -> dict[int, tuple[range, ...]]:
        return {at: tuple(runs) for at, runs in self._later.items()}

    def step(self) -> bool:
        """Read some more lists. Return False at the end."""
        looked = 0
        while self._number < self.rows.lists and looked < STEP_ROWS:
            row, packed = self.rows.one_list(self._number)
            self._number += 1
            count = len(packed) // ROW_BYTES
            looked += count
            if count and packed == packed[:ROW_BYTES] * count:  # as the lists of a hole are
                self._came(packed[:ID_BYTES], row, count)
                continue
            for at in range(count):
                self._came(packed[at * ROW_BYTES : at * ROW_BYTES + ID_BYTES], row + at, 1)
        if self._number == self.rows.lists:
            self._first.clear()
            return False
        return True

    def _came(self, id: bytes, row: int, count: int) -> None:
        """Note that `count` rows from `row` on have this chunk."""
        first = self._first.get(id)
        if first is None:
            if len(self._first) >= MAX_DISTINCT:
                return
            self._first[id] = first = row
            row, count = row + 1, count - 1
        if not count:
            return
        runs = self._later.get(first, [])
        if runs and runs[-1].stop == row:
            runs[-1] = range(runs[-1].start, row + count)
        elif self._runs < MAX_RUNS:
            self._later.setdefault(first, []).append(range(row, row + count))
            self._runs += 1


def pack_row(id: bytes, length: int) -> bytes:
    """Return one row of a list."""
    assert len(id) == ID_BYTES
    return id + length.to_bytes(ROW_BYTES - ID_BYTES, "big")


def build(keys: FolderKeys, rows: bytes) -> Listed:
    """Return the lists of a file whose chunks, in order, are these packed rows: 1 to MAX_ROWS."""
    assert rows and len(rows) % ROW_BYTES == 0 and len(rows) // ROW_BYTES <= MAX_ROWS
    step = _full_list_bytes()
    lists: dict[ListId, bytes] = {}
    level, depth = rows, 1
    while True:
        pieces = [level[at : at + step] for at in range(0, len(level), step)]
        ids = [list_id(keys, piece) for piece in pieces]
        lists.update(zip(ids, pieces, strict=True))
        if len(ids) == 1:
            return Listed(ContentId(ids[0]), depth, tuple(lists.items()))
        pairs = zip(ids, pieces, strict=True)
        level, depth = b"".join(pack_row(id, len(piece)) for id, piece in pairs), depth + 1


def expand(
    content: ContentId, depth: int, size: int, get: Callable[[bytes], bytes | None]
) -> Rows | list[ListId]:
    """Return all chunk rows of a file of `size` bytes, or the ids of the lists still missing.

    get: returns the packed list of an id, already checked against that id, or None. The missing ids
    are those that are known so far, in the file's order, each once; their lists may name further
    ones. Raises Refused (BAD_LIST) as soon as the known lists cannot be those that `build` makes of
    such a file. So one sequence of chunks has one content id.
    """
    if not 1 <= depth <= MAX_LEVELS:
        raise _bad(f"depth {depth}")
    most = min(size // MIN_CHUNK_BYTES + 1, MAX_ROWS)
    missing: dict[ListId, None] = {}
    names: list[tuple[ListId, int | None]] = [(ListId(content), None)]
    for level in range(depth, 0, -1):
        pieces = _collect(names, get, missing)
        for piece in dict.fromkeys(pieces):
            _check(piece, MAX_CHUNK_BYTES if level == 1 else _full_list_bytes())
        _check_count(sum(map(len, pieces)) // ROW_BYTES, level, depth, most)
        if level > 1:
            names = [name for piece in pieces for name in _names(piece)]
            if any(length != _full_list_bytes() for _, length in names[:-1]):
                raise _bad("a list that is not full is followed by another")
    if missing:
        return list(missing)
    _check_least(pieces)
    rows = Rows(*pieces)
    if rows.total != size:
        raise _bad(f"{rows.total} bytes listed, the entry says {size}")
    return rows


def _collect(
    names: list[tuple[ListId, int | None]],
    get: Callable[[bytes], bytes | None],
    missing: dict[ListId, None],
) -> list[bytes]:
    """Return the available lists of these names; add the other names to `missing`."""
    pieces = []
    held: dict[ListId, bytes | None] = {}
    for id, length in names:
        if id not in held:
            held[id] = get(id)
        piece = held[id]
        if piece is None:
            missing[id] = None
        elif length is not None and len(piece) != length:
            raise _bad(f"a list of {len(piece)} bytes, named as {length}")
        else:
            pieces.append(piece)
    return pieces


def _check(piece: bytes, most_bytes: int) -> None:
    """Check that one list is well-formed, and that its rows name 1 to `most_bytes` bytes each."""
    if not piece or len(piece) % ROW_BYTES or len(piece) > MAX_LIST_BYTES:
        raise _bad(f"a list of {len(piece)} bytes")
    lengths = _lengths(piece)
    if min(lengths) == 0 or max(lengths) > most_bytes:
        raise _bad(f"rows of {min(lengths)} to {max(lengths)} bytes")


def _check_least(pieces: list[bytes]) -> None:
    """Check that all chunks of the file but the last are as long as the cutter makes them."""
    last = pieces[-1]
    for piece in {*pieces[:-1], last[:-ROW_BYTES]}:
        if piece and (least := min(_lengths(piece))) < MIN_CHUNK_BYTES:
            raise _bad(f"a chunk of {least} bytes that is not the last one")


def _check_count(rows: int, level: int, depth: int, most: int) -> None:
    """Check that so many rows of a level can lead to at most `most` chunks.

    All lists of a level but the last are full, so that every row but one stands for that many
    chunks. This limits what is built from the rows afterwards.
    """
    if level == depth > 1 and rows == 1:
        raise _bad("a top list that names one list")
    if (rows - 1) * (_full_list_bytes() // ROW_BYTES) ** (level - 1) >= most:
        raise _bad(f"over {most} chunks")


def _names(piece: bytes) -> Iterator[tuple[ListId, int]]:
    for at, length in zip(range(0, len(piece), ROW_BYTES), _lengths(piece), strict=True):
        yield ListId(piece[at : at + ID_BYTES]), length


def _full_list_bytes() -> int:
    return MAX_LIST_BYTES // ROW_BYTES * ROW_BYTES


def _lengths(packed: bytes) -> array[int]:
    """Return the lengths of all rows, without a Python step for each."""
    words = array("I", memoryview(packed).cast("I")[ID_BYTES // 4 :: ROW_BYTES // 4])
    if sys.byteorder == "little":
        words.byteswap()
    return words


def _bad(detail: str) -> Refused:
    return Refused(Refusal.BAD_LIST, detail)
