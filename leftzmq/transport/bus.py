"""The bus: every socket of an agent, behind six verbs. Only its own thread may use it.

Knows which socket carries what, and the order in which they are opened: gate, server sockets,
self-test. Must not know what a message is about, nor when anything is to be sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import zmq

from leftzmq.content.memory import trim
from leftzmq.disk.fs.interface import Buffer
from leftzmq.endpoint import Endpoint
from leftzmq.errors import Refusal
from leftzmq.statedir import Ports
from leftzmq.sync.facts import LinkClosed
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.connections.limits import ConnectionLimits, PeerConnection
from leftzmq.transport.context import Context
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.dialing.address_watch import AddressWatch
from leftzmq.transport.dialing.sockets import ClientSockets
from leftzmq.transport.door.door import Door
from leftzmq.transport.frames import Raw
from leftzmq.transport.ipc.server import IpcServer
from leftzmq.transport.platform import descriptors
from leftzmq.transport.poller import Poller
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.transport.selftest import self_test
from leftzmq.transport.server_sockets import CROWDED_REST_S, Listening, ServerSockets
from leftzmq.transport.socket_errors import SocketErrors
from leftzmq.transport.zap_gate import Gate
from leftzmq.wire.codec import Socket, encode
from leftzmq.wire.door import Admitted, NotAdmitted
from leftzmq.wire.messages import Message, News, Open

IO_THREADS: Final = 2  # CURVE runs here: about 1 s of CPU per GB and end; one thread a connection
BYE_LINGER_MS: Final = 200
SERVE_S: Final = 2.0  # libzmq closes the sockets of the self-test in another thread
SHUT_OUT_S: Final = 60.0  # a device that breaks the rules once mostly does it again
ZERO_COPY_BYTES: Final = 64 << 10  # below it, copying is cheaper than the bookkeeping
_CROWDED: Final = (
    "nearly all file descriptors are in use: the connections that came were ended, and nobody is "
    f"let in for {CROWDED_REST_S:.0f} s"
)


class Bus:
    """All sockets. They are made, bound and tested when the constructor returns. No other device is
    let in before `serve`.

    keys: of this device
    allowed: returns whether a key (32 bytes) is in the present list
    listening: where to bind
    ipc: endpoints of events and admin (statedir.ipc_endpoints)
    wake_fd: makes `poll` return when it is readable; its owner clears it
    Raises PortTaken, GateError. An address that this machine does not have yet is no error: it is
        tried again.
    """

    def __init__(
        self,
        keys: DeviceKeyPair,
        allowed: Callable[[bytes], bool],
        listening: Listening,
        ipc: tuple[str, str],
        wake_fd: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listed, self._clock = allowed, clock
        self._shut_out: dict[DeviceKey, float] = {}  # listed devices only: bounded
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=IO_THREADS)
        self._poller, self._refusal_log, self._socket_errors = (
            Poller(),
            RefusalLog(),
            SocketErrors(),
        )
        activity = Activity()
        self._context = Context(
            context,
            keys,
            self._poller,
            self._allowed,
            self._refusal_log,
            clock,
            self._socket_errors,
            activity,
        )
        self._dialed: dict[DeviceKey, ClientSockets] = {}
        self._door: Door | None = None
        self._connection_limits = ConnectionLimits(
            self._refusal_log, descriptors(), self._dialed_connections, activity, trim
        )
        self._gates_seen = 0
        self._closing: list[Callable[[], None]] = [activity.close, context.destroy]
        try:
            self._gate = Gate(self._context)
            self._closing.append(lambda: self._gate.close())
            self._add_gate()
            self._bound = ServerSockets(self._context, listening, self._connection_limits)
            # Closed before the gate: without a gate libzmq lets any key in.
            self._closing.append(lambda: self._bound.close(BYE_LINGER_MS))
            self._test()
            self._bound.unbind()
            self._address_watch = AddressWatch(self._dialed, self._bound.has_seen)
            self._closing.append(self._address_watch.close)
            self._own = IpcServer(self._context, *ipc)
            self._closing.append(lambda: self._own.close(BYE_LINGER_MS))
        except BaseException:
            self.close()
            raise
        self._poller.add(wake_fd, tuple)
        if activity.fd is not None:
            self._poller.add(activity.fd, activity.take_note)

    def serve(self) -> None:
        """Let others in from now on. The caller is about to call `poll` again and again."""
        self._bound.serve()
        deadline = time.monotonic() + SERVE_S
        while self._bound.closes and time.monotonic() < deadline:
            time.sleep(0.002)
            self._bound.serve()

    @property
    def control_endpoint(self) -> str:
        return str(self._bound.endpoints[Socket.CONTROL])

    @property
    def control(self) -> Endpoint:
        return self._bound.endpoints[Socket.CONTROL]

    @property
    def bulk_endpoint(self) -> str:
        return str(self._bound.endpoints[Socket.BULK])

    @property
    def news_endpoint(self) -> str:
        return str(self._bound.endpoints[Socket.NEWS])

    @property
    def ports(self) -> Ports:
        """The ports of bulk and news, for hello and welcome, and for the next start."""
        bound = self._bound.endpoints
        return Ports(bulk=bound[Socket.BULK].port, news=bound[Socket.NEWS].port)

    def dial(self, device: DeviceKey, *endpoints: Endpoint) -> None:
        """Connect control to `device`, which may be at any of these addresses (best first, at least
        one), and keep trying. LinkOpened or DialFailed follows. A device that is dialed already
        keeps its connection."""
        known = self._dialed.get(device)
        if known is None:
            self._dialed[device] = ClientSockets(self._context, device, endpoints)
        else:
            known.also_at(endpoints)

    def redial(self, device: DeviceKey) -> None:
        """Connect anew to a device that we dialed, even if the old connection hangs. A new
        connection begins with a new hello. A device that is shut out is not dialed."""
        dialed = self._dialed.get(device)
        if dialed is not None and not self.is_shut_out(device):
            endpoints = dialed.endpoints
            self.undial(device)
            self.dial(device, *endpoints)

    def subscribe(self, device: DeviceKey, bulk_port: int, news_port: int) -> None:
        """Connect bulk and news of a dialed device, on the ports that its welcome named."""
        if device in self._dialed:
            self._dialed[device].subscribe(bulk_port, news_port)

    def undial(self, device: DeviceKey) -> None:
        """Close what we dialed to `device`."""
        dialed = self._dialed.pop(device, None)
        if dialed is not None:
            dialed.close()

    def drop(self, device: DeviceKey) -> None:
        """Close every connection with `device`, and allow none for SHUT_OUT_S. Messages of the
        device that were polled before remain with the caller."""
        now = self._clock()
        self._shut_out[device] = now + SHUT_OUT_S
        # The gate will report it as unknown, which is wrong.
        self._refusal_log.hush(Refusal.UNKNOWN_DEVICE, device, now)
        if device in self._dialed:
            self._dialed[device].close_for(SHUT_OUT_S)
        self._connection_limits.end_all_of(device)

    def end(self, device: DeviceKey) -> None:
        """Close every connection with a device that is in the present list no more."""
        self.undial(device)
        self._shut_out.pop(device, None)
        self._connection_limits.end_all_of(device)

    def is_shut_out(self, device: DeviceKey) -> bool:
        """Return whether the device was dropped less than SHUT_OUT_S ago."""
        return self._clock() < self._shut_out.get(device, 0.0)

    def open_door(self, keys: DeviceKeyPair, port: int) -> int:
        """Open the door at the host of control, unless it is open. port: 0 = any. Return its
        port. Raises PortTaken."""
        if self._door is None:
            self._door = Door(keys, self.control.host, port, self._poller, self._clock)
        return self._door.port

    def close_door(self) -> None:
        """End every connection at the door; nobody listens there any more."""
        door, self._door = self._door, None
        if door is not None:
            door.close()

    def answer_at_door(self, caller: bytes, message: Admitted | NotAdmitted) -> bool:
        """Return False if the caller is gone."""
        return self._door is not None and self._door.answer(caller, message)

    def path_mtus(self) -> dict[bytes, int]:
        """Return the largest packet that reaches a device whole over each of its connections, in
        bytes, by its key; only where the kernel says so."""
        found: dict[bytes, int] = {}
        for connection in self._connection_limits.of_devices():
            size = connection.path_mtu()
            if connection.device is not None and size is not None:
                found[connection.device] = min(size, found.get(connection.device, size))
        return found

    def rebind(self) -> None:
        """Close every connection that others made: the gate judges each of them anew."""
        self._bound.rebind()

    def send(self, link: Link, message: Message, body: Buffer | None = None) -> bool:
        """Send without waiting. Return False if the link is gone, or if its queue is full.

        body: the second frame of Chunks. The bus owns it now, and nobody may change it.
        """
        kind = Socket.BULK if type(message) in Socket.BULK.carries else Socket.CONTROL
        if link.way is Way.DIALED and type(message) is Open:
            if link.device in self._dialed:
                self._dialed[link.device].open_again()
            return True
        frames: list[Buffer] = [encode(message)]
        if body is not None:
            frames.append(body)
        copy = body is None or len(body) < ZERO_COPY_BYTES
        if link.way is Way.CAME:
            # The connection may still be open although its key was removed from the list.
            allowed = self._allowed(link.device)
            return allowed and self._bound.send(kind, link.route, frames, copy)
        dialed = self._dialed.get(link.device)
        line = dialed.line(kind) if dialed is not None else None
        return line is not None and line.send(frames, copy)

    def publish(self, news: News) -> None:
        """Broadcast to every subscriber with space in its queue."""
        self._bound.publish(encode(news))

    @property
    def strangers_refused(self) -> int:
        """How often somebody was refused who is no paired device, or is shut out."""
        return self._refusal_log.strangers

    @property
    def has_listeners(self) -> bool:
        """Whether anybody subscribes to events."""
        return self._own.has_listeners

    def tell(self, frames: list[bytes]) -> None:
        """Broadcast an event (wire/local) to monitors."""
        self._own.tell(frames)

    def answer(self, asker: bytes, frame: bytes) -> bool:
        """Answer a RawAsk. Return False if the asker is gone."""
        return self._own.answer(asker, frame)

    def poll(self, timeout_ms: int) -> list[Raw]:
        """Wait for messages and events, and return them: a bounded number from each socket.

        Returns an empty list after `timeout_ms`, after a wake-up, or after something that concerns
        only the bus. Raises GateError if the gate's socket cannot be made again, or if the gate
        fails the self-test.
        """
        found = self._move()
        found += self._poller.poll(0 if found else min(timeout_ms, self._tick(timeout_ms)))
        now = self._clock()
        found.extend(self._connection_limits.to_report(now))
        found.extend(self._refusal_log.to_report(now))
        found.extend(self._socket_errors.to_report())
        return found

    def close(self) -> None:
        """Close everything; messages sent last (bye) have BYE_LINGER_MS to leave."""
        for dialed in self._dialed.values():
            dialed.close(BYE_LINGER_MS)
        self._dialed.clear()
        self.close_door()
        while self._closing:
            self._closing.pop()()

    def _allowed(self, key: bytes) -> bool:
        return self._listed(key) and not self.is_shut_out(DeviceKey(key))

    def _tick(self, timeout_ms: int) -> int:
        """Do what is due. Return the milliseconds until something is due again."""
        now = self._clock()
        if self._gate.socket.closed:
            self._serve_gate()  # a poller does not report a closed socket
        if self._gate.remade != self._gates_seen:
            self._gates_seen = self._gate.remade
            self._add_gate()
            self._bound.rebind()  # closes connections that came while there was no gate
        self._connection_limits.tick(now)
        if self._connection_limits.crowded:
            self._rest_crowded(now)
        due = [self._address_watch.again_at if self._dialed else None, self._bound.tick(now)]
        self._test()
        due += [self._own.tick(now), self._connection_limits.again_at]
        due.append(self._tick_door(now))
        due += (dialed.tick(now) for dialed in self._dialed.values())
        soonest = min((at for at in due if at is not None), default=None)
        return timeout_ms if soonest is None else max(0, round((soonest - now) * 1000) + 1)

    def _tick_door(self, now: float) -> float | None:
        """A door whose gate broke has closed itself."""
        if self._door is None:
            return None
        again_at = self._door.tick(now)
        if self._door.is_closed:
            self._door = None
            self._socket_errors.note("the door for invitations broke: invite again", now)
        return again_at

    def _rest_crowded(self, now: float) -> None:
        """Nearly all descriptors are in use. The next one may be needed for a file of a user, or by
        libzmq, which ends this process if it finds none for a local connection (4.3.5)."""
        self._socket_errors.note(_CROWDED, now)
        self._own.unbind_until(now + CROWDED_REST_S)
        self._bound.rebind(CROWDED_REST_S)

    def _test(self) -> None:
        """Test new sockets: no socket stays bound that has not been seen to refuse a stranger."""
        if untested := self._bound.untested():
            self_test(self._context, self._gate, untested, self._bound.watch)

    def _dialed_connections(self) -> list[PeerConnection]:
        return [each for dialed in self._dialed.values() for each in dialed.connections()]

    def _move(self) -> list[Raw]:
        """Dial devices anew if their address, or ours, has changed."""
        moved = self._address_watch.moved(self._clock())
        for device in moved:
            self.redial(device)
        return [LinkClosed(Link(device, Way.DIALED), why) for device, why in moved.items()]

    def _add_gate(self) -> None:
        self._poller.add(self._gate.socket, self._serve_gate)

    def _serve_gate(self) -> list[Raw]:
        before = self._gate.socket
        self._gate.serve()
        if self._gate.socket is not before:
            self._poller.drop(before)
        return []
