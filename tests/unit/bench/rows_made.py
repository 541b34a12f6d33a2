"""Rows, runs and records that no program made, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ground import Needs
from record import Record, Run
from rows.row import OURS, PLAIN, SYNCTHING, Figure, Figures, Row, Scale, Setting, Wanted

SMALL: Final = Scale(files=10)
FULL: Final = Scale(files=1_000)
RATE: Final = Figure("files_s", "rate", "files/s", (Wanted(4, SYNCTHING),), is_more_better=True)
TIME: Final = Figure("seconds", "time", "s", (Wanted(2, at=FULL), Wanted(1.3, PLAIN)))


def nothing(setting: Setting) -> Figures:
    return {}


def row(
    name: str = "files",
    kind: str = "files",
    figures: tuple[Figure, ...] = (RATE, TIME),
    programs: tuple[str, ...] = (OURS, SYNCTHING, PLAIN),
    measure: Callable[[Setting], Figures] = nothing,
    *,
    deletes_many: bool = False,
) -> Row:
    return Row(
        name=name,
        kind=kind,
        what="small files",
        figures=figures,
        programs=programs,
        full=(FULL,),
        quick=(SMALL,),
        needs=lambda scale: Needs(files=scale.files),
        measure=measure,
        deletes_many=deletes_many,
    )


def record(*runs: tuple[str, dict[str, list[float]]], scale: Scale = FULL) -> Record:
    """A record of the row "files": for each program the figures of all rounds."""
    found = Record({"machine": "2 cores"})
    for program, figures in runs:
        rounds = zip(*figures.values(), strict=True)
        for number, values in enumerate(rounds, 1):
            named = dict(zip(figures, values, strict=True))
            found.runs.append(Run("files", program, scale, number, 1.0, named))
    return found
