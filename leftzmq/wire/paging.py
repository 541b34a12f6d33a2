"""Decides how much of a long list fits into one answer to the command line.

Knows counts and bytes. Must not know what is listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from msgspec import to_builtins

from leftzmq.wire.local import packed_bytes

PAGE_ITEMS: Final = 1_000
PAGE_BYTES: Final = 512 << 10
"""About 5 ms of the loop to pack."""

T = TypeVar("T")


def fitting(items: Iterable[T], most: int, most_bytes: int) -> tuple[list[T], bool]:
    """Return the first items, as values of a reply, within `most` items and `most_bytes` bytes; and
    whether these are all. At least one item is returned, if there is any."""
    page: list[T] = []
    left = most_bytes
    for item in items:
        left -= packed_bytes(to_builtins(item))
        if page and (left < 0 or len(page) >= most):
            return page, False
        page.append(item)
    return page, True
