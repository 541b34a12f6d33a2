"""Flow control: how many bytes may be requested from a device at once, near 2 x rate x round trip,
1 to 16 MiB.

Knows bytes and times; pure. Like every flow-control window, the credit follows the bandwidth-delay
product (a fixed window of 2 MiB is what limits OpenSSH over long lines). The round trip is that of
an idle line. Our own requests wait in the same queue. A rule that took this wait for distance would
fill any queue, and every edit of a small file would wait behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CREDIT_MIN_BYTES: Final = 1 << 20
CREDIT_MAX_BYTES: Final = 16 << 20
ASK_MIN_BYTES: Final = 512 << 10
ASK_MAX_BYTES: Final = 1 << 20
QUEUE_S: Final = 0.04
"""So much may be queued beyond that, or a fast line idles between two responses: 7 MiB at 170
MB/s."""
_WINDOW_S: Final = 0.25
_WINDOWS_A_LOOK: Final = 40
"""Every 10 s one measuring window uses the least credit, to measure the round trip of an idle
line."""
_FORGET_RATE: Final = 0.3  # weight of the newest sample
_FORGET_TRIP: Final = 1.005  # growth per window, until a shorter trip is measured
_FORGET_WAIT: Final = 0.9  # for each response
_LATE_S: Final = 2.0
_LONGEST_WAIT_S: Final = 10.0
_REST_S: Final = 2.0
_LONGEST_REST_S: Final = 60.0


@dataclass(slots=True)
class FlowControl:
    """The flow control of one device.

    most: bytes that the device's welcome allows; limit: bytes we may have unanswered, never above
        `most`
    outstanding: bytes requested and not answered; gets: the number of those requests
    held: bytes that arrived and are not written yet: a slow disk must not fill the memory
    rate_bytes_s: bytes that arrived a second, smoothed
    heard_at: when the device last answered anything (monotonic seconds)
    wait_s: the longest recent wait for a response: several seconds on a slow line that many devices
        use
    rests_until: the device was silent and gets no request before this time (monotonic seconds)
    """

    most: int
    limit: int = CREDIT_MIN_BYTES
    outstanding: int = 0
    gets: int = 0
    held: int = 0
    rate_bytes_s: float = 0.0
    heard_at: float = 0.0
    wait_s: float = 0.0
    rests_until: float = 0.0
    _rest_s: float = _REST_S
    _trip_s: float = 1.0
    _windows: int = 0
    _window_began: float = 0.0
    _window_bytes: int = 0
    _window_trip_s: float = field(default=1.0)

    @property
    def room(self) -> int:
        return min(self.limit, self.most) - self.outstanding - self.held

    @property
    def bears_more(self) -> bool:
        """Return whether a whole get fits, or nothing is outstanding. Smaller remainders of credit
        are saved up: a get of any size costs both sides as much as one of 1 MiB."""
        return self.room >= self.ask_bytes or (self.room > 0 and not self.outstanding + self.held)

    @property
    def ask_bytes(self) -> int:
        """Return the bytes of one get: a quarter of the credit, so that several gets are open at
        once."""
        return min(max(self.limit // 4, ASK_MIN_BYTES), ASK_MAX_BYTES)

    def asked(self, size: int) -> None:
        self.outstanding += size
        self.gets += 1

    def returned(self, size: int) -> None:
        """`size` requested bytes will not arrive (they are missing, or were requested
        elsewhere)."""
        self.outstanding = max(0, self.outstanding - size)

    def silent(self, now: float) -> None:
        """The device left a get unanswered: it rests, longer each time until it answers one."""
        if now < self.rests_until:
            return  # another get of the same silent period
        self.rests_until = now + self._rest_s
        self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)

    def answers_again(self) -> None:
        """The device answers (again)."""
        self.rests_until, self._rest_s = 0.0, _REST_S

    def late(self, now: float) -> None:
        """The device answered a get that was given up: the timeout was too short."""
        self.heard_at = now
        self.answers_again()
        self.wait_s = min(max(2 * self.wait_s, _LATE_S), _LONGEST_WAIT_S)

    def arrived(self, size: int, waited_s: float, now: float) -> None:
        """A response of `size` bytes arrived `waited_s` seconds after its request."""
        self.returned(size)
        self.answers_again()
        self.wait_s = max(waited_s, _FORGET_WAIT * self.wait_s)
        self._window_bytes += size
        self._window_trip_s = min(self._window_trip_s, max(waited_s, 0.001))
        span = now - self._window_began
        if span < _WINDOW_S:
            return
        if span < 4 * _WINDOW_S:
            self._set_limit(self._window_bytes / span)
        self._window_began, self._window_bytes, self._window_trip_s = now, 0, 1.0

    def _set_limit(self, rate: float) -> None:
        self._windows += 1
        self._trip_s = min(self._trip_s * _FORGET_TRIP, self._window_trip_s)
        before = self.rate_bytes_s or rate
        self.rate_bytes_s = before + _FORGET_RATE * (rate - before)
        wanted = int(self.rate_bytes_s * (2 * self._trip_s + QUEUE_S))
        if self._windows % _WINDOWS_A_LOOK == 0:
            wanted = CREDIT_MIN_BYTES
        self.limit = min(max(wanted, CREDIT_MIN_BYTES), CREDIT_MAX_BYTES)
