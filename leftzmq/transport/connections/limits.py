"""The connections that others made to our sockets: which one has to end, so that all are served.

libzmq bounds neither how many connections come, nor how long one stays silent once its handshake
is over, nor what one message holds. But it tells the descriptor of each connection that comes, and
every frame names the descriptor that it came over (measured, libzmq 4.3.5). So each can be counted,
and a single one can be ended.

Knows descriptors, addresses, and which device a connection belongs to. Must not know what is said
over one, nor why a device is dropped.
"""

from __future__ import annotations

import ipaddress
import socket as tcp
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

import zmq

from leftzmq.errors import Refusal
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.connections.ends import ConnectionEnds
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.wire.codec import Socket

SILENT_MAX: Final = {Socket.CONTROL: 96, Socket.BULK: 32, Socket.NEWS: 96}
"""Connections to a socket over which no paired device has said anything yet. A stranger can let
each hold one unfinished frame: 1 MiB on bulk, 64 KiB on the others, 46 MiB over all."""
SILENT_S: Final = 10.0
"""A paired device speaks first, and at once; libzmq gives the handshake 5 s."""
SILENT_BYTES: Final = {Socket.CONTROL: 128 << 10, Socket.BULK: 16 << 10, Socket.NEWS: 16 << 10}
"""A handshake takes under 2 KiB, a hello at most 64 KiB, and what is said first over the others
some bytes: who sent more and is not known yet is no device of ours."""
DEVICE_MAX: Final = 4
"""Connections of one device to one socket. It has one, or two for a moment when it comes anew."""
UNREAD_BYTES: Final = 64 << 20
"""What one device may have sent us and we have not been given by libzmq. The high-water marks allow
34 MiB on bulk and 8 MiB on each of the others, the kernel 6 MiB each; more than that is a message
that does not end."""
LOOK_S: Final = 0.02  # at those over which nobody has said anything
UNREAD_LOOK_S: Final = 0.05
"""Between two looks at what libzmq holds of a device of which something came. It opens
about 1 GB a second and thread (transport/bus): a message that does not end is 50 MB further on."""
TRIM_S: Final = 0.25
"""While strangers are ended, what malloc keeps of what they began to say goes back to the system so
often (1 to 10 ms each): 12,000 connections a second with 1 MiB begun took 200 MiB without it, 70
with it, of which libzmq held a small part at any time."""
SPARE_SHARE: Final = 8
"""An eighth of the descriptors is not for connections: walks, workers and indexes need some."""

LOOKED_AT: Final = 16
"""Connections of one source, before its oldest one ends whatever has come over it."""

_HELLO_BYTES: Final = 64 + 200
"""A greeting and the first command of a CURVE handshake. Only who knows our public key can make one
after which the connection goes on."""
_FRAME_BYTES: Final = 64  # around each frame: ZMTP's header and CURVE's nonce and MAC take 42
_IDLE_BYTES_S: Final = 64  # pings of another libzmq: under 200 bytes in 10 s
_BYTES_RECEIVED: Final = struct.Struct("=Q")
_BYTES_RECEIVED_AT: Final = 128  # in struct tcp_info of Linux 4.1 and later


@dataclass(slots=True, eq=False)
class PeerConnection:
    """since: when it came (monotonic). device: whose it is; None: nobody has said anything yet.

    taken: bytes that libzmq has handed us, with what is around them on the wire, rather too many
    messages: that were handed out
    """

    kind: Socket
    descriptor: int
    ends: ConnectionEnds
    since: float
    device: DeviceKey | None = None
    taken: int = 0
    messages: int = 0

    def took(self, frames: Sequence[zmq.Frame]) -> None:
        """libzmq handed us this message."""
        self.taken += sum(len(frame) + _FRAME_BYTES for frame in frames)
        self.messages += 1

    def end(self) -> None:
        """Let libzmq find it closed. Nothing happens where it is gone already: its descriptor may
        be another one's by now."""
        with suppress(OSError), _borrowed(self.descriptor, self.ends.family) as borrowed:
            if (borrowed.getsockname(), borrowed.getpeername()) == self._both:
                borrowed.shutdown(tcp.SHUT_RDWR)

    def received(self) -> int | None:
        """Bytes that came over it so far. None: it is gone. 0 where the system does not say."""
        try:
            with _borrowed(self.descriptor, self.ends.family) as borrowed:
                if (borrowed.getsockname(), borrowed.getpeername()) != self._both:
                    return None
                return _received(borrowed)
        except OSError:
            return None

    def unread(self, now: float) -> int | None:
        """How much of it libzmq still has, rather too little. None: it is gone."""
        received = self.received()
        if received is None:
            return None
        return received - self.taken - int((now - self.since) * _IDLE_BYTES_S)

    @property
    def is_in_handshake(self) -> bool:
        """Whether as much came over it as when somebody who knows our public key begins one."""
        return _HELLO_BYTES <= (self.received() or 0) <= SILENT_BYTES[self.kind]

    @property
    def source(self) -> str:
        """Whom to count it to: an address, of IPv6 its network of 64 bits."""
        return source_of(str(self.ends.there[0]))

    @property
    def _both(self) -> tuple[object, object]:
        return self.ends.here, self.ends.there


