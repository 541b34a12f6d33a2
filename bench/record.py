"""What a run has found: every single measurement, and what could not be measured and why; medians
and ratios of that.

Knows values and their JSON. Must not know how anything is measured, nor how it is shown.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rows.row import Figure, Figures, Row, Scale


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. seconds: how long it took, with all that was made for it."""

    row: str
    program: str
    scale: Scale
    round: int
    seconds: float
    figures: Figures


@dataclass(frozen=True, slots=True)
class Missing:
    """One measurement that was not made. has_failed: it was begun, and did not come to its end."""

    row: str
    program: str
    scale: Scale
    round: int
    why: str
    has_failed: bool


@dataclass(slots=True)
class Record:
    """machine: what it was measured on, text by subject."""

    machine: Mapping[str, str]
    runs: list[Run] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def begun(self) -> list[Run | Missing]:
        """Return what was measured, then what is missing."""
        return [*self.runs, *self.missing]

    def values(self, row: Row, scale: Scale, program: str, key: str) -> list[float]:
        """Return what was measured of a figure, in the order of the rounds."""
        return [
            run.figures[key]
            for run in self.runs
            if (run.row, run.scale, run.program) == (row.name, scale, program)
            and key in run.figures
        ]

    def median(self, row: Row, scale: Scale, program: str, key: str) -> float | None:
        """Return the median of a figure over all rounds; None where it was not measured."""
        values = self.values(row, scale, program, key)
        return statistics.median(values) if values else None

    def ratio(
        self, row: Row, scale: Scale, figure: Figure, program: str, other: str
    ) -> float | None:
        """Return how many times as good as `other` the program is: above 1 it is better. None where
        one of both was not measured or is 0."""
        ours = self.median(row, scale, program, figure.key)
        theirs = self.median(row, scale, other, figure.key)
        if not ours or not theirs:
            return None
        return ours / theirs if figure.is_more_better else theirs / ours

    def why_missing(self, row: Row, scale: Scale, program: str) -> str:
        """Return why nothing was measured, or ""."""
        for each in self.missing:
            if (each.row, each.scale, each.program) == (row.name, scale, program):
                return each.why
        return ""

    def write(self, file: Path) -> None:
        found: dict[str, Any] = {
            "machine": dict(self.machine),
            "runs": [asdict(run) for run in self.runs],
            "missing": [asdict(each) for each in self.missing],
        }
        arriving = file.with_name(file.name + ".new")
        arriving.write_text(json.dumps(found, indent=1) + "\n")
        arriving.rename(file)
