"""A token bucket: how many bytes may pass now at a rate, and when some may pass again.

Fed by monotonic time. What passes may be larger than what is in the bucket, as a chunk cannot be
cut in two: the bucket then owes bytes, and nothing passes until they have flown in again. Must not
know what the bytes are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

BURST_S: Final = 0.2
"""So much of a silence may be made up for. With SLICE_S and DEBT_S it is 7 % of 10 s."""
DEBT_S: Final = 0.3
"""Small files pass until the bucket owes so much, and large ones only while it owes nothing: so an
edit goes at once behind a slice of a large file."""
SLICE_S: Final = 0.2
"""What passes at once of a large file should take no longer."""


@dataclass(slots=True)
class TokenBucket:
    """rate_bytes_s: None: no limit; 0: nothing passes. left_bytes: what may pass now, negative: it
    is owed; at: when that was so (monotonic seconds)."""

    rate_bytes_s: int | None = None
    left_bytes: float = 0.0
    at: float = 0.0

    def set_rate(self, rate_bytes_s: int | None, now: float) -> None:
        """Another rate holds. What is owed stays owed as the time that it would have taken, so a
        debt made at a high rate does not last for minutes at a low one."""
        self._fill(now)
        before, self.rate_bytes_s = self.rate_bytes_s, rate_bytes_s
        if before and rate_bytes_s:
            self.left_bytes *= rate_bytes_s / before
        else:
            self.left_bytes = 0.0

    def lets(self, now: float, debt_s: float = 0.0) -> bool:
        """Return whether something may pass, if the bucket may owe what flows in within `debt_s`
        seconds. What passes then may be larger than that."""
        return now >= self.ready_at(now, debt_s)

    def ready_at(self, now: float, debt_s: float = 0.0) -> float:
        """Return when something may pass at the earliest (monotonic seconds); infinity: not before
        another rate holds."""
        if self.rate_bytes_s is None:
            return now
        if self.rate_bytes_s == 0:
            return math.inf
        self._fill(now)
        return now + max(0.0, -self.left_bytes / self.rate_bytes_s - debt_s)

    def take(self, size: int, now: float) -> None:
        """`size` bytes pass."""
        if self.rate_bytes_s:
            self._fill(now)
            self.left_bytes -= size

    def give_back(self, size: int, now: float) -> None:
        """`size` bytes that were taken did not pass."""
        self.take(-size, now)

    def _fill(self, now: float) -> None:
        rate = self.rate_bytes_s or 0
        flown = max(0.0, now - self.at) * rate
        self.left_bytes = min(self.left_bytes + flown, rate * BURST_S)
        self.at = max(self.at, now)
