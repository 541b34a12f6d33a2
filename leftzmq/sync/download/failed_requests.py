"""Requests that failed: a file that none of its holders sends for half a minute loses its slot to
another file and is requested again later.

Knows files by a key, devices and times. Must not know what a file is, nor how it is requested.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from leftzmq.sync.link import DeviceKey

NOT_GIVEN_S: Final = 30.0
"""As long as a get stays open when no other device can be asked (sync/download/requests)."""

K = TypeVar("K")


class FailedRequests(Generic[K]):
    """Maps key -> device -> the time since which the device sends nothing of it (monotonic
    seconds)."""

    def __init__(self) -> None:
        self._since: dict[K, dict[DeviceKey, float]] = {}

    def asked(self, key: K, device: DeviceKey, since: float) -> None:
        """The device was asked. Since then it has sent nothing, or has said that it does not have
        the file."""
        self._since.setdefault(key, {}).setdefault(device, since)

    def given(self, key: K) -> None:
        """Some of the file arrived, or nobody wants it any more."""
        self._since.pop(key, None)

    def due(self, now: float) -> list[K]:
        """Return the keys of which some device has sent nothing for NOT_GIVEN_S."""
        return [
            key for key, since in self._since.items() if min(since.values()) + NOT_GIVEN_S <= now
        ]

    def nobody_gives(self, key: K, holders: Iterable[DeviceKey], now: float) -> bool:
        """Return whether every one of `holders` was asked and has sent nothing for NOT_GIVEN_S."""
        since = self._since.get(key, {})
        times = [since.get(device, now) for device in holders]
        return bool(times) and max(times) + NOT_GIVEN_S <= now
