"""The two ends of a TCP connection, and whether our end still has an address of this device.

Knows addresses, and asks the system about them; sends nothing. Must not know who is at the other
end. TCP does not report that the local address of a connection is gone. It waits for an
acknowledgement that cannot arrive, and if nothing is sent it does not even wait.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from leftzmq.sync.link import DeviceKey

_TCP: Final = (socket.AF_INET, socket.AF_INET6)
_NOT_OURS: Final = (errno.EADDRNOTAVAIL, errno.ENODEV)  # the latter: its interface is gone, too


class ConnectionEnds(Struct, frozen=True):
    """The ends of a TCP connection. here, there: addresses in the socket module's form for that
    family."""

    family: int
    here: tuple[Any, ...]
    there: tuple[Any, ...]

    @classmethod
    def of_descriptor(cls, descriptor: int) -> ConnectionEnds | None:
        """Return the ends of the TCP connection with this descriptor. libzmq may close it at any
        time. None: there is none."""
        try:
            borrowed = socket.socket(fileno=descriptor)
        except OSError:
            return None
        try:
            ends = cls(borrowed.family, borrowed.getsockname(), borrowed.getpeername())
        except OSError:
            return None
        finally:
            borrowed.detach()
        return ends if ends.family in _TCP else None

    @classmethod
    def of(cls, descriptor: int, port: int) -> ConnectionEnds | None:
        """Return the ends of a connection of libzmq to this port. None: it is closed already, and
        its descriptor may belong to another one."""
        ends = cls.of_descriptor(descriptor)
        return ends if ends is not None and ends.there[1] == port else None

    @property
    def address(self) -> tuple[Any, ...]:
        """The address of our end, with port 0."""
        return (self.here[0], 0, *self.here[2:])

    def is_ours(self) -> bool:
        """Return whether this device still has the address of our end."""
        try:
            with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
                probe.bind(self.address)
        except OSError as error:
            return error.errno not in _NOT_OURS
        return True

    def would_move(self) -> bool:
        """Return whether this device would now connect to the other end from another address. False
        if it has no route there: the old address may come back, and the connection then goes on."""
        try:
            with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
                probe.connect(self.there)  # UDP: this only makes the system choose an address
                return bool(probe.getsockname()[0] != self.here[0])
        except OSError:
            return False


def left(ends: Mapping[DeviceKey, ConnectionEnds]) -> list[DeviceKey]:
    """Return the devices that are connected from an address that this device has lost."""
    # Mostly all connections are from one address, so one check serves for all of them.
    asked = {those.address: those for those in ends.values()}
    gone = {address for address, those in asked.items() if not those.is_ours()}
    return [key for key, those in ends.items() if those.address in gone and those.would_move()]
