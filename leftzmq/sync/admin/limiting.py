"""Which limit keeps contents waiting, as a part of a sentence.

Knows what is in force between this device and others. Must not know who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from leftzmq.bandwidth.throttle import Throttles
from leftzmq.bandwidth.timetable import limit_text
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.link import DeviceKey


class Limiting:
    """One per agent. name: returns how a device is called here."""

    def __init__(
        self, throttles: Throttles, downloader: Downloader, name: Callable[[DeviceKey], str]
    ) -> None:
        self._throttles, self._downloader, self._name = throttles, downloader, name

    def here(self, folder: str) -> str:
        """Return the limit for which contents that are to come to this folder wait; "": none."""
        for device in self._downloader.limited_by(folder):
            ours, given = self._throttles.down.rate(device), self._downloader.given_by(device)
            if given is not None and (ours is None or given < ours):
                return f"limit of {self._name(device)}: {limit_text(given)}"
            if ours is not None:
                return f"limit: down {limit_text(ours)}"
        return ""

    def there(self, devices: Iterable[DeviceKey]) -> str:
        """Return the limit for which contents wait that these devices lack; "": none."""
        for device in devices:
            rate = self._throttles.up.rate(device)
            if rate is not None:
                return f"limit: up {limit_text(rate)}"
        return ""
