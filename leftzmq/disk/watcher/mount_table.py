"""Finds the mounts in a share, on it and above it, in the kernel's mount table.

Knows the lines of mountinfo (proc_pid_mountinfo(5)). Must not know when they are read, nor what
follows from a change.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from leftzmq.tree.rules import LEFT_DIRECTORY

_POINT: Final = 4  # the field with the mount point; the fields before it identify the mount
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")


class Mounted(Struct, frozen=True):
    """One mount. what: tells it from another mount at the same path. path: in the share; "" for the
    share itself and for the folders above it."""

    what: bytes
    path: str


def mounts_near(table: bytes, share: bytes) -> frozenset[Mounted]:
    """The mounts in, on and above `share`, an absolute path without links. Mounts in `.left`, and
    those with a name that cannot be synced, are left out."""
    found: set[Mounted] = set()
    for line in table.splitlines():
        fields = line.split(b" ", _POINT + 1)
        if len(fields) <= _POINT:
            continue
        point = _ESCAPED.sub(lambda code: bytes((int(code[1], 8),)), fields[_POINT])
        what = b" ".join(fields[:_POINT])
        if share == point or share.startswith(point.rstrip(b"/") + b"/"):
            found.add(Mounted(what, ""))
        elif point.startswith(share.rstrip(b"/") + b"/"):
            try:
                path = point[len(share.rstrip(b"/")) + 1 :].decode()
            except UnicodeDecodeError:
                continue
            if path.partition("/")[0] != LEFT_DIRECTORY:
                found.add(Mounted(what, path))
    return frozenset(found)
