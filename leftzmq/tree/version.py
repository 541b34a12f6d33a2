"""Lives, version vectors and ranks: who made a version, and what its maker had seen.

The rules are those of docs/design.md, "Versions", and were model-checked. A vector only ever says
whether another version had SEEN a version; the rank alone says which version wins.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final, NewType

from msgspec import Struct

Life = NewType("Life", bytes)
"""12 bytes: 4 of the device key's hash, 4 of unix time (big-endian), 4 random.

One device, one folder, one START of the agent: no other start has the same life.
"""

LIFE_BYTES: Final = 12
PRIVATE: Final = Life(b"\xff" * LIFE_BYTES)
"""The writer of a private version, which is told to nobody. It is the highest of all lives, and no
device's: so among versions of one stamp a private one is the winner."""
DEVICE_MARK_BYTES: Final = 4
MAX_COUNTER: Final = 2**53
MAX_STAMP: Final = 2**62
MAX_WRITERS: Final = 64

_COUNTER_BYTES = 8
_PAIR_BYTES = LIFE_BYTES + _COUNTER_BYTES


def make_life(device_mark: bytes, unix_time_s: int, random: bytes) -> Life:
    """A new life from 4 bytes of the device key's hash, the unix time and 4 random bytes."""
    assert len(device_mark) == DEVICE_MARK_BYTES and len(random) == 4
    return Life(device_mark + (unix_time_s & 0xFFFFFFFF).to_bytes(4, "big") + random)


def device_letters(writer: Life) -> str:
    """The 7 base32 letters that stand for the writer's device in the name of a conflict copy."""
    return base64.b32encode(writer[:DEVICE_MARK_BYTES]).decode()[:7]


def is_by(writer: Life, device_mark: bytes) -> bool:
    """Whether the device of this mark (content/keys) wrote it, in any of its lives."""
    return writer.startswith(device_mark)


def birth(writer: Life) -> int:
    """The unix time, in seconds, at which this life began, as the life itself says."""
    return int.from_bytes(writer[4:8], "big")


class Vector(Struct, frozen=True, gc=False):
    """{writer: counter}, in ascending order of the writer; at most MAX_WRITERS.

    packed: 20 bytes for each pair, the writer and then the counter big-endian. The index and the
    wire hold this form: most vectors are never unpacked.
    """

    packed: bytes = b""

    @classmethod
    def of(cls, pairs: Iterable[tuple[Life, int]]) -> Vector:
        """From pairs in ascending order of the writer."""
        return cls(b"".join(w + c.to_bytes(_COUNTER_BYTES, "big") for w, c in pairs))

    @property
    def pairs(self) -> tuple[tuple[Life, int], ...]:
        packed = self.packed
        return tuple(
            (
                Life(packed[at : at + LIFE_BYTES]),
                int.from_bytes(packed[at + LIFE_BYTES : at + _PAIR_BYTES], "big"),
            )
            for at in range(0, len(packed), _PAIR_BYTES)
        )

    def counter(self, writer: Life) -> int:
        """The counter of `writer`; 0 if the vector does not have it."""
        packed = self.packed
        for at in range(0, len(packed), _PAIR_BYTES):
            if packed[at : at + LIFE_BYTES] == writer:
                return int.from_bytes(packed[at + LIFE_BYTES : at + _PAIR_BYTES], "big")
        return 0

    def saw(self, writer: Life, counter: int) -> bool:
        """Whether the version that `writer` made under `counter` was seen."""
        return self.counter(writer) >= counter

    def with_own(self, writer: Life, counter: int, base_writer: Life | None) -> Vector:
        """This vector with our own counter set, cut to MAX_WRITERS.

        Our own and the base's writer are always kept, then the youngest lives: dropping a very old
        one costs at worst one conflict copy too many.
        """
        assert 0 < counter <= MAX_COUNTER
        merged = dict(self.pairs)
        merged[writer] = counter
        keep = {writer} if base_writer is None else {writer, base_writer}
        return Vector.of(_cut(merged, keep))

    def joined(self, other: Vector, keep: Iterable[Life]) -> Vector:
        """The pairwise maximum. Only versions of the same kind and content, and deletes, may ever
        be joined."""
        if self.packed == other.packed:
            return self
        merged = dict(self.pairs)
        for writer, counter in other.pairs:
            if merged.get(writer, 0) < counter:
                merged[writer] = counter
        return Vector.of(_cut(merged, set(keep)))

    def pack(self) -> bytes:
        return self.packed

    @classmethod
    def unpack(cls, packed: bytes) -> Vector:
        """The inverse of `pack`. Raises ValueError for a length that no vector packs to."""
        if len(packed) % _PAIR_BYTES:
            raise ValueError("a packed vector is a multiple of 20 bytes")
        return cls(packed)


def _cut(merged: dict[Life, int], keep: set[Life]) -> tuple[tuple[Life, int], ...]:
    if len(merged) > MAX_WRITERS:
        others = sorted((w for w in merged if w not in keep), key=lambda w: (birth(w), w))
        for writer in others[: len(merged) - MAX_WRITERS]:
            del merged[writer]
    return tuple(sorted(merged.items()))
