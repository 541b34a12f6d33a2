"""Decides how long the thread that reads the kernel's queue sleeps between two reads.

Knows the events of the last read. Must not know what follows from an event.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from watchdog.observers.inotify_c import InotifyConstants as IN
from watchdog.observers.inotify_c import InotifyEvent

from leftzmq.tree.rules import LEFTING_SUFFIX

REST_S: Final = 0.002
"""Sleep between two reads of the queue, so that events arrive in batches. It cuts the CPU time for
many small files to a third (70 to 25 ms per 1,000). The cost is at most this delay before a scan
that waits 25 ms anyway."""

WRITING_REST_S: Final = 0.005
"""Sleep while one file is written and nothing else happens: a writer of 1 GB/s in blocks of 64 KiB
would wake us 16,000 times a second."""

STAGING_REST_S: Final = 0.01
"""Sleep after a read with nothing but our own writes into a `.lefting`."""

_LEFTING: Final = LEFTING_SUFFIX.encode()


class Rests:
    """The sleeps of one share's reading thread."""

    def __init__(self) -> None:
        self._writing: str | None = None

    def after(self, events: Iterable[InotifyEvent], only_write: str | None) -> float:
        """How many seconds to sleep after these events. only_write: the path, if all events are
        writes to one file."""
        if all(map(_is_staging, events)):
            return STAGING_REST_S
        again, self._writing = only_write is not None and only_write == self._writing, only_write
        # Long only from the second time on: a small file's close follows its write.
        return WRITING_REST_S if again else REST_S


def is_lefting(name: bytes) -> bool:
    return name[-len(_LEFTING) :].lower() == _LEFTING


def _is_staging(event: InotifyEvent) -> bool:
    """Whether the event is a write of received bytes. A job opens and closes the `.lefting` for
    each MiB of a large file."""
    return event.mask in (IN.IN_MODIFY, IN.IN_CLOSE_WRITE) and is_lefting(event.name)
