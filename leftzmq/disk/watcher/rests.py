"""How long the thread that reads the kernel's queue rests between two reads.

Knows what the last read brought. Must not know what follows from an event.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from watchdog.observers.inotify_c import InotifyConstants as IN
from watchdog.observers.inotify_c import InotifyEvent

from leftzmq.tree.path import LEFTING_SUFFIX

REST_S: Final = 0.002
"""Between two reads of the queue, so that events come in batches: a third of the CPU time for many
small files (70 to 25 ms per 1,000), for at most so much before a look that waits 25 ms anyway."""

WRITING_REST_S: Final = 0.005
"""The same while one file is written and nothing else happens: a writer of 1 GB/s in blocks of
64 KiB would wake us 16,000 times a second."""

STAGING_REST_S: Final = 0.01
"""The same after a read that brought nothing but our own writing into a `.lefting`."""

_LEFTING: Final = LEFTING_SUFFIX.encode()


class Rests:
    """Of one share."""

    def __init__(self) -> None:
        self._writing: str | None = None

    def after(self, events: Iterable[InotifyEvent], only_write: str | None) -> float:
        """Seconds, after these events. only_write: the path, if writes to it were all there was."""
        if all(map(_is_staging, events)):
            return STAGING_REST_S
        again, self._writing = only_write is not None and only_write == self._writing, only_write
        # Long only from the second time on: a small file's close follows its write.
        return WRITING_REST_S if again else REST_S


def is_lefting(name: bytes) -> bool:
    return name[-len(_LEFTING) :].lower() == _LEFTING


def _is_staging(event: InotifyEvent) -> bool:
    """Bytes that arrive are written, and nothing else: each MiB of a large file by a job that
    opens the `.lefting` and closes it."""
    return event.mask in (IN.IN_MODIFY, IN.IN_CLOSE_WRITE) and is_lefting(event.name)
