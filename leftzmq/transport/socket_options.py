"""Every option of every TCP socket, and why it has that value. All are set before bind or connect.

Knows libzmq's options. Must not know who is connected to whom. Kernel buffers are left alone:
with them set, loopback throughput fell by a third (libzmq issue 2338).
"""

from __future__ import annotations

from typing import Final

import zmq

from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.zap_gate import DOOR_DOMAIN, ZAP_DOMAIN
from leftzmq.wire.codec import Socket
from leftzmq.wire.door import MAX_ADMITTED_BYTES
from leftzmq.wire.messages import (
    MAX_BODY_BYTES,
    MAX_CONTROL_FRAME_BYTES,
    MAX_NEWS_FRAME_BYTES,
    MAX_PUB_INBOUND_BYTES,
)

HANDSHAKE_MS: Final = 5_000  # a silent stranger holds a descriptor this long; the default is 30 s
RECONNECT_MS: Final = 200
RECONNECT_MAX_MS: Final = 5_000
CONNECT_MS: Final = 5_000  # a firewall that drops everything would hold it for two minutes
KEEPALIVE_IDLE_S: Final = 10
KEEPALIVE_INTERVAL_S: Final = 5
"""The kernel probes whether the other machine is still there. libzmq's own heartbeats are off: they
abort the process if a connection breaks while its messages wait to be read (decision 0010)."""
UNACKNOWLEDGED_MS: Final = 8_000
"""If nothing was acknowledged on a connection for so long, keep-alive probes included, it is given
up and made anew. TCP alone tries again at ever longer intervals (13 s after packets were lost, then
26 s), even when the network was back long ago."""

_CURVE_BYTES: Final = 64  # a MESSAGE command adds 33 bytes to its contents

# HWMs count messages, per connection and direction, whatever their size; the default of 1000 would
# be 1 GiB on bulk. Each of these is what may be queued for one device that has stopped reading.
CONTROL_HWM: Final = 128  # x 64 KiB = 8 MiB
NEWS_HWM: Final = 128  # x 64 KiB = 8 MiB; what does not fit is lost; the next hello shows it
BULK_HWM: Final = 32  # x 1 MiB = 32 MiB: twice the largest credit

DOOR_HWM: Final = 4  # x 4 KiB; a knock and its answer are one message each
DOOR_BACKLOG: Final = 8  # connections that the kernel keeps until libzmq accepts them
DOOR_RECONNECT_MAX_MS: Final = 0
"""No longer interval than RECONNECT_MS: a door that is crowded is shut for 1 s, and a person
waits."""
_MAX_DOOR_BYTES: Final = MAX_ADMITTED_BYTES + _CURVE_BYTES

_HWM: Final = {
    Socket.CONTROL: CONTROL_HWM,
    Socket.NEWS: NEWS_HWM,
    Socket.BULK: BULK_HWM,
}
_MAX_INBOUND_BYTES: Final = {
    Socket.CONTROL: MAX_CONTROL_FRAME_BYTES + _CURVE_BYTES,
    Socket.NEWS: MAX_NEWS_FRAME_BYTES + _CURVE_BYTES,
    Socket.BULK: MAX_BODY_BYTES + _CURVE_BYTES,
}


def bound(
    context: zmq.Context[zmq.Socket[bytes]], kind: Socket, keys: DeviceKeyPair, host: str
) -> zmq.Socket[bytes]:
    """Return a socket ready to be bound: ROUTER, or XPUB for news. The gate must exist by then."""
    socket = context.socket(zmq.XPUB if kind is Socket.NEWS else zmq.ROUTER)
    _common(socket, host, _HWM[kind], _MAX_INBOUND_BYTES[kind])
    _serving(socket, keys, ZAP_DOMAIN)
    if kind is Socket.NEWS:
        socket.maxmsgsize = MAX_PUB_INBOUND_BYTES
        # Every subscription is reported, not only the first of each topic: each is a device.
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
    else:
        # A send to a route that is gone fails, instead of being lost silently.
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    return socket


def door(
    context: zmq.Context[zmq.Socket[bytes]], keys: DeviceKeyPair, host: str
) -> zmq.Socket[bytes]:
    """Return a ROUTER ready to be bound as a door. Its gate must exist by then."""
    socket = context.socket(zmq.ROUTER)
    _common(socket, host, DOOR_HWM, _MAX_DOOR_BYTES)
    _serving(socket, keys, DOOR_DOMAIN)
    socket.backlog = DOOR_BACKLOG
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    return socket


def dialed(
    context: zmq.Context[zmq.Socket[bytes]],
    kind: Socket,
    keys: DeviceKeyPair,
    device: bytes,
    host: str,
) -> zmq.Socket[bytes]:
    """Return a socket ready to be connected to `device` only: DEALER, or SUB for news."""
    socket = context.socket(zmq.SUB if kind is Socket.NEWS else zmq.DEALER)
    _common(socket, host, _HWM[kind], _MAX_INBOUND_BYTES[kind])
    _dialing(socket, keys, device, RECONNECT_MAX_MS)
    if kind is not Socket.NEWS:
        # Nothing is queued for a connection that may never be made. On a SUB this option would lose
        # the subscription itself (measured, libzmq 4.3.5).
        socket.immediate = 1
    return socket


def knocking(
    context: zmq.Context[zmq.Socket[bytes]],
    keys: DeviceKeyPair,
    door: bytes,
    host: str,
    connect_ms: int,
) -> zmq.Socket[bytes]:
    """Return a DEALER ready to be connected to the door with this public key only."""
    socket = context.socket(zmq.DEALER)
    _common(socket, host, DOOR_HWM, _MAX_DOOR_BYTES)
    _dialing(socket, keys, door, DOOR_RECONNECT_MAX_MS)
    socket.connect_timeout = connect_ms
    socket.immediate = 1
    return socket


def _serving(socket: zmq.Socket[bytes], keys: DeviceKeyPair, domain: bytes) -> None:
    socket.curve_server = 1
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
    socket.zap_domain = domain


def _dialing(
    socket: zmq.Socket[bytes], keys: DeviceKeyPair, server: bytes, reconnect_max_ms: int
) -> None:
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
    socket.curve_serverkey = server
    socket.reconnect_ivl, socket.reconnect_ivl_max = RECONNECT_MS, reconnect_max_ms
    socket.connect_timeout = CONNECT_MS


def _common(socket: zmq.Socket[bytes], host: str, hwm: int, inbound_bytes: int) -> None:
    socket.linger = 0  # what was not sent when we close is requested again
    socket.sndhwm = socket.rcvhwm = hwm
    socket.maxmsgsize = inbound_bytes
    socket.handshake_ivl = HANDSHAKE_MS
    socket.heartbeat_ivl = 0
    socket.tcp_keepalive, socket.tcp_keepalive_idle = 1, KEEPALIVE_IDLE_S
    socket.tcp_keepalive_intvl = KEEPALIVE_INTERVAL_S
    socket.tcp_maxrt = UNACKNOWLEDGED_MS
    socket.ipv6 = ":" in host
