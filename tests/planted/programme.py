"""All bugs, in the order in which they are planted."""

from __future__ import annotations

from typing import Final

from . import (
    answers,
    around,
    chunks,
    devices,
    fetching,
    guarded,
    ignoring,
    limiting,
    members,
    modes,
    on_disk,
    readers,
    receiving,
    sending,
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
    *fetching.BUGS,
    *sending.BUGS,
    *limiting.BUGS,
    *modes.BUGS,
    *answers.BUGS,
)
