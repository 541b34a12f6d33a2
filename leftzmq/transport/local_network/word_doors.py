"""Announces a word door in the local network, and finds those of others.

What is announced names nobody: a random instance, a random host, and a digit. Must not know words,
nor what a door answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from leftzmq.endpoint import Endpoint
from leftzmq.errors import InvitationError
from leftzmq.transport.door.word_visitor import DOORS_MAX
from leftzmq.transport.local_network.mdns import (
    VERSION,
    HeardNames,
    endpoints_in,
    is_loopback,
    service,
    zeroconf_at,
)

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

SERVICE: Final = "_leftzmq-join._tcp.local."
FIND_S: Final = 8.0
"""For a first door: a network that sleeps may need some seconds."""
SETTLE_S: Final = 1.0
"""From the first door to the last one that is waited for."""
RESOLVE_S: Final = 1.0
_NAME_BYTES: Final = 8
_TURN_S: Final = 0.02
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
        self._digit, self._port, self._addresses = digit, port, tuple(addresses)
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
            info = service(
                SERVICE,
                self._instance,
                self._host,
                self._port,
                self._addresses,
                {"v": VERSION, "d": _DIGITS[self._digit]},
            )
            self._zeroconf = zeroconf_at(self._interfaces)
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
    zeroconf = zeroconf_at(interfaces) if interfaces else None
    if zeroconf is None:
        what = "this machine is in no local network where they could be looked for"
        raise InvitationError(what, "the words", _THREE_DO)
    at_loopback = all(is_loopback(one) for one in interfaces)
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


def _heard(
    zeroconf: Zeroconf,
    digit: int | None,
    at_loopback: bool,
    end: float,
    settle_s: float,
    clock: Callable[[], float],
) -> list[list[Endpoint]]:
    from zeroconf import ServiceBrowser

    listener, found = HeardNames(), list[list[Endpoint]]()
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
            if info is None:
                listener.unanswered(name)
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
    if said.get(b"v") != VERSION or said.get(b"d") not in digits:
        return []
    return endpoints_in(info, at_loopback)