class ConnectionLimits:
    """Of all bound sockets.

    descriptors: how many this process may have open. dialed: the connections that we made
    activity: knows over which of those of devices something came
    trim: gives back what malloc keeps
    again_at: when `tick` wants to be called; None: there is nothing to look at
    """

    def __init__(
        self,
        refusal_log: RefusalLog,
        descriptors: int,
        dialed: Callable[[], Iterable[PeerConnection]],
        activity: Activity,
        trim: Callable[[], None],
    ) -> None:
        self._refusal_log, self._dialed, self._activity = refusal_log, dialed, activity
        self._trim, self._trim_at, self._trim_is_due = trim, 0.0, False
        self._highest = descriptors - descriptors // SPARE_SHARE
        self._all: dict[tuple[Socket, int], PeerConnection] = {}
        self._silent = {kind: _Silent() for kind in Socket}
        self._of_device: dict[DeviceKey, list[PeerConnection]] = {}
        self._look_at = self._unread_look_at = 0.0
        self.crowded = False
        """A descriptor of the spare ones was given to a connection: nobody should be let in."""

    @property
    def again_at(self) -> float | None:
        silent = any(each.count for each in self._silent.values())
        due = [self._look_at] if silent else []
        due += [self._unread_look_at] if self._activity.is_seen else []
        due += [self._trim_at] if self._trim_is_due else []
        return min(due, default=None)

    def has_seen(self, device: DeviceKey) -> bool:
        """Whether a connection of this device is open, as far as we know."""
        return device in self._of_device

    def accepted(self, kind: Socket, descriptor: int, port: int, now: float) -> None:
        """libzmq let one more in, at this port of ours; it may be gone already."""
        if descriptor >= self._highest:
            self.crowded = True
        ends = ConnectionEnds.of_descriptor(descriptor)
        if ends is None or ends.here[1] != port:
            return
        self.closed(kind, descriptor)
        connection = self._all[kind, descriptor] = PeerConnection(kind, descriptor, ends, now)
        silent = self._silent[kind]
        silent.add(connection)
        if silent.count > SILENT_MAX[kind]:
            chosen = silent.to_end()
            self._end(chosen)
            who, refusal = chosen.source, Refusal.TOO_MANY_CONNECTIONS
            self._refusal_log.note(None, refusal, who.encode(), f"from {who}", now)

    def closed(self, kind: Socket, descriptor: int) -> None:
        """libzmq says that it is gone, or we end it."""
        connection = self._all.pop((kind, descriptor), None)
        if connection is None:
            return
        if connection.device is None:
            self._silent[kind].remove(connection)
            return
        others = self._of_device[connection.device]
        others.remove(connection)
        if not others:
            del self._of_device[connection.device]

    def heard(self, frame: zmq.Frame, kind: Socket, device: DeviceKey) -> PeerConnection | None:
        """A paired device said something, of which `frame` is a part. The connection that it came
        over; None: we have not been told of it."""
        connection = self._all.get((kind, _descriptor(frame)))
        if connection is None:
            return None
        if connection.device is None:
            self._silent[kind].remove(connection)
            connection.device = device
            self._of_device.setdefault(device, []).append(connection)
            self._activity.watch(connection.descriptor)
            same = [c for c in self._of_device[device] if c.kind is kind]
            for oldest in same[: max(0, len(same) - DEVICE_MAX)]:
                self._end(oldest)
        return connection

    def end(self, frame: zmq.Frame, kind: Socket) -> None:
        """Who sent this frame is nobody that we talk to (any more)."""
        connection = self._all.get((kind, _descriptor(frame)))
        if connection is not None:
            self._end(connection)

    def end_all_of(self, device: DeviceKey) -> None:
        """The device is dropped."""
        for connection in list(self._of_device.get(device, ())):
            self._end(connection)

    def end_silent(self) -> None:
        """Every connection over which nobody has said anything goes."""
        for silent in self._silent.values():
            for connection in silent.all():
                self._end(connection)

    def forget_all(self) -> None:
        """The sockets are made anew: with the old ones all of it is gone."""
        self._all.clear()
        self._silent = {kind: _Silent() for kind in Socket}
        self._of_device.clear()
        self.crowded = False

    def tick(self, now: float) -> None:
        """Who has been silent too long, or holds too much, is ended or noted."""
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look_at_silent(now)
        if self._activity.is_seen and now >= self._unread_look_at:
            self._unread_look_at = now + UNREAD_LOOK_S
            self._look_at_unread(now)
        if self._trim_is_due and now >= self._trim_at:
            self._trim_at, self._trim_is_due = now + TRIM_S, False
            self._trim()

    def _look_at_silent(self, now: float) -> None:
        for silent in self._silent.values():
            for connection in silent.all():
                received = connection.received()
                if received is None:
                    self.closed(connection.kind, connection.descriptor)
                elif received > SILENT_BYTES[connection.kind] or now - connection.since > SILENT_S:
                    self._end(connection)

    def _look_at_unread(self, now: float) -> None:
        """Notes who has sent too much that we have not been given."""
        seen = self._activity.take()
        came = (connection for those in self._of_device.values() for connection in those)
        of_device: dict[DeviceKey | None, list[PeerConnection]] = {}
        for connection in (*came, *self._dialed()):
            of_device.setdefault(connection.device, []).append(connection)
        for device, connections in of_device.items():
            stirred = [each for each in connections if each.descriptor in seen]
            if device is None or not stirred:
                continue
            unread = sum(self._unread(each, now) for each in connections)
            if unread > UNREAD_BYTES:
                detail = f"{unread >> 20} MiB of it are here"
                self._refusal_log.note(device, Refusal.ENDLESS, device, detail, now)
            for each in stirred:
                self._activity.watch(each.descriptor)

    def _unread(self, connection: PeerConnection, now: float) -> int:
        unread = connection.unread(now)
        if unread is not None:
            return max(0, unread)
        # Of one that we made its owner hears from libzmq.
        if self._all.get((connection.kind, connection.descriptor)) is connection:
            self.closed(connection.kind, connection.descriptor)
        return 0

    def _end(self, connection: PeerConnection) -> None:
        self._trim_is_due = self._trim_is_due or connection.device is None
        connection.end()
        self.closed(connection.kind, connection.descriptor)


