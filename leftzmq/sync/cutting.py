"""Large files that are being cut, slice by slice, and how many of them at a time.

Knows slices and their rows. Must not know when a file has settled, nor what its list is for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from leftzmq.disk.sighting import SliceSighting
from leftzmq.tree.entry import ScanKey

CUTS_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class _Cutting:
    """again: the parts of the second reading, of a file that grew under the first one"""

    key: ScanKey
    grows: bool
    parts: list[SliceSighting] = field(default_factory=list)
    again: list[SliceSighting] = field(default_factory=list)

    @property
    def is_read(self) -> bool:
        return bool(self.parts) and self.parts[-1].end == self.key.size

    @property
    def grew(self) -> bool:
        return any(part.grew for part in self.parts)


@dataclass(frozen=True, slots=True)
class Cut:
    """rows: packed. noise: the file looks encrypted. grew: it is longer now. torn: it grew, and
    the two readings differ"""

    rows: bytes
    noise: bool
    grew: bool
    torn: bool


class Cuts:
    """path -> the parts so far, of one folder."""

    def __init__(self) -> None:
        self._by_path: dict[str, _Cutting] = {}
        self._to_begin: deque[str] = deque()

    def __bool__(self) -> bool:
        return bool(self._by_path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_path)

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def wants(self, path: str, key: ScanKey, *, grows: bool) -> None:
        """The file of this key is to be cut when it is its turn. grows: what it was at this key is
        wanted, also where it grows meanwhile."""
        self._by_path[path] = _Cutting(key, grows)
        self._to_begin.append(path)

    def begin(self) -> list[tuple[str, ScanKey, bool]]:
        """Those whose turn it is now, and whether they may grow."""
        begun = []
        while self._to_begin and len(self._by_path) - len(self._to_begin) < CUTS_AT_ONCE:
            path = self._to_begin.popleft()
            cutting = self._by_path[path]
            begun.append((path, cutting.key, cutting.grows))
        return begun

    def take(self, part: SliceSighting) -> bool:
        """The next slice of a file. False: not of one that is being cut."""
        cutting = self._by_path.get(part.path)
        if cutting is None or cutting.key != part.key:
            return False
        parts = cutting.again if cutting.is_read else cutting.parts
        parts.append(part)
        return True

    def next_offset(self, path: str) -> int | None:
        """Where the next slice of this file begins; None: it is read. What grew under the first
        reading is read twice: only bytes that are the same in both were there together."""
        cutting = self._by_path[path]
        if not cutting.is_read:
            return cutting.parts[-1].end
        if not cutting.grew or (cutting.again and cutting.again[-1].end == cutting.key.size):
            return None
        return cutting.again[-1].end if cutting.again else 0

    def may_grow(self, path: str) -> bool:
        return self._by_path[path].grows

    def end(self, path: str) -> Cut:
        """What came of it; it is not being cut any more."""
        cutting = self._by_path.pop(path)
        parts = cutting.parts
        noise = any(part.noise for part in parts) and not any(part.known for part in parts)
        rows = b"".join(part.rows for part in parts)
        torn = cutting.grew and rows != b"".join(part.rows for part in cutting.again)
        return Cut(rows, noise, cutting.grew, torn)
