"""What one turn of the poller returns: frames with their sender, and facts that need no decoding.

Knows data only. Must not know sockets.
"""

from __future__ import annotations

from collections.abc import Sequence

import zmq
from msgspec import Struct

from leftzmq.sync.facts import (
    BulkRestored,
    ConnectionsGone,
    DialFailed,
    LinkClosed,
    LinkOpened,
    StrangerRefused,
    Subscribed,
)
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.wire.codec import Socket
from leftzmq.wire.door import Knock


class RawFrame(Struct, frozen=True):
    """A message of a paired device: 1 frame, or 2 on bulk. transport/decode turns it into a
    fact."""

    link: Link
    socket: Socket
    frames: Sequence[zmq.Frame]


class RawAsk(Struct, frozen=True):
    """A question at the admin socket; wire/local decodes it. asker: the routing id for the
    answer."""

    asker: bytes
    frame: bytes


class Knocked(Struct, frozen=True):
    """Somebody knocked at the door, and waits for an answer.

    caller: for Door.answer. device: its key, proved by CURVE; it may be in no list. address: where
    it connected from, as text
    """

    caller: bytes
    device: DeviceKey
    address: str
    knock: Knock


Raw = (
    RawFrame
    | RawAsk
    | Knocked
    | LinkOpened
    | LinkClosed
    | ConnectionsGone
    | DialFailed
    | BulkRestored
    | Subscribed
    | StrangerRefused
    | SocketTrouble
)
