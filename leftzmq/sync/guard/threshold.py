"""When losses are a flood, and noise is a wave (docs/decisions/0003): how many at once, against how
many files.

Pure arithmetic over counts. Must not know which files, nor where the losses come from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, NamedTuple

from leftzmq.sync.guard.states import MOVES, GuardMove, GuardState

WINDOW_S: Final = 60
GUARDED_FILES: Final = 100
"""A folder of so many files, and fewer, is never guarded against losses."""
ALLOWED_FILES: Final = 10
ALLOWED_SHARE: Final = 10
"""A wave of so many files, or of this part of the folder (a tenth), goes at once."""
QUIET_S: Final = 2.0

TURNING_WINDOW_S: Final = 600
TURNED_FILES: Final = 50
TURNED_SHARE: Final = 20
"""So many files, if they are this part of the folder (a twentieth), do not turn to noise."""
SWAPPING_FOLDERS: Final = 4096
"""Folders of which it is remembered what went and what came; about 200 bytes each."""

_SECOND_NS: Final = 1_000_000_000


class Wave:
    """What went in the last `window_s`, by the wall clock's seconds."""

    def __init__(self, packed: bytes = b"", window_s: int = WINDOW_S) -> None:
        self._window_s = window_s
        self._went: dict[int, int] = {}
        for pair in packed.decode().split():
            second, count = pair.split(":")
            self._went[int(second)] = int(count)

    def pack(self) -> bytes:
        return " ".join(f"{second}:{count}" for second, count in self._went.items()).encode()

    def went(self, count: int, wall_ns: int) -> None:
        if count:
            second = wall_ns // _SECOND_NS
            self._went[second] = self._went.get(second, 0) + count

    def count(self, wall_ns: int) -> int:
        """Of a clock that was set back or forth, what is not near any more is forgotten."""
        second, window = wall_ns // _SECOND_NS, self._window_s
        self._went = {at: n for at, n in self._went.items() if abs(second - at) <= window}
        return sum(self._went.values())

    def forget(self) -> None:
        self._went.clear()


class Swaps:
    """Files that are gone, and noise that is new in the same folder: of each two that belong
    together one file turned to noise. In memory alone; a restart forgets what has no other half."""

    def __init__(self) -> None:
        self._folders: dict[str, list[int]] = {}  # [gone, came, the last second]

    def gone(self, folder: str, wall_ns: int) -> int:
        """A file that was no noise is gone; how many pairs that makes: 0 or 1."""
        return self._pair(folder, 0, wall_ns)

    def came(self, folder: str, wall_ns: int) -> int:
        """Noise is new there; how many pairs that makes."""
        return self._pair(folder, 1, wall_ns)

    def forget(self) -> None:
        self._folders.clear()

    def _pair(self, folder: str, half: int, wall_ns: int) -> int:
        second = wall_ns // _SECOND_NS
        counts = self._folders.pop(folder, None)
        if counts is None or abs(second - counts[2]) > TURNING_WINDOW_S:
            counts = [0, 0, second]
        counts[2] = second
        self._folders[folder] = counts
        if len(self._folders) > SWAPPING_FOLDERS:
            del self._folders[next(iter(self._folders))]
        if counts[1 - half]:
            counts[1 - half] -= 1
            return 1
        counts[half] += 1
        return 0


def goes_at_once(wave: int, files: int) -> bool:
    """wave: losses in the window and pending. files: what is there and what went."""
    return files <= GUARDED_FILES or wave <= max(ALLOWED_FILES, files // ALLOWED_SHARE)


def is_flood(wave: int, files: int) -> bool:
    return files > GUARDED_FILES and wave * 2 > files


def is_noise_wave(turned: int, files: int) -> bool:
    """turned: files that turned to noise, in the window and pending."""
    return turned >= TURNED_FILES and turned * TURNED_SHARE >= files


class Judged(NamedTuple):
    """Why something is held.

    losses, files: of the wave, as judged. went: its losses that were not held. turned: files that
    turned to noise and were not held. noise: 1: it is held for the noise
    """

    losses: int = 0
    files: int = 0
    went: int = 0
    turned: int = 0
    noise: int = 0

    def is_still_so(self, lost: int, turned: int, files: int) -> bool:
        """Whether so much that is pending is a flood, of so many files that are there. Time alone
        lifts nothing: what went counts for as long as the rest is held."""
        if not (lost or turned):
            return False
        total = self.went + files
        # Of what is gone nobody knows any more whether noise took its place.
        noise = self.turned + turned + (lost if self.noise else 0)
        return is_flood(self.went + lost, total) or is_noise_wave(noise, total)


class Side(ABC):
    """What both sides of the guard have.

    wave, turning: what was lost, and what turned to noise, and was not held
    """

    def __init__(self, wave: Wave, turning: Wave) -> None:
        self.wave, self.turning, self.swaps = wave, turning, Swaps()
        self.state = GuardState.OPEN
        self.judged = Judged()

    @property
    def busy(self) -> bool:
        return self.state is not GuardState.OPEN

    @property
    def count(self) -> int:
        """How many files would be lost, of what is held."""
        return self.judged.losses + self.turned_pending

    @property
    @abstractmethod
    def turned_pending(self) -> int:
        """Files that would turn to noise."""

    def hold(self, judged: Judged) -> None:
        """Also at a start, where an earlier life held something."""
        self.move(GuardMove.HOLD)
        self.judged = judged

    def move(self, move: GuardMove) -> None:
        self.state = MOVES[self.state, move]

    def begin(self, decision: GuardMove) -> None:
        """A user decided: ACCEPT or REVERT. What went before is settled with it."""
        self.move(decision)
        self.turning.forget()
        self.swaps.forget()

    @abstractmethod
    def deadline(self) -> float | None:
        """When something is to be done (monotonic)."""
