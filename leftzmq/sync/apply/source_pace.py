"""How fast the small changes of one source are carried out while others change something, too.

A device that changes thousands of files makes every device of the folder work: look, apply, write
to its index, announce, log. While others change something as well, that work is done in short
pieces with rests between them, so that an edit of theirs waits for one piece and not for all. A
source that changes files alone takes all of the time.

Knows lanes, how much of a batch belongs to which lane, and time. Must not know what is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zlib import crc32

Lane = tuple[int, int]
"""The changes of some writers that one device (by its bit in the index) announced. A device that
announces an edit may also have announced another device's flood: the edit does not wait behind it.
"""

WRITER_LANES: Final = 64
ACTIVE_S: Final = 5.0
"""A source counts as active for this long after a change. People save less often; what follows a
save of a program (build, sync of a phone) comes within this time."""
RESTS_FROM: Final = 8
"""Operations of one lane in a batch; a lane with fewer does not rest after it."""
REST: Final = 2.0
"""The rest, as a multiple of the time that the batch and what follows from it took."""
AFTERWARDS_S: Final = 0.0006
"""What follows from an operation when its batch is over: the look at what it made, the row, the
news, the events. Measured for directories (bench/siege.py, "W4 folders"): 0.8 ms of processor time
each in all, of which the batch is 0.2."""
OPERATIONS_ALONE: Final = 128
OPERATIONS_SHARED: Final = 32
_USER: Final = (0, -1)


def lane_of(bit: int, writer: bytes) -> Lane:
    """The lane of a change. A device can name as many writers as it likes: they share WRITER_LANES
    lanes."""
    return bit, crc32(writer) % WRITER_LANES


class SourcePace:
    """The pace of the sources of one folder."""

    def __init__(self) -> None:
        self._active: dict[Lane, float] = {}  # when the lane last changed something
        self._rests: dict[Lane, float] = {}  # until when

    def user_changed(self, now: float) -> None:
        """Something changed in our share that the applier did not do."""
        self._active[_USER] = now

    def operations(self, now: float) -> int:
        """How many operations a batch may have."""
        self._forget(now)
        shared = _USER in self._active or len(self._active) > 1
        return OPERATIONS_SHARED if shared else OPERATIONS_ALONE

    def began(self, lanes: Mapping[Lane, int], now: float) -> None:
        """A batch of so many operations of each lane began."""
        self._active.update(dict.fromkeys(lanes, now))

    def batch_ended(self, lanes: Mapping[Lane, int], began: float, now: float) -> None:
        """A batch that began at `began` ended."""
        self._forget(now)
        if len(self._active.keys() | lanes.keys()) > 1:
            for lane, operations in lanes.items():
                if operations >= RESTS_FROM:
                    took = now - began + operations * AFTERWARDS_S
                    self._rests[lane] = now + REST * took

    def resting(self, now: float) -> frozenset[Lane]:
        """The lanes of which nothing is to be begun now."""
        self._rests = {lane: until for lane, until in self._rests.items() if now < until}
        return frozenset(self._rests)

    def deadline(self) -> float | None:
        """When the first lane has rested (monotonic)."""
        return min(self._rests.values(), default=None)

    def _forget(self, now: float) -> None:
        self._active = {lane: at for lane, at in self._active.items() if now - at < ACTIVE_S}
