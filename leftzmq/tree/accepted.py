"""Which versions a user has let pass the guard: ranges of counters for each life.

The set only grows by joining, so it may be passed on in any order and any number of times. Pure.
Must not know how the ranges travel or where they are kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from leftzmq.tree.entry import Entry
from leftzmq.tree.version import LIFE_BYTES, Life, birth

MAX_RANGES: Final = 64
"""The ranges of the youngest lives stay. One decision makes one range for each writer of the
versions that it covers: mostly one."""

Range = tuple[Life, int, int]
"""(writer, lowest counter, highest counter), both included; counters begin at 1."""

_PACKED: Final = struct.Struct(f">{LIFE_BYTES}sQQ")


class Accepted(Struct, frozen=True):
    """ranges: in ascending order; those of one life do not touch each other."""

    ranges: tuple[Range, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def covers(self, entry: Entry) -> bool:
        """Whether a user let this version pass."""
        return any(
            life == entry.writer and low <= entry.counter <= high for life, low, high in self.ranges
        )

    def joined(self, other: Accepted) -> Accepted:
        """What either of the two lets pass, cut to MAX_RANGES."""
        if other.ranges == self.ranges or not other.ranges:
            return self
        return Accepted(_cut(_merged((*self.ranges, *other.ranges))))

    def includes(self, other: Accepted) -> bool:
        """Whether everything that `other` lets pass is let pass here, too."""
        return all(
            any(life == ours and at <= low and high <= end for ours, at, end in self.ranges)
            for life, low, high in other.ranges
        )

    def upto(self, life: Life, head: int) -> Accepted:
        """This set without versions that this life has not announced yet: those above `head`."""
        kept = [
            (each, low, min(high, head) if each == life else high)
            for each, low, high in self.ranges
            if each != life or low <= head
        ]
        return Accepted(tuple(kept))

    def pack(self) -> bytes:
        return b"".join(_PACKED.pack(*each) for each in self.ranges)

    @classmethod
    def unpack(cls, packed: bytes) -> Accepted:
        """The inverse of `pack`."""
        return cls(
            tuple((Life(life), low, high) for life, low, high in _PACKED.iter_unpack(packed))
        )


NOTHING: Final = Accepted()


def _merged(ranges: Iterable[Range]) -> list[Range]:
    out: list[Range] = []
    for life, low, high in sorted(ranges):
        if out and out[-1][0] == life and low <= out[-1][2] + 1:
            out[-1] = (life, out[-1][1], max(out[-1][2], high))
        else:
            out.append((life, low, high))
    return out


def _cut(ranges: list[Range]) -> tuple[Range, ...]:
    if len(ranges) > MAX_RANGES:
        ranges = sorted(ranges, key=lambda each: (birth(each[0]), each))[-MAX_RANGES:]
    return tuple(sorted(ranges))
