"""The agent's local sockets in the state directory: events for monitors, questions of the CLI.

Knows the two ipc sockets. Must not know what an event or a question says (wire/local does). Only
this user can enter the state directory (0700).
"""

from __future__ import annotations

import os
import socket as unix
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import zmq

from leftzmq.errors import PortTaken
from leftzmq.transport.bounded_read import BoundedReader
from leftzmq.transport.context import Context
from leftzmq.transport.frames import Raw, RawAsk
from leftzmq.transport.socket_monitor import SocketMonitor
from leftzmq.wire.local import MAX_ASK_BYTES

EVENTS_HWM: Final = 256  # x 64 KiB = 16 MiB for a monitor that never reads; then it loses events
ASKS_HWM: Final = 16
MAX_TOPICS: Final = 64
EVENTS_CONNECTIONS: Final = 48
ADMIN_CONNECTIONS: Final = 32
"""The limit of open connections; a further one is ended. libzmq ends the whole process if it finds
no descriptor for a local connection (4.3.5), so their number must be limited."""
RETRY_S: Final = 1.0
_ASKS_A_TURN: Final = 16
_PRIVATE_MODE: Final = 0o600
_MONITORED: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


class _IpcSocket:
    """One ipc socket, and its connections."""

    def __init__(
        self, context: Context, socket: zmq.Socket[bytes], endpoint: str, most: int
    ) -> None:
        self.socket = socket
        self._context, self._endpoint, self._most = context, endpoint, most
        self._open: set[int] = set()  # descriptors
        self._monitor: SocketMonitor | None = None

    def bind(self, take: Callable[[], Iterator[Raw]]) -> None:
        """Bind the socket. Raises ZMQError, OSError. Its directory is accessible to this user
        only."""
        poller = self._context.poller
        if self._monitor is None:
            monitor = self._monitor = SocketMonitor(
                self._context.context, self.socket, _MONITORED, waits=1
            )
            poller.add(monitor.socket, self._watch)
            poller.add(self.socket, take)
        self.socket.bind(self._endpoint)
        os.chmod(self._path, _PRIVATE_MODE)

    def unbind(self) -> None:
        """Unbind the socket, which also ends all its connections."""
        self._open.clear()
        with suppress(zmq.ZMQError):
            self.socket.unbind(self._endpoint)

    def close(self, linger_ms: int) -> None:
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            self._context.poller.drop(self.socket)
            self._context.poller.drop(monitor.socket)
            monitor.close()
        self.socket.close(linger_ms)

    @property
    def _path(self) -> str:
        return self._endpoint.removeprefix("ipc://")

    def _watch(self) -> tuple[Raw, ...]:
        while self._monitor is not None and (event := self._monitor.next()) is not None:
            descriptor = self._monitor.value
            if event == zmq.EVENT_DISCONNECTED:
                self._open.discard(descriptor)
                continue
            self._open.add(descriptor)
            if len(self._open) > self._most:
                self._end(descriptor)
                text = f"more than {self._most} connections to {self._path}: the newest was ended"
                self._context.socket_errors.note(text, self._context.clock())
        return ()

    def _end(self, descriptor: int) -> None:
        with suppress(OSError):
            borrowed = unix.socket(unix.AF_UNIX, unix.SOCK_STREAM, fileno=descriptor)
            try:
                if borrowed.getsockname() == self._path:
                    borrowed.shutdown(unix.SHUT_RDWR)
            finally:
                borrowed.detach()


class IpcServer:
    """events: XPUB, frames as wire/local encodes them. admin: ROUTER; a question is ONE frame."""

    def __init__(self, context: Context, events_endpoint: str, admin_endpoint: str) -> None:
        events, admin = context.context.socket(zmq.XPUB), context.context.socket(zmq.ROUTER)
        events.sndhwm = EVENTS_HWM
        admin.sndhwm = admin.rcvhwm = ASKS_HWM
        events.maxmsgsize, admin.maxmsgsize = 64, MAX_ASK_BYTES
        admin.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._context = context
        self._events = _IpcSocket(context, events, events_endpoint, EVENTS_CONNECTIONS)
        self._admin = _IpcSocket(context, admin, admin_endpoint, ADMIN_CONNECTIONS)
        asks, topics = BoundedReader(admin, _ASKS_A_TURN, 2), BoundedReader(events, _ASKS_A_TURN, 1)
        self._takes = {
            self._admin: lambda: self._asks(asks),
            self._events: lambda: self._subscriptions(topics),
        }
        self._topics: set[bytes] = set()
        self._due: dict[_IpcSocket, float] = dict.fromkeys(
            self._takes, 0.0
        )  # sockets that are not bound, with the time of the next try
        try:
            for door, take in self._takes.items():
                door.bind(take)
                del self._due[door]
        except (zmq.ZMQError, OSError) as error:
            self.close()
            do = "name a state on a file system that can hold sockets, in [device]"
            where = events_endpoint if self._admin not in self._due else admin_endpoint
            raise PortTaken(f"cannot be bound: {error}", where, do) from None

    @property
    def has_listeners(self) -> bool:
        """Whether anybody subscribes to events. If not, events need not be encoded."""
        return bool(self._topics)

    def tell(self, frames: list[bytes]) -> None:
        with suppress(zmq.ZMQError):
            self._events.socket.send_multipart(frames, zmq.DONTWAIT)

    def answer(self, asker: bytes, frame: bytes) -> bool:
        """Send an answer without waiting. Return False if the asker is gone."""
        try:
            self._admin.socket.send_multipart([asker, frame], zmq.DONTWAIT)
        except zmq.ZMQError:
            return False
        return True

    def unbind_until(self, until: float) -> None:
        """Accept no connections until then (monotonic seconds)."""
        for door in self._takes:
            door.unbind()
            self._due[door] = until

    def tick(self, now: float) -> float | None:
        """Bind again when it is time. Return when to call this next; None: both sockets are
        bound."""
        for door, due in list(self._due.items()):
            if now < due:
                continue
            try:
                door.bind(self._takes[door])
                del self._due[door]
            except (zmq.ZMQError, OSError) as error:
                self._context.socket_errors.note(
                    f"nobody can ask this agent anything: {error}", now
                )
                self._due[door] = now + RETRY_S
        return min(self._due.values(), default=None)

    def close(self, linger_ms: int = 0) -> None:
        for door in self._takes:
            door.close(linger_ms)

    def _subscriptions(self, reader: BoundedReader) -> Iterator[Raw]:
        """Track the topics. An XPUB reports the first subscriber of a topic, and the end of the
        last one."""
        for frames in reader.read_some():
            for frame in frames:
                begins, topic = frame.bytes[:1], frame.bytes[1:]
                if begins == b"\x01" and len(self._topics) < MAX_TOPICS:
                    self._topics.add(topic)
                elif begins == b"\x00":
                    self._topics.discard(topic)
        yield from ()

    def _asks(self, reader: BoundedReader) -> Iterator[Raw]:
        for frames in reader.read_some():
            if len(frames) == 2:
                yield RawAsk(frames[0].bytes, frames[1].bytes)
