"""The write-ahead log of an index that had much to write is cut back when nothing is to be done.

Knows how long the log is, and time. Must not know what is in it. A log that is moved into the
database while somebody goes on writing is not begun anew: it grows with the work, and stays so.
"""

from __future__ import annotations

from typing import Final

from leftzmq.index.schema import CHECKPOINT_BYTES
from leftzmq.index.store import Store

QUIET_S: Final = 1.0
"""After the last commit of somebody else."""
BETWEEN_S: Final = 0.25
"""Between two cuts: meanwhile a worker moves what was written into the database."""
BETWEEN_MAX_S: Final = 60.0
"""Where it does not get shorter, as another program goes on reading what is in it."""


class WalTruncation:
    """Of one folder."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._commits = 0
        self._length = 0  # before the last cut
        self._between_s = BETWEEN_S
        self._due = 0.0  # monotonic

    def on_time_passed(self, now: float) -> None:
        """Cut a piece off, if it is time; the commit of this turn does it."""
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
        """When `tick` has something to do (monotonic)."""
        return self._due if self._store.log_length > CHECKPOINT_BYTES else None
