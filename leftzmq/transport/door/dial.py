"""One address at which a door may be: dials it again and again, and says why that failed.

Knows libzmq's events, the resolver and the errors of a TCP connection. Must not know the other
addresses, nor what is said over a connection.
"""

from __future__ import annotations

import errno
import ipaddress
import math
import socket as tcp
import threading
from collections import deque
from enum import Enum
from typing import Final

import zmq

from leftzmq.endpoint import Endpoint
from leftzmq.transport import socket_options
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.socket_monitor import EVENTS_OF_A_DIAL, SocketMonitor

FIRST_REST_S: Final = 0.2
LONGEST_REST_S: Final = 1.0
FIRST_CONNECT_MS: Final = 500
"""Then twice as long, up to socket_options.CONNECT_MS. A door that many come to at once drops what
its short backlog does not hold; TCP alone would ask again after 1 s, and then after 3 s."""
PROBE_S: Final = 1.0  # between two questions why nobody could be reached


class DialTrouble(Enum):
    """Why there is no answer from an address. The value is the clause; {port} is the port there."""

    NOT_TRIED = "there was no time to try it"
    NO_NAME = "the name has no address"
    REFUSED = "nobody listens there"
    SILENT = "nothing answers: a firewall? Then open port {port} (TCP) there"
    UNREACHABLE = "the network is unreachable from this machine"
    NO_WAY = "the machine cannot be reached: it is off, in another network, or behind a firewall"
    HANDSHAKING = "it was reached, but the handshake did not end in time"
    OTHER_DOOR = "the handshake failed: another door has that address now"
    LOST = "the connection was lost before the answer"
    NO_ANSWER = "it was reached, but gave no answer in time"


_BY_ERRNO: Final = {
    errno.ECONNREFUSED: DialTrouble.REFUSED,
    errno.ENETUNREACH: DialTrouble.UNREACHABLE,
    errno.ENETDOWN: DialTrouble.UNREACHABLE,
    errno.EADDRNOTAVAIL: DialTrouble.UNREACHABLE,
    errno.EAFNOSUPPORT: DialTrouble.UNREACHABLE,
    errno.EHOSTUNREACH: DialTrouble.NO_WAY,
    errno.EHOSTDOWN: DialTrouble.NO_WAY,
    errno.ETIMEDOUT: DialTrouble.SILENT,
}


