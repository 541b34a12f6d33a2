"""The devices whose index cannot be taken now: why, and when they are asked again.

Knows devices and times. Must not know pages, nor how a place or room is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.actions import Outputs
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.problems import Problems

RETRY_S: Final[dict[ProblemKind, float]] = {
    ProblemKind.INDEX_WAITS: 5.0,  # sooner, when a bit was swept
    ProblemKind.INDEX_NO_ROOM: 5.0,  # as often as the disk is looked at
    ProblemKind.INDEX_TOO_LARGE: 60.0,  # each time a page is asked for in vain
}


@dataclass(frozen=True, slots=True)
class _Wait:
    kind: ProblemKind
    until: float


class IndexWaits:
    """Of one folder, in the order in which they began to wait. Each wait is shown as a problem."""

    def __init__(self, folder: str, problems: Problems) -> None:
        self._folder, self._problems = folder, problems
        self._waits: dict[DeviceKey, _Wait] = {}
        self._tried: set[DeviceKey] = set()  # asked again; whether it may be heard is to be seen

    def __contains__(self, device: DeviceKey) -> bool:
        return device in self._waits

    def begin(
        self, device: DeviceKey, name: str, kind: ProblemKind, detail: str, now: float
    ) -> Outputs:
        """Its index waits (still). name: what a user calls the device."""
        self._waits[device] = _Wait(kind, now + RETRY_S[kind])
        self._tried.discard(device)
        return self._problems.show(Problem(self._folder, "", kind, detail, name))

    def end(self, device: DeviceKey, name: str) -> Outputs:
        """It is heard again, or is gone."""
        if self._waits.pop(device, None) is None and device not in self._tried:
            return []
        self._tried.discard(device)
        return self._problems.clear("", name)

    def ask_again(self, device: DeviceKey) -> None:
        """It is asked again; the problem is shown until it is `heard`."""
        del self._waits[device]
        self._tried.add(device)

    def heard(self, device: DeviceKey, name: str) -> Outputs:
        """A page of it was taken."""
        return self.end(device, name) if device in self._tried else []

    def of(self, kind: ProblemKind) -> list[DeviceKey]:
        """Those that wait for this reason, who began first before the others."""
        return [device for device, wait in self._waits.items() if wait.kind is kind]

    def due(self, now: float) -> list[tuple[DeviceKey, ProblemKind]]:
        """Those that are to be asked again now, and why they waited."""
        return [(device, wait.kind) for device, wait in self._waits.items() if wait.until <= now]

    def put_off(self, device: DeviceKey, now: float) -> None:
        """It waits on, where it stands in the order."""
        wait = self._waits[device]
        self._waits[device] = _Wait(wait.kind, now + RETRY_S[wait.kind])

    def deadline(self) -> float | None:
        return min((wait.until for wait in self._waits.values()), default=None)
