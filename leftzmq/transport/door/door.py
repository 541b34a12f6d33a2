"""The door: the one socket that a device in nobody's list may connect to, while an invitation is
open.

It has a zmq context and a gate of its own, and a key pair that is no device's. So nothing of the
agent's other sockets can be reached through it, and closing it ends all of it.

Knows sockets, the bounds of connections, and whether bytes are a well-formed knock. Must not know
tokens, nor who is let in.
"""

from __future__ import annotations

import errno
import ipaddress
import math
import socket as dns
from collections.abc import Callable, Iterator
from typing import Final

import zmq

from leftzmq.endpoint import Endpoint
from leftzmq.errors import GateError, NotAdmittedReason, PortTaken, Refusal, Refused
from leftzmq.sync.link import DeviceKey
from leftzmq.transport import socket_options
from leftzmq.transport.bounded_read import BoundedReader
from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.connections.limits import SPARE_SHARE, descriptor_of
from leftzmq.transport.context import Context
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.door.context_end import end_context
from leftzmq.transport.door.visits import ACCEPTS_A_SECOND, VISITS_MAX, DoorVisit, Visits
from leftzmq.transport.frames import Knocked, Raw
from leftzmq.transport.platform import descriptors
from leftzmq.transport.poller import Poller
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.transport.server_sockets import CLOSES_S, REBIND_RETRY_S, bindable, is_chosen
from leftzmq.transport.socket_errors import SocketErrors
from leftzmq.transport.socket_monitor import SocketMonitor
from leftzmq.transport.zap_gate import DOOR_DOMAIN, Gate, key_of_user
from leftzmq.wire.door import (
    DOOR_VERSION,
    Admitted,
    Knock,
    NotAdmitted,
    decode_knock,
    encode,
)

CROWDED_REST_S: Final = 1.0
"""How long the door is shut after more than ACCEPTS_A_SECOND connections within a second."""
EVENTS_A_TURN: Final = 2 * ACCEPTS_A_SECOND
_NO_ADDRESS: Final = frozenset((errno.EADDRNOTAVAIL, errno.ENODEV, errno.EAFNOSUPPORT))
_MONITORED: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_FRAMES: Final = 2  # the route, and a knock


