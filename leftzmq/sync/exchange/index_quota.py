"""Limits how much of other devices' indexes may be stored: by device, and by the free space of the
state directory's disk.

Knows limits, and the free bytes that a job reported. Must not know pages, nor what waits meanwhile.
"""

from __future__ import annotations

from typing import Final

from leftzmq.config import Limits
from leftzmq.errors import counted
from leftzmq.sync.actions import Work
from leftzmq.sync.jobs import IndexRoomSeen, LookForIndexRoom
from leftzmq.sync.versions.peer_counts import HeldCount

SPARE_BYTES: Final = 16 << 20
"""Allowance of each device, beyond the average size of its entries."""
ON_DISK: Final = 2
"""A row takes this many times its size in the database and its -wal together: 2.5 to 3.6 were
measured (tests/unit/sync/exchange/test_index_bounds.py)."""
LOOK_BYTES: Final = 4 << 20  # of rows that others announced between two checks of the disk
UNSEEN_BYTES: Final = 64 << 20  # on the disk, before the first check has ended
LOOK_PERIOD_S: Final = 5.0  # while there is no space


class IndexQuota:
    """One per folder."""

    def __init__(self, folder: str, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._left = UNSEEN_BYTES
        self._unlooked = LOOK_BYTES  # so the first page starts a check
        self._looking = False
        self._look_at: float | None = None

    def tune(self, limits: Limits) -> None:
        self._limits = limits

    # -- how much one device may announce ----------------------------------------------------------

    def too_large(self, held: HeldCount, more: HeldCount, ours: int) -> str:
        """Return why a device that announced `held` may not announce `more`; "" if it may. ours:
        the number of our own entries: twice as many at another device are not unusual."""
        entries, size = held.entries + more.entries, held.bytes + more.bytes
        most = max(self._limits.index_entries, 2 * ours)
        if more.entries > 0 and entries > most:
            return f"over {most} entries: index_entries = {self._limits.index_entries}"
        bears = SPARE_BYTES + entries * self._limits.index_entry_bytes
        if more.bytes > 0 and size > bears:
            average = self._limits.index_entry_bytes
            count = counted(entries, "entry", "entries")
            return f"{count} of {size >> 20} MiB: index_entry_bytes = {average}"
        return ""

    # -- how much the disk can take ----------------------------------------------------------------

    @property
    def is_left(self) -> bool:
        return self._left > 0

    def spend(self, size: int, now: float) -> None:
        """Count `size` bytes of rows that were stored."""
        self._left -= ON_DISK * size
        self._unlooked += size
        if self._look_at is None and (self._unlooked >= LOOK_BYTES or not self.is_left):
            self._look_at = now

    def deadline(self) -> float | None:
        return None if self._looking else self._look_at

    def on_time_passed(self, now: float) -> list[Work]:
        if self._looking or self._look_at is None or now < self._look_at:
            return []
        self._looking, self._look_at, self._unlooked = True, None, 0
        return [Work(LookForIndexRoom(self._folder))]

    def on_index_room_seen(self, fact: IndexRoomSeen, now: float) -> None:
        self._looking, self._left = False, fact.fits_bytes
        if not self.is_left:
            self._look_at = now + LOOK_PERIOD_S
