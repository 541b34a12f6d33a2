"""Says what a file system error means: something about the path, or only about this machine now.

No other module reads an errno for that. "Too many open files" says nothing about a path: code that
reads it as "gone" deletes a file that is there, and code that reads it as "not our share" stops for
no reason.

Knows errno. Must not know which call failed, nor what follows from it.
"""

from __future__ import annotations

import errno
from enum import Enum, auto
from typing import Final

from leftzmq.errors import StopCause


class ErrnoMeaning(Enum):
    """The kind of an error."""

    GONE = auto()  # nothing has that name, or a link or file is in the place of a folder
    SHORT = auto()  # this process or machine has no descriptors, no memory, or was interrupted
    SICK = auto()  # the disk, or the connection to it, fails: it may recover
    FULL = auto()  # no free space, on the disk or in the quota
    FINAL = auto()  # anything else: it lasts until somebody does something about it

    @property
    def passes(self) -> bool:
        """Whether the same call may succeed later without anybody doing anything."""
        return self in (ErrnoMeaning.SHORT, ErrnoMeaning.SICK, ErrnoMeaning.FULL)

    @property
    def is_of_path(self) -> bool:
        """Whether the error says something about the path of the call."""
        return self is not ErrnoMeaning.SHORT


_GONE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP))
_SHORT: Final = frozenset(
    (
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EINTR,
        errno.EAGAIN,
    )
)
_SICK: Final = frozenset(
    (
        errno.EIO,
        errno.ESTALE,  # NFS: the server was restarted
        errno.ETIMEDOUT,
        errno.ENOTCONN,  # FUSE: its process ended
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENODEV,
        errno.ESHUTDOWN,
    )
)
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT))


def trouble_of(error: OSError) -> ErrnoMeaning:
    """The meaning of this error."""
    code = error.errno
    if code in _GONE:
        return ErrnoMeaning.GONE
    if code in _SHORT:
        return ErrnoMeaning.SHORT
    if code in _SICK:
        return ErrnoMeaning.SICK
    if code in _FULL:
        return ErrnoMeaning.FULL
    return ErrnoMeaning.FINAL


def is_gone(error: OSError) -> bool:
    """Whether nothing is at the path. No other error means that."""
    return trouble_of(error) is ErrnoMeaning.GONE


def raise_if_short(error: OSError) -> None:
    """Raise the error again if it says nothing about the path: the caller must draw no conclusion
    about the path from it. The job fails, and its folder is opened anew when the error is over."""
    if trouble_of(error) is ErrnoMeaning.SHORT:
        raise error


def is_full(error: OSError) -> bool:
    """Whether there is no free space, on the disk or in the quota."""
    return trouble_of(error) is ErrnoMeaning.FULL


def cause_of(error: OSError) -> StopCause:
    """Why a folder stops after this error in a call on its share that it cannot work without."""
    match trouble_of(error):
        case ErrnoMeaning.GONE:
            return StopCause.SHARE_AWAY
        case ErrnoMeaning.FINAL:
            return StopCause.SHARE_UNUSABLE
        case _:
            return StopCause.HELD_UP
