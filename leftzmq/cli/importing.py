"""What comes before everything else: Ctrl-C while something is imported, and standard streams that
are closed. Must import nothing that takes a moment itself.
"""

import os
import signal
from typing import Final

INTERRUPTED: Final = 130


def keep_descriptors() -> None:
    """No file and no socket gets the number of a standard stream that is closed: who writes to
    stderr, as libzmq does where it aborts, would write into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def end_at_once(last_words: bytes = b"") -> None:
    """From now on Ctrl-C ends the process, whatever it does; that is written to stdout before."""

    def end(*_: object) -> None:
        try:
            os.write(1, last_words)
        finally:
            os._exit(INTERRUPTED)

    if (
        signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    ):  # nohup, and what a shell starts with &
        signal.signal(signal.SIGINT, end)


class Importing:
    """Within it Ctrl-C ends the process at once. A KeyboardInterrupt would not: half-way through an
    import some code turns it into another error, and some swallows it."""

    def __enter__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)
        end_at_once()

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
