"""Tickets that wait for space on the disk, and when they go on.

Before the first of them waits, the trash is asked to free space. As long as tickets wait, it is
asked again now and then. Knows how much space there is, as a refused job said, and how much is
needed. Must not know the disk: jobs look. Of a waiting ticket only its need is kept: the index has
the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leftzmq.errors import Shortage
from leftzmq.sync.actions import Work
from leftzmq.sync.jobs import LookForRoom, MakeRoom, RoomMade, RoomSeen
from leftzmq.tree.entry import Entry

LOOK_PERIOD_S: Final = 5.0
GIVE_PERIOD_S: Final = 60.0
"""The time between two requests to the trash after it could not free enough: each request looks at
all that lies in it."""
MIB: Final = 1 << 20
REFUSED_MAX: Final = 1_000
"""The number of tickets whose need is remembered: a part of their bytes may be here."""


class SpaceWaits:
    """The space waits of one folder. holds: whether the guard holds something: then the trash keeps
    all that was moved to it within the last day."""

    def __init__(self, folder: str, holds: Callable[[], bool]) -> None:
        self.folder, self._holds = folder, holds
        self._fits: int | None = None  # None: no ticket was refused
        # Path -> content, and how many of its bytes are still needed.
        self._refused: dict[str, tuple[bytes, int]] = {}
        self._least: int | None = None  # the least that a waiting ticket needs
        self._where, self._content = "", b""  # of that ticket
        self._next_look = 0.0
        self._looking = False
        self._number = 0
        self._wanted: tuple[str, int] = ("", 0)  # where and how much the trash is asked to free
        self._next_give = 0.0
        self._hopes = False
        self._free = ""

    @property
    def waited_for(self) -> bool:
        return self._least is not None

    @property
    def hopes(self) -> bool:
        """Whether the trash was asked, and has not answered yet. Until then no waiting ticket is
        shown as a Problem."""
        return self._hopes

    def why(self, entry: Entry) -> str:
        """Why this entry has to wait, for its Problem."""
        return f"{self._need_of(entry) / MIB:.1f} MiB more are needed, {self._free}"

    @property
    def first(self) -> str:
        """The path of the waiting ticket that needs the least; "" when none waits."""
        return self._where if self.waited_for else ""

    def deadline(self) -> float | None:
        return None if self._fits is None or self._looking else self._next_look

    def _need_of(self, entry: Entry) -> int:
        """The bytes of the entry that are still needed, at most."""
        return self._refused.get(entry.path, (b"", entry.size))[1]

    def may_come(self, entry: Entry) -> bool:
        """Whether there is space for the entry, as far as is known. If not, it waits."""
        if self._fits is None:
            return True
        need = self._need_of(entry)
        if need <= max(0, self._fits):
            return True
        self._wait(entry, need)
        return False

    def refused(self, shortage: Shortage, entry: Entry, now: float) -> None:
        """A job found too little space for the entry."""
        if self._fits is None:
            self._hopes = now >= self._next_give
            self._next_look = now if self._hopes else now + LOOK_PERIOD_S
        self._fits = shortage.fits_bytes
        self._free = shortage.free
        if len(self._refused) < REFUSED_MAX:
            self._refused[entry.path] = (entry.content, shortage.need_bytes)
        self._wait(entry, shortage.need_bytes)

    def disk_full(self, path: str, need: int, now: float) -> list[Work]:
        """The file system itself said that it is full, at `path`: the trash is
        asked to free space."""
        if self._looking or now < self._next_give:
            return []
        return [self._give(path, need)]

    def not_wanted(self, path: str, entry: Entry | None) -> bool:
        """Whether a version was refused for `path` that is not the one wanted there now."""
        if path == self.first and (entry is None or entry.content != self._content):
            # It is not known whether the others still wait: after the next look all are considered.
            self._least, self._next_look = 0, 0.0
        refused = self._refused.get(path)
        if refused is None or (entry is not None and entry.content == refused[0]):
            return False
        del self._refused[path]
        return True

    def on_time_passed(self, now: float) -> list[Work]:
        if self._fits is None or self._looking or now < self._next_look:
            return []
        if self._least and now >= self._next_give:
            return [self._give(self._where, self._least)]
        self._looking = True
        return [Work(LookForRoom(self.folder, self._where))]

    def on_room_seen(self, fact: RoomSeen, now: float) -> bool:
        """Whether a waiting ticket may go on now."""
        return self._looked(fact.fits_bytes, now)

    def on_room_made(self, fact: RoomMade, now: float) -> tuple[list[Work], bool]:
        """Returns what is to be done next, and whether all waiting tickets are to be considered:
        they may go on now, or have a Problem from now on."""
        path, need = self._wanted
        if not fact.done:
            return [Work(MakeRoom(self.folder, self._number, path, need, self._holds()))], False
        self._next_give = now if fact.fits_bytes >= need else now + GIVE_PERIOD_S
        hoped, self._hopes = self._hopes, False
        return [], self._looked(fact.fits_bytes, now) or hoped

    def _give(self, path: str, need: int) -> Work:
        self._looking, self._wanted = True, (path, need)
        self._number += 1
        return Work(MakeRoom(self.folder, self._number, path, need, self._holds()))

    def _looked(self, fits_bytes: int, now: float) -> bool:
        self._looking, self._next_look = False, now + LOOK_PERIOD_S
        if self._fits is None:
            return False
        least, self._fits = self._least, fits_bytes
        if least is None:
            self._fits = None  # the tickets that waited went on, or are not wanted any more
            return False
        if least > max(0, fits_bytes):
            return False
        self._least = None
        return True

    def _wait(self, entry: Entry, need: int) -> None:
        if self._least is None or need < self._least:
            self._least, self._where, self._content = need, entry.path, entry.content
