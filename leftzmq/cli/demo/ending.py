"""Handles what ends the demo early: Ctrl-C, SIGTERM, a closed terminal.

A KeyboardInterrupt can be lost: when Python itself calls code (a weak reference, a destructor), no
caller can catch it. So the interrupt is also remembered, and checked for again and again. Knows
signals. Must not know what is ended.
"""

from __future__ import annotations

import signal
from typing import Any, Final

HEARD: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Within this context the first interrupt raises KeyboardInterrupt, and further ones do
    nothing, so they cannot prevent the cleanup. A signal that was ignored before stays ignored
    (nohup)."""

    def __init__(self) -> None:
        self.came = False
        self._calm = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in HEARD:
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN:
                self._before[number] = handler
                signal.signal(number, self._end)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Raises KeyboardInterrupt if one was lost, or was only remembered after `calm`."""
        if not self.came:
            for number, handler in self._before.items():
                signal.signal(number, handler)
        else:
            # The process is about to end. At its end Python removes our handlers, and the next
            # signal would kill it; an ignored signal stays ignored.
            for number in self._before:
                signal.signal(number, signal.SIG_IGN)
            if kind is None:
                raise KeyboardInterrupt

    def calm(self) -> None:
        """From now on an interrupt is only remembered: the following work must be completed."""
        self._calm = True

    def look(self) -> None:
        """Raises KeyboardInterrupt if an interrupt occurred."""
        if self.came and not self._calm:
            raise KeyboardInterrupt

    def _end(self, *_: object) -> None:
        again, self.came = self.came, True
        if not again and not self._calm:
            raise KeyboardInterrupt
