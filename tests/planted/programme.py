"""All bugs, in the order in which they are planted."""

from __future__ import annotations

from typing import Final

from . import (
    answers,
    around,
    chunks,
    devices,
    guarded,
    ignoring,
    members,
    modes,
    on_disk,
    readers,
    receiving,
    versions,
)
from .bug import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *on_disk.BUGS,
    *chunks.BUGS,
    *versions.BUGS,
    *devices.BUGS,
    *around.BUGS,
    *guarded.BUGS,
    *readers.BUGS,
    *members.BUGS,
    *ignoring.BUGS,
    *receiving.BUGS,
    *modes.BUGS,
    *answers.BUGS,
)
