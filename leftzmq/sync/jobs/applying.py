"""Jobs that change the share, look for disk space, or count how many changes lose a file."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.disk.apply.outcome import Outcome
from leftzmq.errors import Stop
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.plan import Operation


@dataclass(frozen=True, slots=True)
class Apply:
    """A batch of operations, in order; steps 2 to 4 of the write order (docs/design.md)."""

    folder: str
    batch: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """stop: the share is not there, or is not the one that we know: nothing was done."""

    folder: str
    batch: int
    outcomes: tuple[Outcome, ...]
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class LookForRoom:
    """How many bytes fit onto the disk where `path` is to be?"""

    folder: str
    path: str


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """fits_bytes: the bytes that may be added until the floor of free space is reached; negative
    below it."""

    folder: str
    fits_bytes: int


@dataclass(frozen=True, slots=True)
class MakeRoom:
    """Free space in the trash (disk/trash/make_room) until `need_bytes` fit at `path`, or free
    nothing if that is impossible. The first job of a number begins it. spare_day: nothing of the
    last day is deleted."""

    folder: str
    number: int
    path: str
    need_bytes: int
    spare_day: bool


@dataclass(frozen=True, slots=True)
class RoomMade:
    """files, bytes: what this step deleted
    fits_bytes: as in RoomSeen
    stop: the share is not there, or is not the one that we know: nothing was done
    """

    folder: str
    number: int
    files: int
    bytes: int
    fits_bytes: int
    done: bool
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class CountLosses:
    """Go on counting (index/losses) how many files of ours the announced changes would lose. The
    first job of a number begins it.

    reach: bits of the devices that can be asked
    accepted: what does not count
    """

    folder: str
    number: int
    reach: int
    accepted: Accepted


@dataclass(frozen=True, slots=True)
class LossesCounted:
    folder: str
    number: int
    files: int
    done: bool
