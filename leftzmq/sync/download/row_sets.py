"""Sets of rows of a file, as ints: bit i stands for row i.

A file has up to four million rows, and each operation on such an int copies half a MiB. So many
rows are never added or removed one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

_BITS = bytes(1 << at for at in range(8))
_DIGITS = bytes.maketrans(b"01", b"\0\1")


def set_of(rows: Collection[int]) -> int:
    """Return the set of these rows."""
    if not rows:
        return 0
    bits = bytearray(max(rows) // 8 + 1)
    for row in rows:
        bits[row >> 3] |= _BITS[row & 7]
    return int.from_bytes(bits, "little")


def set_of_runs(runs: Iterable[range]) -> int:
    """Return the set of the rows in these ranges."""
    some = [run for run in runs if run]
    if not some:
        return 0
    bits = bytearray(max(run.stop for run in some) // 8 + 1)
    for run in some:
        first, last = run.start >> 3, (run.stop - 1) >> 3
        head, tail = 0xFF << (run.start & 7) & 0xFF, 0xFF >> (7 - (run.stop - 1 & 7))
        if first == last:
            bits[first] |= head & tail
            continue
        bits[first] |= head
        bits[first + 1 : last] = b"\xff" * (last - first - 1)
        bits[last] |= tail
    return int.from_bytes(bits, "little")


def marks_of(rows: int, count: int) -> bytearray:
    """Return a byte for each of `count` rows: 1 where the row is in the set."""
    digits = f"{rows:b}"[::-1].encode().translate(_DIGITS) if rows else b""
    return bytearray(digits[:count].ljust(count, b"\0"))
