"""Ends a context of ZeroMQ, whose sockets are all closed.

`zmq_ctx_term` waits until libzmq has let go of every socket. Once, in thousands of tests, it waited
for ever: its threads slept, and nothing was left to be done (libzmq 4.3.5, a socket with a
monitor). An agent must not stand still for that, so the end is awaited in a thread of its own.

Knows contexts. Must not know what they were for.
"""

from __future__ import annotations

from threading import Thread
from typing import Final

import zmq

END_S: Final = 1.0
"""It takes a millisecond. What is not over by then is left to itself."""


def end_context(context: zmq.Context[zmq.Socket[bytes]], within_s: float = END_S) -> bool:
    """Return whether it ended in time. If so, its ports are free."""
    ending = Thread(target=context.destroy, args=(0,), name="end of a context", daemon=True)
    ending.start()
    ending.join(within_s)
    return not ending.is_alive()
