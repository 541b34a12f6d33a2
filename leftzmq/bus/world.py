"""What the sockets of a bus have in common.

Knows shapes. Must not know what any socket does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import zmq

from leftzmq.bus.activity import Activity
from leftzmq.bus.devicekey import DeviceKeyPair
from leftzmq.bus.poller import Poller
from leftzmq.bus.strangers import Strangers
from leftzmq.bus.troubles import Troubles


@dataclass(frozen=True, slots=True)
class World:
    """keys: of this device

    allowed: whether a key (32 bytes) is in the list of the moment
    strangers: where refusals are noted; troubles: where is noted what hinders our own sockets
    clock: monotonic seconds
    activity: knows over which connections of devices something came
    """

    context: zmq.Context[zmq.Socket[bytes]]
    keys: DeviceKeyPair
    poller: Poller
    allowed: Callable[[bytes], bool]
    strangers: Strangers
    clock: Callable[[], float]
    troubles: Troubles
    activity: Activity
