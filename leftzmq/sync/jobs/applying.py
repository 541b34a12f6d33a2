"""Changes of the share, whether there is room for them, and how many of them lose a file."""

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
    """stop: the share is not there, or is not the one we know: nothing was done."""

    folder: str
    batch: int
    outcomes: tuple[Outcome, ...]
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class LookForRoom:
    """How much may come onto the disk where `path` is to be?"""

    folder: str
    path: str


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """fits_bytes: so much more leaves the floor of free space; negative below it."""

    folder: str
    fits_bytes: int


@dataclass(frozen=True, slots=True)
class MakeRoom:
    """Let the trash give way (disk/trash/make_room) until `need_bytes` may come to `path`, or to
    nothing if it cannot; the first job of a number begins it. spare_day: nothing of the last day
    goes."""

    folder: str
    number: int
    path: str
    need_bytes: int
    spare_day: bool


@dataclass(frozen=True, slots=True)
class RoomMade:
    """files, bytes: what this step let go of. fits_bytes: as of RoomSeen. stop: the share is not
    there, or is not the one we know: nothing was done."""

    folder: str
    number: int
    files: int
    bytes: int
    fits_bytes: int
    done: bool
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class CountLosses:
    """Go on counting (index/losses) how many files of ours would be lost by what was heard of; the
    first job of a number begins it. reach: bits of the devices that can be asked. accepted: what
    does not count."""

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
