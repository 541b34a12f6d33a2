"""Tells events: numbers them, keeps the last ones, and hands each to the log and to monitors.

Monitors that start late or lose some are given the last events of this run. Knows events as values.
Must not know what happened, nor which monitor reads what.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from leftzmq.sync.actions import Tell
from leftzmq.wire.local import Event, EventKind, Scalar, encode_event, fitted
from leftzmq.wire.replies import EventsReply

KEPT_EVENTS: Final = 1000
KEPT_BYTES: Final = 4 << 20
"""Of all kept events: each may have 64 KiB. This is a quarter of the size of one reply."""


class EventLog:
    """began: unix seconds; distinguishes this run of the agent from others."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._kept: deque[tuple[Event, int]] = deque()  # each with its size in bytes
        self._bytes = 0
        self._number = 0

    def note(self, kind: EventKind, fields: Mapping[str, Scalar], unix_time: float) -> Event:
        """Return the next event, with its fields cut to fit."""
        self._number += 1
        said, size = fitted(fields)
        event = Event(kind, self._number, unix_time, said, self._began)
        self._kept.append((event, size))
        self._bytes += size
        while len(self._kept) > KEPT_EVENTS or self._bytes > KEPT_BYTES:
            self._bytes -= self._kept.popleft()[1]
        return event

    def reply(self, after: int) -> dict[str, Any]:
        """Return the reply to the question `events`: the kept events above the number `after`,
        oldest first, as [kind, number, unix_time, fields]."""
        events = [
            [event.kind.value, event.number, event.unix_time, dict(event.fields)]
            for event, _ in self._kept
            if event.number > after
        ]
        return EventsReply(began=self._began, events=events).fields()


class AgentLog(Protocol):
    """The agent's log of events. now: monotonic seconds."""

    def __call__(self, event: Event, now: float) -> None: ...

    def deadline(self) -> float | None:
        """Return when to call `tick` next (monotonic seconds)."""

    def tick(self, now: float) -> None: ...


class Monitors(Protocol):
    """Who listens to events at this machine."""

    @property
    def has_listeners(self) -> bool: ...

    def tell(self, frames: list[bytes]) -> None: ...


class Teller:
    """Tells what happens. One per agent. clock, wall: return monotonic and unix seconds."""

    def __init__(
        self,
        event_log: EventLog,
        log: AgentLog,
        monitors: Monitors,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._event_log, self._log, self._monitors = event_log, log, monitors
        self._clock, self._wall = clock, wall

    def tell(self, action: Tell) -> None:
        event = self._event_log.note(action.kind, action.fields, self._wall())
        self._log(event, self._clock())
        if self._monitors.has_listeners:
            self._monitors.tell(encode_event(event))

    def say(self, folder: str, *sentences: str) -> None:
        """Report what is wrong or impossible with a folder, or (folder "") with this machine."""
        for text in sentences:
            self.tell(Tell(EventKind.PROBLEM, {"folder": folder, "text": text}))
