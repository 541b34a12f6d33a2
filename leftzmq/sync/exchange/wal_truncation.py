"""Truncates the write-ahead log of an index after much was written, when nothing else is to be
done.

Knows how long the log is, and time. Must not know what is in it. SQLite does not restart the log
while another connection keeps writing during a checkpoint: the log grows with the work and stays
long.
"""

from __future__ import annotations

from typing import Final

from leftzmq.index.schema import CHECKPOINT_BYTES
from leftzmq.index.store import Store

QUIET_S: Final = 1.0
"""The time after the last commit of other code."""
BETWEEN_S: Final = 0.25
"""The time between two truncations. Meanwhile a worker copies the log into the database."""
BETWEEN_MAX_S: Final = 60.0
"""The longest interval, used when the log does not get shorter because another program keeps
reading it."""


class WalTruncation:
    """One per folder."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._commits = 0
        self._length = 0  # before the last truncation
        self._between_s = BETWEEN_S
        self._due = 0.0  # monotonic

    def on_time_passed(self, now: float) -> None:
        """Truncate a part of the log, if it is time; the commit of this turn does it."""
        length = self._store.log_length
        if length <= CHECKPOINT_BYTES:
            return
        if self._commits != self._store.commits:
            self._commits, self._due = self._store.commits, now + QUIET_S
        elif now >= self._due:
            helps = self._length == 0 or length < self._length
            self._between_s = BETWEEN_S if helps else min(2 * self._between_s, BETWEEN_MAX_S)
            self._store.cut_log()
            self._commits, self._length = self._store.commits + 1, length
            self._due = now + self._between_s

    def deadline(self) -> float | None:
        """Return when `on_time_passed` has something to do (monotonic seconds)."""
        return self._due if self._store.log_length > CHECKPOINT_BYTES else None
