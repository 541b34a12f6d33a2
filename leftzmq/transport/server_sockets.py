"""The sockets that other devices connect to: control, bulk and news.

Knows binding, routes, and whether a sender is in the present list. Must not know what is said. The
gate checks a connection once, and the list may change while the connection is open. So the User-Id
of every message is checked again (libzmq sets it from the gate's answer; a sender cannot).
"""

from __future__ import annotations

import errno
import math
import socket as dns
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import zmq
from msgspec import Struct

from leftzmq.disk.fs.interface import Buffer
from leftzmq.endpoint import Endpoint
from leftzmq.errors import PortTaken, Refusal
from leftzmq.statedir import Ports
from leftzmq.sync.facts import Subscribed
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport import socket_options
from leftzmq.transport.bounded_read import BoundedReader
from leftzmq.transport.connections.limits import ConnectionLimits, PeerConnection
from leftzmq.transport.context import Context
from leftzmq.transport.device_key import public_text
from leftzmq.transport.dialing.line import FRAMES, MESSAGES_A_TURN
from leftzmq.transport.frames import Raw, RawFrame
from leftzmq.transport.socket_monitor import SocketMonitor
from leftzmq.transport.zap_gate import key_of_user
from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import NEWS_TOPIC

REBIND_RETRY_S: Final = 0.02  # libzmq closes a listening socket in another thread
CLOSES_S: Final = 2.0  # after that the port belongs to another program
ABSENT_RETRY_S: Final = 2.0
"""Before the next try, if this machine lacks the address, or another program has the port, or no
descriptor is free."""
CROWDED_REST_S: Final = 1.0
SUBSCRIPTIONS_MAX: Final = 8
"""Over one connection. A device subscribes once; libzmq keeps each subscription until we read
it."""
EVENTS_A_TURN: Final = 100
"""Connections that open or close, of one socket (about 40 us each). While 1001 events wait to be
read, libzmq accepts no more at that socket, so that is how many connections can be open and
uncounted."""
_SUBSCRIBE: Final = b"\x01" + NEWS_TOPIC
_UNSUBSCRIBE: Final = b"\x00" + NEWS_TOPIC
_ROUTE_BYTES: Final = 5  # of an automatic routing id: 0 and a counter
_NOT_HERE: Final = frozenset((errno.EADDRNOTAVAIL, errno.ENODEV))
_MONITORED: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


class Listening(Struct, frozen=True):
    """Where to bind. bulk, news: None = any port on the host of control, `remembered` if it is
    free."""

    control: Endpoint
    bulk: Endpoint | None = None
    news: Endpoint | None = None
    remembered: Ports = Ports()


@dataclass(slots=True)
class _Server:
    """One of the three. choices: the first that can be bound is used, and is then the only one.

    key: of the config, under which the host is set
    socket, monitor: None while there is none
    again_at: when to try to bind it, inf: it is bound
    taken_since: since when its port was found taken
    trouble: what was reported of it
    """

    kind: Socket
    key: str
    choices: list[Endpoint]
    socket: zmq.Socket[bytes] | None = None
    monitor: SocketMonitor | None = None
    again_at: float = -math.inf
    taken_since: float = math.inf
    trouble: str = ""
    is_tested: bool = False

    @property
    def endpoint(self) -> Endpoint:
        return self.choices[0]

    @property
    def is_bound(self) -> bool:
        return self.again_at == math.inf


