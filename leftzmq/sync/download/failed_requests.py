"""What was asked for in vain: a file that none of those who have it gives, for half a minute, gives
its place to another one and is asked for again later.

Knows files by a key, devices and times. Must not know what a file is, nor how it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from leftzmq.sync.link import DeviceKey

NOT_GIVEN_S: Final = 30.0
"""As long as one get is waited for with nobody else to ask (sync/download/requests)."""

K = TypeVar("K")


class FailedRequests(Generic[K]):
    """key -> device -> since when it gives nothing of it (monotonic)."""

    def __init__(self) -> None:
        self._since: dict[K, dict[DeviceKey, float]] = {}

    def asked(self, key: K, device: DeviceKey, since: float) -> None:
        """The device was asked, and said nothing since then, or that it has it no more."""
        self._since.setdefault(key, {}).setdefault(device, since)

    def given(self, key: K) -> None:
        """Something of it came, or nobody wants it any more."""
        self._since.pop(key, None)

    def due(self, now: float) -> list[K]:
        """What somebody gives nothing of for NOT_GIVEN_S."""
        return [
            key for key, since in self._since.items() if min(since.values()) + NOT_GIVEN_S <= now
        ]

    def nobody_gives(self, key: K, holders: Iterable[DeviceKey], now: float) -> bool:
        """Whether all of these were asked, and each gives nothing for NOT_GIVEN_S."""
        since = self._since.get(key, {})
        times = [since.get(device, now) for device in holders]
        return bool(times) and max(times) + NOT_GIVEN_S <= now
