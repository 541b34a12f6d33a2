"""What a roster takes in: how fast from one link, and statements that came before their parent.

Knows counts and times. Must not know what a statement says.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from leftzmq.sync.link import DeviceKey
from leftzmq.wire.statements import Signed

MAX_NEW_A_MINUTE: Final = 64
"""Of one link."""
MAX_URGENT_A_MINUTE: Final = 4
"""Of one signer, beyond what the link may bring: two removals, each with its epoch."""
MAX_WAITING: Final = 256
_MINUTE_S: Final = 60.0


class Pace:
    """How many new statements came of each device within the last minute. most: of one device."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: dict[DeviceKey, deque[float]] = {}

    def take(self, device: DeviceKey, now: float) -> bool:
        """Count one statement. Return False, and count nothing, if it is one too many.

        now: seconds of a clock that never goes back."""
        times = self._times.setdefault(device, deque())
        while times and times[0] <= now - _MINUTE_S:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now)
        return True


class WaitingRoom:
    """Statements whose parent is not here yet; their signatures could not be checked.

    They are told apart by id and signature: whoever sends a known statement with a wrong signature
    does not keep the right one out. When it is full, the oldest of the link that has most of them
    goes, so that one link cannot push out what others brought.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, bytes], tuple[Signed, DeviceKey | None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, signed: Signed) -> bool:
        return (signed.id, signed.signature) in self._waiting

    def put(self, signed: Signed, link: DeviceKey | None) -> None:
        """Let a statement wait."""
        if len(self._waiting) >= MAX_WAITING:
            counts = Counter(link for _, link in self._waiting.values())
            greedy, _ = counts.most_common(1)[0]
            del self._waiting[next(k for k, (_, link) in self._waiting.items() if link == greedy)]
        self._waiting[(signed.id, signed.signature)] = (signed, link)

    def take(self, parent: bytes) -> list[Signed]:
        """Return those whose parent this is, in the order in which they came; they wait no
        more."""
        found = [each for each, _ in self._waiting.values() if each.statement.parent == parent]
        for each in found:
            del self._waiting[(each.id, each.signature)]
        return found
