"""Captures the packets on the loopback interface, to show that nothing in them is readable. Linux,
as root."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Final, Self

_ALL_PROTOCOLS: Final = 3  # ETH_P_ALL
_BUFFER_BYTES: Final = 32 << 20
_LOOK_S: Final = 0.2
_LATE_S: Final = 5.0
"""The time in which packets that were sent are expected."""


def can_capture() -> bool:
    return hasattr(socket, "AF_PACKET") and os.geteuid() == 0


class Capture:
    """All packets from the beginning of the block to its end. Raises OSError."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(_LOOK_S)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def until(self, count: int) -> bytes:
        """Return the captured bytes when there are at least `count`; or what was captured after a
        while."""
        end = time.monotonic() + _LATE_S
        while len(self.seen) < count and time.monotonic() < end:
            time.sleep(_LOOK_S / 4)
        return bytes(self.seen)

    def _take(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                self.seen += self._socket.recv(1 << 17)
