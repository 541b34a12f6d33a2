"""Since when each device lacks something of a folder that we have, and we something of theirs.

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
        self._coming_since: float | None = None

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
        if not self._index_view.tickets:
            self._coming_since = None
        elif self._coming_since is None:
            self._coming_since = now

    def since(self, device: DeviceKey) -> float | None:
        """Monotonic seconds. None: the device lacks nothing, or has no bit."""
        return self._since.get(device)

    def oldest_since(self, device: DeviceKey) -> float | None:
        """Return since when the oldest change of ours waits that the device lacks. In a busy folder
        it may lack something all the time, and nothing for long. Else as `since`."""
        mask = self._index_view.store.heads.head_of(device).mask
        oldest = self._index_view.peer_counts.oldest_lacking(mask)
        return _later(self._since.get(device), oldest)

    def oldest_coming_since(self) -> float | None:
        """Return the same of what is to come here."""
        oldest = self._index_view.peer_counts.oldest_coming()
        return _later(self._coming_since, oldest)


def _later(since: float | None, oldest: float | None) -> float | None:
    """A change waits for a device since it was made, and not longer than that device lacks
    anything. since: None: it lacks nothing."""
    return since if since is None or oldest is None else max(since, oldest)
