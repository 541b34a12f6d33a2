"""Tests whether the gate judges: each server socket is tested before anybody else may connect.

Knows how a stranger and a guest look to the gate. Must not know the rest of the bus.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

import zmq
from zmq.utils import z85

from leftzmq.endpoint import Endpoint
from leftzmq.errors import GateError
from leftzmq.sync.link import DeviceKey
from leftzmq.transport import socket_options
from leftzmq.transport.context import Context
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.socket_monitor import SocketMonitor
from leftzmq.transport.zap_gate import Gate
from leftzmq.wire.codec import Socket

DEADLINE_S: Final = 10.0  # it takes milliseconds, but strangers may come at the same time
_TURN_MS: Final = 20
_LET_IN, _REFUSED = zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_HANDSHAKE_FAILED_AUTH
_DO: Final = "nothing was let in; start it again, and report it if it stays"


def self_test(
    context: Context,
    gate: Gate,
    bound: Iterable[tuple[Socket, Endpoint]],
    watch: Callable[[], None],
) -> None:
    """Check that each endpoint refuses a random key and accepts our own key as a guest. Serves the
    gate meanwhile.

    watch: lets the server sockets count new connections; others may connect meanwhile. Raises
    GateError if a key was judged otherwise, or not within DEADLINE_S.
    """
    public, secret = (z85.decode(half) for half in zmq.curve_keypair())
    stranger = DeviceKeyPair(DeviceKey(public), secret)
    keys = context.keys
    gate.guest = keys.public
    try:
        for kind, endpoint in bound:
            if _judged(context, gate, watch, stranger, kind, endpoint) != _REFUSED:
                raise GateError("a stranger's key was not refused", str(endpoint), _DO)
            if _judged(context, gate, watch, keys, kind, endpoint) != _LET_IN:
                raise GateError("the gate lets nobody in", str(endpoint), _DO)
    finally:
        gate.guest = None


def _judged(
    context: Context,
    gate: Gate,
    watch: Callable[[], None],
    client: DeviceKeyPair,
    kind: Socket,
    endpoint: Endpoint,
) -> int | None:
    """Return how the handshake of `client` ended, as an event of libzmq; None if it did not end in
    time."""
    socket = socket_options.dialed(
        context.context, kind, client, context.keys.public, endpoint.host
    )
    monitor = SocketMonitor(context.context, socket, _LET_IN | _REFUSED)
    poller = zmq.Poller()
    poller.register(monitor.socket, zmq.POLLIN)
    poller.register(gate.socket, zmq.POLLIN)
    try:
        socket.connect(str(Endpoint(_reachable(endpoint.host), endpoint.port)))
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            poller.poll(_TURN_MS)
            watch()
            gate.serve()
            event = monitor.next()
            if event is not None:
                return event
        return None
    finally:
        monitor.close()
        socket.close(0)


def _reachable(host: str) -> str:
    """Return an address that leads to a socket bound to `host`."""
    # A socket at "::" takes IPv4, too (libzmq), and in a container IPv6 has no loopback, often.
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host
