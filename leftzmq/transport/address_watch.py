"""Whether both ends of what we dialed are still where they were. Looked at from time to time.

Knows what was dialed. Must not know what is done about it. TCP alone would find out 8 s after
something is sent, which in quiet times is up to 10 s later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from leftzmq.sync.link import DeviceKey
from leftzmq.transport.client_sockets import ClientSockets
from leftzmq.transport.connections.ends import ConnectionEnds, left
from leftzmq.transport.connections.name_lookup import LookedUpName, NameLookup

LOOK_S: Final = 2.0
LOOKS_A_NAME: Final = 3
"""A name is looked up as often as libzmq itself does while nobody answers, or nearly (5 s)."""


class AddressWatch:
    """dialed: of the moment. dials_us: whether a device came to us; then it will again.

    again_at: when `moved` wants to be called, monotonic seconds
    """

    def __init__(
        self, dialed: Mapping[DeviceKey, ClientSockets], dials_us: Callable[[DeviceKey], bool]
    ) -> None:
        self._dialed, self._dials_us = dialed, dials_us
        self._names = NameLookup()
        self._looks = 0
        self.again_at = 0.0

    def moved(self, now: float) -> dict[DeviceKey, str]:
        """What has to be dialed anew, and why."""
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
