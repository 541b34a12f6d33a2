"""One TCP connection of libzmq, known by its descriptor: what came over it, and how it is ended.

Knows descriptors, and asks the system about them. Must not know sockets of libzmq, nor who is at
the other end. The descriptor belongs to libzmq, which may close it at any time.
"""

from __future__ import annotations

import ipaddress
import socket as tcp
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from leftzmq.transport.connections.ends import ConnectionEnds

_BYTES_RECEIVED: Final = struct.Struct("=Q")
_BYTES_RECEIVED_AT: Final = 128  # in struct tcp_info of Linux 4.1 and later
_PATH_MTU: Final[dict[int, tuple[int, int]]] = (
    # IP_MTU and IPV6_MTU of Linux (ip(7), ipv6(7)); Python has no names for them.
    {tcp.AF_INET: (tcp.IPPROTO_IP, 14), tcp.AF_INET6: (tcp.IPPROTO_IPV6, 24)}
    if sys.platform == "linux"
    else {}
)
"""By the family of a socket: level and option."""


@dataclass(slots=True, eq=False)
class TcpConnection:
    """since: when it was accepted or made (monotonic seconds)."""

    descriptor: int
    ends: ConnectionEnds
    since: float

    def shut_down(self) -> None:
        """Shut the connection down, so that libzmq finds it closed. Does nothing if it is gone
        already, because its descriptor may belong to another one now."""
        with suppress(OSError), _borrowed(self.descriptor, self.ends.family) as borrowed:
            if (borrowed.getsockname(), borrowed.getpeername()) == self._both:
                borrowed.shutdown(tcp.SHUT_RDWR)

    def received(self) -> int | None:
        """Return the bytes received over it so far. None: it is gone. 0 if the system does not
        say."""
        try:
            with _borrowed(self.descriptor, self.ends.family) as borrowed:
                if (borrowed.getsockname(), borrowed.getpeername()) != self._both:
                    return None
                return _received(borrowed)
        except OSError:
            return None

    def path_mtu(self) -> int | None:
        """Return the largest packet, in bytes, that the kernel sends whole to the other end. None:
        it does not say, or the connection is gone."""
        option = _PATH_MTU.get(self.ends.family)
        if option is None:
            return None
        try:
            with _borrowed(self.descriptor, self.ends.family) as borrowed:
                if (borrowed.getsockname(), borrowed.getpeername()) != self._both:
                    return None
                return borrowed.getsockopt(*option) or None
        except OSError:
            return None

    @property
    def source(self) -> str:
        """What it is counted under: the IPv4 address, or the /64 network of an IPv6 address."""
        return source_of(str(self.ends.there[0]))

    @property
    def _both(self) -> tuple[object, object]:
        return self.ends.here, self.ends.there


def source_of(address: str) -> str:
    """Return the key under which an address is counted: an IPv4 address as it is, also inside IPv6;
    for IPv6 the /64 network, which is what one household has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


@contextmanager
def _borrowed(descriptor: int, family: int) -> Iterator[tcp.socket]:
    """Use a socket of libzmq for a moment. Between a check and the next call libzmq can close it,
    and another connection can get its number. At worst an honest device's connection ends, and is
    back in 200 ms."""
    borrowed = tcp.socket(family, tcp.SOCK_STREAM, tcp.IPPROTO_TCP, fileno=descriptor)
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _received(borrowed: tcp.socket) -> int:
    if not hasattr(tcp, "TCP_INFO"):
        return 0
    length = _BYTES_RECEIVED_AT + _BYTES_RECEIVED.size
    info = borrowed.getsockopt(tcp.IPPROTO_TCP, tcp.TCP_INFO, length)
    if len(info) < length:
        return 0
    found: int = _BYTES_RECEIVED.unpack_from(info, _BYTES_RECEIVED_AT)[0]
    return found
