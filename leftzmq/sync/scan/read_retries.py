"""Files that could not be read, and when they are tried again: a disk that failed, or had no space,
for a moment is no reason to wait for the hourly walk.

Knows paths and times. Must not know why a file could not be read, nor how a try went.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

RETRY_S: Final = 5.0  # doubled each time, up to the period of walks
RETRY_MAX_S: Final = 3600.0
MAX_PATHS: Final = 256
"""Further paths are left to the hourly walk: a tree without permissions stays cheap."""


@dataclass(slots=True)
class _Try:
    """due: monotonic; infinite while the try is under way"""

    due: float
    patience_s: float


class ReadRetries:
    """The retries of one folder."""

    def __init__(self) -> None:
        self._by_path: dict[str, _Try] = {}

    def deadline(self) -> float | None:
        """When `due` has something (monotonic)."""
        return min((each.due for each in self._by_path.values()), default=None)

    def read_failed(self, path: str, now: float) -> None:
        """The path could not be read (again). If a look that somebody else asked for failed, the
        wait is not doubled: the next try stays as near as it was."""
        before = self._by_path.get(path)
        if before is not None:
            if before.due != math.inf:
                return
            patience_s = min(2 * before.patience_s, RETRY_MAX_S)
        elif len(self._by_path) < MAX_PATHS:
            patience_s = RETRY_S
        else:
            return
        self._by_path[path] = _Try(now + patience_s, patience_s)

    def due(self, now: float) -> list[str]:
        """The paths to be tried now."""
        paths = [path for path, each in self._by_path.items() if each.due <= now]
        for path in paths:
            self._by_path[path].due = math.inf
        return paths

    def tried(self, path: str) -> bool:
        """A try is over. Returns whether it succeeded; then the path is forgotten."""
        each = self._by_path.get(path)
        if each is None or each.due != math.inf:
            return False
        del self._by_path[path]
        return True
