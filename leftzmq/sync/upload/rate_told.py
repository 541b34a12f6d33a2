"""Tells each device how much this one gives it a second, so that it asks for no more.

Who does not know asks for what stands in a queue here, where an edit comes behind what was asked
for before. Knows limits and what each device was told. Must not know what is given.
"""

from __future__ import annotations

from collections.abc import Callable

from leftzmq.bandwidth.throttle import Throttle
from leftzmq.sync.actions import Outputs, Send
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.wire.messages import Giving


class GivingTold:
    """One per agent.

    throttle: the limits of what is given
    links_for: returns every link to a device that understands Giving and may be given something
    """

    def __init__(
        self, throttle: Throttle, links_for: Callable[[DeviceKey], tuple[Link, ...]]
    ) -> None:
        self._throttle, self._links_for = throttle, links_for
        self._told: dict[DeviceKey, int | None] = {}

    def on_peer_greeted(self, device: DeviceKey) -> Outputs:
        """Tell the device, also that there is no limit: it may have heard of one in an earlier
        life."""
        return self._tell(device)

    def on_device_lost(self, device: DeviceKey) -> None:
        self._told.pop(device, None)

    def tell_changes(self) -> Outputs:
        """Other limits hold: tell each device for which another one does."""
        changed = [each for each, rate in self._told.items() if rate != self._throttle.rate(each)]
        return [action for device in changed for action in self._tell(device)]

    def _tell(self, device: DeviceKey) -> Outputs:
        links = self._links_for(device)
        if not links:
            return []
        rate = self._throttle.rate(device)
        self._told[device] = rate
        return [Send(link, Giving(rate is not None, rate or 0)) for link in links]
