"""What ends the demo before its end: Ctrl-C, SIGTERM, a closed terminal.

A KeyboardInterrupt can be lost: what Python calls by itself (a weak reference, a destructor) has
nobody who could take it. So that it came is remembered, too, and looked for again and again. Knows
signals. Must not know what is ended.
"""

from __future__ import annotations

import signal
from typing import Any, Final

HEARD: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Within it the first one is a KeyboardInterrupt, and none after it: it must not keep anybody
    from cleaning up. What was ignored before stays so (nohup)."""

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
        """Raises KeyboardInterrupt if one came and was lost, or came while it was calm."""
        if not self.came:
            for number, handler in self._before.items():
                signal.signal(number, handler)
        else:
            # The process is on its way out. Where Python ends it takes every handler of ours away,
            # and the next one would kill; what is ignored stays ignored.
            for number in self._before:
                signal.signal(number, signal.SIG_IGN)
            if kind is None:
                raise KeyboardInterrupt

    def calm(self) -> None:
        """From now on it is only remembered: what is done now is to be done to its end."""
        self._calm = True

    def look(self) -> None:
        """Raises KeyboardInterrupt if one came."""
        if self.came and not self._calm:
            raise KeyboardInterrupt

    def _end(self, *_: object) -> None:
        again, self.came = self.came, True
        if not again and not self._calm:
            raise KeyboardInterrupt
