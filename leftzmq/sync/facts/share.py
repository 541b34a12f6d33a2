"""What the watcher sees in a share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Touch(Enum):
    """What the watcher saw happen to a path."""

    CLOSED = auto()  # closed after writing, or moved here: whole, as far as anyone can tell
    MODIFIED = auto()  # written to, still open
    MADE = auto()  # a directory or link appeared, or attributes changed
    GONE = auto()  # deleted or moved away


@dataclass(frozen=True, slots=True)
class PathsTouched:
    folder: str
    touches: tuple[tuple[str, Touch], ...]


@dataclass(frozen=True, slots=True)
class WatchRegained:
    """Paths below `prefix` were polled, and are watched from now on: walk them once."""

    folder: str
    prefix: str


@dataclass(frozen=True, slots=True)
class WatchLost:
    """Events below `prefix` were lost, or are not available (`polled`): walk it."""

    folder: str
    prefix: str
    polled: bool
    why: str


@dataclass(frozen=True, slots=True)
class CookieSeen:
    """Everything that happened in the share before this cookie has been reported."""

    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class MountChanged:
    """Something was mounted or unmounted at `path`; what is there now is watched. "": at the share
    itself, or above it."""

    folder: str
    path: str
