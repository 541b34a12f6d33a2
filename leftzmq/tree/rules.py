"""Which paths may be synced. The ONE place that decides it, for the wire and for the disk.

`check_path` is asked once on each side: by the walk and the looks of what lies in a share
(disk/scan), and by the checks of what another device says (wire/check). It decides by the name
alone, and the same on every device. What a user's rules leave out is tree/ignoring's to say.
"""

from __future__ import annotations

import re
from typing import Final

from leftzmq.errors import Refusal, Refused

LEFT_DIRECTORY: Final = ".left"
"""In a share's root: marker, trash and cookies. Never synced, never served."""

LEFTING_SUFFIX: Final = ".lefting"
"""Suffix of a file that is still arriving."""

MAX_NAME_BYTES: Final = 255  # NAME_MAX of every file system we know
MAX_PATH_BYTES: Final = 4096  # PATH_MAX of Linux
MAX_DEPTH: Final = 128  # recursion over a tree stays bounded, whoever made it

# Default_Ignorable_Code_Point of Unicode 15 (DerivedCoreProperties.txt).
_IGNORABLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def check_path(path: str) -> str:
    """Returns `path` if it may be synced.

    Raises Refused with one of the PATH_* refusals. A device that sent such a path over the wire is
    dropped; on disk it becomes a Problem.
    """
    if not path:
        raise Refused(Refusal.PATH_EMPTY)
    if "\0" in path:
        raise Refused(Refusal.PATH_NUL, repr(path))
    if path[0] == "/":
        raise Refused(Refusal.PATH_ABSOLUTE, repr(path))
    try:
        raw = path.encode()
    except UnicodeEncodeError as error:
        raise Refused(Refusal.PATH_NOT_UTF8, repr(path)) from error
    names = raw.split(b"/")
    as_folded = _folded(path)
    if any(name in ("", ".", "..") for name in as_folded.split("/")):
        raise Refused(Refusal.PATH_UNCLEAN, repr(path))
    if len(raw) > MAX_PATH_BYTES or len(names) > MAX_DEPTH or max(map(len, names)) > MAX_NAME_BYTES:
        raise Refused(Refusal.PATH_TOO_LONG, repr(path[:60]))
    if as_folded.split("/", 1)[0] == LEFT_DIRECTORY:
        raise Refused(Refusal.PATH_RESERVED, repr(path))
    if as_folded.endswith(LEFTING_SUFFIX) or f"{LEFTING_SUFFIX}/" in as_folded:
        raise Refused(Refusal.PATH_RESERVED, repr(path))
    return path


def _folded(path: str) -> str:
    """The form that a case-folding file system compares: there `.LEFT` is our own directory.

    Some of these file systems (ext4 and f2fs with casefold, HFS+) also ignore the characters that
    Unicode calls default ignorable, so `.le<ZWNJ>ft` would be our directory as well.
    """
    return path.lower() if path.isascii() else _IGNORABLE.sub("", path.casefold())
