"""The devices whose index cannot be stored now: why, and when they are asked again.

Knows devices and times. Must not know pages, nor how a bit or disk space becomes free.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.actions import Outputs
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.problems import Problems

RETRY_S: Final[dict[ProblemKind, float]] = {
    ProblemKind.INDEX_WAITS: 5.0,  # earlier, when a bit was swept
    ProblemKind.INDEX_NO_ROOM: 5.0,  # as often as the disk is checked
    ProblemKind.INDEX_TOO_LARGE: 60.0,  # each time a page is requested in vain
}


class _Wait(Struct, frozen=True):
    kind: ProblemKind
    until: float


class IndexWaits:
    """One per folder, in the order in which the devices began to wait. Each wait is shown as a
    problem."""

    def __init__(self, folder: str, problems: Problems) -> None:
        self._folder, self._problems = folder, problems
        self._waits: dict[DeviceKey, _Wait] = {}
        self._tried: set[DeviceKey] = set()  # asked again; no page stored yet

    def __contains__(self, device: DeviceKey) -> bool:
        return device in self._waits

    def wait_for(
        self, device: DeviceKey, name: str, kind: ProblemKind, detail: str, now: float
    ) -> Outputs:
        """The device's index waits (still). name: the name that a user gives the device."""
        self._waits[device] = _Wait(kind, now + RETRY_S[kind])
        self._tried.discard(device)
        return self._problems.show(Problem(self._folder, "", kind, detail, name))

    def wait_over(self, device: DeviceKey, name: str) -> Outputs:
        """The device's index is received again, or the device has left."""
        if self._waits.pop(device, None) is None and device not in self._tried:
            return []
        self._tried.discard(device)
        return self._problems.clear("", name)

    def ask_again(self, device: DeviceKey) -> None:
        """The device is asked again. Its problem is shown until a page of it is stored."""
        del self._waits[device]
        self._tried.add(device)

    def page_stored(self, device: DeviceKey, name: str) -> Outputs:
        """A page of the device was stored."""
        return self.wait_over(device, name) if device in self._tried else []

    def waiting_for(self, kind: ProblemKind) -> list[DeviceKey]:
        """Return the devices that wait for this reason, longest wait first."""
        return [device for device, wait in self._waits.items() if wait.kind is kind]

    def due(self, now: float) -> list[tuple[DeviceKey, ProblemKind]]:
        """Return the devices that are to be asked again now, and why they waited."""
        return [(device, wait.kind) for device, wait in self._waits.items() if wait.until <= now]

    def put_off(self, device: DeviceKey, now: float) -> None:
        """The device keeps waiting, at its place in the order."""
        wait = self._waits[device]
        self._waits[device] = _Wait(wait.kind, now + RETRY_S[wait.kind])

    def deadline(self) -> float | None:
        return min((wait.until for wait in self._waits.values()), default=None)
