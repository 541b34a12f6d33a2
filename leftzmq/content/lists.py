"""The lists of a large file: which chunks it is made of, in order.

A list is packed rows of ROW_BYTES: 32-byte id, 4-byte big-endian length. Rows of the lowest level
are chunks. Where they do not fit into one list they are cut into several, which are listed again:
a row is then a list's id and the length of its packed form (a file's length would not fit).

Knows rows. Must not know where lists are kept or how they arrive; `get` is the caller's.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

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
four lists of 512 KiB could name 2**55 rows: without this a peer fills our memory with 2 MiB.
2**22 rows are 184 MiB here, and files of 256 GiB at the least, 1.2 TiB on average."""


MAX_DISTINCT: Final = 1 << 18
"""Chunks held in a table at a time: about 40 MiB; a file of 64 GiB has so many."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The lists of one file.

    content: the id of the top list
    depth:   levels of lists; 1: the top list's rows are chunks
    lists:   every list of every level once, packed; the lowest level first, the top list last
    """

    content: ContentId
    depth: int
    lists: tuple[tuple[ListId, bytes], ...]


class Rows:
    """The packed chunk rows of a whole file, with any of them at hand at once.

    Row i is the chunk id(i) of length(i) bytes at offset(i) of the file; `total` is the file's
    size in bytes. Takes 44 bytes a row.
    """

    __slots__ = ("_offsets", "packed")

    def __init__(self, packed: bytes) -> None:
        assert len(packed) % ROW_BYTES == 0
        self.packed = packed
        self._offsets = array("Q", accumulate(_lengths(packed), initial=0))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def total(self) -> int:
        return self._offsets[-1]

    def id(self, row: int) -> ChunkId:
        return ChunkId(self.packed[row * ROW_BYTES : row * ROW_BYTES + ID_BYTES])

    def length(self, row: int) -> int:
        return self._offsets[row + 1] - self._offsets[row]

    def offset(self, row: int) -> int:
        return self._offsets[row]

    def at(self, offset: int) -> int | None:
        """The row whose chunk begins at `offset` of the file, if one does."""
        row = bisect_left(self._offsets, offset)
        return row if row < len(self) and self._offsets[row] == offset else None

    def ids(self) -> Iterator[ChunkId]:
        """The id of every row, in order; one that repeats comes again."""
        packed = self.packed
        for at in range(0, len(packed), ROW_BYTES):
            yield ChunkId(packed[at : at + ID_BYTES])

    def repeats(self) -> dict[int, tuple[range, ...]]:
        """The first row of each chunk that stands in several -> the later ones, as ranges.

        Of the first MAX_DISTINCT chunks only: the others count as if each stood in one row.
        """
        first: dict[bytes, int] = {}
        later: dict[int, list[range]] = {}
        for row, id in enumerate(self.ids()):
            at = first.get(id)
            if at is not None:
                runs = later.setdefault(at, [])
                if runs and runs[-1].stop == row:
                    runs[-1] = range(runs[-1].start, row + 1)
                else:
                    runs.append(range(row, row + 1))
            elif len(first) < MAX_DISTINCT:
                first[id] = row
        return {at: tuple(runs) for at, runs in later.items()}

    def find(self, wanted: Collection[bytes]) -> Iterator[int]:
        """The numbers of all rows whose id is among `wanted` (a set or dict), in order."""
        return (row for row, id in enumerate(self.ids()) if id in wanted)


def pack_row(id: bytes, length: int) -> bytes:
    """One row of a list."""
    assert len(id) == ID_BYTES
    return id + length.to_bytes(ROW_BYTES - ID_BYTES, "big")


def build(keys: FolderKeys, rows: bytes) -> Listed:
    """The lists of a file whose chunks, in order, are these packed rows: 1 to MAX_ROWS."""
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
    """All chunk rows of a file of `size` bytes, or the ids of the lists still missing.

    get: the packed list of an id, already checked against it, or None. Missing are those that
    are known by now, in the file's order, each once; behind them more may come to light.
    Raises Refused (BAD_LIST) as soon as what is at hand cannot be what `build` makes of such a
    file; so one sequence of chunks has one content id.
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
    rows = Rows(b"".join(pieces))
    if rows.total != size:
        raise _bad(f"{rows.total} bytes listed, the entry says {size}")
    return rows


def _collect(
    names: list[tuple[ListId, int | None]],
    get: Callable[[bytes], bytes | None],
    missing: dict[ListId, None],
) -> list[bytes]:
    """The lists of these names that are at hand; the others become `missing`."""
    pieces = []
    for id, length in names:
        piece = get(id)
        if piece is None:
            missing[id] = None
        elif length is not None and len(piece) != length:
            raise _bad(f"a list of {len(piece)} bytes, named as {length}")
        else:
            pieces.append(piece)
    return pieces


def _check(piece: bytes, most_bytes: int) -> None:
    """Whether one list is well-formed, its rows naming 1 to `most_bytes` bytes each."""
    if not piece or len(piece) % ROW_BYTES or len(piece) > MAX_LIST_BYTES:
        raise _bad(f"a list of {len(piece)} bytes")
    lengths = _lengths(piece)
    if min(lengths) == 0 or max(lengths) > most_bytes:
        raise _bad(f"rows of {min(lengths)} to {max(lengths)} bytes")


def _check_count(rows: int, level: int, depth: int, most: int) -> None:
    """Whether so many rows of a level can lead to at most `most` chunks.

    All lists but the last of a level are full, so that every row but one stands for that many
    chunks. What is built from the rows afterwards is bounded by this.
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
    """The lengths of all rows, without a step of Python for each."""
    words = array("I", memoryview(packed).cast("I")[ID_BYTES // 4 :: ROW_BYTES // 4])
    if sys.byteorder == "little":
        words.byteswap()
    return words


def _bad(detail: str) -> Refused:
    return Refused(Refusal.BAD_LIST, detail)
