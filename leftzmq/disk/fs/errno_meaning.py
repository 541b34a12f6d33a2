"""What an error of the file system says: of the path, or only of this machine at this moment.

The one place that reads an errno for that. "Too many open files" says nothing of a path: who reads
it as "gone" deletes what is there, and who reads it as "not our share" stops for nothing.

Knows errno. Must not know which call failed, nor what follows from it.
"""

from __future__ import annotations

import errno
from enum import Enum, auto
from typing import Final

from leftzmq.errors import StopCause


class ErrnoMeaning(Enum):
    """What kind of error it is."""

    GONE = auto()  # nothing of that name is there, or a link or file is where a folder should be
    SHORT = auto()  # this process or machine has no descriptors, no memory, or was interrupted
    SICK = auto()  # the disk, or the way to it, does not answer as it should: it may again
    FULL = auto()  # no room, on the disk or in the quota
    FINAL = auto()  # anything else: it stays so until somebody does something about it

    @property
    def passes(self) -> bool:
        """Whether the same call may succeed in a while without anybody's doing."""
        return self in (ErrnoMeaning.SHORT, ErrnoMeaning.SICK, ErrnoMeaning.FULL)

    @property
    def is_of_path(self) -> bool:
        """Whether it says something of the path that was asked for."""
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
        errno.ESTALE,  # of NFS: the server began anew
        errno.ETIMEDOUT,
        errno.ENOTCONN,  # of FUSE: its process ended
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
    """What this error says."""
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
    """Whether nothing is there: the only error that means so."""
    return trouble_of(error) is ErrnoMeaning.GONE


def raise_if_short(error: OSError) -> None:
    """Raises it again if it says nothing of the path: whoever was about to make something of it
    for the path must not. The job is not done; its folder is opened anew when it has passed."""
    if trouble_of(error) is ErrnoMeaning.SHORT:
        raise error


def is_full(error: OSError) -> bool:
    """Whether there is no room, on the disk or in the quota."""
    return trouble_of(error) is ErrnoMeaning.FULL


def cause_of(error: OSError) -> StopCause:
    """Why a folder stops whose share gave this error where nobody could go on without it."""
    match trouble_of(error):
        case ErrnoMeaning.GONE:
            return StopCause.SHARE_AWAY
        case ErrnoMeaning.FINAL:
            return StopCause.SHARE_UNUSABLE
        case _:
            return StopCause.HELD_UP
