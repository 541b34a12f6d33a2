"""A token bucket: whether some bytes may pass now at a rate, and when some may pass again.

Fed by monotonic time. What passes may be larger than what is in the bucket, as a chunk cannot be
cut in two: the bucket then owes bytes, and nothing passes until they have flown in again. Small
files have a second balance that only they owe to. So an edit goes at once, whatever large files
owe, and large files wait for both. Must not know what the bytes are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

BURST_S: Final = 0.2
"""So much of a silence may be made up for."""
SLICE_S: Final = 0.2
"""What passes at once should take no longer. With BURST_S, and each for both balances, at most 8 %
too much passes in 10 s."""


@dataclass(slots=True)
class TokenBucket:
    """rate_bytes_s: None: no limit; 0: nothing passes
    left_bytes, left_small_bytes: what may pass now, of all and of small files alone; negative: it
        is owed
    at: when that was so (monotonic seconds)
    """

    rate_bytes_s: int | None = None
    left_bytes: float = 0.0
    left_small_bytes: float = 0.0
    at: float = 0.0

    def set_rate(self, rate_bytes_s: int | None, now: float) -> None:
        """Another rate holds. What is owed stays owed as the time that it would have taken, so a
        debt made at a high rate does not last for minutes at a low one."""
        self._fill(now)
        before, self.rate_bytes_s = self.rate_bytes_s, rate_bytes_s
        scale = rate_bytes_s / before if before and rate_bytes_s else 0.0
        self.left_bytes *= scale
        self.left_small_bytes *= scale

    def lets(self, is_small: bool, now: float) -> bool:
        """Return whether something may pass, however large it is."""
        return now >= self.ready_at(is_small, now)

    def ready_at(self, is_small: bool, now: float) -> float:
        """Return when something may pass at the earliest (monotonic seconds); infinity: not before
        another rate holds."""
        if self.rate_bytes_s is None:
            return now
        if self.rate_bytes_s == 0:
            return math.inf
        self._fill(now)
        left = self.left_small_bytes if is_small else self.left_bytes
        return now + max(0.0, -left / self.rate_bytes_s)

    def take(self, size: int, is_small: bool, now: float) -> None:
        """`size` bytes pass."""
        self._fill(now)
        self._add(-size, is_small)

    def give_back(self, size: int, is_small: bool) -> None:
        """`size` bytes that were taken did not pass."""
        self._add(size, is_small)

    def _add(self, size: int, is_small: bool) -> None:
        if self.rate_bytes_s:
            self.left_bytes += size
            self.left_small_bytes += size if is_small else 0

    def _fill(self, now: float) -> None:
        rate = self.rate_bytes_s or 0
        flown, most = max(0.0, now - self.at) * rate, rate * BURST_S
        self.left_bytes = min(self.left_bytes + flown, most)
        self.left_small_bytes = min(self.left_small_bytes + flown, most)
        self.at = max(self.at, now)
