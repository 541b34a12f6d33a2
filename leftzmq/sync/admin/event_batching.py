"""Which events are told at once, and which are only counted for a moment.

Whatever a device does, it cannot fill a log.

Of events that a device can cause by talking (up, down, refused, news) one a second and device is
told, of problems one a second, folder and kind. What comes within that second is counted, and the
last of it told when it is over. `status` knows more: it is asked, not told.

Knows kinds of events and times. Must not know what led to one.
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
    """until: when the next one may be told (monotonic). last: not told yet. held: how many."""

    until: float
    last: Tell | None = None
    held: int = 0


class EventBatching:
    """Of the agent."""

    def __init__(self) -> None:
        self._lines: dict[Key, _Line] = {}

    def tell(self, tell: Tell, now: float) -> list[Tell]:
        """An event that happened: it is told now, or by `due`."""
        key = _key(tell)
        if key is None:
            return [tell]
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = _Line(now + PERIOD_S)
            return [tell]
        # To the end: what is told later is told in the order in which it happened last.
        self._lines[key] = self._lines.pop(key)
        line.last, line.held = tell, line.held + 1
        return []

    def deadline(self) -> float | None:
        return min((line.until for line in self._lines.values()), default=None)

    def due(self, now: float) -> list[Tell]:
        """What was held long enough; the last of each, and how many more there were."""
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
        """All that is held: nothing comes any more."""
        held = [line for line in self._lines.values() if line.last is not None]
        self._lines.clear()
        return [_counted(line.last, line.held - 1) for line in held if line.last is not None]


def _key(tell: Tell) -> Key | None:
    """Of which events there is one a second; None: of these there is no limit."""
    fields = tell.fields
    if tell.kind in _OF_DEVICE:
        return tell.kind, fields.get("device"), None
    if tell.kind is EventKind.PROBLEM and "problem" in fields:
        return tell.kind, fields.get("folder"), fields["problem"]
    return None


def _counted(tell: Tell, more: int) -> Tell:
    return Tell(tell.kind, {**tell.fields, "more": more}) if more else tell
