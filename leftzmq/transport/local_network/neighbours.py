"""Announces this agent in the local network, and hears of the agents of devices that we know.

What is announced is a salt, and the beginning of a hash of the salt and the device key: who knows
the key recognizes the device, and nobody else can tell whose it is, nor follow it to the next
network. Nothing is said of folders. What is heard is an address to try under the key that we know.

Must not know which devices we know, nor when they are dialed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from leftzmq.content.keys import LOCAL_MARK_BYTES, local_mark
from leftzmq.endpoint import Endpoint
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

SERVICE: Final = "_leftzmq._tcp.local."
SALT_BYTES: Final = 8
PAUSE_S: Final = 0.2
"""Between two names that are asked about: 5 a second, whoever announces however many."""
RESOLVE_MS: Final = 1000
CLOSE_S: Final = 1.0
"""For the goodbye to the network; it is not waited for longer."""
_NAME_BYTES: Final = 8


class HeardAgent(Struct, frozen=True):
    """What an agent in the network announces. name: of its announcement, random."""

    name: str
    salt: bytes
    mark: bytes
    endpoints: tuple[Endpoint, ...]

    def is_of(self, device: bytes) -> bool:
        """Whether it says that it is this device. device: a public key, 32 bytes."""
        return local_mark(self.salt, device) == self.mark


class Neighbours:
    """Announces and listens in a thread of its own until `close`. Where there is no multicast,
    nothing is heard.

    device: our key; port: of our control socket; addresses: where it is reached
    interfaces: addresses of this machine, one for each interface to speak at
    heard: is called in the thread; random: returns so many random bytes
    """

    def __init__(
        self,
        device: bytes,
        port: int,
        addresses: Sequence[str],
        interfaces: Sequence[str],
        heard: Callable[[HeardAgent], None],
        random: Callable[[int], bytes],
    ) -> None:
        self._port, self._addresses, self._interfaces = port, tuple(addresses), tuple(interfaces)
        self._heard = heard
        salt = random(SALT_BYTES)
        self._said = {"v": VERSION, "s": salt, "m": local_mark(salt, device)}
        self._instance, self._host = random(_NAME_BYTES).hex(), random(_NAME_BYTES).hex()
        self._over = threading.Event()
        self._names = HeardNames()
        self._thread = threading.Thread(target=self._run, name="neighbours", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take back what was announced, and hear nothing more."""
        self._over.set()
        self._names.came.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        zeroconf = zeroconf_at(self._interfaces) if self._interfaces else None
        if zeroconf is None:
            return
        try:
            self._meet(zeroconf)
        except Exception:  # no multicast here, which zeroconf says in many ways
            return
        finally:
            with suppress(Exception):
                zeroconf.close()

    def _meet(self, zeroconf: Zeroconf) -> None:
        from zeroconf import ServiceBrowser

        names, at_loopback = self._names, all(map(is_loopback, self._interfaces))
        own = f"{self._instance}.{SERVICE}"
        zeroconf.register_service(
            service(SERVICE, self._instance, self._host, self._port, self._addresses, self._said)
        )
        ServiceBrowser(zeroconf, SERVICE, names)  # type: ignore[arg-type]
        while names.came.wait() and not self._over.wait(PAUSE_S):
            names.came.clear()
            name = names.names.popleft() if names.names else own
            if names.names:
                names.came.set()
            if name == own:
                continue
            info: ServiceInfo | None = None
            with suppress(Exception):  # what comes from the network may be malformed in any way
                info = zeroconf.get_service_info(SERVICE, name, RESOLVE_MS)
            if info is None:
                names.unanswered(name)
            agent = None if info is None else _agent(name, info, at_loopback)
            if agent is not None and not self._over.is_set():
                self._heard(agent)


def _agent(name: str, info: Any, at_loopback: bool) -> HeardAgent | None:
    """Return what a record announces; None: no agent that can be called."""
    said = info.properties
    salt, mark = said.get(b"s") or b"", said.get(b"m") or b""
    is_one = len(salt) == SALT_BYTES and len(mark) == LOCAL_MARK_BYTES
    if said.get(b"v") != VERSION or not is_one:
        return None
    endpoints = endpoints_in(info, at_loopback)
    return HeardAgent(name, salt, mark, tuple(endpoints)) if endpoints else None
