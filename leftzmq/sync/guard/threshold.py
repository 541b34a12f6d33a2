"""When losses are a flood, and when noise is a wave (docs/decisions/0003): how many files at once,
out of how many.

Pure arithmetic over counts. Must not know which files, nor where the losses come from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, NamedTuple

from leftzmq.sync.guard.states import MOVES, GuardMove, GuardState

WINDOW_S: Final = 60
GUARDED_FILES: Final = 100
"""A folder of this many files, or fewer, is never guarded against losses."""
ALLOWED_FILES: Final = 10
ALLOWED_SHARE: Final = 10
"""A wave of this many files, or of this part of the folder (a tenth), passes at once."""
QUIET_S: Final = 2.0

TURNING_WINDOW_S: Final = 600
TURNED_FILES: Final = 50
TURNED_SHARE: Final = 20
"""So many files, if they are at least this part of the folder (a twentieth), are held when they
turn to noise."""
SWAPPING_FOLDERS: Final = 4096
"""The number of directories whose swaps are remembered; about 200 bytes each."""

_SECOND_NS: Final = 1_000_000_000


class Wave:
    """What was lost or turned in the last `window_s` seconds of the wall clock."""

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
        """The count in the window. If the clock was set back or forward, seconds that are not near
        `wall_ns` any more are forgotten."""
        second, window = wall_ns // _SECOND_NS, self._window_s
        self._went = {at: n for at, n in self._went.items() if abs(second - at) <= window}
        return sum(self._went.values())

    def reset(self) -> None:
        self._went.clear()


class Swaps:
    """Files that are gone, and noise that is new in the same directory: each pair of both counts as
    one file that turned to noise. In memory alone; a restart forgets those without a pair."""

    def __init__(self) -> None:
        self._folders: dict[str, list[int]] = {}  # [gone, came, the last second]

    def file_went(self, folder: str, wall_ns: int) -> int:
        """A file that was no noise is gone from the directory. Returns how many pairs that makes: 0
        or 1."""
        return self._pair(folder, 0, wall_ns)

    def noise_came(self, folder: str, wall_ns: int) -> int:
        """New noise is in the directory. Returns how many pairs that makes: 0 or 1."""
        return self._pair(folder, 1, wall_ns)

    def reset(self) -> None:
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
    """wave: losses in the window and pending
    files: the files that are there and those that were lost
    """
    return files <= GUARDED_FILES or wave <= max(ALLOWED_FILES, files // ALLOWED_SHARE)


def is_flood(wave: int, files: int) -> bool:
    return files > GUARDED_FILES and wave * 2 > files


def is_noise_wave(turned: int, files: int) -> bool:
    """turned: files that turned to noise, in the window and pending."""
    return turned >= TURNED_FILES and turned * TURNED_SHARE >= files


class Judged(NamedTuple):
    """Why something is held.

    losses, files: of the wave, as it was judged
    went: the losses of the wave that were not held
    turned: files that turned to noise and were not held
    noise: 1: it is held because of the noise
    """

    losses: int = 0
    files: int = 0
    went: int = 0
    turned: int = 0
    noise: int = 0

    @property
    def held(self) -> int:
        """The losses that are held. A user reads this number: what went was told before."""
        return self.losses - self.went

    def is_still_so(self, lost: int, turned: int, files: int) -> bool:
        """Whether the pending losses are still a flood, given the files that are there. Time alone
        releases nothing: losses that were not held count for as long as the rest is held."""
        if not (lost or turned):
            return False
        total = self.went + files
        # Of files that are gone nobody knows any more whether noise took their place.
        noise = self.turned + turned + (lost if self.noise else 0)
        return is_flood(self.went + lost, total) or is_noise_wave(noise, total)


class Side(ABC):
    """What both sides of the guard have.

    wave: what was lost and was not held
    turning: what turned to noise and was not held
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
        """How many files would be lost by what is held."""
        return self.judged.held + self.turned_pending

    @property
    @abstractmethod
    def turned_pending(self) -> int:
        """How many files would turn to noise."""

    def hold(self, judged: Judged) -> None:
        """Holds the wave. Also called at a start, where an earlier life held something."""
        self.move(GuardMove.HOLD)
        self.judged = judged

    def move(self, move: GuardMove) -> None:
        self.state = MOVES[self.state, move]

    def begin(self, decision: GuardMove) -> None:
        """A user decided: ACCEPT or REVERT. What went before is settled with it."""
        self.move(decision)
        self.turning.reset()
        self.swaps.reset()

    @abstractmethod
    def deadline(self) -> float | None:
        """When something is to be done (monotonic)."""
