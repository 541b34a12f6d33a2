"""Who may read, write and run a file, or enter a folder: nine bits with a version of their own.

A change of mode is never a conflict with a change of content: each path has one register, and of
all registers that a device knows for it the highest one holds, whatever the content does. A file
that was never told about has none: its mode is what each device gives a new file.

Knows bits, and which of them are meant. Must not know disks: some keep no bits, or only one.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct

from leftzmq.tree.version import Life

ALL_BITS: Final = 0o777
RUN_BITS: Final = 0o111
OWNER_READS: Final = 0o400
"""Always set of a file: a device could not send what it may not read."""
OWNER_WORKS: Final = 0o700
"""Always set of a folder: a device could neither list it nor put anything into it."""
MAX_NUMBER: Final = 2**53
MAX_NUMBER_LEAP: Final = 2**32
"""No register that is ahead of ours by more changes than this is taken: else one register at
MAX_NUMBER would leave no number above it for anybody's change."""
_NUMBER_BYTES: Final = 8


class ModesKept(Enum):
    """Which bits a device keeps in a folder. The value is the word in the config."""

    ALL = "all"
    EXEC = "exec"
    NONE = "none"

    def least(self, other: ModesKept) -> ModesKept:
        """What is kept where both apply."""
        order = list(ModesKept)
        return max(self, other, key=order.index)

    def keeps(self, is_file: bool) -> bool:
        """Whether any bit of such a thing is kept: a folder has none that says that it runs."""
        return self is ModesKept.ALL or (self is ModesKept.EXEC and is_file)


class Permissions(Struct, frozen=True, gc=False):
    """The register of one path: `bits`, as they were set by the change `number` of `writer`.

    number: 1 for the first change that was told, then one more than that of the register before
    mask: ALL_BITS, or RUN_BITS where the writer keeps no others: then any of `bits` means that the
        file may be run
    """

    number: int
    writer: Life
    bits: int
    mask: int = ALL_BITS

    @property
    def rank(self) -> tuple[int, bytes, int, int]:
        """A total order. Honest writers differ in the first two."""
        return (self.number, self.writer, self.mask, self.bits)

    @property
    def runs(self) -> bool:
        return bool(self.bits & RUN_BITS)

    def above(self, other: Permissions | None, writer: Life) -> Permissions:
        """This mode, as a change of `writer` above `other`, if it is not above it already."""
        if other is None or self.rank > other.rank:
            return self
        return Permissions(other.number + 1, writer, self.bits, self.mask)

    def leaps(self, ours: Permissions | None) -> bool:
        """Whether this register is nearer to MAX_NUMBER than changes of `ours` lead."""
        return self.number > (ours.number if ours else 0) + MAX_NUMBER_LEAP

    def pack(self) -> bytes:
        """24 bytes."""
        number = self.number.to_bytes(_NUMBER_BYTES, "big")
        return number + self.writer + self.bits.to_bytes(2, "big") + self.mask.to_bytes(2, "big")

    @classmethod
    def unpack(cls, packed: bytes) -> Permissions:
        """The inverse of `pack`."""
        number = int.from_bytes(packed[:_NUMBER_BYTES], "big")
        bits, mask = packed[-4:-2], packed[-2:]
        writer = Life(packed[_NUMBER_BYTES:-4])
        return cls(number, writer, int.from_bytes(bits, "big"), int.from_bytes(mask, "big"))


def higher(one: Permissions | None, other: Permissions | None) -> Permissions | None:
    """The one that holds of two registers of a path."""
    if one is None or other is None:
        return one or other
    return one if one.rank >= other.rank else other


def changed(before: Permissions | None, writer: Life, mode: int, kept: ModesKept) -> Permissions:
    """The register after a user of a device that keeps these bits gave something this mode.

    A device that keeps x alone leaves the other bits as they are: x is set where r is.
    """
    number = before.number + 1 if before else 1
    if kept is ModesKept.ALL:
        return Permissions(number, writer, mode & ALL_BITS)
    runs = bool(mode & RUN_BITS)
    if before is None or before.mask == RUN_BITS:
        return Permissions(number, writer, RUN_BITS if runs else 0, RUN_BITS)
    bits = before.bits & ~RUN_BITS
    return Permissions(number, writer, bits | (bits & 0o444) >> 2 if runs else bits)
