"""Ctrl-C while something is imported. Must import nothing that takes a moment itself."""

import os
import signal
from typing import Final

INTERRUPTED: Final = 130


class Importing:
    """Within it Ctrl-C ends the process at once. A KeyboardInterrupt would not: half-way through an
    import some code turns it into another error, and some swallows it."""

    def __enter__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:  # nohup, and what a shell starts with &
            signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
