"""What was found at one path, as a value. No file system here: the scanner makes these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from leftzmq.errors import Problem
from leftzmq.tree.entry import Observed, ScanKey


class Sight(Enum):
    """How a look at one path ended."""

    SAME = auto()  # its ScanKey is that of our index: not read
    FOUND = auto()  # read (or a folder, or a link): `observed` and `key` hold
    LARGE = auto()  # a file over one chunk: to be cut in slices; `key` holds
    GONE = auto()  # nothing is there; `key` is what our index says was
    RESTLESS = auto()  # changed while it was read, or too young to be trusted: look again
    PROBLEM = auto()  # cannot be synced or read: `problem` holds


@dataclass(frozen=True, slots=True)
class Sighting:
    """One path as it was at one look.

    age_ns: the wall clock at the look minus the younger of mtime and ctime (negative: from the
            future), so that the settler can tell what may still be under someone's pen.
    empty:  it is a folder, no mount, and nothing was in it: a walk would find nothing
    other:  GONE: the path that the disk takes for this one, and that is there
    """

    path: str
    sight: Sight
    key: ScanKey | None = None
    observed: Observed | None = None
    problem: Problem | None = None
    age_ns: int = 0
    empty: bool = False
    other: str = ""


@dataclass(frozen=True, slots=True)
class SliceSighting:
    """A part of a large file, cut and hashed.

    rows: packed list rows (32-byte id, 4-byte big-endian length) of [offset, end)
    still: the file's ScanKey was `key` before and after the part was read
    known, noise: the file says what it is by its first bytes; a sample in this part looks encrypted
    why: what kept it from being read; "" otherwise
    grew: the file was longer than `key` says, and otherwise the same one: whether the part is what
          it was then is not known yet
    before, after: the file's ScanKey around the reading; None where it was not `still`
    """

    path: str
    key: ScanKey
    offset: int
    end: int
    rows: bytes
    still: bool
    known: bool = False
    noise: bool = False
    why: str = ""
    grew: bool = False
    before: ScanKey | None = None
    after: ScanKey | None = None
