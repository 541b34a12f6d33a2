"""The agent's own doors in the state directory: events for monitors, questions of the CLI.

Knows the two ipc sockets. Must not know what an event or a question says (wire/local). Who can
enter the state directory (0700) is this user.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import zmq

from leftzmq.bus.inlet import Inlet
from leftzmq.bus.poller import Poller
from leftzmq.bus.raw import Raw, RawAsk
from leftzmq.errors import PortTaken
from leftzmq.wire.local import MAX_ASK_BYTES

EVENTS_HWM: Final = 256  # x 64 KiB = 16 MiB for a monitor that never reads; then it loses events
ASKS_HWM: Final = 16
MAX_TOPICS: Final = 64
_ASKS_A_TURN: Final = 16
_PRIVATE_UMASK: Final = 0o177


class OwnDoors:
    """events: XPUB, frames as wire/local encodes them. admin: ROUTER; a question is ONE frame."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        poller: Poller,
        events_endpoint: str,
        admin_endpoint: str,
    ) -> None:
        self._poller = poller
        self._events, self._admin = context.socket(zmq.XPUB), context.socket(zmq.ROUTER)
        self._events.sndhwm = EVENTS_HWM
        self._admin.sndhwm = self._admin.rcvhwm = ASKS_HWM
        self._events.maxmsgsize, self._admin.maxmsgsize = 64, MAX_ASK_BYTES
        self._admin.setsockopt(zmq.ROUTER_MANDATORY, 1)
        inlet = Inlet(self._admin, _ASKS_A_TURN, 2)
        try:
            _bind_private(self._events, events_endpoint)
            _bind_private(self._admin, admin_endpoint)
        except PortTaken:
            self.close()
            raise
        poller.add(self._admin, lambda: self._asks(inlet))
        self._topics: set[bytes] = set()
        topics = Inlet(self._events, _ASKS_A_TURN, 1)
        poller.add(self._events, lambda: self._subscriptions(topics))

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens to events: if not, none need be encoded."""
        return bool(self._topics)

    def tell(self, frames: list[bytes]) -> None:
        with suppress(zmq.ZMQError):
            self._events.send_multipart(frames, zmq.DONTWAIT)

    def answer(self, asker: bytes, frame: bytes) -> bool:
        """Never waits. False: who asked is gone."""
        try:
            self._admin.send_multipart([asker, frame], zmq.DONTWAIT)
        except zmq.ZMQError:
            return False
        return True

    def close(self, linger_ms: int = 0) -> None:
        self._poller.drop(self._admin)
        self._poller.drop(self._events)
        self._admin.close(linger_ms)
        self._events.close(linger_ms)

    def _subscriptions(self, inlet: Inlet) -> Iterator[Raw]:
        """An XPUB says when the first subscriber of a topic comes and when the last one goes."""
        for frames in inlet.take():
            for frame in frames:
                begins, topic = frame.bytes[:1], frame.bytes[1:]
                if begins == b"\x01" and len(self._topics) < MAX_TOPICS:
                    self._topics.add(topic)
                elif begins == b"\x00":
                    self._topics.discard(topic)
        yield from ()

    def _asks(self, inlet: Inlet) -> Iterator[Raw]:
        for frames in inlet.take():
            if len(frames) == 2:
                yield RawAsk(frames[0].bytes, frames[1].bytes)


def _bind_private(socket: zmq.Socket[bytes], endpoint: str) -> None:
    # bind() makes the file, so its mode must be right then. No other thread runs yet.
    before = os.umask(_PRIVATE_UMASK)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        do = "name a state on a file system that can hold sockets, in [device]"
        raise PortTaken(f"cannot be bound: {error}", endpoint, do) from None
    finally:
        os.umask(before)
