"""Two agents that have one key: a machine that was cloned runs beside the original.

A life ends where the next one of its device begins. One that is heard of some time after that
belongs to a second agent. Knows lives and time. Must not know how one is heard of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.sync.link import DeviceKey
from leftzmq.tree.version import Life

LATE_S: Final = 15.0
"""What a life said before it ended may be read so long after the next one's first word: more than
a heartbeat (10 s), and than a turn of the loop ever took."""
RECENT_S: Final = 60.0
LIVES_KEPT: Final = 8
"""Of a device, the ones heard last."""


@dataclass(slots=True)
class _Heard:
    """When a life was heard of (monotonic)."""

    first: float
    last: float


class ClonedDevices:
    """Of one folder: which devices have two agents there."""

    def __init__(self) -> None:
        self._lives: dict[DeviceKey, dict[Life, _Heard]] = {}

    def heard(self, device: DeviceKey, life: Life, now: float) -> None:
        lives = self._lives.setdefault(device, {})
        first = lives[life].first if life in lives else now
        lives.pop(life, None)
        lives[life] = _Heard(first, now)  # the last one heard stands last
        while len(lives) > LIVES_KEPT:
            del lives[next(iter(lives))]

    def forget(self, device: DeviceKey) -> None:
        """No link to it is left."""
        self._lives.pop(device, None)

    def are_there(self, device: DeviceKey) -> bool:
        """Whether two lives of it go on side by side, as of the last word of any of them."""
        lives = self._lives.get(device, {})
        if len(lives) < 2:
            return False
        latest = max(each.last for each in lives.values())
        recent = [each for each in lives.values() if latest - each.last <= RECENT_S]
        newest = max(each.first for each in recent)
        return any(each.first < newest and each.last > newest + LATE_S for each in recent)
