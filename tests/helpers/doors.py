"""A door on the loopback for tests: turns it until a condition holds, and clients that knock."""

from __future__ import annotations

import contextlib
import socket as tcp
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import zmq

from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.door.door import Door
from leftzmq.transport.frames import Knocked, Raw
from leftzmq.transport.poller import Poller
from leftzmq.wire.door import Knock, encode
from tests.helpers.buses import new_keys
from tests.helpers.door_vectors import KNOCK

DEADLINE_S = 8.0


class OpenDoor:
    """A door, its poller, and everything that it yielded. ahead_s: how far its clock is ahead."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, keys: DeviceKeyPair | None = None
    ) -> None:
        self.keys, self.poller, self.raws = keys or new_keys(), Poller(), list[Raw]()
        self.ahead_s = 0.0
        self.door = Door(self.keys, host, port, self.poller, self.now)
        self.due: float | None = None

    def now(self) -> float:
        return time.monotonic() + self.ahead_s

    def turn(self, timeout_ms: int = 2) -> None:
        self.raws += self.poller.poll(timeout_ms)
        self.due = self.door.tick(self.now())

    def until(self, holds: Callable[[], object], within_s: float = DEADLINE_S) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, "it did not happen in time"
            self.turn()

    def during(self, duration_s: float) -> None:
        """Turn it for a while in which something must NOT happen."""
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            self.turn()

    @property
    def knocks(self) -> list[Knocked]:
        return [raw for raw in self.raws if isinstance(raw, Knocked)]

    def of(self, kind: type) -> list[Any]:
        return [raw for raw in self.raws if isinstance(raw, kind)]


@contextmanager
def opened(
    host: str = "127.0.0.1", port: int = 0, keys: DeviceKeyPair | None = None
) -> Iterator[OpenDoor]:
    door = OpenDoor(host, port, keys)
    try:
        yield door
    finally:
        door.door.close()


class Caller:
    """A DEALER at a door, in a context of its own. source: the address that it connects from."""

    def __init__(
        self,
        at: OpenDoor,
        keys: DeviceKeyPair | None = None,
        source: str = "",
        server: bytes = b"",
        **options: Any,
    ) -> None:
        self.keys, self.context = keys or new_keys(), zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.reconnect_ivl = -1
        self.socket.sndtimeo = 0  # who was shut out already waits for no connection
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.curve_publickey, self.socket.curve_secretkey = (
            self.keys.public,
            self.keys.secret,
        )
        self.socket.curve_serverkey = server or at.keys.public
        self.monitor = self.socket.get_monitor_socket()
        lead = f"{source}:0;" if source else ""
        self.socket.connect(f"tcp://{lead}127.0.0.1:{at.door.port}")
        self.events: list[int] = []

    def says(self, message: Knock | bytes = KNOCK) -> None:
        self.socket.send(message if isinstance(message, bytes) else encode(message))

    def heard(self) -> bytes | None:
        return self.socket.recv() if self.socket.poll(0) else None

    def saw(self, event: int) -> bool:
        while self.monitor.poll(0):
            said, _ = self.monitor.recv_multipart()
            self.events.append(int.from_bytes(said[:2], "little"))
        return event in self.events

    @property
    def is_in(self) -> bool:
        return self.saw(zmq.EVENT_HANDSHAKE_SUCCEEDED)

    @property
    def is_cut(self) -> bool:
        return self.saw(zmq.EVENT_DISCONNECTED)

    def close(self) -> None:
        self.context.destroy(0)


def silent(at: OpenDoor, source: str = "127.0.0.1") -> tcp.socket:
    """Return a TCP connection to a door over which nothing is said."""
    made = tcp.create_connection(("127.0.0.1", at.door.port), source_address=(source, 0))
    made.setblocking(False)
    return made


def burst(at: OpenDoor, count: int) -> None:
    """Connect and hang up, one after the other."""
    for _ in range(count):
        with silent(at):
            at.turn(1)


def shut_by_a_flood(at: OpenDoor) -> None:
    """Connect so often that the door shuts. libzmq closes the listening socket a moment later."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            burst(at, 1)
        except OSError:
            break
    at.until(lambda: at.door.is_shut)


def is_cut(connection: tcp.socket) -> bool:
    """Return whether the other side has ended it."""
    with contextlib.suppress(BlockingIOError):
        while True:
            try:
                if not connection.recv(4096):
                    return True
            except ConnectionError:
                return True
    return False
