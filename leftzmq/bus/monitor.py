"""What libzmq tells of a connection: made, refused, lost.

Knows socket monitors. Must not know what follows from an event.
"""

from __future__ import annotations

import itertools

import zmq
from zmq.utils.monitor import parse_monitor_message

# A name is not free again at once when its socket is closed; so none is used twice.
_numbers = itertools.count()


class Monitor:
    """Collects `events` (a mask) of `socket`. To be closed before that. `socket` of it: a PAIR.

    value: what libzmq said beside the last event; with CONNECTED the connection's descriptor
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        monitored: zmq.Socket[bytes],
        events: int,
    ) -> None:
        where = f"inproc://monitor-{next(_numbers)}"
        self._monitored = monitored
        self.value = 0
        monitored.monitor(where, events)
        self.socket = context.socket(zmq.PAIR)
        self.socket.linger = 0
        self.socket.connect(where)

    def next(self) -> int | None:
        """The next event, a zmq.EVENT_*; None: nothing more happened."""
        try:
            said = parse_monitor_message(self.socket.recv_multipart(zmq.DONTWAIT))
        except zmq.ZMQError:
            return None
        self.value = int(said["value"])
        return int(said["event"])

    def close(self) -> None:
        self._monitored.disable_monitor()
        self.socket.close(0)
