"""The course of a run: which measurements there are, in which order, and what becomes of each.

Round after round, and in each round one program after the other, so that the machine's mood hits
all of them alike. Knows rows and grounds. Must not know how a row is measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final

from ground import FEW_FILES, Ground
from programs.pair import Lacking
from record import Missing, Record, Run
from rows.row import Place, Row, Scale, Setting

from leftzmq.errors import counted

LONGEST_WHY: Final = 300
"""Letters of a failure that are kept."""

Say = Callable[[str], None]


class NoSuchRow(Exception):
    """A name that selects no row."""


@dataclass(frozen=True, slots=True)
class Measurement:
    round: int
    row: Row
    scale: Scale
    program: str

    def __str__(self) -> str:
        return f"round {self.round}, {self.row.name} ({self.scale}), {self.program}"


def chosen(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return the rows of these names or kinds, in their own order. No names: all rows."""
    known = {row.name for row in rows} | {row.kind for row in rows}
    for name in names:
        if name not in known:
            raise NoSuchRow(f"there is no row {name!r}; there are {', '.join(sorted(known))}")
    return [row for row in rows if not names or row.name in names or row.kind in names]


def measurements(
    rows: Sequence[Row], only: Set[str], rounds: int, *, is_quick: bool
) -> list[Measurement]:
    """Return all measurements in their order. only: the programs; empty: all."""
    return [
        Measurement(number, row, scale, program)
        for number in range(1, rounds + 1)
        for row in rows
        for scale in (row.quick if is_quick else row.full)
        for program in row.programs
        if not only or program in only
    ]


@dataclass(frozen=True, slots=True)
class Course:
    """grounds: where is measured. save: called after each measurement. say: takes one line. most_s:
    after so many seconds no further measurement is begun."""

    grounds: dict[Place, Ground | Lacking]
    record: Record
    save: Callable[[], None]
    say: Say
    most_s: float = math.inf

    def run(self, planned: Sequence[Measurement]) -> None:
        """Make these measurements. One that fails does not keep the others from being made.
        KeyboardInterrupt is raised again, after what it left out was noted."""
        done = 0
        try:
            for number in self._made(planned):
                done = number
                self.save()
        except KeyboardInterrupt:
            self._leave_out(planned[done:], "the run was ended before")
            raise
        if done < len(planned):
            why = f"{self.most_s:.0f} s were over before its turn came"
            self._leave_out(planned[done:], why)

    def _made(self, planned: Sequence[Measurement]) -> Iterator[int]:
        """Make one after the other while there is time. Yield how many are made."""
        began = time.monotonic()
        for number, (measurement, is_last) in enumerate(_with_last_of_round(planned), 1):
            if time.monotonic() - began > self.most_s:
                return
            seconds, said = self._one(measurement)
            left = len(planned) - number
            spent = time.monotonic() - began
            self.say(
                f"[{number}/{len(planned)}] {measurement}: {said} "
                f"({seconds:.0f} s; {left} to go, about {spent / number * left / 60:.0f} min)"
            )
            yield number
            has_deleted = measurement.row.deletes_many and measurement.scale.files > FEW_FILES
            if left and (is_last or has_deleted):
                self._clear(has_deleted=has_deleted)

    def _leave_out(self, left: Sequence[Measurement], why: str) -> None:
        self.say(f"{why}: {counted(len(left), 'measurement')} left out")
        for each in left:
            self.record.missing.append(
                Missing(each.row.name, each.program, each.scale, each.round, why, has_failed=False)
            )
        self.save()

    def _one(self, measurement: Measurement) -> tuple[float, str]:
        """Return the seconds that it took, and what is said of it."""
        row, scale, program = measurement.row, measurement.scale, measurement.program
        place = (row.name, program, scale, measurement.round)
        began = time.monotonic()
        try:
            ground = self.grounds[row.place]
            if isinstance(ground, Lacking):
                raise ground
            ground.require(row.needs(scale))
            figures = row.measure(Setting(program, scale, ground))
        except Lacking as lacking:
            self.record.missing.append(Missing(*place, str(lacking), has_failed=False))
            return time.monotonic() - began, f"missing: {lacking}"
        except Exception as error:  # one that fails must not cost the others
            why = f"{type(error).__name__}: {error}"[:LONGEST_WHY]
            self.record.missing.append(Missing(*place, why, has_failed=True))
            return time.monotonic() - began, f"failed: {why}"
        seconds = time.monotonic() - began
        self.record.runs.append(Run(*place, round(seconds, 1), dict(figures)))
        return seconds, ", ".join(
            f"{figure.what} {figures[figure.key]:.4g} {figure.unit}".strip()
            for figure in row.figures
            if figure.key in figures
        )

    def _clear(self, *, has_deleted: bool) -> None:
        """Delete what the measurements left. Those that follow must not notice it, nor what the
        last one has deleted itself (has_deleted)."""
        for ground in self.grounds.values():
            if isinstance(ground, Ground):
                ground.clear(has_deleted=has_deleted)


def _with_last_of_round(planned: Sequence[Measurement]) -> Iterator[tuple[Measurement, bool]]:
    for number, each in enumerate(planned):
        following = planned[number + 1 : number + 2]
        yield each, bool(following) and following[0].round != each.round
