"""A wake-up for the loop: any thread, or a signal handler, can make its poller return.

Knows a pipe. Must not know the reason for a wake-up.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Final

_ENOUGH_BYTES: Final = 64  # more than ever wait: signal.set_wakeup_fd may add some bytes


class Wake:
    """`fd` is readable after `signal()`, until `clear()`.

    A thread stores its result where the loop looks BEFORE it signals; the loop clears BEFORE it
    looks. So no result is missed, although several signals may become one. `signal_fd` may be given
    to signal.set_wakeup_fd.
    """

    def __init__(self) -> None:
        self.fd, self.signal_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self.signal_fd, False)
        # Locked = a byte is on its way. Acquired without waiting, so a signal handler that
        # interrupts the loop inside clear() cannot deadlock.
        self._pending = threading.Lock()

    def signal(self) -> None:
        if self._pending.acquire(blocking=False):
            # A full pipe wakes the loop as well; a closed one belongs to a loop that has ended.
            with suppress(BlockingIOError, OSError):
                os.write(self.signal_fd, b"\0")

    def clear(self) -> None:
        """Only for the thread that owns the loop."""
        with suppress(BlockingIOError):
            os.read(self.fd, _ENOUGH_BYTES)
        if self._pending.locked():
            self._pending.release()

    def close(self) -> None:
        # From now on no signal writes to the descriptor, which another file may get.
        self._pending.acquire(blocking=False)
        os.close(self.signal_fd)
        os.close(self.fd)
