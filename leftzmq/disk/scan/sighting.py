"""The result of a look at one path, as a value. The scanner makes it; no file system here."""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

from leftzmq.errors import Problem
from leftzmq.tree.entry import Observed, ScanKey
from leftzmq.tree.ignoring.rule_file import RuleFile


class Sight(Enum):
    """How a look at one path ended."""

    SAME = auto()  # its ScanKey is the one in our index: not read
    FOUND = auto()  # read (or a folder, or a link): `observed` and `key` are set
    LARGE = auto()  # a file over one chunk: to be cut in slices; `key` is set
    GONE = auto()  # nothing is there; `key` is the last one in our index
    RESTLESS = auto()  # changed while it was read, or too young to be trusted: look again
    PROBLEM = auto()  # cannot be synced or read: `problem` is set
    IGNORED = auto()  # by a rule, and not read: `key` is what is there; None: not known


class RulesRead(Struct, frozen=True):
    """A file of ignore rules was read, or looked for.

    key: its stat; None: nothing is there. data: its bytes; none where it cannot be read
    file: what it says, or why it cannot be read; None: nothing is there
    """

    path: str
    key: ScanKey | None
    data: bytes
    file: RuleFile | None


class Sighting(Struct, frozen=True):
    """One path at the time of one look.

    age_ns: the wall clock at the look minus the later of mtime and ctime (negative: in the
            future), so that the scheduler can tell which files may still be being written
    empty:  it is an empty folder and no mount: a walk would find nothing
    young:  FOUND: a file that changed a moment ago. `observed` was there; `key` is no stat that the
            file will ever have, so any later look reads it again
    other:  GONE: the existing path that the disk takes for this one; "" if there is none
    rules:  of a path with the name of a file of ignore rules: what it says now, if that is news
    """

    path: str
    sight: Sight
    key: ScanKey | None = None
    observed: Observed | None = None
    problem: Problem | None = None
    age_ns: int = 0
    empty: bool = False
    young: bool = False
    other: str = ""
    rules: RulesRead | None = None


class SliceSighting(Struct, frozen=True):
    """A part of a large file, cut and hashed.

    rows: packed list rows (32-byte id, 4-byte big-endian length) of [offset, end)
    still: the file's ScanKey was `key` before and after the part was read
    known: the first bytes show a known format. noise: a sample in this part looks encrypted
    why: why the part could not be read; "" otherwise
    grew: the file was longer than `key` says, and otherwise the same: it is not known yet whether
          this part is unchanged
    before, after: the file's ScanKey before and after the read; None if `still` is False
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
