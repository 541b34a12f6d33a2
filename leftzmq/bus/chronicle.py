"""The last events of this run of the agent, numbered, for monitors that come late or lose some.

Knows events as values. Must not know what happened, nor who listens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from leftzmq.wire.local import Event, EventKind, Scalar

KEPT_EVENTS: Final = 1000


class Chronicle:
    """began: unix seconds; tells this run of the agent from another one."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._kept: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._number = 0

    def note(self, kind: EventKind, fields: Mapping[str, Scalar], unix_time: float) -> Event:
        """The next event."""
        self._number += 1
        event = Event(kind, self._number, unix_time, fields)
        self._kept.append(event)
        return event

    def reply(self, after: int) -> dict[str, Any]:
        """What answers the question `events`: those above the number `after` that are kept, the
        oldest first, as [kind, number, unix_time, fields]."""
        return {
            "began": self._began,
            "events": [
                [event.kind.value, event.number, event.unix_time, dict(event.fields)]
                for event in self._kept
                if event.number > after
            ],
        }