class _Silent:
    """Of one socket: connections over which nobody has said anything, the oldest first."""

    def __init__(self) -> None:
        self.count = 0
        self._by_source: dict[str, dict[int, PeerConnection]] = {}

    def all(self) -> list[PeerConnection]:
        return [each for of_source in self._by_source.values() for each in of_source.values()]

    def add(self, connection: PeerConnection) -> None:
        self._by_source.setdefault(connection.source, {})[connection.descriptor] = connection
        self.count += 1

    def remove(self, connection: PeerConnection) -> None:
        of_source = self._by_source[connection.source]
        del of_source[connection.descriptor]
        if not of_source:
            del self._by_source[connection.source]
        self.count -= 1

    def to_end(self) -> PeerConnection:
        """Of the source that has most of them the oldest in whose handshake nothing has happened;
        where all of the oldest are in the middle of one, the oldest."""
        most = max(self._by_source.values(), key=len)
        oldest = list(islice(most.values(), LOOKED_AT))
        return next((each for each in oldest if not each.is_in_handshake), oldest[0])


def source_of(address: str) -> str:
    """IPv4 addresses as they are, also inside IPv6; of IPv6 the network of 64 bits, which is what
    one household has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def _descriptor(frame: zmq.Frame) -> int:
    """Of the connection that it came over; -1: libzmq does not say. It says nothing of what an XPUB
    makes itself, and of the later parts of what others send to one."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1


@contextmanager
def _borrowed(descriptor: int, family: int) -> Iterator[tcp.socket]:
    """libzmq's own, for a moment. Between a question and what follows from it libzmq can close it
    and somebody else get its number: at worst an honest device's connection ends, and it comes back
    in 200 ms."""
    borrowed = tcp.socket(family, tcp.SOCK_STREAM, tcp.IPPROTO_TCP, fileno=descriptor)
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _received(borrowed: tcp.socket) -> int:
    if not hasattr(tcp, "TCP_INFO"):
        return 0
    length = _BYTES_RECEIVED_AT + _BYTES_RECEIVED.size
    info = borrowed.getsockopt(tcp.IPPROTO_TCP, tcp.TCP_INFO, length)
    if len(info) < length:
        return 0
    found: int = _BYTES_RECEIVED.unpack_from(info, _BYTES_RECEIVED_AT)[0]
    return found