class Door:
    """Open from the constructor to `close`. Its handlers in the poller yield a Knocked for each
    well-formed knock, and a StrangerRefused for what was refused; they never raise.

    keys: of the door, not of the device. host: an address or name of this machine; 0.0.0.0 or ::
    for all of its addresses. port: 0 = any free one; afterwards it is the one that is bound
    clock: returns monotonic seconds
    Call `tick` after each turn of the poller, and when it says. Raises PortTaken.
    """

    def __init__(
        self,
        keys: DeviceKeyPair,
        host: str,
        port: int,
        poller: Poller,
        clock: Callable[[], float],
    ) -> None:
        self.port = port
        self._host, self._poller, self._clock = host, poller, clock
        self._refusal_log, self._activity = RefusalLog(), Activity()
        self._context = Context(
            zmq.Context(io_threads=1),
            keys,
            poller,
            _anybody,
            self._refusal_log,
            clock,
            SocketErrors(),
            self._activity,
        )
        self._visits = Visits(self._refusal_log)
        self._highest = descriptors() - descriptors() // SPARE_SHARE
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: SocketMonitor | None = None
        self._shut_at = self._open_at = -math.inf
        self.is_closed = False
        """Whether `close` was called, or the door closed itself because its gate broke."""
        self._gate: Gate | None = None
        try:
            self._gate = Gate(self._context, DOOR_DOMAIN)
            poller.add(self._gate.socket, self._serve_gate)
            self._open()
        except (zmq.ZMQError, OSError) as error:
            self.close()
            raise _taken(Endpoint(host, port), error) from None
        except BaseException:
            self.close()
            raise

    @property
    def is_shut(self) -> bool:
        """Whether nobody can connect now: after a flood, or because another program has the
        port."""
        return self._socket is None

    def answer(self, caller: bytes, message: Admitted | NotAdmitted) -> bool:
        """Answer a Knocked. Return False if the caller is gone."""
        if self._socket is None:
            return False
        try:
            self._socket.send_multipart([caller, encode(message)], zmq.DONTWAIT)
        except zmq.ZMQError:
            return False
        return True

    def tick(self, now: float) -> float | None:
        """Keep the bounds. Return when to call this next (monotonic seconds); None: when something
        was readable."""
        if self.is_closed:
            return None
        if self._gate is not None and self._gate.socket.closed:
            self._serve_gate()  # a poller does not report a closed socket
        if self._socket is None and now >= self._open_at:
            self._open_again(now)
        self._visits.tick(now)
        opens_at = self._open_at if self._socket is None and not self.is_closed else None
        return min((at for at in (opens_at, self._visits.again_at) if at is not None), default=None)

    def close(self) -> None:
        """End all connections, and free the port. An answer that was not sent yet is lost: the
        same knock gets it again."""
        if self.is_closed:
            return
        self.is_closed = True
        self._close_socket()
        # Last: without a gate libzmq lets any connection in without saying whose it is.
        if self._gate is not None:
            self._poller.drop(self._gate.socket)
            self._gate.close()
        self._activity.close()
        end_context(self._context.context)

    def _open(self) -> None:
        """Bind. Raises zmq.ZMQError, OSError."""
        context, address = self._context, bindable(self._host)
        socket = socket_options.door(context.context, context.keys, address)
        monitor: SocketMonitor | None = None
        try:
            monitor = SocketMonitor(context.context, socket, _MONITORED, waits=1)
            socket.bind(str(Endpoint(address, self.port)))
        except BaseException:
            if monitor is not None:
                monitor.close()
            socket.close(0)
            raise
        text = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = Endpoint.parse(text, "libzmq", own=True).port
        self._socket, self._monitor = socket, monitor
        reader = BoundedReader(socket, VISITS_MAX, _FRAMES)
        # First the events: frames name the connection that they came over.
        self._poller.add(monitor.socket, self._events)
        self._poller.add(socket, lambda: self._knocks(reader))

    def _open_again(self, now: float) -> None:
        try:
            self._open()
        except (zmq.ZMQError, OSError):
            # Most likely our own listening socket, which another thread of libzmq closes.
            soon = now < self._shut_at + CROWDED_REST_S + CLOSES_S
            self._open_at = now + (REBIND_RETRY_S if soon else CROWDED_REST_S)

    def _shut(self, why: str, now: float) -> None:
        """Let nobody in for a while. libzmq ends all connections of a listening socket with it."""
        detail = f"{why}: the door is shut for {CROWDED_REST_S:.0f} s"
        self._refusal_log.note(None, Refusal.TOO_MANY_CONNECTIONS, b"", detail, now)
        self._close_socket()
        self._shut_at, self._open_at = now, now + CROWDED_REST_S

    def _close_socket(self) -> None:
        socket, monitor = self._socket, self._monitor
        self._socket = self._monitor = None
        self._visits.forget_all()
        if socket is not None and monitor is not None:
            self._poller.drop(monitor.socket)
            self._poller.drop(socket)
            monitor.close()
            socket.close(0)

    def _serve_gate(self) -> tuple[()]:
        gate = self._gate
        if gate is None:
            return ()
        before = gate.socket
        try:
            gate.serve()
        except GateError:
            self.close()
            return ()
        if gate.socket is not before:
            self._poller.drop(before)
            self._poller.add(gate.socket, self._serve_gate)
        return ()

    def _events(self) -> Iterator[Raw]:
        self._watch()
        yield from self._refusal_log.to_report(self._clock())

    def _watch(self) -> None:
        """Count connections that opened or closed. libzmq accepts no more while this is not
        done."""
        now, monitor = self._clock(), self._monitor
        for _ in range(EVENTS_A_TURN):
            event = None if monitor is None else monitor.next()
            if monitor is None or event is None:
                return
            if event == zmq.EVENT_DISCONNECTED:
                self._visits.closed(monitor.value)
                continue
            self._visits.accepted(monitor.value, self.port, now)
            if self._visits.is_flooded:
                self._shut(f"over {ACCEPTS_A_SECOND} within a second", now)
                return
            if monitor.value >= self._highest:
                # The next one may be needed for a file of a user.
                self._shut("nearly all file descriptors are in use", now)
                return

    def _knocks(self, reader: BoundedReader) -> Iterator[Raw]:
        self._watch()  # a frame may be here before the event that its connection was accepted
        for route, *frames in reader.read_some():
            knocked = self._knocked(route, frames or [route])
            if knocked is not None:
                yield knocked
        yield from self._refusal_log.to_report(self._clock())

    def _knocked(self, route: zmq.Frame, frames: list[zmq.Frame]) -> Knocked | None:
        """Return the knock in a message; whatever else it is ends its connection."""
        visit = self._visits.of(descriptor_of(frames[0]))
        if visit is None:
            return None  # it was ended, and this came before
        try:
            device, knock = _read(visit, route, frames)
        except Refused as refused:
            if refused.refusal is not Refusal.OTHER_VERSION:
                self._visits.refuse(visit, refused.refusal, refused.detail, self._clock())
                return None
            # Otherwise its sender could not know the reason. It knows its own version.
            visit.has_knocked = True
            reason = NotAdmittedReason.OTHER_VERSION.name
            self.answer(route.bytes, NotAdmitted(DOOR_VERSION, reason, ""))
            return None
        visit.has_knocked = True
        return Knocked(route.bytes, device, _shown(str(visit.ends.there[0])), knock)


