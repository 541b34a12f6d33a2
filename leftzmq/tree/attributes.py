"""What is synced of a path beside its bytes: one value, compared and carried as a whole.

Knows which attributes there are, and which of them a device compares. Must not know how a disk
keeps them: some cannot.

A link has none of its own, a directory has a mode and no mtime. The mtime belongs to the version of
the path; the mode has a version of its own (tree/permissions).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from leftzmq.tree.permissions import ALL_BITS, RUN_BITS, ModesKept, Permissions

NO_MODE: Final = -1
"""Of a stat that an earlier release wrote down."""


class Attributes(NamedTuple):
    """mtime_ns: ns since the epoch, of a file. exec: whether its owner may run it, of a file. bits:
    all nine of its mode, with those that its owner always has; None: they are not known, or not
    meant"""

    mtime_ns: int
    exec: bool
    bits: int | None = None

    def agrees(self, other: Attributes, kept: ModesKept = ModesKept.ALL) -> bool:
        """Whether both are the same, as far as a device can tell that keeps these bits."""
        return self.mtime_ns == other.mtime_ns and self.same_mode(other, kept)

    def as_kept(self, kept: ModesKept) -> Attributes:
        """What of them a device sets that keeps these bits."""
        return self if kept is ModesKept.ALL else self._replace(bits=None)

    def same_mode(self, other: Attributes, kept: ModesKept = ModesKept.ALL) -> bool:
        """As `agrees`, of the mode alone."""
        match kept:
            case ModesKept.NONE:
                return True
            case ModesKept.ALL if self.bits is not None and other.bits is not None:
                return self.bits == other.bits
        return self.exec == other.exec


def seen(mtime_ns: int, exec: bool, mode: int, always: int) -> Attributes:
    """What a stat showed. always: the bits that its owner always has. mode: nine bits, or
    NO_MODE."""
    return Attributes(mtime_ns, exec, None if mode == NO_MODE else mode & ALL_BITS | always)


def said(
    mtime_ns: int, exec: bool, permissions: Permissions | None, *, is_file: bool
) -> Attributes:
    """What an entry says. exec: of the version; it counts where no register says it."""
    if permissions is None:
        return Attributes(mtime_ns, exec)
    bits = None if permissions.mask == RUN_BITS else permissions.bits
    return Attributes(mtime_ns, is_file and permissions.runs, bits)
