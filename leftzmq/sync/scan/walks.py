"""Which part of the share is walked, what is walked next, and when a walk is over.

Knows prefixes ("" is the whole share) and time. Must not know what a walk finds.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from leftzmq.sync.scan.look_times import TouchedPaths

WALK_PERIOD_S: Final = 3600.0
SOON_PERIOD_S: Final = 60.0
"""The shortest time between two walks of everything for names in the root that cannot be synced."""
POLL_PERIOD_S: Final = 30.0  # of subtrees that cannot be watched


class Walks:
    """The walks of one folder. One walk at a time, one step of it at a time.

    first_done: a walk of everything is over, so all that changed while no agent ran is known
    """

    def __init__(self) -> None:
        self._next: deque[str] = deque()
        self._in_next: set[str] = set()  # the same as a set: thousands of new directories may wait
        self._running: tuple[int, str] | None = None
        self._step_out = False
        self._number = 0
        self._ending: dict[str, str] = {}  # a walk that is over -> a path for which it still waits
        self._next_whole = self._last_whole = 0.0
        self._polled: set[str] = set()
        self._next_poll = 0.0
        self.first_done = False

    @property
    def under_way(self) -> bool:
        return self._running is not None or bool(self._next)

    @property
    def whole_to_come(self) -> bool:
        """Whether a walk of everything is running, waits to begin, or waits for its paths to
        settle."""
        running = self._running is not None and self._running[1] == ""
        return running or "" in self._in_next or "" in self._ending

    @property
    def polls(self) -> bool:
        """Whether some part of the share is not watched."""
        return bool(self._polled)

    def deadline(self) -> float | None:
        """When `on_time_passed` wants another walk (monotonic)."""
        times = [self._next_whole] if self._next_whole else []
        if self._polled:
            times.append(self._next_poll)
        return min(times, default=None)

    def start(self, now: float) -> None:
        """The first walk: everything that changed while no agent ran."""
        self._next_whole, self._last_whole = now + WALK_PERIOD_S, now
        self.later("")

    def soon(self, now: float) -> None:
        """Walk everything: now, or SOON_PERIOD_S after the last time that it was due."""
        self._next_whole = min(self._next_whole, max(now, self._last_whole + SOON_PERIOD_S))

    def on_time_passed(self, now: float) -> None:
        """Adds the walks that are due: of everything, and more often of what is not watched."""
        if self._next_whole and now >= self._next_whole:
            self._next_whole, self._last_whole = now + WALK_PERIOD_S, now
            self.later("")
        if self._polled and now >= self._next_poll:
            self._next_poll = now + POLL_PERIOD_S
            for prefix in sorted(self._polled):
                self.later(prefix)

    def later(self, prefix: str) -> None:
        """Walks what is below `prefix` when it is its turn."""
        if prefix not in self._in_next:
            self._in_next.add(prefix)
            self._next.append(prefix)

    def poll(self, prefix: str, now: float) -> None:
        """What is below `prefix` is not watched: it is walked every POLL_PERIOD_S."""
        self._polled.add(prefix)
        self._next_poll = now + POLL_PERIOD_S

    def poll_no_more(self, prefix: str) -> None:
        """What is below `prefix` is watched now."""
        self._polled.discard(prefix)

    def is_polled(self, prefix: str) -> bool:
        """Whether what is below `prefix` was reported as not watched."""
        return prefix in self._polled

    def step(self, *, room: bool) -> tuple[int, str] | None:
        """The walk (number and prefix) of which a step is to be made now, if any.

        room: whether the queue has space for what the step finds
        """
        if self._running is None and self._next:
            self._number += 1
            prefix = self._next.popleft()
            self._in_next.remove(prefix)
            self._running = (self._number, prefix)
        if self._running is None or self._step_out or not room:
            return None
        self._step_out = True
        return self._running

    def stepped(self) -> None:
        """The step is done. Another step may be made."""
        self._step_out = False

    def walked(self, prefix: str) -> None:
        """All of `prefix` has been walked. The walk is over when what it found has settled."""
        self._running = None
        self._ending[prefix] = ""

    def prefixes_done(self, touched: TouchedPaths) -> list[str]:
        """The prefixes below which every path has settled, or has shown that it will not settle for
        now."""
        done: list[str] = []
        for prefix, witness in list(self._ending.items()):
            # All waiting paths are searched only when the path that the walk waits for has settled.
            if not touched.is_eager(witness):
                witness = self._ending[prefix] = touched.first_eager(prefix)
            if not witness:
                del self._ending[prefix]
                done.append(prefix)
        if "" in done:
            self.first_done = True
        return done
