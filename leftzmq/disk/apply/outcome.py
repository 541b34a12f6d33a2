"""How one operation on the share ended, as a value. disk/apply makes these values."""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

from leftzmq.tree.entry import ScanKey
from leftzmq.tree.plan import Aside, Operation, Staged


class Ending(Enum):
    """What became of an operation."""

    DONE = auto()  # on disk and flushed; `key` is the stat found now (None: deleted, or a user's)
    CHANGED = auto()  # the path is not what the index says: nothing was done, scan it again
    NOT_EMPTY = auto()  # the folder to be removed is not empty
    SHELL = (
        auto()
    )  # what is to be removed stays: only what is ignored is left there; `key`: its stat
    NO_PARENT = auto()  # the parent folder is not there
    OTHER_SPELLING = auto()  # `other` is there, and the disk takes both for one name; nothing done
    NO_STAGED = auto()  # the .lefting is gone or is not ours: fetch again
    FLUSH_FAILED = auto()  # the .lefting was thrown away: fetch again
    FULL_AT_FLUSH = auto()  # as FLUSH_FAILED, because the disk was full
    DISK_FULL = auto()  # nothing was done; wait for free space
    FAILED = auto()  # `why` says what the system said; nothing was done, but see `aside`


class Outcome(Struct, frozen=True):
    """The result of one operation.

    copied_to, copy_key: path and key of the conflict copy that has the old bytes now
    lost: with DONE: what of the access to the old version could not be kept (disk/fs/permissions)
    aside: with FAILED: the old version could not get its name back; that is to be tried again
    left: a `.lefting` that was made for this operation alone and could not be deleted
    other: with OTHER_SPELLING: the path that is there; "" where the disk does not tell
    """

    operation: Operation
    ending: Ending
    key: ScanKey | None = None
    copied_to: str | None = None
    copy_key: ScanKey | None = None
    lost: str = ""
    why: str = ""
    aside: Aside | None = None
    left: Staged | None = None
    other: str = ""
