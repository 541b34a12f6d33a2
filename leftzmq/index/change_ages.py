"""How old the oldest of the changes is that a device lacks.

A change is a row of the index; its age counts from when the row was made, by its id: ids only grow.
The time of each id would be one number a row. So ids are kept in steps, some of a second and older
ones longer, and of each step only how many rows of it are lacking. Knows ids, sets of devices and
time. Must not know what a row says.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

STEP_S: Final = 1.0
STEPS_MOST: Final = 128
"""Beyond, two neighbours become one step: where that makes least of a difference to an age: about
an eighth, of ages up to four years."""


class ChangeTimes:
    """When the rows of one index were made. last_id: of the rows that are there already: they count
    as made when the index was opened.

    `merged`: how often steps became one
    """

    def __init__(self, last_id: int) -> None:
        self._first = [0, last_id + 1]  # the first id of each step, in order; the last one is open
        # When the first and the last rows of each step were made, to STEP_S (monotonic).
        self._times: list[float] = []
        self._last: list[float] = []
        self.merged = 0

    def now_is(self, last_id: int, now: float) -> None:
        """To be called before rows are made. last_id: of the rows made so far."""
        if not self._times:
            self._times, self._last = [now, now], [now, now]
        elif last_id < self._first[-1]:
            self._times[-1] = self._last[-1] = now
        elif now >= self._times[-1] + STEP_S:
            self._first.append(last_id + 1)
            self._times.append(now)
            self._last.append(now)
            if len(self._first) > STEPS_MOST:
                self._merge(now)

    def step_of(self, id: int) -> int:
        """Return the step of the row with this id, as its first id."""
        return self._first[bisect_right(self._first, id) - 1]

    def began(self, step: int) -> float | None:
        """Return when a step began (monotonic seconds): at most STEP_S, or about an eighth of the
        age, before each of its rows was made. None: nobody has said yet what time it is."""
        if not self._times:
            return None
        return self._times[bisect_right(self._first, step) - 1]

    def _merge(self, now: float) -> None:
        def blur(at: int) -> float:
            end = self._last[at + 1]
            return (end - self._times[at]) / max(STEP_S, now - end)

        at = min(range(len(self._first) - 2), key=blur)
        del self._first[at + 1], self._times[at + 1], self._last[at]
        self.merged += 1


class ChangeAges:
    """Counts of rows by step and by a set of devices."""

    def __init__(self, times: ChangeTimes) -> None:
        self._times = times
        self._counts: dict[tuple[int, int], int] = {}
        self._merged = times.merged

    def count(self, id: int, devices: int, sign: int) -> None:
        """A row with this id counts for this set of devices, or no more."""
        if self._merged != self._times.merged:
            self._fold()
        key = (self._times.step_of(id), devices)
        count = self._counts.get(key, 0) + sign
        if count:
            self._counts[key] = count
        else:
            self._counts.pop(key, None)

    def oldest(self, mask: int, *, holds: bool) -> float | None:
        """Return when the oldest row was made that counts for a set that has this bit, or for one
        that does not (monotonic seconds). None: there is no such row."""
        steps = (step for step, devices in self._counts if bool(devices & mask) is holds)
        step = min(steps, default=None)
        return None if step is None else self._times.began(step)

    def _fold(self) -> None:
        """Steps became one: their counts do, too."""
        before, self._counts, self._merged = self._counts, {}, self._times.merged
        for (step, devices), count in before.items():
            key = (self._times.step_of(step), devices)
            self._counts[key] = self._counts.get(key, 0) + count
        self._counts = {key: count for key, count in self._counts.items() if count}
