"""Since when each device lacks something of a folder that we have.

Knows heads, counts and time. Must not know who is connected.
"""

from __future__ import annotations

from leftzmq.sync.link import DeviceKey
from leftzmq.sync.versions.index_view import Indexes


class Lags:
    """Of one folder; of the devices that have a place in its index."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes
        self._since: dict[bytes, float] = {}

    def watch(self, now: float) -> None:
        """After rows may have changed."""
        holdings = self._indexes.holdings
        if not holdings.changed:
            return
        holdings.changed = False
        behind = {
            head.key
            for head in self._indexes.store.heads.known()
            if holdings.lacking(head.mask).paths
        }
        self._since = {key: self._since.get(key, now) for key in behind}

    def since(self, device: DeviceKey) -> float | None:
        """Monotonic seconds; None: it lacks nothing, or has no place."""
        return self._since.get(device)
