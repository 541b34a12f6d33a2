"""What the sockets of a bus have in common.

Knows data only. Must not know what any socket does.
"""

from __future__ import annotations

from collections.abc import Callable

import zmq
from msgspec import Struct

from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.device_key import DeviceKeyPair
from leftzmq.transport.poller import Poller
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.transport.socket_errors import SocketErrors


class Context(Struct, frozen=True):
    """keys: of this device
    allowed: returns whether a key (32 bytes) is in the present list
    refusal_log: collects refusals; socket_errors: collects errors of our own sockets
    clock: returns monotonic seconds
    activity: knows over which connections of devices bytes arrived"""

    context: zmq.Context[zmq.Socket[bytes]]
    keys: DeviceKeyPair
    poller: Poller
    allowed: Callable[[bytes], bool]
    refusal_log: RefusalLog
    clock: Callable[[], float]
    socket_errors: SocketErrors
    activity: Activity
