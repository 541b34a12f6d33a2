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
    key: ScanKey
    parts: list[SliceSighting] = field(default_factory=list)


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

    def wants(self, path: str, key: ScanKey) -> None:
        """The file of this key is to be cut when it is its turn."""
        self._by_path[path] = _Cutting(key)
        self._to_begin.append(path)

    def begin(self) -> list[tuple[str, ScanKey]]:
        """Those whose turn it is now."""
        begun = []
        while self._to_begin and len(self._by_path) - len(self._to_begin) < CUTS_AT_ONCE:
            path = self._to_begin.popleft()
            begun.append((path, self._by_path[path].key))
        return begun

    def take(self, part: SliceSighting) -> bool:
        """The next slice of a file. False: not of one that is being cut."""
        cutting = self._by_path.get(part.path)
        if cutting is None or cutting.key != part.key:
            return False
        cutting.parts.append(part)
        return True

    def end(self, path: str) -> tuple[bytes, bool]:
        """All rows so far, and whether the file looks encrypted; it is not being cut any more."""
        parts = self._by_path.pop(path).parts
        noise = any(part.noise for part in parts) and not any(part.known for part in parts)
        return b"".join(part.rows for part in parts), noise
