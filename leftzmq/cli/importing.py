"""Handles Ctrl-C during imports, and standard streams that are closed. Runs before everything else.

Must not import anything that takes a moment itself.
"""

import os
import signal
from typing import Final

INTERRUPTED: Final = 130


def keep_descriptors() -> None:
    """Open closed standard streams on /dev/null. Otherwise a file or socket could get the number of
    stderr, and libzmq, which writes to stderr when it aborts, would write into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


def end_at_once(last_words: bytes = b"") -> None:
    """From now on Ctrl-C ends the process at once, in any state; `last_words` are written to stdout
    first."""

    def end(*_: object) -> None:
        try:
            os.write(1, last_words)
        finally:
            os._exit(INTERRUPTED)

    if (
        signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    ):  # not for nohup, nor for what a shell starts with &
        signal.signal(signal.SIGINT, end)


class Importing:
    """Within this context Ctrl-C ends the process at once. A KeyboardInterrupt would not: during an
    import some code turns it into another error, and some code swallows it."""

    def __enter__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)
        end_at_once()

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
