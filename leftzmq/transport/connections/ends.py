"""The two ends of a connection, and whether ours is still at an address of this device.

Knows addresses, and asks the system about them; nothing is sent. Must not know who is at the other
end. TCP does not say that the address a connection was made from is gone: it waits for an answer
that cannot come, and where nothing is sent it does not even wait.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from leftzmq.sync.link import DeviceKey

_TCP: Final = (socket.AF_INET, socket.AF_INET6)
_NOT_OURS: Final = (errno.EADDRNOTAVAIL, errno.ENODEV)  # the latter: its interface went, too


@dataclass(frozen=True, slots=True)
class ConnectionEnds:
    """Of a TCP connection. here, there: as the socket module writes addresses of that family."""

    family: int
    here: tuple[Any, ...]
    there: tuple[Any, ...]

    @classmethod
    def of_descriptor(cls, descriptor: int) -> ConnectionEnds | None:
        """Those of the TCP connection that has this number now, which libzmq may close at any time.
        None: there is none."""
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
        """Those of a connection of libzmq's to this port. None: it is closed already, and its
        number may be another one's."""
        ends = cls.of_descriptor(descriptor)
        return ends if ends is not None and ends.there[1] == port else None

    @property
    def address(self) -> tuple[Any, ...]:
        """Of our end, whatever its port."""
        return (self.here[0], 0, *self.here[2:])

    def is_ours(self) -> bool:
        """Whether this device still has the address of its end."""
        try:
            with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
                probe.bind(self.address)
        except OSError as error:
            return error.errno not in _NOT_OURS
        return True

    def would_move(self) -> bool:
        """Whether this device would call the other end from another address now. Not when it has
        none: the old one may come back, and the connection goes on then."""
        try:
            with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
                probe.connect(self.there)  # of UDP: the system chooses an address, no more
                return bool(probe.getsockname()[0] != self.here[0])
        except OSError:
            return False


def left(ends: Mapping[DeviceKey, ConnectionEnds]) -> list[DeviceKey]:
    """The devices to which we are connected from an address that this device has left."""
    # Mostly all are from one address: one question is enough, however many devices there are.
    asked = {those.address: those for those in ends.values()}
    gone = {address for address, those in asked.items() if not those.is_ours()}
    return [key for key, those in ends.items() if those.address in gone and those.would_move()]
