"""Large files that are being cut into chunks, slice by slice, and how many of them at a time.

Knows slices and their rows. Must not know when a file has settled, nor what its chunk list is for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from leftzmq.disk.scan.sighting import SliceSighting
from leftzmq.tree.entry import ScanKey

CUTS_AT_ONCE: Final = 2
GROWS_ON_S: Final = 1.0
"""A file that grew during the first reading waits for its next write, but no longer than this."""


@dataclass(slots=True)
class _Cutting:
    """One file.

    again: the slices of the second reading, of a file that grew during the first one
    bound: until when the second reading waits for another write (monotonic); None: no first reading
           that needs a second one has ended
    """

    key: ScanKey
    grows: bool
    parts: list[SliceSighting] = field(default_factory=list)
    again: list[SliceSighting] = field(default_factory=list)
    bound: float | None = None

    @property
    def is_read(self) -> bool:
        return bool(self.parts) and self.parts[-1].end == self.key.size

    @property
    def grew(self) -> bool:
        return any(part.grew for part in self.parts)

    @property
    def is_read_again(self) -> bool:
        return bool(self.again) and (self.stopped or self.again[-1].end == self.key.size)

    @property
    def stopped(self) -> bool:
        """Nothing was written between the two readings: it is not known how the writer writes."""
        return bool(self.again) and self.again[0].before == self.parts[-1].after


class Cut(Struct, frozen=True):
    """rows: packed
    noise: the file looks encrypted
    grew: the file is longer now
    torn: the file grew, and the two readings differ, or its writer stopped
    """

    rows: bytes
    noise: bool
    grew: bool
    torn: bool


class Cuts:
    """path -> the slices read so far, of one folder."""

    def __init__(self) -> None:
        self._by_path: dict[str, _Cutting] = {}
        self._to_begin: deque[str] = deque()
        # Path of a file that waits for its second reading -> when that is due (monotonic).
        self._resting: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._by_path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_path)

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def wants(self, path: str, key: ScanKey, *, grows: bool) -> None:
        """The file of this key is to be cut when it is its turn. grows: its content at this key is
        wanted even if the file grows meanwhile."""
        self._by_path[path] = _Cutting(key, grows)
        self._to_begin.append(path)

    def touched(self, path: str, now: float) -> None:
        """The file was written: a second reading that waits for a write may begin."""
        if path in self._resting:
            self._resting[path] = now

    def deadline(self) -> float | None:
        """When `files_to_begin` may have a file whose second reading waited (monotonic)."""
        return min(self._resting.values(), default=None)

    def files_to_begin(self, now: float) -> list[tuple[str, ScanKey, bool]]:
        """The files that are to be read now from their beginning, and whether they may grow."""
        begun = []
        for path in [path for path, due in self._resting.items() if due <= now]:
            del self._resting[path]
            cutting = self._by_path[path]
            begun.append((path, cutting.key, cutting.grows))
        waits = len(self._to_begin) + len(self._resting)
        while self._to_begin and len(self._by_path) - waits < CUTS_AT_ONCE:
            path = self._to_begin.popleft()
            waits -= 1
            cutting = self._by_path[path]
            begun.append((path, cutting.key, cutting.grows))
        return begun

    def take_slice(self, part: SliceSighting, now: float) -> bool:
        """Takes the next slice of a file. Returns False if this file is not being cut."""
        cutting = self._by_path.get(part.path)
        if cutting is None or cutting.key != part.key:
            return False
        if not cutting.is_read:
            cutting.parts.append(part)
            if part.still and cutting.is_read and cutting.grew:
                cutting.bound = self._resting[part.path] = now + GROWS_ON_S
            return True
        is_early = not cutting.again and part.still and part.before == cutting.parts[-1].after
        if is_early and cutting.bound is not None and now < cutting.bound:
            self._resting[part.path] = cutting.bound
            return True
        cutting.again.append(part)
        return True

    def rests(self, path: str) -> bool:
        """Whether the second reading of the file waits for the next write."""
        return path in self._resting

    def next_offset(self, path: str) -> int | None:
        """Where the next slice of this file begins, in bytes; None: the file has been read.

        A file that grew during the first reading is read twice, with another write in between by
        which it grew. A file that is only appended to has the same first bytes in both readings.
        The bytes of a file that is rewritten, and got longer by that, would be a state that the
        file never had.
        """
        cutting = self._by_path[path]
        if not cutting.is_read:
            return cutting.parts[-1].end
        if not cutting.grew or cutting.is_read_again:
            return None
        return cutting.again[-1].end if cutting.again else 0

    def may_grow(self, path: str) -> bool:
        return self._by_path[path].grows

    def result_of(self, path: str) -> Cut:
        """Returns the result. The file is no longer being cut."""
        cutting = self._by_path.pop(path)
        parts = cutting.parts
        noise = any(part.noise for part in parts) and not any(part.known for part in parts)
        rows = b"".join(part.rows for part in parts)
        is_same = rows == b"".join(part.rows for part in cutting.again)
        torn = cutting.grew and (cutting.stopped or not is_same)
        return Cut(rows, noise, cutting.grew, torn)
