"""Checks from time to time whether both ends of each dialed connection still have their addresses.

Knows what was dialed. Must not know what is done about a change. TCP alone would notice 8 s after
something is sent, and in quiet times nothing is sent for up to 10 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from leftzmq.sync.link import DeviceKey
from leftzmq.transport.connections.ends import ConnectionEnds, left
from leftzmq.transport.connections.name_lookup import LookedUpName, NameLookup
from leftzmq.transport.dialing.sockets import ClientSockets

LOOK_S: Final = 2.0
LOOKS_A_NAME: Final = 3
"""A name is looked up about as often as libzmq looks it up while nobody answers (every 5 s)."""


class AddressWatch:
    """dialed: the devices that are dialed now. dials_us: returns whether a device has dialed us;
    then it will dial again.

    again_at: when to call `moved` next (monotonic seconds).
    """

    def __init__(
        self, dialed: Mapping[DeviceKey, ClientSockets], dials_us: Callable[[DeviceKey], bool]
    ) -> None:
        self._dialed, self._dials_us = dialed, dials_us
        self._names = NameLookup()
        self._looks = 0
        self.again_at = 0.0

    def moved(self, now: float) -> dict[DeviceKey, str]:
        """Return the devices that must be dialed anew, each with the reason."""
        if now < self.again_at:
            return {}
        self.again_at = now + LOOK_S
        ends = {key: those.ends for key, those in self._dialed.items() if those.ends is not None}
        moved = {
            device: f"the address {ends[device].here[0]} is not this device's any more"
            for device in left(ends)
        }
        for name in self._names.elsewhere():
            if ends.get(name.device) == name.ends:
                moved[name.device] = f"{name.host} is at another address now"
        self._looks += 1
        if self._looks % LOOKS_A_NAME == 0:
            self._look_up(ends)
        return moved

    def close(self) -> None:
        self._names.close()

    def _look_up(self, ends: Mapping[DeviceKey, ConnectionEnds]) -> None:
        for device, those in ends.items():
            host = self._dialed[device].control.endpoint.host
            if host != those.there[0] and not self._dials_us(device):
                self._names.ask(LookedUpName(device, host, those))
