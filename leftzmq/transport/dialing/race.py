"""The control connection to a device that may be at one of several addresses: they are raced under
its pinned key, and the first handshake that succeeds wins.

The first address has a head start, then the next one is dialed beside it, and so on (RFC 8305,
"Happy Eyeballs"). So an address where every packet vanishes costs that moment, and not
the 5 s of its timeout. Knows the addresses of one device and the lines to them. Must not know where
the addresses come from, nor what is said over a line.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from leftzmq.endpoint import Endpoint
from leftzmq.errors import Away
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.context import Context
from leftzmq.transport.dialing.line import ClientLine
from leftzmq.wire.codec import Socket

HEAD_START_S: Final = 0.25
"""The "Connection Attempt Delay" that RFC 8305 recommends."""
MOST_AT_ONCE: Final = 4
"""Lines at a time. Of more addresses, those that fail give way to those that wait."""
STAYS_S: Final = 1.0
"""A line does not give way sooner, however fast it fails."""
SILENT_S: Final = 3.0
"""A line that did neither fail nor succeed gives way then: a handshake takes four round trips, so
2.4 s by a satellite (0.6 s each)."""
_TELLING: Final = (Away.NOBODY_ANSWERS, Away.NO_AGENT, Away.HUNG_UP, Away.REFUSED_OUR_KEY)
"""What a failed dial says of the device, the least telling first. At one of its addresses somebody
else may be by now."""


class DialRace:
    """One per device that is dialed. endpoints: where it may be, best first; at least one."""

    def __init__(
        self, context: Context, device: DeviceKey, endpoints: tuple[Endpoint, ...]
    ) -> None:
        self._context, self._device = context, device
        self._waiting = deque(dict.fromkeys(endpoints))
        self._lines: list[ClientLine] = []  # never empty
        self._next_at: float | None = None  # when one more is dialed
        self._rests_until = -math.inf
        self._dial_next()

    @property
    def line(self) -> ClientLine:
        """The one that is connected; if none is, the one that has been dialed longest."""
        return self._lines[0]

    @property
    def lines(self) -> tuple[ClientLine, ...]:
        return tuple(self._lines)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the device may be: where it was last, then the others."""
        return (*(line.endpoint for line in self._lines), *self._waiting)

    def also_at(self, endpoints: tuple[Endpoint, ...]) -> None:
        """The device may be at these addresses now (at least one), best first. A connection stays.
        If there is none, an address that was not known is dialed at once, and one that the device
        has no more is given up."""
        known, stays = set(self.endpoints), self.line.is_up or self._rests
        for line in self.lines:
            if not stays and line.endpoint not in endpoints:
                self._give_up(line)
        tried = {line.endpoint for line in self._lines}
        untried = [one for one in dict.fromkeys(endpoints) if one not in tried]
        new = [one for one in untried if one not in known]
        self._waiting = deque([*new, *(one for one in untried if one in known)])
        if not self._lines or (new and not stays):
            if len(self._lines) == MOST_AT_ONCE:
                last = self._lines[-1]
                self._give_up(last)
                self._waiting.append(last.endpoint)
            self._dial_next()

    def tick(self, now: float) -> None:
        """Dial one more address if none has answered so far."""
        for line in self.lines:
            line.tick(now)
        if self.line.is_up or self._rests:
            self._next_at = None
            return
        self._make_room(now)
        if not self._waiting or len(self._lines) == MOST_AT_ONCE:
            return
        if self._next_at is None:
            self._next_at = now + HEAD_START_S
        elif now >= self._next_at:
            self._dial_next()

    @property
    def again_at(self) -> float | None:
        """When to call `tick` next (monotonic seconds); None: nothing waits."""
        due = [line.again_at for line in self._lines]
        if self._waiting and not self.line.is_up and not self._rests:
            if len(self._lines) < MOST_AT_ONCE:
                due.append(self._next_at)
            else:
                due += map(_gives_way_at, self._lines)
        return min((at for at in due if at is not None), default=None)

    def close_for(self, rest_s: float) -> None:
        """Close all lines, and dial again after `rest_s`, where the device was last."""
        self._only(self.line)
        self.line.close_for(rest_s)
        self._rests_until = self._context.clock() + rest_s

    def close(self, linger_ms: int = 0) -> None:
        for line in self._lines:
            line.close(linger_ms)

    @property
    def _rests(self) -> bool:
        return self._context.clock() < self._rests_until

    def _is_told(self, line: ClientLine) -> bool:
        """A line came up, or failed. Return whether the device is to be known to be connected, or
        why it is not."""
        if line.is_up:
            self._only(line)
            return True
        return line is max(self._lines, key=_how_telling)

    def _dial_next(self) -> None:
        endpoint = self._waiting.popleft()
        self._next_at = self._context.clock() + HEAD_START_S
        # Its first event comes later, so it is in the list by then.
        self._lines.append(
            ClientLine(self._context, self._device, Socket.CONTROL, endpoint, self._is_told)
        )

    def _make_room(self, now: float) -> None:
        """A line that failed gives way, if another address waits and there is no room for both."""
        if not self._waiting or len(self._lines) < MOST_AT_ONCE:
            return
        late = next((line for line in self._lines if now >= _gives_way_at(line)), None)
        if late is not None:
            self._give_up(late)
            self._waiting.append(late.endpoint)
            self._next_at = now

    def _only(self, line: ClientLine) -> None:
        for other in [other for other in self._lines if other is not line]:
            self._give_up(other)
            self._waiting.append(other.endpoint)

    def _give_up(self, line: ClientLine) -> None:
        self._lines.remove(line)
        line.close()


def _how_telling(line: ClientLine) -> int:
    return -1 if line.away is None else _TELLING.index(line.away)


def _gives_way_at(line: ClientLine) -> float:
    return line.opened_at + (SILENT_S if line.away is None else STAYS_S)
