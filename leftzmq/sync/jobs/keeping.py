"""Jobs that give files back to a user: from the trash, and both versions of a conflict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leftzmq.disk.apply.resolve import Choice, Resolved, Wish
from leftzmq.disk.apply.restore import Between, Listing, PutBack, Return
from leftzmq.disk.trash.retention import Swept, TrashClock
from leftzmq.errors import Stop
from leftzmq.tree.entry import Entry


@dataclass(frozen=True, slots=True)
class SweepTrash:
    """Go on with a sweep of the trash (disk/trash/retention) for one step. The first job of a
    number begins it, with the clock that the last sweep left. spare_day: nothing is deleted that
    was moved to the trash within the last day."""

    folder: str
    sweep: int
    clock: TrashClock | None
    spare_day: bool = False


@dataclass(frozen=True, slots=True)
class TrashSwept:
    """stop: as in TrashListed; then `swept` is None."""

    folder: str
    sweep: int
    swept: Swept | None
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class ListTrash:
    """Go on with a listing of the trash (disk/apply/restore) for one step. The first job of a
    number begins it.

    path: "" is everything
    between: which batches
    after: (batch, path) of the version before the first one that is wanted; ("", "") at the
           beginning
    """

    folder: str
    listing: int
    path: str
    between: Between
    after: tuple[str, str]


@dataclass(frozen=True, slots=True)
class TrashListed:
    """stop: the share is not there, or is not the one that we know: nothing was done."""

    folder: str
    listing: int
    part: Listing
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class RestoreTrash:
    """Put these versions back into the share."""

    folder: str
    listing: int
    wanted: tuple[PutBack, ...]


@dataclass(frozen=True, slots=True)
class TrashRestored:
    """stop: as in TrashListed."""

    folder: str
    listing: int
    returns: tuple[Return, ...]
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class ListCopies:
    """Which conflict copies are there, after the sort key `after`?"""

    folder: str
    number: int
    after: bytes


@dataclass(frozen=True, slots=True)
class CopiesListed:
    """after: where to go on; b"" at the end."""

    folder: str
    number: int
    copies: tuple[Entry, ...]
    after: bytes


@dataclass(frozen=True, slots=True)
class ReadVersions:
    """What are the versions of a path (or of the file that this conflict copy is one of)?"""

    folder: str
    number: int
    path: str


@dataclass(frozen=True, slots=True)
class VersionsRead:
    """found: the file, if there is one, and its copies. Each has its text, if it is small and
    UTF-8, else None. Without copies, `found` is empty."""

    folder: str
    number: int
    found: tuple[tuple[Entry, str | None], ...]


@dataclass(frozen=True, slots=True)
class Resolve:
    """Carry out what a user decided about the conflict copy at `path` (or the one of `path`).

    names: what a person calls the devices, by their letters; for the new name of a copy
    """

    folder: str
    number: int
    path: str
    wish: Wish
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CopyResolved:
    """copy: the copy that was decided about
    path: the name that the copy has now; if the copy is gone, the name of its file
    choice: what was done with the copy, if that was clear
    copies: those that could be meant, if several
    stop: as in TrashListed
    """

    folder: str
    number: int
    resolved: Resolved
    why: str = ""
    copy: str = ""
    path: str = ""
    copies: tuple[str, ...] = ()
    choice: Choice | None = None
    stop: Stop | None = None
