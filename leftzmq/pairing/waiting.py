"""Who knocked at an invitation that lets nobody in without a person's yes, and waits for that yes.

Kept in memory alone: whoever still waits after a start of the agent knocks again. Knows how many
may wait, and when a device waits no more. Must not know answers, nor invitations.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

MOST_ASKED: Final = 8
"""Devices of one invitation that wait or were refused. A person is asked about no more of them,
whoever has the code."""
SILENT_S: Final = 60.0
"""A device that waits knocks every 2 s. One that has not knocked for so long waits no more."""


class Applicant(Struct, frozen=True):
    """A device that waits.

    device: its key, 32 bytes; name: as it called itself at its first knock, so that nobody says yes
    to a name and lets in another one
    address: where it knocked from last; since: of its first knock, unix seconds
    """

    device: bytes
    name: str
    address: str
    since: float


class Waiting:
    """The devices that wait at one invitation. now: monotonic seconds."""

    def __init__(self) -> None:
        self._all: dict[bytes, tuple[Applicant, float]] = {}
        """Of a device: and when it knocked last."""

    def knocked(self, applicant: Applicant, most: int, now: float) -> bool:
        """The device knocks, perhaps again. Return False if `most` others wait already."""
        self._pass_time(now)
        before = self._all.get(applicant.device)
        if before is None and len(self._all) >= most:
            return False
        if before is not None:
            applicant = replace(before[0], address=applicant.address)
        self._all[applicant.device] = applicant, now
        return True

    def all(self, now: float) -> tuple[Applicant, ...]:
        """Return who waits, the first to knock first."""
        self._pass_time(now)
        return tuple(applicant for applicant, _ in self._all.values())

    def forget(self, device: bytes) -> None:
        """A person answered."""
        self._all.pop(device, None)

    def _pass_time(self, now: float) -> None:
        for device in [one for one, (_, at) in self._all.items() if now - at >= SILENT_S]:
            del self._all[device]
