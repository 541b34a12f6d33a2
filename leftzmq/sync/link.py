"""A link: one way to talk with one device, and who dialed it."""

from __future__ import annotations

from enum import Enum
from typing import NewType

from msgspec import Struct

DeviceKey = NewType("DeviceKey", bytes)
"""The 32-byte CURVE public key of a device: its identity."""


class Way(Enum):
    """Which side made the connection."""

    DIALED = "dialed"  # by us: our DEALERs, the peer's key pinned
    CAME = "came"  # by the peer: its DEALERs at our ROUTERs, known by the authenticated User-Id


class Link(Struct, frozen=True):
    """route: the ROUTER's name for the connection (5 bytes starting with 0); b"" when dialed.

    A link that the peer made has one route on control and another one on bulk: an answer goes back
    to the route that its question came from.
    """

    device: DeviceKey
    way: Way
    route: bytes = b""
