"""When deletes are a flood (docs/decisions/0003): how many at once, against how many files.

Pure arithmetic over counts. Must not know which files, nor where the deletes come from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import Final

WINDOW_S: Final = 60
GUARDED_FILES: Final = 100
"""A folder of so many files, and fewer, is never guarded."""
ALLOWED_FILES: Final = 10
ALLOWED_SHARE: Final = 10
"""A wave of so many files, or of this part of the folder (a tenth), goes at once."""
QUIET_S: Final = 2.0

_SECOND_NS: Final = 1_000_000_000


class State(Enum):
    """Of one side of the guard."""

    OPEN = auto()
    GATHERING = auto()  # too many to go at once: wait until no more come
    JUDGING = auto()  # how many of them were only moved?
    HELD = auto()  # until a user decides, or it is not a flood any more
    ACCEPTING = auto()
    REVERTING = auto()


class Wave:
    """What went in the last WINDOW_S, by the wall clock's seconds."""

    def __init__(self, packed: bytes = b"") -> None:
        self._went: dict[int, int] = {}
        for pair in packed.decode().split():
            second, count = pair.split(":")
            self._went[int(second)] = int(count)

    def pack(self) -> bytes:
        return " ".join(f"{second}:{count}" for second, count in self._went.items()).encode()

    def went(self, count: int, wall_ns: int) -> None:
        second = wall_ns // _SECOND_NS
        self._went[second] = self._went.get(second, 0) + count

    def count(self, wall_ns: int) -> int:
        """Of a clock that was set back or forth, what is not near any more is forgotten."""
        second = wall_ns // _SECOND_NS
        self._went = {at: n for at, n in self._went.items() if abs(second - at) <= WINDOW_S}
        return sum(self._went.values())


def goes_at_once(wave: int, files: int) -> bool:
    """wave: deletes in the window and pending. files: what is there and what went."""
    return files <= GUARDED_FILES or wave <= max(ALLOWED_FILES, files // ALLOWED_SHARE)


def is_flood(wave: int, files: int) -> bool:
    return files > GUARDED_FILES and wave * 2 > files


class Side(ABC):
    """What both sides of the guard have.

    deletes, files: of the wave that is held, as judged. went: its deletes that were not held.
    """

    def __init__(self, wave: Wave) -> None:
        self.wave = wave
        self.state = State.OPEN
        self.deletes = self.files = self.went = 0

    @property
    def busy(self) -> bool:
        return self.state is not State.OPEN

    def hold(self, deletes: int, files: int, went: int) -> None:
        """Also at a start, where an earlier life held something."""
        self.state, self.deletes, self.files, self.went = State.HELD, deletes, files, went

    def still_flood(self, pending: int, files: int) -> bool:
        """Whether what is held is one, of so many files that are there. Time alone lifts nothing:
        what went counts for as long as the rest is held."""
        return is_flood(self.went + pending, self.went + files)

    @abstractmethod
    def deadline(self) -> float | None:
        """When something is to be done (monotonic)."""
