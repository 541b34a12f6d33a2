"""The sockets that other devices connect to: control, bulk and news.

Knows binding, routes, and whether a sender is in the list of the moment. Must not know what is
said. The gate lets a connection in once; the list may change while it lives, so every message's
User-Id (set by libzmq from the gate's answer; a sender cannot) is looked up again.
"""

from __future__ import annotations

import errno
import socket as dns
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import zmq

from leftzmq.bus import options
from leftzmq.bus.devicekey import public_text
from leftzmq.bus.dialed import FRAMES, MESSAGES_A_TURN
from leftzmq.bus.gate import key_of_user
from leftzmq.bus.inlet import Inlet
from leftzmq.bus.raw import Raw, RawFrame
from leftzmq.bus.world import World
from leftzmq.disk.root import Buffer
from leftzmq.endpoint import Endpoint
from leftzmq.errors import PortTaken, Refusal
from leftzmq.statedir import Ports
from leftzmq.sync.facts import Subscribed
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import NEWS_TOPIC

REBIND_DEADLINE_S: Final = 2.0  # libzmq closes a listener in another thread
REBIND_RETRY_S: Final = 0.02
_SUBSCRIBE: Final = b"\x01" + NEWS_TOPIC
_UNSUBSCRIBE: Final = b"\x00" + NEWS_TOPIC
_ROUTE_BYTES: Final = 5  # of an automatic routing id: 0 and a counter
_KEY_IN_CONFIG: Final = {Socket.CONTROL: "listen", Socket.BULK: "bulk", Socket.NEWS: "news"}


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to bind. bulk, news: None = any port on the host of control, `remembered` if free."""

    control: Endpoint
    bulk: Endpoint | None = None
    news: Endpoint | None = None
    remembered: Ports = Ports()  # noqa: RUF009  frozen


class Bound:
    """endpoints: where each is bound, with its real port."""

    def __init__(self, world: World, listening: Listening) -> None:
        self._world = world
        self._sockets: dict[Socket, zmq.Socket[bytes]] = {}
        self._due: dict[Socket, float] = {}  # not bound yet: until when it is tried
        self._seen: set[DeviceKey] = set()  # who sent something since the last rebind
        self.endpoints: dict[Socket, Endpoint] = {}
        host, remembered = listening.control.host, listening.remembered
        self._bind_first(Socket.CONTROL, [listening.control])
        for kind, given, port in (
            (Socket.BULK, listening.bulk, remembered.bulk),
            (Socket.NEWS, listening.news, remembered.news),
        ):
            free = [Endpoint(host, port), Endpoint(host, 0)]
            self._bind_first(kind, [given] if given else free)

    def send(self, kind: Socket, route: bytes, frames: list[Buffer], copy: bool) -> bool:
        """Never waits. False: that connection is gone, or too much waits there already."""
        try:
            self._sockets[kind].send_multipart([route, *frames], zmq.DONTWAIT, copy=copy)
        except zmq.ZMQError:
            return False
        return True

    def publish(self, frame: bytes) -> None:
        """To every subscriber that has room; the others find the gap themselves (I7)."""
        self._sockets[Socket.NEWS].send_multipart([NEWS_TOPIC, frame], zmq.DONTWAIT)

    def has_seen(self, device: DeviceKey) -> bool:
        """Whether a connection of this device may be open."""
        return device in self._seen

    def rebind(self) -> None:
        """Cut every connection that came, and bind anew, at once or in the next ticks."""
        self._seen.clear()
        for kind in list(self._sockets):
            self._close(kind, 0)
            self._make(kind, self.endpoints[kind].host)
            self._due[kind] = self._world.clock() + REBIND_DEADLINE_S
        self.tick(self._world.clock())

    def tick(self, now: float) -> float | None:
        """Bind what is not bound. When to be called next; None: all is bound.

        PortTaken: somebody else took a port of ours meanwhile.
        """
        for kind, deadline in list(self._due.items()):
            endpoint = self.endpoints[kind]
            try:
                self._sockets[kind].bind(str(endpoint))
                del self._due[kind]
            except zmq.ZMQError as error:
                if error.errno != errno.EADDRINUSE or now >= deadline:
                    raise _port_taken(kind, endpoint, error) from None
        return now + REBIND_RETRY_S if self._due else None

    def close(self, linger_ms: int = 0) -> None:
        for kind in list(self._sockets):
            self._close(kind, linger_ms if kind is Socket.CONTROL else 0)

    def _bind_first(self, kind: Socket, choices: list[Endpoint]) -> None:
        for last, endpoint in enumerate(choices, start=1 - len(choices)):
            socket = self._make(kind, endpoint.host)
            try:
                socket.bind(str(Endpoint(_address(endpoint.host), endpoint.port)))
            except (zmq.ZMQError, OSError) as error:
                self._close(kind, 0)
                if last == 0:
                    raise _port_taken(kind, endpoint, error) from None
                continue
            text = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            self.endpoints[kind] = Endpoint.parse(text, "libzmq", own=True)
            return

    def _make(self, kind: Socket, host: str) -> zmq.Socket[bytes]:
        world = self._world
        socket = options.bound(world.context, kind, world.keys, host)
        news = kind is Socket.NEWS
        inlet = Inlet(socket, MESSAGES_A_TURN[kind], 1 if news else 1 + FRAMES[kind])
        take = self._subscriptions if news else lambda inlet: self._messages(kind, inlet)
        world.poller.add(socket, lambda: take(inlet))
        self._sockets[kind] = socket
        return socket

    def _close(self, kind: Socket, linger_ms: int) -> None:
        socket = self._sockets.pop(kind)
        self._world.poller.drop(socket)
        socket.close(linger_ms)

    def _messages(self, kind: Socket, inlet: Inlet) -> Iterator[Raw]:
        for route, *frames in inlet.take():
            device = self._sender(frames[0])
            if device is None:
                continue
            if len(route) != _ROUTE_BYTES or route.bytes[0] != 0:
                self._note(device, Refusal.BAD_ROUTE, repr(route.bytes[:16]))
            elif len(frames) > FRAMES[kind]:
                detail = f"over {FRAMES[kind]} on {kind.value}"
                self._note(device, Refusal.TOO_MANY_FRAMES, detail)
            else:
                yield RawFrame(Link(device, Way.CAME, route.bytes), kind, frames)

    def _subscriptions(self, inlet: Inlet) -> Iterator[Raw]:
        for frame, *more in inlet.take():
            if frame.bytes == _UNSUBSCRIBE and not more:
                continue  # nobody's: libzmq makes one itself when the last subscriber is gone
            device = self._sender(frame)
            if device is None:
                continue
            if frame.bytes == _SUBSCRIBE and not more:
                yield Subscribed()
            else:
                self._note(device, Refusal.WRONG_SHAPE, "no subscription that there is")

    def _sender(self, frame: zmq.Frame) -> DeviceKey | None:
        """The paired device that a frame came from; None, and noted, if it is not one any more."""
        try:
            key = DeviceKey(key_of_user(str(frame.get("User-Id"))))
        except (zmq.ZMQError, ValueError, KeyError):  # came in while no gate answered
            self._world.strangers.note(
                None, Refusal.UNKNOWN_DEVICE, b"", "met no gate", self._world.clock()
            )
            return None
        self._seen.add(key)
        if self._world.allowed(key):
            return key
        detail = f"{public_text(key)} is connected still"
        self._world.strangers.note(None, Refusal.UNKNOWN_DEVICE, key, detail, self._world.clock())
        return None

    def _note(self, device: DeviceKey, refusal: Refusal, detail: str) -> None:
        self._world.strangers.note(device, refusal, device, detail, self._world.clock())


def _address(host: str) -> str:
    """libzmq binds to addresses only. Raises OSError for a name that has none."""
    found = dns.getaddrinfo(host, None, type=dns.SOCK_STREAM)
    return str(found[0][4][0])


def _port_taken(kind: Socket, endpoint: Endpoint, error: zmq.ZMQError | OSError) -> PortTaken:
    key = _KEY_IN_CONFIG[kind]
    if error.errno == errno.EADDRINUSE:
        what, do = "is taken by another program", f"stop it, or give {key} in [device] another port"
    elif error.errno == errno.EACCES:
        what, do = "may not be bound by this user", f"give {key} in [device] a port over 1023"
    elif error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV) or isinstance(error, dns.gaierror):
        what = "is no address of this machine"
        do = f"give {key} in [device] one that it has, or 0.0.0.0 for all of them"
    else:
        what, do = f"cannot be bound: {error}", f"give {key} in [device] another address"
    return PortTaken(what, str(endpoint), do)
