"""Whether we are still where we dialed from. Asked from time to time by who owns the sockets.

Knows what was dialed. Must not know what is done about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leftzmq.bus.dialed import Dialed
from leftzmq.bus.ends import left
from leftzmq.sync.link import DeviceKey

LOOK_S: Final = 2.0


class Whereabouts:
    """again_at: when `moved` wants to be called, monotonic seconds."""

    def __init__(self) -> None:
        self.again_at = 0.0

    def moved(self, dialed: Mapping[DeviceKey, Dialed], now: float) -> dict[DeviceKey, str]:
        """What has to be dialed anew, and why: TCP alone would find out in 8 to 18 s."""
        if now < self.again_at:
            return {}
        self.again_at = now + LOOK_S
        ends = {key: those.ends for key, those in dialed.items() if those.ends is not None}
        return {
            device: f"the address {ends[device].here[0]} is not this device's any more"
            for device in left(ends)
        }
