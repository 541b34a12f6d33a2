"""Where each device is dialed: of several addresses the one that worked last, until it fails.

Knows the addresses of devices and when they failed. Must not know sockets: it says what is to be
dialed.
"""

from __future__ import annotations

import math
from typing import Final

from leftzmq.config import Endpoint
from leftzmq.sync.link import DeviceKey

STAYS_S: Final = 1.0
"""An address is not left sooner, however fast it fails."""


class Addresses:
    """One per agent. Devices with one address are dialed there for ever."""

    def __init__(self) -> None:
        self._all: dict[DeviceKey, tuple[Endpoint, ...]] = {}
        self._left_at: dict[DeviceKey, float] = {}

    def begin(self, device: DeviceKey, addresses: tuple[Endpoint, ...]) -> Endpoint | None:
        """Return where to dial the device first; None: it dials us. addresses: best first."""
        self._all[device] = tuple(dict.fromkeys(addresses))
        self._left_at[device] = -math.inf
        return next(iter(self._all[device]), None)

    def more(self, device: DeviceKey, addresses: tuple[Endpoint, ...]) -> Endpoint | None:
        """The device has other addresses beside its first. It is dialed where it is dialed now, if
        that is still one of them. Return one that was not known before."""
        before = self._all.get(device, ())
        stays = [one for one in before[:1] if one in addresses]
        self._all[device] = tuple(dict.fromkeys((*stays, *addresses)))
        self._left_at.setdefault(device, -math.inf)
        return next((one for one in addresses if one not in before), None)

    def forget(self, device: DeviceKey) -> None:
        self._all.pop(device, None)
        self._left_at.pop(device, None)

    def failed(self, device: DeviceKey, now: float) -> Endpoint | None:
        """The device could not be reached where it is dialed. Return where to dial it instead;
        None: there as before. now: monotonic seconds."""
        addresses = self._all.get(device, ())
        if len(addresses) < 2 or now < self._left_at[device] + STAYS_S:
            return None
        self._left_at[device] = now
        self._all[device] = (*addresses[1:], addresses[0])
        return self._all[device][0]
