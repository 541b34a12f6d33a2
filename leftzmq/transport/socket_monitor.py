"""What libzmq reports of a connection: made, refused, lost.

Knows socket monitors. Must not know what follows from an event.
"""

from __future__ import annotations

import itertools
import struct
from typing import Final

import zmq

_EVENT: Final = struct.Struct("=HI")  # zmq_socket_monitor(3): the event and its value
EVENTS_OF_A_DIAL: Final = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
# An endpoint's name is not free at once when its socket is closed; so none is used twice.
_numbers = itertools.count()


class SocketMonitor:
    """Collects `events` (a mask) of `socket`. To be closed before that socket. The monitor's own
    `socket` is a PAIR.

    waits: this number of events, and 1000 more, can wait to be read; then the libzmq thread that
        has a further event blocks until they are read
    value: what libzmq said beside the last event; with CONNECTED, ACCEPTED and DISCONNECTED the
        connection's descriptor
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        monitored: zmq.Socket[bytes],
        events: int,
        waits: int = 1000,
    ) -> None:
        where = f"inproc://monitor-{next(_numbers)}"
        self._monitored = monitored
        self.value = 0
        monitored.monitor(where, events)
        self.socket = context.socket(zmq.PAIR)
        self.socket.linger = 0
        self.socket.rcvhwm = waits
        self.socket.connect(where)

    def next(self) -> int | None:
        """Return the next event, a zmq.EVENT_*; None: there is no further event."""
        try:
            said, _ = self.socket.recv_multipart(zmq.DONTWAIT)
        except zmq.ZMQError:
            return None
        event: int
        event, self.value = _EVENT.unpack(said)
        return event

    def close(self) -> None:
        # A blocked thread holds the lock that closing needs.
        while self.next() is not None:
            pass
        self._monitored.disable_monitor()
        self.socket.close(0)
