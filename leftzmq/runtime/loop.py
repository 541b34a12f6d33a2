"""The loop: hands out facts from all sources, turn by turn, so that no source starves another.

Knows where facts come from (frames, results of workers, reports of watchers, failed sends, time)
and how long a turn may take. Must not know what a fact means, nor how an action is executed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from leftzmq.runtime.frame_queue import FrameQueue
from leftzmq.runtime.wake import Wake
from leftzmq.runtime.watch_inbox import WatchInbox
from leftzmq.sync.facts import Fact, LinkClosed, TimePassed
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.transport.bus import Bus
from leftzmq.transport.frames import Raw
from leftzmq.work.threads import Answer, Workers

TURN_S: Final = 0.004
"""After this time a turn begins nothing more: a turn should not take over 5 ms."""
LONGEST_WAIT_S: Final = 60.0


class Loop:
    """The sources of facts of one agent. All methods are for the one thread that owns it.

    read: returns the fact in what the bus returned; None if nobody needs it
    handle: called with every fact; what follows from it is done when it returns
    deadline: called with now, returns when TimePassed is due at the latest (monotonic seconds)

    `turns`: how many there were. `longest_turn_s`: how long the longest one took, its wait aside
    """

    def __init__(
        self,
        bus: Bus,
        workers: Workers,
        watch_inbox: WatchInbox,
        wake: Wake,
        read: Callable[[Raw], Fact | None],
        handle: Callable[[Fact], None],
        deadline: Callable[[float], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus, self._workers, self._watch_inbox, self._wake = bus, workers, watch_inbox, wake
        self._read, self._handle, self._deadline, self._clock = read, handle, deadline, clock
        self._frames = FrameQueue()
        self._answers: deque[Answer] = deque()
        self._failed_sends: deque[Link] = deque()
        self._late = False
        self.turns = 0
        self.longest_turn_s = 0.0

    def turn(self) -> None:
        """Wait until something happens, and hand out the facts."""
        now = self._clock()
        due = self._deadline(now)
        wait_s = max(0.0, due - now)
        if self._frames.has_room:
            waiting = self._frames or self._watch_inbox or self._failed_sends or self._answers
            timeout_ms = 0 if waiting else int(min(wait_s, LONGEST_WAIT_S) * 1000 + 0.999)
            self._frames.extend(self._bus.poll(timeout_ms))
        began = self._clock()
        self._hand_out(began, due)
        self.turns += 1
        self.longest_turn_s = max(self.longest_turn_s, self._clock() - began)

    def send_failed(self, link: Link) -> None:
        """A link accepts no more messages: this becomes a fact of this turn or of the next one."""
        self._failed_sends.append(link)

    def drop_device(self, device: DeviceKey) -> None:
        """Drop the frames of this device that are not handed out yet."""
        self._frames.drop_device(device)

    def _hand_out(self, now: float, due: float) -> None:
        """Hand out frames and results until the turn's time is used up; the rest waits for the next
        turn. due: the deadline from before the turn; a deadline that became earlier is for the next
        turn."""
        end = now + TURN_S
        self._wake.clear()
        self._answers.extend(self._workers.done())
        while self._answers and self._clock() < end:
            self._handle(self._answers.popleft())
        while self._frames:
            fact = self._read(self._frames.pop())
            if fact is not None:
                self._handle(fact)
            if self._clock() >= end:
                break
        for fact in self._watch_inbox.facts():
            self._handle(fact)
        while self._failed_sends:
            link = self._failed_sends.popleft()
            self._handle(LinkClosed(link, "the connection does not take any more"))
            if link.way is Way.DIALED:
                self._bus.redial(link.device)
        if now >= due and now >= self._deadline(now):
            # When the time is used up TimePassed waits for the next turn, but never for two.
            self._late = not self._late and self._clock() >= end
            if not self._late:
                self._handle(TimePassed())
