"""Detects two agents that have one key: a cloned machine that runs beside the original.

A life ends where the next life of its device begins. A message of an old life, some time after
that, comes from a second agent. Knows lives and time. Must not know how messages arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.sync.link import DeviceKey
from leftzmq.tree.version import Life

LATE_S: Final = 15.0
"""A message that a life sent before its end may be read this long after the next life's first
message. This is more than a heartbeat period (10 s), and more than a turn of the loop ever took."""
RECENT_S: Final = 60.0
LIVES_KEPT: Final = 8
"""Lives of one device: the ones heard last."""


@dataclass(slots=True)
class _Heard:
    """The first and last time a life was heard (monotonic seconds)."""

    first: float
    last: float


class ClonedDevices:
    """One per folder: which devices have two agents there."""

    def __init__(self) -> None:
        self._lives: dict[DeviceKey, dict[Life, _Heard]] = {}

    def life_heard(self, device: DeviceKey, life: Life, now: float) -> None:
        lives = self._lives.setdefault(device, {})
        first = lives[life].first if life in lives else now
        lives.pop(life, None)
        lives[life] = _Heard(first, now)  # the life heard last is last in the order
        while len(lives) > LIVES_KEPT:
            del lives[next(iter(lives))]

    def device_left(self, device: DeviceKey) -> None:
        """No link to the device is left."""
        self._lives.pop(device, None)

    def are_there(self, device: DeviceKey) -> bool:
        """Return whether two lives of the device run side by side, as of the last message of
        either."""
        lives = self._lives.get(device, {})
        if len(lives) < 2:
            return False
        latest = max(each.last for each in lives.values())
        recent = [each for each in lives.values() if latest - each.last <= RECENT_S]
        newest = max(each.first for each in recent)
        return any(each.first < newest and each.last > newest + LATE_S for each in recent)
