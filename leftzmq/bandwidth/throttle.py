"""Which device may be asked for, or given, contents now, by the limits that the user set.

Two buckets count: that of this device and that of the other one, so the smaller limit holds. Knows
limits, devices and time. Must not know what is asked for, nor where local time comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from leftzmq.bandwidth.timetable import BandwidthLimits, Timetable
from leftzmq.bandwidth.token_bucket import SLICE_S, TokenBucket

_MINUTE_NS: Final = 60 * 10**9


class _Limit:
    """A timetable, and the bucket that has its present rate."""

    def __init__(self) -> None:
        self.timetable = Timetable()
        self.bucket = TokenBucket()


class Throttle:
    """One direction of one agent. A device is named by its key, 32 bytes.

    is_small: whether a small file is meant, which may pass while a large one may not
    """

    def __init__(self) -> None:
        self._ours = _Limit()
        self._of: dict[bytes, _Limit] = {}

    # -- questions -----------------------------------------------------------------------------

    @property
    def limits_any(self) -> bool:
        """Whether any limit may be in force, now or at another time."""
        return bool(self._ours.timetable.parts or self._of)

    def rate(self, device: bytes | None = None) -> int | None:
        """Return the limit in force in bytes a second: of everything, or between this device and
        us, the smaller one. OFF: nothing passes; None: none."""
        if device is None:
            return self._ours.bucket.rate_bytes_s
        rates = (bucket.rate_bytes_s for bucket in self._buckets(device))
        return min((rate for rate in rates if rate is not None), default=None)

    def lets(self, device: bytes, is_small: bool, now: float) -> bool:
        """Return whether something may pass between the device and us now."""
        return all(bucket.lets(is_small, now) for bucket in self._buckets(device))

    def ready_at(self, device: bytes, is_small: bool, now: float) -> float:
        """Return when something may pass (monotonic seconds). Infinity: not before another rate
        holds."""
        return max(bucket.ready_at(is_small, now) for bucket in self._buckets(device))

    def slice_bytes(self, device: bytes) -> int | None:
        """Return how much should pass at once, so that what is small need not wait for long; None:
        that is no matter."""
        rate = self.rate(device)
        return None if rate is None else int(rate * SLICE_S)

    def _buckets(self, device: bytes) -> Iterator[TokenBucket]:
        yield self._ours.bucket
        if device in self._of:
            yield self._of[device].bucket

    # -- changes -------------------------------------------------------------------------------

    def took(self, device: bytes, size: int, is_small: bool, now: float) -> None:
        """Contents of `size` bytes were asked for or given."""
        for bucket in self._buckets(device):
            bucket.take(size, is_small, now)

    def gave_back(self, device: bytes, size: int, is_small: bool) -> None:
        """Contents of `size` bytes that were taken will not pass."""
        for bucket in self._buckets(device):
            bucket.give_back(size, is_small)

    def set_timetables(self, ours: Timetable, of: Mapping[bytes, Timetable]) -> None:
        """These limits are meant from now on. `look` puts them in force."""
        self._ours.timetable = ours
        self._of = {
            device: self._of.get(device, _Limit()) for device, table in of.items() if table.parts
        }
        for device, limit in self._of.items():
            limit.timetable = of[device]

    def look(self, minute: int, now: float) -> bool:
        """Put in force what holds at this minute of the week. Return whether that is another
        rate."""
        changed = False
        for limit in (self._ours, *self._of.values()):
            rate = limit.timetable.rate_at(minute)
            if rate != limit.bucket.rate_bytes_s:
                limit.bucket.set_rate(rate, now)
                changed = True
        return changed

    def changes_in(self, minute: int) -> int | None:
        """Return after how many minutes another rate holds; None: never."""
        tables = [self._ours.timetable, *(limit.timetable for limit in self._of.values())]
        times = (table.changes_in(minute) for table in tables)
        return min((time for time in times if time is not None), default=None)


class Throttles:
    """Both directions. minute_at: returns the minute of the week by local time, of a unix time in
    ns. It is asked once a minute, and after each jump of the clock."""

    def __init__(self, minute_at: Callable[[int], int]) -> None:
        self._minute_at = minute_at
        self.up, self.down = Throttle(), Throttle()
        self._seen_minute: int | None = None  # since 1970
        self._next_change = math.inf

    def deadline(self) -> float:
        """Return when another rate holds (monotonic seconds)."""
        return self._next_change

    def set_limits(self, ours: BandwidthLimits, of: Mapping[bytes, BandwidthLimits]) -> None:
        """These limits are meant from now on."""
        self.up.set_timetables(ours.up, {device: each.up for device, each in of.items()})
        self.down.set_timetables(ours.down, {device: each.down for device, each in of.items()})
        self._seen_minute = None

    def look(self, now: float, wall_ns: int) -> bool:
        """Look at the clock, if it shows another minute than before. Return whether other limits
        hold."""
        seen = wall_ns // _MINUTE_NS
        if seen == self._seen_minute and now < self._next_change:
            return False
        self._seen_minute = seen
        minute = self._minute_at(wall_ns)
        changes = [self.up.look(minute, now), self.down.look(minute, now)]
        times = (self.up.changes_in(minute), self.down.changes_in(minute))
        left = min((time for time in times if time is not None), default=None)
        into_s = wall_ns % _MINUTE_NS / 1e9
        self._next_change = math.inf if left is None else now + left * 60 - into_s
        return any(changes)
