"""The local network: announces a word door there, and finds those of others (mDNS, RFC 6762, and
DNS-SD, RFC 6763).

What is announced names nobody: a random instance, a random host, and a digit. What is heard is an
address to try, and no more is believed. Knows the package `zeroconf`, which it imports when it is
used. Must not know words, nor what a door answers.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError, InvitationError
from leftzmq.transport.door.word_visitor import DOORS_MAX

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

SERVICE: Final = "_leftzmq-join._tcp.local."
FIND_S: Final = 8.0
"""For a first door: a network that sleeps may need some seconds."""
SETTLE_S: Final = 1.0
"""From the first door to the last one that is waited for."""
NAMES_MAX: Final = 64
ADDRESSES_MAX: Final = 4
TTL_S: Final = 60
"""Of what is announced: a process that was killed cannot take it back."""
RESOLVE_S: Final = 1.0
_NAME_BYTES: Final = 8
_TURN_S: Final = 0.02
_VERSION: Final = b"1"
_DIGITS: Final = tuple(str(digit).encode() for digit in range(10))
_THREE_DO: Final = "say where it is: WORDS@HOST, as the other machine shows it; or type the code"


class Announcement:
    """Announces a door until `close`. It begins in a thread, since probing takes a second.

    addresses: where the door is reached. interfaces: addresses of this machine, one for each
    interface to announce at. random: returns so many random bytes
    """

    def __init__(
        self,
        digit: int,
        port: int,
        addresses: Sequence[str],
        interfaces: Sequence[str],
        random: Callable[[int], bytes],
    ) -> None:
        self._digit, self._port, self._addresses = digit, port, tuple(addresses)[:ADDRESSES_MAX]
        self._interfaces = tuple(interfaces)
        self._instance, self._host = random(_NAME_BYTES).hex(), random(_NAME_BYTES).hex()
        self._zeroconf: Zeroconf | None = None
        self.is_announced = False
        self._thread = threading.Thread(target=self._announce, name="announce", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take back what was announced."""
        self._thread.join()
        if self._zeroconf is not None:
            with suppress(Exception):  # of the network, or of zeroconf: it is over anyway
                self._zeroconf.close()

    def _announce(self) -> None:
        try:
            from zeroconf import ServiceInfo

            info = ServiceInfo(
                SERVICE,
                f"{self._instance}.{SERVICE}",
                port=self._port,
                addresses=[_packed(one) for one in self._addresses],
                properties={"v": _VERSION, "d": _DIGITS[self._digit]},
                server=f"{self._host}.local.",
                host_ttl=TTL_S,
                other_ttl=TTL_S,
            )
            self._zeroconf = _zeroconf(self._interfaces)
            if self._zeroconf is not None:
                self._zeroconf.register_service(info)
                self.is_announced = True
        except Exception:  # no multicast here, which zeroconf says in many ways
            return


def find(
    digit: int | None,
    interfaces: Sequence[str],
    within_s: float = FIND_S,
    settle_s: float = SETTLE_S,
    clock: Callable[[], float] = time.monotonic,
) -> list[list[Endpoint]]:
    """Return the addresses of each door of this digit that is announced, at most DOORS_MAX; None:
    of any digit. Nothing is asked of a door.

    interfaces: addresses of this machine, one for each interface to look at
    Raises InvitationError: there is none, there are too many, or this machine has no multicast.
    """
    zeroconf = _zeroconf(interfaces) if interfaces else None
    if zeroconf is None:
        what = "this machine is in no local network where they could be looked for"
        raise InvitationError(what, "the words", _THREE_DO)
    at_loopback = all(_is_loopback(one) for one in interfaces)
    try:
        found = _heard(zeroconf, digit, at_loopback, clock() + within_s, settle_s, clock)
    finally:
        with suppress(Exception):
            zeroconf.close()
    which = "invites with words" if digit is None else f"shows words with the digit {digit}"
    if not found:
        what = f"no machine of this network {which}, or none that can be heard"
        do = f"look whether `leftzmq share` waits there; else {_THREE_DO}"
        raise InvitationError(what, "the words", do)
    if len(found) > DOORS_MAX:
        what = f"more than {DOORS_MAX} machines of this network are there of which each {which}"
        raise InvitationError(what, "the words", _THREE_DO)
    return found


class _Listener:
    """Takes the names that zeroconf's thread tells, up to a bound."""

    def __init__(self) -> None:
        self.names: deque[str] = deque()
        self._seen: set[str] = set()

    def add_service(self, zeroconf: Zeroconf, type_: str, name: str) -> None:
        if name not in self._seen and len(self._seen) < NAMES_MAX:
            self._seen.add(name)
            self.names.append(name)

    def update_service(self, zeroconf: Zeroconf, type_: str, name: str) -> None:
        """What was told once is enough."""

    def remove_service(self, zeroconf: Zeroconf, type_: str, name: str) -> None:
        """It may be asked in vain, and says so."""


def _heard(
    zeroconf: Zeroconf,
    digit: int | None,
    at_loopback: bool,
    end: float,
    settle_s: float,
    clock: Callable[[], float],
) -> list[list[Endpoint]]:
    from zeroconf import ServiceBrowser

    listener, found = _Listener(), list[list[Endpoint]]()
    browser = ServiceBrowser(zeroconf, SERVICE, listener)  # type: ignore[arg-type]
    try:
        while (now := clock()) < end and len(found) <= DOORS_MAX:
            if not listener.names:
                time.sleep(_TURN_S)
                continue
            name = listener.names.popleft()
            rest_ms = int(1000 * min(RESOLVE_S, end - now))
            info: ServiceInfo | None = None
            with suppress(Exception):  # what comes from the network may be malformed in any way
                info = zeroconf.get_service_info(SERVICE, name, max(1, rest_ms))
            door = [] if info is None else _door(info, digit, at_loopback)
            if door and door not in found:
                found.append(door)
                end = min(end, clock() + settle_s)
    finally:
        with suppress(Exception):
            browser.cancel()
    return found


def _door(info: Any, digit: int | None, at_loopback: bool) -> list[Endpoint]:
    """Return the addresses of a door of this digit; [] if it is none."""
    said = info.properties
    digits = _DIGITS if digit is None else (_DIGITS[digit],)
    if said.get(b"v") != _VERSION or said.get(b"d") not in digits:
        return []
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


def _zeroconf(interfaces: Sequence[str]) -> Zeroconf | None:
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


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)