class ServerSockets:
    """The three server sockets. The constructor tries to bind all of them; `tick` binds those that
    must wait.

    Raises PortTaken if waiting would not help.
    """

    def __init__(
        self, context: Context, listening: Listening, connection_limits: ConnectionLimits
    ) -> None:
        self._context, self._connection_limits, self._is_held = context, connection_limits, False
        host, remembered = listening.control.host, listening.remembered
        bulk = [listening.bulk] if listening.bulk else _free(host, remembered.bulk)
        news = [listening.news] if listening.news else _free(host, remembered.news)
        self._servers = {
            Socket.BULK: _Server(Socket.BULK, "bulk" if listening.bulk else "listen", bulk),
            Socket.NEWS: _Server(Socket.NEWS, "news" if listening.news else "listen", news),
            # Last: a device that reaches control is told where the other two are.
            Socket.CONTROL: _Server(Socket.CONTROL, "listen", [listening.control]),
        }
        try:
            self._bind_all(context.clock(), first=True)
        except PortTaken:
            self.close()
            raise

    @property
    def endpoints(self) -> dict[Socket, Endpoint]:
        """Where each socket is bound, or is to be bound."""
        return {kind: server.endpoint for kind, server in self._servers.items()}

    def send(self, kind: Socket, route: bytes, frames: list[Buffer], copy: bool) -> bool:
        """Send without waiting. Return False if the connection is gone, or if its queue is full."""
        socket = self._servers[kind].socket
        if socket is None:
            return False
        try:
            socket.send_multipart([route, *frames], zmq.DONTWAIT, copy=copy)
        except zmq.ZMQError:
            return False
        return True

    def publish(self, frame: bytes) -> None:
        """Send to every subscriber with space in its queue; the others find the gap themselves
        (I7)."""
        socket = self._servers[Socket.NEWS].socket
        if socket is not None:
            socket.send_multipart([NEWS_TOPIC, frame], zmq.DONTWAIT)

    def has_seen(self, device: DeviceKey) -> bool:
        """Return whether a connection of this device may be open."""
        return self._connection_limits.has_seen(device)

    def rebind(self, rest_s: float = 0.0) -> None:
        """Close every connection that others made, and bind anew, at once or in the next ticks."""
        now = self._context.clock()
        self._connection_limits.forget_all()
        for server in self._servers.values():
            self._close(server, 0)
            server.again_at = now + rest_s
        self.tick(now)

    def tick(self, now: float) -> float | None:
        """Bind what is not bound. Return when to call this next; None: all are bound, or held."""
        if self._is_held:
            return None
        self._bind_all(now, first=False)
        # The first one that waits: those after it wait for it.
        return next((s.again_at for s in self._servers.values() if not s.is_bound), None)

    def unbind(self) -> None:
        """Unbind until `serve`: connections made while nobody polls would not be counted."""
        self._is_held = True
        self.rebind()

    def serve(self) -> None:
        """Bind at the same ports as before; a port that is not free at once is bound by `tick`."""
        self._is_held = False
        now = self._context.clock()
        for server in self._servers.values():
            if not server.is_bound:
                server.again_at = now
        self.tick(now)

    @property
    def closes(self) -> bool:
        """Whether a port of ours is taken for a short time only: most likely by ourselves."""
        waits = (s for s in self._servers.values() if not s.is_bound)
        return any(s.taken_since < math.inf and not s.trouble for s in waits)

    def untested(self) -> list[tuple[Socket, Endpoint]]:
        """Return the bound sockets that no earlier call returned."""
        found = [s for s in self._servers.values() if s.is_bound and not s.is_tested]
        for server in found:
            server.is_tested = True
        return [(server.kind, server.endpoint) for server in found]

    def watch(self) -> None:
        """Count connections that opened or closed. libzmq accepts no more while this is not
        done."""
        for server in self._servers.values():
            self._watch(server)

    def close(self, linger_ms: int = 0) -> None:
        for kind, server in self._servers.items():
            self._close(server, linger_ms if kind is Socket.CONTROL else 0)

    def _bind_all(self, now: float, *, first: bool) -> None:
        for server in self._servers.values():
            if now < server.again_at:
                # Those after it wait: a device that reaches control must find the others.
                if not server.is_bound:
                    break
                continue
            if not self._bind(server, now, first):
                break

    def _bind(self, server: _Server, now: float, first: bool) -> bool:
        """Bind one socket. Return whether it is bound now. PortTaken: at the `first` try, if only a
        user can help."""
        for last, endpoint in enumerate(server.choices, start=1 - len(server.choices)):
            try:
                socket = server.socket or self._make(server, endpoint.host)
                socket.bind(str(Endpoint(bindable(endpoint.host), endpoint.port)))
            except (zmq.ZMQError, OSError) as error:
                if last < 0:
                    self._close(server, 0)  # the next one may be of another family
                    continue
                taken = _port_taken(server.key, endpoint, error)
                waits = _is_absent(error) or error.errno in (errno.EMFILE, errno.ENFILE)
                if first and not waits:
                    raise taken from None
                self._wait(server, taken, error.errno, now)
                return False
            text = socket.getsockopt_string(zmq.LAST_ENDPOINT)
            server.choices = [Endpoint.parse(text, "libzmq", own=True)]
            server.again_at = server.taken_since = math.inf
            if server.trouble:
                self._context.socket_errors.is_over(server.trouble)
                server.trouble = ""
            return True
        return False

    def _wait(self, server: _Server, taken: PortTaken, number: int | None, now: float) -> None:
        if number == errno.EADDRINUSE:
            # Most likely our own listening socket of a moment ago, which another thread closes.
            server.taken_since = min(server.taken_since, now)
            if now < server.taken_since + CLOSES_S:
                server.again_at = now + REBIND_RETRY_S
                return
        server.again_at = now + ABSENT_RETRY_S
        server.trouble = f"{taken}; tried again every {ABSENT_RETRY_S:.0f} s"
        self._context.socket_errors.note(server.trouble, now)

    def _make(self, server: _Server, host: str) -> zmq.Socket[bytes]:
        context, kind = self._context, server.kind
        socket = server.socket = socket_options.bound(context.context, kind, context.keys, host)
        monitor = server.monitor = SocketMonitor(context.context, socket, _MONITORED, waits=1)
        news = kind is Socket.NEWS
        reader = BoundedReader(socket, MESSAGES_A_TURN[kind], 1 if news else 1 + FRAMES[kind])
        take = self._subscriptions if news else lambda inlet: self._messages(kind, inlet)
        # First the events: frames name the connection that they came over.
        context.poller.add(monitor.socket, lambda: self._watch(server))
        context.poller.add(socket, lambda: take(reader))
        return socket

    def _close(self, server: _Server, linger_ms: int) -> None:
        socket, monitor = server.socket, server.monitor
        server.socket = server.monitor = None
        if monitor is not None:
            self._context.poller.drop(monitor.socket)
            monitor.close()
        if socket is not None:
            self._context.poller.drop(socket)
            socket.close(linger_ms)

    def _watch(self, server: _Server) -> tuple[Raw, ...]:
        now, monitor = self._context.clock(), server.monitor
        for _ in range(EVENTS_A_TURN):
            event = None if monitor is None else monitor.next()
            if monitor is None or event is None:
                break
            if event == zmq.EVENT_ACCEPTED:
                self._connection_limits.accepted(
                    server.kind, monitor.value, server.endpoint.port, now
                )
            else:
                self._connection_limits.closed(server.kind, monitor.value)
        return ()

    def _messages(self, kind: Socket, reader: BoundedReader) -> Iterator[Raw]:
        for route, *frames in reader.read_some():
            device, connection = self._sender(kind, frames[0])
            if connection is not None:
                connection.took(frames)
            if device is None:
                continue
            if is_chosen(route):
                self._note(device, Refusal.BAD_ROUTE, repr(route.bytes[:16]))
            elif len(frames) > FRAMES[kind]:
                detail = f"over {FRAMES[kind]} on {kind.value}"
                self._note(device, Refusal.TOO_MANY_FRAMES, detail)
            else:
                yield RawFrame(Link(device, Way.CAME, route.bytes), kind, frames)

    def _subscriptions(self, reader: BoundedReader) -> Iterator[Raw]:
        for frame, *more in reader.read_some():
            if frame.bytes == _UNSUBSCRIBE and not more:
                continue  # of no device: libzmq makes one itself when the last subscriber is gone
            device, connection = self._sender(Socket.NEWS, frame)
            if connection is not None:
                connection.took([frame, *more])
            if device is None:
                continue
            if connection is not None and connection.messages > SUBSCRIPTIONS_MAX:
                detail = f"over {SUBSCRIPTIONS_MAX} subscriptions over one connection"
                self._note(device, Refusal.TOO_MANY_SUBSCRIPTIONS, detail)
            elif frame.bytes == _SUBSCRIBE and not more:
                yield Subscribed()
            else:
                self._note(device, Refusal.WRONG_SHAPE, "no subscription that there is")

    def _sender(
        self, kind: Socket, frame: zmq.Frame
    ) -> tuple[DeviceKey | None, PeerConnection | None]:
        """Return the paired device that a frame came from, and its connection. If the device is not
        paired any more, note this, end the connection and return no device."""
        refusal_log, now = self._context.refusal_log, self._context.clock()
        try:
            key = DeviceKey(key_of_user(str(frame.get("User-Id"))))
        except (zmq.ZMQError, ValueError, KeyError):
            # The connection was accepted while no gate answered. On news this is not so: frames
            # that libzmq itself makes there for a device's later subscriptions have no User-Id,
            # either.
            if kind is not Socket.NEWS:
                refusal_log.note(None, Refusal.UNKNOWN_DEVICE, b"", "met no gate", now)
            self._connection_limits.end_connection(frame, kind)
            return None, None
        if self._context.allowed(key):
            if not self._connection_limits.knows(frame, kind):
                # Its report may be here by now, or that of the end of one with its descriptor.
                self._watch(self._servers[kind])
            return key, self._connection_limits.frame_came(frame, kind, key, now)
        detail = f"{public_text(key)} is connected still"
        refusal_log.note(None, Refusal.UNKNOWN_DEVICE, key, detail, now)
        self._connection_limits.end_connection(frame, kind)
        return None, None

    def _note(self, device: DeviceKey, refusal: Refusal, detail: str) -> None:
        self._context.refusal_log.note(device, refusal, device, detail, self._context.clock())


