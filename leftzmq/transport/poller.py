"""One poller for everything: each socket has a handler, which is called when the socket is
readable.

Knows zmq.Poller. Must not know what the sockets are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import zmq

from leftzmq.transport.frames import Raw

Handler = Callable[[], Iterable[Raw]]
Readable = zmq.Socket[bytes] | int


class Poller:
    """Handlers run in the order in which their sockets were added (the gate's is first)."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()
        self._handlers: dict[Readable, Handler] = {}

    def add(self, readable: Readable, handler: Handler) -> None:
        self._handlers[readable] = handler
        self._poller.register(readable, zmq.POLLIN)

    def drop(self, readable: Readable) -> None:
        """Remove a socket. To be called before the socket is closed."""
        if self._handlers.pop(readable, None) is not None:
            self._poller.unregister(readable)

    def poll(self, timeout_ms: int) -> list[Raw]:
        """Return what the handlers read; each handler reads a bounded amount in one turn."""
        waiting: dict[Any, int] = dict(self._poller.poll(timeout_ms))
        found: list[Raw] = []
        for readable, handler in list(self._handlers.items()) if waiting else ():
            # One handler may have removed the socket of another one in this very turn.
            if readable in waiting and self._handlers.get(readable) is handler:
                found.extend(handler())
        return found
