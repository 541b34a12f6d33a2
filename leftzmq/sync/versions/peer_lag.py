"""Since when each device lacks something of a folder that we have.

Knows heads, counts and time. Must not know which devices are connected.
"""

from __future__ import annotations

from collections.abc import Callable

from leftzmq.sync.link import DeviceKey
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.peer_counts import Lack


class PeerLag:
    """The lags of one folder, for the devices that have a bit in its index. passed_over: what of
    ours a device lacks because it does not keep it."""

    def __init__(self, index_view: IndexView, passed_over: Callable[[DeviceKey], Lack]) -> None:
        self._index_view, self._passed_over = index_view, passed_over
        self._since: dict[bytes, float] = {}

    def watch(self, now: float) -> None:
        """To be called after rows may have changed."""
        peer_counts = self._index_view.peer_counts
        if not peer_counts.changed:
            return
        peer_counts.changed = False
        behind = {
            head.key
            for head in self._index_view.store.heads.known()
            if peer_counts.lacking(head.mask).paths > self._passed_over(DeviceKey(head.key)).paths
        }
        self._since = {key: self._since.get(key, now) for key in behind}

    def since(self, device: DeviceKey) -> float | None:
        """Monotonic seconds. None: the device lacks nothing, or has no bit."""
        return self._since.get(device)
