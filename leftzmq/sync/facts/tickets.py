"""Between machines: tickets, from the row that may be one to the bytes that serve it."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.errors import Problem
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged


@dataclass(frozen=True, slots=True)
class PathsReconsidered:
    """The rows of these paths changed: there may be tickets. source: the bit (as a set of bits) of
    the device that announced the change; 0: we made it."""

    folder: str
    paths: tuple[str, ...]
    source: int = 0


@dataclass(frozen=True, slots=True)
class FileWanted:
    """The applier wants the bytes of this version.

    previous: the version that we have at this path
    home: a path of ours with the same content
    kept: a `.lefting` that holds a part of the bytes; the downloader is responsible for it from now
    """

    folder: str
    entry: Entry
    previous: Entry | None
    home: str | None = None
    kept: Staged | None = None


@dataclass(frozen=True, slots=True)
class HoldersChanged:
    """The set of devices that may have a wanted version changed."""

    folder: str
    path: str


@dataclass(frozen=True, slots=True)
class FileNotWanted:
    """A version is not wanted any more (a newer one is, or it was taken)."""

    folder: str
    path: str


@dataclass(frozen=True, slots=True)
class FileStaged:
    """The bytes of this version are whole and verified in their `.lefting`. noise: they look
    encrypted."""

    folder: str
    entry: Entry
    staged: Staged
    noise: bool = False


@dataclass(frozen=True, slots=True)
class FileLeft:
    """A version is not wanted now; `staged` is what has arrived of it."""

    folder: str
    entry: Entry
    staged: Staged


@dataclass(frozen=True, slots=True)
class FileHeldUp:
    """The bytes of this version are not available, or cannot be kept, for now;
    `problem` says why."""

    folder: str
    entry: Entry
    problem: Problem
