"""How much may be asked of a device at once: near 2 x rate x round trip, 2 to 16 MiB.

Knows bytes and times; pure. The law is that of every window (a fixed 2 MiB window is what limits
OpenSSH over long lines); the floor keeps two frames of 1 MiB under way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CREDIT_MIN_BYTES: Final = 2 << 20
CREDIT_MAX_BYTES: Final = 16 << 20
CREDIT_START_BYTES: Final = 4 << 20
_RATE_WINDOW_S: Final = 0.5
_FORGET: Final = 0.3  # weight of the newest rate


@dataclass(slots=True)
class Credit:
    """Of one device.

    limit: bytes we may have unanswered; never above what its welcome bears (`most`)
    outstanding: bytes asked for and not answered; gets: in so many questions
    held: bytes that arrived and are not written yet: a slow disk must not fill the memory
    rate_bytes_s: what arrived a second, smoothed
    """

    most: int
    limit: int = CREDIT_START_BYTES
    outstanding: int = 0
    gets: int = 0
    held: int = 0
    rate_bytes_s: float = 0.0
    _shortest_s: float = field(default=1.0)
    _window_began: float = 0.0
    _window_bytes: int = 0

    @property
    def room(self) -> int:
        return min(self.limit, self.most) - self.outstanding - self.held

    def asked(self, size: int) -> None:
        self.outstanding += size

    def returned(self, size: int) -> None:
        """Asked for and not to be answered any more (missing, or gone elsewhere)."""
        self.outstanding = max(0, self.outstanding - size)

    def arrived(self, size: int, waited_s: float, now: float) -> None:
        """An answer of `size` bytes came `waited_s` after its question."""
        self.returned(size)
        self._shortest_s = min(self._shortest_s * 1.02, max(waited_s, 0.001))
        self._window_bytes += size
        span = now - self._window_began
        if span < _RATE_WINDOW_S:
            return
        rate = self._window_bytes / span if span < 4 * _RATE_WINDOW_S else 0.0
        if rate:
            before = self.rate_bytes_s or rate
            self.rate_bytes_s = before + _FORGET * (rate - before)
            wanted = int(2 * self.rate_bytes_s * self._shortest_s)
            self.limit = min(max(wanted, CREDIT_MIN_BYTES), CREDIT_MAX_BYTES)
        self._window_began, self._window_bytes = now, 0
