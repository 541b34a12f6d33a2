"""The agent's own log: lines on stderr, which may block, be full or be closed.

Knows which events are lines at which level. Must not know what an agent does, nor wait for a
reader.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from leftzmq.cli.format.batches import WHAT, EventBatch, EventBatches
from leftzmq.cli.format.event_lines import batch_line, batch_text, dated, line, text_of
from leftzmq.cli.format.terminal import may_style
from leftzmq.cli.shell import json_text
from leftzmq.errors import StopCause, counted
from leftzmq.runtime.line_writer import LineWriter
from leftzmq.wire.local import Event, EventKind

END_S: Final = 0.2
"""Waiting lines have so long to be written at the end: the whole stop takes less than 2 s."""


class Level(IntEnum):
    """How important a line is. A log does not write lines below its own level."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


LEVELS: Final = {level.name.lower(): level for level in Level}

_LEVELS: Final = {
    EventKind.READY: Level.INFO,
    EventKind.STOPPED: Level.INFO,
    EventKind.PEER_UP: Level.INFO,
    EventKind.PEER_LIST: Level.INFO,
    EventKind.JOINED: Level.INFO,
    EventKind.FOLDER_ADDED: Level.INFO,
    EventKind.RULES: Level.INFO,
    EventKind.SWEPT: Level.INFO,
    EventKind.SCAN: Level.INFO,
    EventKind.FINISHED: Level.INFO,
    EventKind.CONFLICT: Level.WARNING,
    EventKind.PEER_DOWN: Level.WARNING,
    EventKind.REFUSED: Level.WARNING,
    EventKind.HELD: Level.ERROR,
}
_STOPS: Final = {cause.name for cause in StopCause}
_OF_BATCHES: Final = {what: _LEVELS[kind] for kind, what in WHAT.items()}


class Log:
    """Writes lines to `fd`: at level DEBUG one for each event, else one for each batch of changes.

    closed: there is no such descriptor; nothing is written
    level: lines below it are not written. as_json: a JSON object a line
    """

    def __init__(
        self, fd: int, *, closed: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self.level, self.as_json = Level.INFO, False
        self._writer = None if closed else LineWriter(fd, self._lost)
        self._colour = not closed and may_style(os.isatty(fd))
        self._batches, self._clock = EventBatches(), clock

    def __call__(self, event: Event, now: float) -> None:
        """now: monotonic seconds, as in all of these."""
        if event.kind is EventKind.STOPPED:
            self._say_rest()
        level = level_of(event)
        if self.level is not Level.DEBUG and event.kind is EventKind.TICKET:
            self._batches.wanted(event, now)
        elif level < self.level:
            return
        elif self.level is not Level.DEBUG and event.kind in WHAT:
            self._batches.add(event, now)
        else:
            self._say_event(event, level)

    def deadline(self) -> float | None:
        """Return when `tick` has something to write."""
        return self._batches.deadline()

    def tick(self, now: float) -> None:
        """Write the batches that are over."""
        for batch in self._batches.due(now):
            self._say_batch(batch)

    def say(self, text: str) -> None:
        """Write a text that is no event: why the agent ends. At every level."""
        self._put(self._object(Level.ERROR, "error", text, {}) if self.as_json else text)

    def close(self) -> None:
        """Write what is left. To be called last."""
        self._say_rest()
        if self._writer is not None:
            self._writer.close(END_S)

    def _say_rest(self) -> None:
        for batch in self._batches.rest():
            self._say_batch(batch)

    def _say_event(self, event: Event, level: Level) -> None:
        if not self.as_json:
            self._put(line(event, colour=self._colour))
            return
        fields = {"number": event.number, **event.fields}
        self._put(self._object(level, event.kind.value, text_of(event), fields, event.unix_time))

    def _say_batch(self, batch: EventBatch) -> None:
        if not self.as_json:
            self._put(batch_line(batch, self._clock(), colour=self._colour))
            return
        fields = {name: value for name, value in asdict(batch).items() if name != "what"}
        fields["seconds"] = round(batch.seconds, 3)
        level = _OF_BATCHES[batch.what]
        self._put(self._object(level, batch.what.value, batch_text(batch), fields))

    def _object(
        self,
        level: Level,
        event: str,
        text: str,
        fields: Mapping[str, Any],
        unix_time: float | None = None,
    ) -> str:
        """Return one line of JSON: `time` as events have it, `date` the same for people."""
        at = self._clock() if unix_time is None else unix_time
        date = datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")
        head = {"time": at, "date": date, "level": level.name.lower(), "event": event}
        return json_text(head | {"text": text} | dict(fields), indent=None)

    def _put(self, text: str) -> None:
        if self._writer is not None:
            self._writer.put(text)

    def _lost(self, count: int) -> str:
        missing = f"{counted(count, 'line')} {'is' if count == 1 else 'are'} missing here"
        text = f"{missing}: they could not be written"
        if self.as_json:
            return self._object(Level.WARNING, "log", text, {"lines": count})
        return dated(self._clock(), "log", text)


def level_of(event: Event) -> Level:
    """Return the importance of an event; steps of a transfer have the lowest."""
    if event.kind is not EventKind.PROBLEM:
        return _LEVELS.get(event.kind, Level.DEBUG)
    problem = event.fields.get("problem")
    if problem == "SOLVED":
        return Level.INFO
    return Level.ERROR if problem in _STOPS else Level.WARNING
