"""The end of a context is awaited, and not for ever."""

from __future__ import annotations

import threading
import time
from typing import Any

import zmq

from leftzmq.transport.door.context_end import end_context


def test_its_ports_are_free_when_it_has_ended() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    port = context.socket(zmq.REP).bind_to_random_port("tcp://127.0.0.1")
    assert end_context(context) and context.closed
    with zmq.Context() as another, another.socket(zmq.REP) as socket:
        socket.bind(f"tcp://127.0.0.1:{port}")


def test_nobody_stands_still_for_one_that_does_not_end() -> None:
    released = threading.Event()

    class Endless:
        def destroy(self, linger: int) -> None:
            released.wait(30.0)

    context: Any = Endless()
    began = time.monotonic()
    assert not end_context(context, 0.05)
    assert time.monotonic() - began < 2.0
    released.set()
