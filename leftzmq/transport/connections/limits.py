"""Limits the connections that others make to our sockets: decides which one must end, so that all
are served.

libzmq limits neither the number of connections, nor how long one stays silent after its handshake,
nor the size of one message. But it reports the descriptor of each new connection, and every frame
names the descriptor that it came over (measured, libzmq 4.3.5). So each connection can be counted,
and a single one can be ended.

Knows descriptors, addresses, and which device a connection belongs to. Must not know what is said
over a connection, nor why a device is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import zmq

from leftzmq.errors import Refusal
from leftzmq.sync.facts import ConnectionsGone
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.connections.ends import ConnectionEnds
from leftzmq.transport.connections.tcp_connection import TcpConnection
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.wire.codec import Socket

SILENT_MAX: Final = {Socket.CONTROL: 96, Socket.BULK: 32, Socket.NEWS: 96}
"""Connections to a socket over which no paired device has sent anything yet ("silent"). A stranger
can have one unfinished frame on each: 1 MiB on bulk, 64 KiB on the others, 46 MiB in total."""
SILENT_S: Final = 10.0
"""A paired device sends first, and at once; libzmq gives the handshake 5 s."""
SILENT_BYTES: Final = {Socket.CONTROL: 128 << 10, Socket.BULK: 16 << 10, Socket.NEWS: 16 << 10}
"""A handshake takes under 2 KiB, a hello at most 64 KiB, and the first message on the others some
bytes. A connection with more bytes and no known device is not from a device of ours."""
DEVICE_MAX: Final = 4
"""Connections of one device to one socket. A device has one, or two for a moment when it connects
anew."""
UNREAD_BYTES: Final = 64 << 20
"""Bytes that one device may have sent and libzmq has not handed to us. The high-water marks allow
34 MiB on bulk and 8 MiB on each of the others, the kernel 6 MiB each; more than that is a message
that does not end."""
LOOK_S: Final = 0.02  # between two checks of the silent connections
UNREAD_LOOK_S: Final = 0.05
"""Time between two checks of what libzmq holds of active devices. libzmq decrypts about 1 GB a
second and thread (transport/bus), so an endless message grows by 50 MB meanwhile."""
GONE_S: Final = 0.2
"""From the end of a device's last connection to the report. The thread of libzmq tells of that end
and hands over what it had received, in any order."""
TRIM_S: Final = 0.25
"""While strangers' connections are ended, malloc's free memory is returned to the system at this
interval (1 to 10 ms each time). 12,000 connections a second with 1 MiB begun on each took 200 MiB
without it, 70 with it, of which libzmq held a small part at any time."""
SPARE_SHARE: Final = 8
"""An eighth of the descriptors is kept free of connections: walks, workers and indexes need
some."""

LOOKED_AT: Final = 16
"""Connections of one source that are checked; if all are in a handshake, the oldest one ends."""

_HELLO_BYTES: Final = 64 + 200
"""A greeting and the first command of a CURVE handshake. Only a client that knows our public key
can make one after which the connection goes on."""
_FRAME_BYTES: Final = 64  # around each frame: ZMTP's header and CURVE's nonce and MAC take 42
_IDLE_BYTES_S: Final = 64  # pings of another libzmq: under 200 bytes in 10 s


@dataclass(slots=True, eq=False)
class PeerConnection(TcpConnection):
    """device: its device; None: nothing was received from it.

    taken: bytes that libzmq has handed to us, with their overhead on the wire; rather too many
    messages: the number of messages handed to us
    """

    kind: Socket
    device: DeviceKey | None = None
    taken: int = 0
    messages: int = 0

    def took(self, frames: Sequence[zmq.Frame]) -> None:
        """Count a message that libzmq handed to us."""
        self.taken += sum(len(frame) + _FRAME_BYTES for frame in frames)
        self.messages += 1

    def unread(self, now: float) -> int | None:
        """Return the bytes that libzmq has not handed to us; rather too few. None: it is gone."""
        received = self.received()
        if received is None:
            return None
        return received - self.taken - int((now - self.since) * _IDLE_BYTES_S)

    @property
    def is_in_handshake(self) -> bool:
        """Whether it has received as many bytes as when a client that knows our public key begins a
        handshake."""
        return _HELLO_BYTES <= (self.received() or 0) <= SILENT_BYTES[self.kind]


class ConnectionLimits:
    """One for all server sockets.

    descriptors: how many this process may have open. dialed: returns the connections that we made
    activity: knows over which of the devices' connections bytes arrived
    trim: returns malloc's free memory to the system
    again_at: when to call `tick`; None: there is nothing to check
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
        # Devices whose last connection was closed, and when that is reported; None: at a tick.
        self._gone: dict[DeviceKey, float | None] = {}
        self._look_at = self._unread_look_at = 0.0
        self.crowded = False
        """A connection got a descriptor of the spare share: no more connections should be
        accepted."""

    @property
    def again_at(self) -> float | None:
        silent = any(each.count for each in self._silent.values())
        due = [self._look_at] if silent else []
        due += [self._unread_look_at] if self._activity.is_seen else []
        due += [self._trim_at] if self._trim_is_due else []
        due += [0.0 if at is None else at for at in self._gone.values()]
        return min(due, default=None)

    def has_seen(self, device: DeviceKey) -> bool:
        """Return whether a connection of this device is open, as far as we know."""
        return device in self._of_device

    def of_devices(self) -> Iterator[PeerConnection]:
        """The connections that devices made, and those that we made to them."""
        for those in self._of_device.values():
            yield from those
        yield from self._dialed()

    def accepted(self, kind: Socket, descriptor: int, port: int, now: float) -> None:
        """libzmq accepted a connection at this port of ours; it may be gone already."""
        if descriptor >= self._highest:
            self.crowded = True
        ends = ConnectionEnds.of_descriptor(descriptor)
        if ends is None or ends.here[1] != port or self._is_known(kind, descriptor, ends):
            return
        self.closed(kind, descriptor)
        self._add(PeerConnection(descriptor, ends, now, kind))
        silent = self._silent[kind]
        if silent.count > SILENT_MAX[kind]:
            chosen = silent.to_end()
            self._end(chosen)
            who, refusal = chosen.source, Refusal.TOO_MANY_CONNECTIONS
            self._refusal_log.note(None, refusal, who.encode(), f"from {who}", now)

    def closed(self, kind: Socket, descriptor: int) -> None:
        """libzmq reports that the connection is closed, or we end it."""
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
            self._gone[connection.device] = None

    def to_report(self, now: float) -> list[ConnectionsGone]:
        """Return the devices that have had no connection for GONE_S. What they sent before has been
        read by then, and libzmq knows that nothing can be sent to them."""
        due = [device for device, at in self._gone.items() if at is not None and at <= now]
        for device in due:
            del self._gone[device]
        return [ConnectionsGone(device) for device in due if not self.has_seen(device)]

    def _is_known(self, kind: Socket, descriptor: int, ends: ConnectionEnds) -> bool:
        known = self._all.get((kind, descriptor))
        return known is not None and known.ends == ends

    def _add(self, connection: PeerConnection) -> None:
        self._all[connection.kind, connection.descriptor] = connection
        self._silent[connection.kind].add(connection)

    def knows(self, frame: zmq.Frame, kind: Socket) -> bool:
        """Whether the connection that this frame came over was reported, as far as we know."""
        return (kind, descriptor_of(frame)) in self._all

    def frame_came(
        self, frame: zmq.Frame, kind: Socket, device: DeviceKey, now: float
    ) -> PeerConnection | None:
        """`frame` is part of a message of a paired device. Return its connection; None: it is gone.

        The thread of libzmq that accepts a connection reports it when another one may be reading
        from it already. On a busy machine 1 of 130 first messages was here before the report.
        """
        descriptor = descriptor_of(frame)
        connection = self._all.get((kind, descriptor))
        if connection is None:
            ends = ConnectionEnds.of_descriptor(descriptor)
            if ends is None:
                return None
            connection = PeerConnection(descriptor, ends, now, kind)
            self._add(connection)
        if connection.device is None:
            self._silent[kind].remove(connection)
            connection.device = device
            self._of_device.setdefault(device, []).append(connection)
            self._activity.watch(connection.descriptor)
            same = [c for c in self._of_device[device] if c.kind is kind]
            for oldest in same[: max(0, len(same) - DEVICE_MAX)]:
                self._end(oldest)
        return connection

    def end_connection(self, frame: zmq.Frame, kind: Socket) -> None:
        """End the connection that this frame came over: its sender is not (or no longer) paired."""
        connection = self._all.get((kind, descriptor_of(frame)))
        if connection is not None:
            self._end(connection)

    def end_all_of(self, device: DeviceKey) -> None:
        """End every connection of a device that is dropped."""
        for connection in list(self._of_device.get(device, ())):
            self._end(connection)

    def end_silent(self) -> None:
        """End every connection over which no paired device has sent anything."""
        for silent in self._silent.values():
            for connection in silent.all():
                self._end(connection)

    def forget_all(self) -> None:
        """The sockets are made anew: all their connections are gone."""
        self._all.clear()
        self._silent = {kind: _Silent() for kind in Socket}
        self._gone.update(dict.fromkeys(self._of_device))
        self._of_device.clear()
        self.crowded = False

    def tick(self, now: float) -> None:
        """End connections that were silent too long or sent too much; note devices with too much
        unread."""
        for device in [each for each, at in self._gone.items() if at is None]:
            self._gone[device] = now + GONE_S
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
        """Note devices that have sent too much that libzmq has not handed to us."""
        seen = self._activity.active()
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
        # For a connection that we made, libzmq tells its owner.
        if self._all.get((connection.kind, connection.descriptor)) is connection:
            self.closed(connection.kind, connection.descriptor)
        return 0

    def _end(self, connection: PeerConnection) -> None:
        self._trim_is_due = self._trim_is_due or connection.device is None
        connection.shut_down()
        self.closed(connection.kind, connection.descriptor)


class _Silent:
    """The silent connections of one socket, oldest first."""

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
        """Return the connection to end. It is from the source with the most connections: the oldest
        one outside a handshake; if all of the oldest are in a handshake, the oldest."""
        most = max(self._by_source.values(), key=len)
        oldest = list(islice(most.values(), LOOKED_AT))
        return next((each for each in oldest if not each.is_in_handshake), oldest[0])


def descriptor_of(frame: zmq.Frame) -> int:
    """Return the descriptor of the connection that a frame came over; -1 if libzmq does not say. It
    does not say for frames that an XPUB makes itself, nor for later parts of messages to an
    XPUB."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1
