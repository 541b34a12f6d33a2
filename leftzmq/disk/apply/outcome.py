"""How one operation on the share ended, as a value. disk/apply makes these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from leftzmq.tree.entry import ScanKey
from leftzmq.tree.plan import Aside, Operation, Staged


class Ending(Enum):
    """What became of an operation."""

    DONE = auto()  # on disk and flushed; `key` is the stat found now (None: gone, or a user's)
    CHANGED = auto()  # something else than the index says is there: nothing was done, look again
    NOT_EMPTY = auto()  # the folder to go still holds something
    NO_PARENT = auto()  # the folder it belongs into is not there
    OTHER_SPELLING = auto()  # `other` is there, and the disk takes both for one name; nothing done
    NO_STAGED = auto()  # the .lefting is gone or is not ours: fetch again
    FLUSH_FAILED = auto()  # the .lefting was thrown away: fetch again
    FULL_AT_FLUSH = auto()  # the same, for want of room
    DISK_FULL = auto()  # nothing was done; wait for room
    FAILED = auto()  # `why` says what the system said; nothing was done, but see `aside`


@dataclass(frozen=True, slots=True)
class Outcome:
    """One operation's end.

    copied_to, copy_key: where the old bytes are now as a conflict copy, and their stat
    lost: DONE, and what of the access to the old version could not be kept (disk/fs/permissions)
    aside: FAILED, and what was at the name could not go back to it: it is to be tried again
    left: a `.lefting` that was made for this operation alone and could not be thrown away
    other: OTHER_SPELLING: the path of what is there; "" where the disk does not tell
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
