"""What one kind of measurement is: its name, its scales, its figures and what is wanted of them.

Knows values alone. Must not know how anything is measured, nor how it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ground import Ground, Needs

from leftzmq.errors import counted

OURS: Final = "leftzmq"
SYNCTHING: Final = "Syncthing"
UNISON: Final = "Unison"
RSYNC: Final = "rsync"
PLAIN: Final = "plain"
BOUND: Final = "bound"
PROGRAMS: Final = (OURS, SYNCTHING, UNISON, RSYNC, PLAIN, BOUND)
"""In the order of the table. plain: one thread of Python that makes the same files. bound: the same
primitives with none of our code (bound.py)."""

Figures = Mapping[str, float]
"""Key of a Figure -> what was measured, in its unit."""


class Place(Enum):
    """Where the files lie."""

    DISK = "disk"  # the folder for temporary files (TMPDIR)
    MEMORY = "memory"  # tmpfs


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured; 0: does not apply. size: bytes in all. idle_s: how long nothing is done
    before what an idle program does is measured."""

    files: int = 0
    size: int = 0
    edits: int = 0
    devices: int = 0
    idle_s: float = 0.0

    def __str__(self) -> str:
        parts = [counted(self.files, "file")] if self.files else []
        parts += [f"{self.size >> 20:,} MiB"] if self.size else []
        parts += [counted(self.edits, "edit")] if self.edits else []
        parts += [counted(self.devices, "device")] if self.devices else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a figure of ours should be: at most `limit`, or at least where more is better.

    of: the program of whose figure `limit` is a multiple; "": `limit` has the figure's unit
    at: the only scale for which it is asked
    """

    limit: float
    of: str = ""
    at: Scale | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a measurement. unit: behind the number. note: what is asked for in words that
    no number can be held against."""

    key: str
    what: str
    unit: str
    wanted: tuple[Wanted, ...] = ()
    is_more_better: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One measurement that is to be made: of which program, how much, and where."""

    program: str
    scale: Scale
    ground: Ground


@dataclass(frozen=True, slots=True)
class Row:
    """name: to select it. kind: selects all rows of a kind. what: as a part of a sentence."""

    name: str
    kind: str
    what: str
    figures: tuple[Figure, ...]
    programs: tuple[str, ...]
    full: tuple[Scale, ...]
    quick: tuple[Scale, ...]
    needs: Callable[[Scale], Needs]
    measure: Callable[[Setting], Figures]
    place: Place = Place.DISK
    deletes_many: bool = False