def why_not_bound(key: str, endpoint: Endpoint) -> PortTaken | None:
    """Return why an agent that begins could not bind this endpoint, where only a user can help.

    A socket is bound, and closed at once; it never listens. key: of [device]
    """
    try:
        found = dns.getaddrinfo(endpoint.host, endpoint.port, type=dns.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with dns.socket(family, kind, protocol) as socket:
            socket.setsockopt(dns.SOL_SOCKET, dns.SO_REUSEADDR, 1)  # as libzmq does
            if family == dns.AF_INET6:
                socket.setsockopt(dns.IPPROTO_IPV6, dns.IPV6_V6ONLY, 0)
            socket.bind(address)
    except OSError as error:
        return None if _is_absent(error) else _port_taken(key, endpoint, error)
    return None


def _free(host: str, remembered: int) -> list[Endpoint]:
    """Return the choices for any port of this host: first the remembered one."""
    return [Endpoint(host, port) for port in dict.fromkeys((remembered, 0))]


def is_chosen(route: zmq.Frame) -> bool:
    """Return whether a route was chosen by the other side, and not by libzmq."""
    return len(route) != _ROUTE_BYTES or route.bytes[0] != 0


def bindable(host: str) -> str:
    """Return the address of a host, because libzmq binds to addresses only. Raises OSError for a
    name without address."""
    if "%" in host:
        return host  # an address with its zone; getaddrinfo returns the zone only as a number
    found = dns.getaddrinfo(host, None, type=dns.SOCK_STREAM)
    return str(found[0][4][0])


def _is_absent(error: zmq.ZMQError | OSError) -> bool:
    """Return whether the address may still appear: an interface that is not up, a name not known
    yet."""
    return error.errno in _NOT_HERE or isinstance(error, dns.gaierror)


def _port_taken(key: str, endpoint: Endpoint, error: zmq.ZMQError | OSError) -> PortTaken:
    if error.errno == errno.EADDRINUSE:
        what, do = "is taken by another program", f"stop it, or give {key} in [device] another port"
    elif error.errno == errno.EACCES:
        what, do = "may not be bound by this user", f"give {key} in [device] a port over 1023"
    elif _is_absent(error):
        what = "is no address of this machine"
        do = f"give {key} in [device] one that it has, or 0.0.0.0 for all of them"
    else:
        what, do = f"cannot be bound: {error}", f"give {key} in [device] another address"
    where = str(endpoint) if endpoint.port else endpoint.host  # any port
    return PortTaken(what, where, do)
