"""Reads one socket a bounded amount at a time, so that no socket starves the others.

Knows frames. Must not know what is in them or who may send them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import zmq

_MAX_SKIPPED_A_TURN: Final = 4096  # frames of a message that is too long; about 2 ms


@dataclass(slots=True)
class BoundedReader:
    """A socket to read from.

    messages: how many messages are taken in one turn
    frames: how many frames one message may have. Of a longer message `frames` + 1 frames are
        returned, and the rest is skipped, over several turns if necessary (libzmq does not limit
        the frames of a message)
    """

    socket: zmq.Socket[bytes]
    messages: int
    frames: int
    _skipping: bool = False

    def read_some(self) -> Iterator[list[zmq.Frame]]:
        """Yield waiting messages, at most `messages`. An over-long message has `frames` + 1
        frames."""
        for _ in range(self.messages):
            if self._skipping and not self._skip():
                return
            try:
                message = [self._frame()]
                while message[-1].more and len(message) <= self.frames:
                    message.append(self._frame())
            except zmq.ZMQError:  # EAGAIN, mostly
                return
            self._skipping = message[-1].more
            yield message

    def _frame(self) -> zmq.Frame:
        return self.socket.recv(zmq.DONTWAIT, copy=False)

    def _skip(self) -> bool:
        """Skip frames of an over-long message. Return whether its end was reached."""
        for _ in range(_MAX_SKIPPED_A_TURN):
            try:
                if not self._frame().more:
                    self._skipping = False
                    return True
            except zmq.ZMQError:
                return False
        return False
