"""Buses on the loopback for tests: makes them, turns them until a condition holds, closes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from leftzmq.endpoint import Endpoint
from leftzmq.runtime.wake import Wake
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.bus import Bus
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.frames import Raw
from leftzmq.transport.server_sockets import Listening
from leftzmq.wire.codec import Socket

DEADLINE_S = 8.0
LOOPBACK = Listening(Endpoint("127.0.0.1", 0))


def new_keys() -> DeviceKeyPair:
    public, secret = zmq.curve_keypair()
    return DeviceKeyPair(DeviceKey(z85.decode(public)), z85.decode(secret))


class Side:
    """One bus with its list of peers and everything that it received, in order."""

    def __init__(
        self, place: Path, listening: Listening = LOOPBACK, keys: DeviceKeyPair | None = None
    ) -> None:
        place.mkdir(exist_ok=True)
        self.keys, self.listed, self.raws = keys or new_keys(), set[bytes](), list[Raw]()
        self.device, self.wake = self.keys.public, Wake()
        ipc = (f"ipc://{place}/events", f"ipc://{place}/admin")
        self.bus = Bus(self.keys, lambda key: key in self.listed, listening, ipc, self.wake.fd)
        self.bus.serve()

    def turn(self, timeout_ms: int = 5) -> None:
        self.raws += self.bus.poll(timeout_ms)

    def of(self, kind: type) -> list[Any]:
        return [raw for raw in self.raws if isinstance(raw, kind)]

    def dials(self, other: Side) -> None:
        endpoint = Endpoint.parse(other.bus.control_endpoint, "test")
        self.bus.dial(other.device, endpoint)

    def subscribes(self, other: Side) -> None:
        self.bus.subscribe(other.device, other.bus.ports.bulk, other.bus.ports.news)

    def client(
        self, kind: Socket, keys: DeviceKeyPair | None, type: int | None = None, **options: Any
    ) -> zmq.Socket[bytes]:
        """Returns a raw client of this side's bound socket, from a context of its own; keys None:
        NULL."""
        context = zmq.Context()
        news = kind is Socket.NEWS
        socket = context.socket(type or (zmq.SUB if news else zmq.DEALER))
        socket.linger = 0
        for name, value in options.items():
            setattr(socket, name, value)
        if keys is not None:
            socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
            socket.curve_serverkey = self.device
        try:
            socket.connect(str(self.endpoint(kind)))
        except BaseException:
            context.destroy(0)
            raise
        return socket

    def endpoint(self, kind: Socket) -> Endpoint:
        text = getattr(self.bus, f"{kind.value}_endpoint")
        return Endpoint.parse(text, "test")

    def close(self) -> None:
        self.bus.close()
        self.wake.close()


@contextmanager
def sides(place: Path, count: int) -> Iterator[list[Side]]:
    """Yields sides of which each has all others in its list; no side has dialed yet."""
    made: list[Side] = []
    try:
        for n in range(count):
            made.append(Side(place / str(n)))
        for side in made:
            side.listed |= {other.device for other in made if other is not side}
        yield made
    finally:
        for side in made:
            side.close()


def until(holds: Callable[[], object], *turning: Side, within_s: float = DEADLINE_S) -> None:
    """Turn these sides until `holds()`; an AssertionError after `within_s`."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        for side in turning:
            side.turn()


def during(duration_s: float, *turning: Side) -> None:
    """Turn these sides for a while in which something must NOT happen."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        for side in turning:
            side.turn()