def _read(visit: DoorVisit, route: zmq.Frame, frames: list[zmq.Frame]) -> tuple[DeviceKey, Knock]:
    """Return who knocked, and the knock. Raises Refused."""
    if len(frames) != 1:
        raise Refused(Refusal.TOO_MANY_FRAMES, "a knock is one frame")
    if is_chosen(route):
        raise Refused(Refusal.BAD_ROUTE, repr(route.bytes[:16]))
    if visit.has_knocked:
        raise Refused(Refusal.WRONG_SHAPE, "a second knock over one connection")
    try:
        device = DeviceKey(key_of_user(str(frames[0].get("User-Id"))))
    except (zmq.ZMQError, ValueError, KeyError):
        raise Refused(Refusal.UNKNOWN_DEVICE, "met no gate") from None
    return device, decode_knock(frames[0].buffer)


def _anybody(_key: bytes) -> bool:
    """Any key is let in as far as the door: who may join is in the knock."""
    return True


def _shown(address: str) -> str:
    """Return an address as a person knows it: an IPv4 address inside an IPv6 one is shown as
    itself."""
    try:
        mapped = ipaddress.IPv6Address(address.partition("%")[0]).ipv4_mapped
    except ValueError:
        return address
    return address if mapped is None else str(mapped)


def _taken(endpoint: Endpoint, error: zmq.ZMQError | OSError) -> PortTaken:
    number = error.errno
    what = f"port {endpoint.port} for the invitation "
    if number == errno.EADDRINUSE:
        what += "is taken by another program"
        do = "stop that program, or make a new invitation: it gets another port"
    elif number == errno.EACCES:
        what, do = what + "may not be bound by this user", "use a port over 1023"
    elif number in _NO_ADDRESS or isinstance(error, dns.gaierror):
        what += "cannot be bound: the host is no address of this machine"
        do = "give listen in [device] an address that it has, or 0.0.0.0 for all of them"
    else:
        what, do = what + f"cannot be bound: {error}", "make a new invitation"
    return PortTaken(what, str(endpoint) if endpoint.port else endpoint.host, do)
