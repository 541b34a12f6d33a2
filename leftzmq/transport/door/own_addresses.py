"""Where other devices can reach this machine.

Knows the interfaces of this machine and the address that it listens at. Must not know which sockets
there are.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import ifaddr
from msgspec import Struct

from leftzmq.endpoint import Endpoint
from leftzmq.pairing.code import MAX_ADDRESS_BYTES, MAX_OF_A_KIND

_HEAD_BYTES: Final = 3  # of the address part of a code
_IFF_UP: Final = 1  # linux/if.h
_EVERY: Final = ("0.0.0.0", "::")
# Documentation addresses (RFC 5737, RFC 3849): a UDP socket that is connected there sends nothing,
# and gets the address from which this machine would send.
_FAR: Final = {4: "192.0.2.1", 6: "2001:db8::1"}


class Reachable(Struct, frozen=True):
    """addresses: IPv4 and IPv6, that of the default route first among its kind."""

    addresses: tuple[str, ...]

    def for_code(self, port: int, named: Endpoint | None) -> tuple[Endpoint, ...]:
        """Return what fits into a code (pairing/code): `named` by the user, then IPv4, then IPv6
        addresses, each with `port`."""
        found = [] if named is None else [named]
        room = MAX_ADDRESS_BYTES - _HEAD_BYTES - sum(_code_bytes(one, port) for one in found)
        for version in (4, 6):
            mine = [one for one in self.addresses if _version(one) == version]
            for address in mine:
                endpoint = Endpoint(address, port)
                size, kind = _code_bytes(endpoint, port), [_version(one.host) for one in found]
                if endpoint not in found and size <= room and kind.count(version) < MAX_OF_A_KIND:
                    found.append(endpoint)
                    room -= size
        return tuple(found)


def reachable(listen: Endpoint) -> Reachable:
    """Return the addresses under which others can reach a socket that is bound at `listen`. None if
    that is this machine alone."""
    if listen.host not in _EVERY:
        return Reachable(() if _is_of_no_use(listen.host) else (listen.host,))
    found = list(dict.fromkeys(_of_interfaces(both=listen.host == "::")))
    routes = {version: _of_route(version) for version in (4, 6)}
    return Reachable(tuple(sorted(found, key=lambda one: one != routes[_version(one)])))


def at_interfaces(listen: Endpoint) -> tuple[str, ...]:
    """Return one address of each kind for each interface that is up, is not the loopback, and is
    listened at: where to speak to a local network."""
    if _is_of_no_use(listen.host) and listen.host not in _EVERY:
        return ()
    found: list[str] = []
    for adapter in ifaddr.get_adapters():
        addresses = [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapter.ips]
        if not _is_up(adapter.name) or any(map(_is_loopback, addresses)):
            continue
        if listen.host not in _EVERY:
            found += [one for one in addresses if one == listen.host]
            continue
        for version in (4, 6) if listen.host == "::" else (4,):
            found += [one for one in addresses if _version(one) == version][:1]
    return tuple(found)


def _is_up(interface: str) -> bool:
    """Return whether an interface is up; True if the system does not say."""
    try:
        flags = int(Path("/sys/class/net", interface, "flags").read_text(), 16)
    except (OSError, ValueError):
        return True
    return bool(flags & _IFF_UP)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _of_interfaces(both: bool) -> Iterator[str]:
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            if not _is_of_no_use(address) and (both or _version(address) == 4):
                yield address


def _of_route(version: int) -> str:
    """Return the address from which this machine sends to far ones; "": it has no route there."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_FAR[version], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def _code_bytes(endpoint: Endpoint, port: int) -> int:
    """Return the bytes that it takes in a code: as an address, or else as text."""
    version = _version(endpoint.host)
    if version and endpoint.port == port:
        return 4 if version == 4 else 16
    return 1 + len(str(endpoint).removeprefix("tcp://"))


def _version(host: str) -> int:
    """Return 4 or 6; 0: it is a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def _is_of_no_use(host: str) -> bool:
    """Return whether other machines cannot reach the address: loopback, or of one link only."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local or address.is_unspecified
