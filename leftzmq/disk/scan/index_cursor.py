"""Reads our index of a share in step with a walk: one key ahead, page by page.

Knows sort keys. Must not know folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from leftzmq.tree.entry import ScanKey
from leftzmq.tree.path import sort_key

Ours = Callable[[bytes, int], list[tuple[bytes, ScanKey | None]]]
"""ours(after, limit): (sort key, ScanKey) of the live entries in our index, in key order, strictly
after `after`, at most `limit`. Empty only at the end. ScanKey None: equal to no stat."""

OURS_AT_ONCE: Final = 1000
OURS_AT_FIRST: Final = 8
"""Most walks are of a new folder that the index has no entries for, so the entries behind it need
not be read. A first page of 1,000 was five sixths of such a walk, which took 0.9 ms."""
_GROWTH: Final = 5  # times the page before: 8, 40, 200, 1,000


class IndexCursor:
    """A cursor over our index below `prefix`. `key` is the next key; None after the last one."""

    __slots__ = ("_after", "_end", "_ours", "_page", "_size", "key", "scan")

    def __init__(self, ours: Ours, prefix: str) -> None:
        self._ours, self._size = ours, OURS_AT_FIRST
        # No key contains 0xff (it is not UTF-8), so no key equals one of these limits.
        first = sort_key(prefix)
        self._after = first[:-1] + bytes((first[-1] - 1, 0xFF)) if first else b""
        self._end = first + b"\0\xff" if first else b"\xff"
        self._page: Iterator[tuple[bytes, ScanKey | None]] = iter(())
        self.key: bytes | None = None
        self.scan: ScanKey | None = None
        self.next()

    def next(self) -> None:
        found = next(self._page, None)
        if found is None:
            page = self._ours(self._after, min(self._size, OURS_AT_ONCE))
            self._size *= _GROWTH
            if page:
                self._after = page[-1][0]
            self._page = iter(page)
            found = next(self._page, None)
        if found is None or found[0] > self._end:
            self.key = self.scan = None
        else:
            self.key, self.scan = found

    def skip(self, key: bytes) -> None:
        """Skip `key` and all keys below it."""
        border = key + b"\0\xff" if key else b"\xff"
        if self.key is not None and self.key < border:
            self._page, self._after = iter(()), border
            self.next()
