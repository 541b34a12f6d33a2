"""Writes lines to a descriptor that may block, be full or be closed, without ever blocking the
caller.

A terminal that is held with Ctrl-S, a pipe that nobody reads, or a full disk must not stop the code
that writes a log. Lines that do not fit are counted, and the count is written in their place. Knows
bytes and one thread. Must not know what a line says.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

MAX_WAITING_BYTES: Final = 1 << 20
"""Some 10,000 lines of a log; while so much waits, further lines are lost."""
LINE_BYTES: Final = 100  # of each waiting line, in addition to its text


class LineWriter:
    """One descriptor. `put` and `close` are for one thread.

    lost: returns the line that says how many lines are missing.
    """

    def __init__(self, fd: int, lost: Callable[[int], str]) -> None:
        self._fd, self._lost = fd, lost
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._missing = 0  # lines lost since the last line that was put
        # Each is written by one thread only; reading a slightly old value in the other one does no
        # harm.
        self._put_bytes = self._taken_bytes = 0
        self._failed = 0  # lines that could not be written; not reported yet
        self._thread = threading.Thread(target=self._write_all, name="outlet", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queue this line for writing; never waits, never fails."""
        text = f"{self._lost(self._missing)}\n{line}\n" if self._missing else f"{line}\n"
        data = text.encode(errors="backslashreplace")
        size = len(data) + LINE_BYTES
        if self._put_bytes - self._taken_bytes + size > MAX_WAITING_BYTES:
            self._missing += 1
            return
        self._missing = 0
        self._put_bytes += size
        self._lines.put(data)

    def close(self, timeout_s: float) -> bool:
        """Wait until all is written, for `timeout_s` at most. Return False if it is not."""
        if self._missing:
            self._lines.put(f"{self._lost(self._missing)}\n".encode())
            self._missing = 0
        self._lines.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _write_all(self) -> None:
        while (data := self._lines.get()) is not None:
            if self._failed:
                failed, self._failed = self._failed, 0
                self._write(f"{self._lost(failed)}\n".encode(), failed)
            self._write(data, 1)
            self._taken_bytes += len(data) + LINE_BYTES

    def _write(self, data: bytes, lines: int) -> None:
        """lines: how many lines are lost if this fails."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # another process made it non-blocking
                room = select.poll()  # select() takes no descriptor from 1,024 on
                room.register(self._fd, select.POLLOUT)
                room.poll()
            except OSError:
                self._failed += lines
                return
