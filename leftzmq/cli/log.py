"""The agent's own log: events as lines on stderr, which may stall, fill up or be closed.

Knows which events a log has. Must not know what an agent does, nor wait for anybody who reads.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Final

from leftzmq.bus.outlet import Outlet
from leftzmq.cli.lines import QUIET_KINDS, line
from leftzmq.wire.local import Event, EventKind

END_S: Final = 0.2
"""What waits at the end has so long to be written: all of a stop takes less than 2 s."""


class Log:
    """Events to `fd`, without the steps in between unless they are wanted.

    closed: there is no such descriptor; nothing is written
    """

    def __init__(self, fd: int, *, closed: bool = False) -> None:
        self.verbose = False
        self._outlet = None if closed else Outlet(fd, _lost)
        self._colour = not closed and os.isatty(fd)

    def __call__(self, event: Event) -> None:
        quiet = event.kind in QUIET_KINDS or event.kind is EventKind.PROGRESS
        if self.verbose or not quiet:
            self.say(line(event, colour=self._colour))

    def say(self, text: str) -> None:
        """One line that is no event."""
        if self._outlet is not None:
            self._outlet.put(text)

    def close(self) -> None:
        """To be called last."""
        if self._outlet is not None:
            self._outlet.close(END_S)


def _lost(count: int) -> str:
    clock = datetime.now().strftime("%H:%M:%S")
    return f"{clock} {'log':<12} {count:,} lines are missing here: they could not be written"
