"""When a regular file is lost although something is at its path (docs/decisions/0003).

Pure. Knows sizes and kinds. Must not know how many are lost, nor whether the content lives on.
"""

from __future__ import annotations

from typing import Final

from leftzmq.tree.entry import Kind

NOTHING_BYTES: Final = 16
"""A file that was longer and has this many bytes, or fewer, counts as empty."""
SHRUNK_FROM_BYTES: Final = 4096
SHRUNK_BY: Final = 256
"""A file of SHRUNK_FROM_BYTES or more is lost if less than this part of it is left (1/256)."""


def loses(file_bytes: int, kind: Kind, size: int, *, deleted: bool = False) -> bool:
    """Whether a file of `file_bytes` is lost when it is replaced: by nothing (`deleted`), by a
    directory or link, or by a file of `size` bytes that has shrunk to nothing."""
    if deleted or kind is not Kind.FILE:
        return True
    if size == 0:
        return file_bytes > 0
    if size <= NOTHING_BYTES:
        return file_bytes > NOTHING_BYTES
    return file_bytes >= SHRUNK_FROM_BYTES and size * SHRUNK_BY < file_bytes