class DoorDial:
    """A DEALER that pins the door's key, made anew when a handshake failed.

    starts_at: when it is dialed first (monotonic seconds)
    trouble: why it failed last; at the beginning, why it failed in an earlier round
    socket: the DEALER; None while there is none. monitor: reports about it
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        keys: DeviceKeyPair,
        door: bytes,
        endpoint: Endpoint,
        starts_at: float,
        trouble: DialTrouble = DialTrouble.NOT_TRIED,
    ) -> None:
        self._context, self._keys, self._door, self.endpoint = context, keys, door, endpoint
        self.trouble = trouble
        self.socket: zmq.Socket[bytes] | None = None
        self.monitor: SocketMonitor | None = None
        self._again_at, self._rest_s = starts_at, FIRST_REST_S
        self._began_at, self._connect_ms = starts_at, FIRST_CONNECT_MS
        self._lookup: _Lookup | None = None
        self._probe: tcp.socket | None = None
        self._probed_at = -math.inf

    def tick(self, now: float) -> bool:
        """Dial if it is time, and take note of what happened. Return whether a handshake succeeded:
        then `socket` is connected."""
        if self.socket is None and now >= self._again_at:
            self._begin(now)
        while self.monitor is not None and (event := self.monitor.next()) is not None:
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return True
            self._event(event, now)
        self._look_at_probe(now)
        return False

    def close(self) -> None:
        socket, monitor = self.socket, self.monitor
        self.socket = self.monitor = None
        if monitor is not None:
            monitor.close()
        if socket is not None:
            socket.close(0)
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def _begin(self, now: float) -> None:
        if self._lookup is None:
            self._lookup = _Lookup(self.endpoint.host)
        host = self._lookup.host
        if host is None:
            return
        if not host:
            self.trouble, self._lookup = DialTrouble.NO_NAME, None
            self._rest(now)
            return
        if self.trouble is DialTrouble.NOT_TRIED:
            self.trouble = DialTrouble.SILENT
        try:
            self.socket = socket_options.knocking(
                self._context, self._keys, self._door, host, self._connect_ms
            )
            self._began_at = now
            self.monitor = SocketMonitor(self._context, self.socket, EVENTS_OF_A_DIAL)
            self.socket.connect(str(Endpoint(host, self.endpoint.port)))
        except zmq.ZMQError:  # no descriptor is free, or libzmq cannot read this address
            self.trouble = DialTrouble.UNREACHABLE
            self.close()
            self._rest(now)

    def _event(self, event: int, now: float) -> None:
        if event == zmq.EVENT_CONNECTED:
            if self.trouble is not DialTrouble.OTHER_DOOR:  # it most likely is so again
                self.trouble = DialTrouble.HANDSHAKING
        elif event == zmq.EVENT_CONNECT_RETRIED and self._is_late(now):
            self.close()
            self.trouble, self._again_at = DialTrouble.SILENT, now
            self._connect_ms = min(2 * self._connect_ms, socket_options.CONNECT_MS)
        elif event == zmq.EVENT_CONNECT_RETRIED:
            # libzmq does not say why: the system is asked with a connection of our own.
            if self._probe is None and now >= self._probed_at + PROBE_S:
                self._probed_at = now
                self._begin_probe()
        else:
            self.close()
            self.trouble = DialTrouble.OTHER_DOOR
            self._rest(now)

    def _is_late(self, now: float) -> bool:
        """Whether the dial ended because nothing answered, and not with an error of the system."""
        return now - self._began_at >= self._connect_ms / 1000 and self.trouble in (
            DialTrouble.SILENT,
            DialTrouble.LOST,
        )

    def _rest(self, now: float) -> None:
        self._again_at = now + self._rest_s
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    def _begin_probe(self) -> None:
        host = self._lookup.host if self._lookup is not None else None
        if not host:
            return
        try:
            probe = tcp.socket(tcp.AF_INET6 if ":" in host else tcp.AF_INET, tcp.SOCK_STREAM)
        except OSError:
            return
        probe.setblocking(False)
        try:
            number = probe.connect_ex((host, self.endpoint.port))
        except OSError:  # a zone that this machine does not have
            number = errno.ENETUNREACH
        self._probe = probe
        self._judge(number)

    def _look_at_probe(self, now: float) -> None:
        if self._probe is None:
            return
        number = self._probe.getsockopt(tcp.SOL_SOCKET, tcp.SO_ERROR)
        if number or _is_connected(self._probe):
            self._judge(number)
        elif now >= self._probed_at + PROBE_S:
            self.trouble = DialTrouble.SILENT

    def _judge(self, number: int) -> None:
        """Take note of how the probe ended. number: its errno; 0: it reached somebody now."""
        if number == errno.EINPROGRESS:
            return
        if self._probe is not None:
            self._probe.close()
            self._probe = None
        if number:
            self.trouble = _BY_ERRNO.get(number, DialTrouble.SILENT)


def _is_connected(probe: tcp.socket) -> bool:
    try:
        probe.getpeername()
    except OSError:
        return False
    return True


class _Lookup:
    """Looks up a host in a thread of its own, since a resolver may take long.

    host: the address; "": there is none; None: not known yet
    """

    def __init__(self, host: str) -> None:
        self._found: deque[str] = deque(maxlen=1)
        self._host = host
        if _is_address(host):
            self._found.append(host)
        else:
            threading.Thread(target=self._look_up, name="names", daemon=True).start()

    @property
    def host(self) -> str | None:
        return self._found[0] if self._found else None

    def _look_up(self) -> None:
        try:
            found = tcp.getaddrinfo(self._host, None, type=tcp.SOCK_STREAM)
            self._found.append(str(found[0][4][0]))
        except (OSError, UnicodeError):
            self._found.append("")


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
