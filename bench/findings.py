"""Whether a cost grows faster than the number of files: a finding.

Knows medians. Must not know how they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from record import Record
from rows.growth import GROWS_WITH_FILES
from rows.row import Figure, Row

BEND: Final = 0.2
"""So much steeper than it may be, on log axes, a cost is a finding: 1.6 times for ten times the
files."""
LEAST_STEP: Final = 1.5
"""Two scales that are nearer to each other show no slope."""


@dataclass(frozen=True, slots=True)
class Bend:
    """A cost that grew too much between two scales. slope: on log axes; 1: as the files did."""

    program: str
    figure: Figure
    from_files: int
    to_files: int
    times: float
    slope: float

    def __str__(self) -> str:
        more = self.to_files / self.from_files
        return (
            f"{self.program}: {self.figure.what} bends upwards: from {self.from_files:,} to "
            f"{self.to_files:,} files, {more:.3g} times as many, it grew to {self.times:.3g} times"
        )


def points(record: Record, row: Row, figure: Figure, program: str) -> list[tuple[int, float]]:
    """Return number of files and median, for each scale that was measured, in their order."""
    scales = {run.scale for run in record.runs if run.row == row.name and run.program == program}
    found = [
        (scale.files, record.median(row, scale, program, figure.key))
        for scale in sorted(scales, key=lambda scale: scale.files)
    ]
    return [(files, value) for files, value in found if value]


def bends(record: Record, row: Row) -> list[Bend]:
    """Return every cost that grew more between two scales than it may."""
    return [
        bend
        for program in row.programs
        for figure in row.figures
        for bend in _bends_of(program, figure, points(record, row, figure, program))
    ]


def _bends_of(program: str, figure: Figure, found: Sequence[tuple[int, float]]) -> list[Bend]:
    allowed = (1.0 if figure.key in GROWS_WITH_FILES else 0.0) + BEND
    bends = []
    for (files, value), (more_files, more) in pairwise(found):
        if more_files / files < LEAST_STEP:
            continue
        slope = math.log(more / value) / math.log(more_files / files)
        if slope > allowed:
            bends.append(Bend(program, figure, files, more_files, more / value, slope))
    return bends
