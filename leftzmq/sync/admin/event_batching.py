"""Decides which events are reported at once and which are only counted for a moment, so that no
device can fill a log.

Some events a device can cause by sending (up, down, refused, news): of these, one a second and
device is reported. Of problems, one a second, folder and kind. Further events within that second
are counted, and the last of them is reported when the second is over. Nothing is lost for `status`,
which is asked and shows the present state.

Knows kinds of events and times. Must not know what led to an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.sync.actions import Tell
from leftzmq.wire.local import EventKind, Scalar

PERIOD_S: Final = 1.0

_OF_DEVICE: Final = frozenset(
    (EventKind.PEER_UP, EventKind.PEER_DOWN, EventKind.REFUSED, EventKind.HAVE_NEWS)
)

Key = tuple[EventKind, Scalar, Scalar]


@dataclass(slots=True)
class _Line:
    """until: when the next event may be reported (monotonic seconds). last: the latest event that
    is not reported yet. held: how many are not reported yet."""

    until: float
    last: Tell | None = None
    held: int = 0


class EventBatching:
    """One per agent."""

    def __init__(self) -> None:
        self._lines: dict[Key, _Line] = {}

    def tell(self, tell: Tell, now: float) -> list[Tell]:
        """Return the event if it is reported now; else `due` returns it later."""
        key = _key(tell)
        if key is None:
            return [tell]
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = _Line(now + PERIOD_S)
            return [tell]
        # Moved to the end: held events are reported in the order in which they last occurred.
        self._lines[key] = self._lines.pop(key)
        line.last, line.held = tell, line.held + 1
        return []

    def deadline(self) -> float | None:
        return min((line.until for line in self._lines.values()), default=None)

    def due(self, now: float) -> list[Tell]:
        """Return the events that were held long enough: the last of each key, with the number of
        the others."""
        out: list[Tell] = []
        for key, line in list(self._lines.items()):
            if line.until > now:
                continue
            if line.last is None:
                del self._lines[key]
                continue
            out.append(_counted(line.last, line.held - 1))
            line.until, line.last, line.held = now + PERIOD_S, None, 0
        return out

    def rest(self) -> list[Tell]:
        """Return all held events: no further ones follow."""
        held = [line for line in self._lines.values() if line.last is not None]
        self._lines.clear()
        return [_counted(line.last, line.held - 1) for line in held if line.last is not None]


def _key(tell: Tell) -> Key | None:
    """Return the key of events of which one a second is reported. None: no limit for this event."""
    fields = tell.fields
    if tell.kind in _OF_DEVICE:
        return tell.kind, fields.get("device"), None
    if tell.kind is EventKind.PROBLEM and "problem" in fields:
        return tell.kind, fields.get("folder"), fields["problem"]
    return None


def _counted(tell: Tell, more: int) -> Tell:
    return Tell(tell.kind, {**tell.fields, "more": more}) if more else tell
