"""Tickets that wait for room on the disk, and when they go on.

Knows how much may come, as a job that was refused said, and how much is needed. Must not know the
disk: jobs look. Nothing is kept of a ticket that waits but what it needs: the index has it.
"""

from __future__ import annotations

from typing import Final

from leftzmq.errors import Shortage
from leftzmq.sync.actions import Work
from leftzmq.sync.jobs import LookForRoom, RoomSeen
from leftzmq.tree.entry import Entry

LOOK_PERIOD_S: Final = 5.0
REFUSED_MAX: Final = 1_000
"""Tickets that are remembered: their Problem is shown, and a part of them may be here."""


class Room:
    """Of one folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._fits: int | None = None  # None: nobody was refused
        self._refused: dict[str, tuple[bytes, int]] = {}  # content, what of it is still to come
        self._least: int | None = None  # needed by what waits
        self._where, self._content = "", b""  # of that
        self._next_look = 0.0
        self._looking = False

    @property
    def waited_for(self) -> bool:
        return self._least is not None

    @property
    def first(self) -> str:
        """The path that needs the least of those that wait; "" when none does."""
        return self._where if self.waited_for else ""

    def deadline(self) -> float | None:
        return None if self._fits is None or self._looking else self._next_look

    def may_come(self, entry: Entry) -> bool:
        """Whether there is room for it, as far as is known; if not, it waits."""
        if self._fits is None:
            return True
        _, need = self._refused.get(entry.path, (b"", entry.size))
        if need <= max(0, self._fits):
            return True
        self._wait(entry, need)
        return False

    def refused(self, shortage: Shortage, entry: Entry, now: float) -> None:
        """A job found too little room for it."""
        if self._fits is None:
            self._next_look = now + LOOK_PERIOD_S
        self._fits = shortage.fits_bytes
        if len(self._refused) < REFUSED_MAX:
            self._refused[entry.path] = (entry.content, shortage.need_bytes)
        self._wait(entry, shortage.need_bytes)

    def not_wanted(self, path: str, entry: Entry | None) -> bool:
        """Whether something was refused for `path` that is not what is wanted there now."""
        if path == self.first and (entry is None or entry.content != self._content):
            # Whether the others still wait nobody knows: the next look has all considered.
            self._least, self._next_look = 0, 0.0
        refused = self._refused.get(path)
        if refused is None or (entry is not None and entry.content == refused[0]):
            return False
        del self._refused[path]
        return True

    def tick(self, now: float) -> list[Work]:
        if self._fits is None or self._looking or now < self._next_look:
            return []
        self._looking = True
        return [Work(LookForRoom(self.folder, self._where))]

    def seen(self, fact: RoomSeen, now: float) -> bool:
        """Whether something that waits may come now."""
        self._looking, self._next_look = False, now + LOOK_PERIOD_S
        least, self._fits = self._least, fact.fits_bytes
        if least is None:
            self._fits = None  # whoever waited came, or is not wanted any more
            return False
        if least > max(0, fact.fits_bytes):
            return False
        self._least = None
        return True

    def _wait(self, entry: Entry, need: int) -> None:
        if self._least is None or need < self._least:
            self._least, self._where, self._content = need, entry.path, entry.content
