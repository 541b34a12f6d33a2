"""The last events of this run of the agent, numbered, for monitors that start late or lose some.

Knows events as values. Must not know what happened, nor who listens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from leftzmq.wire.local import Event, EventKind, Scalar, bounded, fields_bytes
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
        event = Event(kind, self._number, unix_time, bounded(fields), self._began)
        size = fields_bytes(event.fields)
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
