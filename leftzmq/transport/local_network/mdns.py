"""mDNS (RFC 6762) and DNS-SD (RFC 6763) as both services of ours use them.

Knows the package `zeroconf`, which is imported when it is used: 0.25 s that no other command pays.
What is heard is an address to try, and no more is believed. Must not know what is announced.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

NAMES_MAX: Final = 64
ADDRESSES_MAX: Final = 4
TTL_S: Final = 60
"""Of what is announced: a process that was killed cannot take it back."""
VERSION: Final = b"1"

RETRIES_MAX: Final = 3


class HeardNames:
    """Takes the names that zeroconf's thread tells: each once, or again when its record changed.

    Of NAMES_MAX names the one that was heard first gives way to a new one, so that a neighbour who
    announces many keeps nobody out for good.
    """

    def __init__(self) -> None:
        self.came = threading.Event()
        """Set when there is a name; who takes the names clears it."""
        self.names: deque[str] = deque(maxlen=NAMES_MAX)
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, int] = OrderedDict()
        """How often each is still asked for again."""

    def add_service(self, zeroconf: Zeroconf, type_: str, name: str) -> None:
        with self._lock:
            if name not in self._seen:
                self._seen[name] = RETRIES_MAX
                if len(self._seen) > NAMES_MAX:
                    self._seen.popitem(last=False)
                self._give(name)

    def update_service(self, zeroconf: Zeroconf, type_: str, name: str) -> None:
        with self._lock:
            if name in self._seen:
                self._give(name)

    def unanswered(self, name: str) -> None:
        """Give it once more, after the others: a busy network may have lost question or answer.

        A name that nobody answers for is given RETRIES_MAX times more and no longer.
        """
        with self._lock:
            if self._seen.get(name, 0) > 0:
                self._seen[name] -= 1
                self._give(name)

    def remove_service(self, zeroconf: Zeroconf, type_: str, name: str) -> None:
        with self._lock:
            self._seen.pop(name, None)

    def _give(self, name: str) -> None:
        if name not in self.names:
            self.names.append(name)
            self.came.set()


def service(
    type_: str,
    instance: str,
    host: str,
    port: int,
    addresses: Sequence[str],
    said: dict[str, bytes],
) -> ServiceInfo:
    """Return the record of a service. said: its TXT; addresses: ADDRESSES_MAX of them count."""
    from zeroconf import ServiceInfo

    return ServiceInfo(
        type_,
        f"{instance}.{type_}",
        port=port,
        addresses=[_packed(one) for one in addresses[:ADDRESSES_MAX]],
        properties=said,
        server=f"{host}.local.",
        host_ttl=TTL_S,
        other_ttl=TTL_S,
    )


def endpoints_in(info: Any, at_loopback: bool) -> list[Endpoint]:
    """Return the addresses that a record names, IPv4 first, ADDRESSES_MAX at most."""
    found = list(_endpoints(info.parsed_scoped_addresses(), info.port, at_loopback))
    return sorted(found, key=lambda one: ":" in one.host)[:ADDRESSES_MAX]


def _endpoints(addresses: Sequence[str], port: Any, at_loopback: bool) -> Iterator[Endpoint]:
    """Yield those that may be called. A stranger must not make us call ourselves."""
    for address in addresses:
        try:
            endpoint = Endpoint.parse(str(Endpoint(address, port)), "mDNS")
            ip = ipaddress.ip_address(address)
        except (ConfigError, ValueError, TypeError):
            continue
        if not ip.is_multicast and ip.is_loopback == at_loopback:
            yield endpoint


def zeroconf_at(interfaces: Sequence[str]) -> Zeroconf | None:
    """Return zeroconf at these interfaces; where IPv6 fails, with IPv4 alone. None: both fail."""
    from zeroconf import IPVersion, Zeroconf

    logging.getLogger("zeroconf").setLevel(logging.CRITICAL + 1)  # strangers' packets are no news
    fours = [one for one in interfaces if ":" not in one]
    sixes = len(fours) < len(interfaces)
    for chosen, version in (
        *([(list(interfaces), IPVersion.All if fours else IPVersion.V6Only)] if sixes else []),
        *([(fours, IPVersion.V4Only)] if fours else []),
    ):
        with suppress(Exception):  # OSError, RuntimeError, and more by its version
            return Zeroconf(interfaces=chosen, ip_version=version)
    return None


def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)
