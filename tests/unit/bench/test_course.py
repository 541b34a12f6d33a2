"""Which measurements are made, in which order, and what becomes of those that cannot be made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from course import Course, Measurement, NoSuchRow, chosen, measurements
from ground import FEW_FILES, Ground
from programs.named import indexing, pair
from programs.pair import Failed, Lacking
from record import Record
from rows import every
from rows.row import OURS, PLAIN, PROGRAMS, RSYNC, SYNCTHING, UNISON, Figures, Place, Scale, Setting

from .rows_made import FULL, SMALL, row


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, forget=lambda: None, few=0)
    yield made
    made.close()


def course(ground: Ground | Lacking, record: Record, said: list[str]) -> Course:
    return Course({Place.DISK: ground}, record, lambda: None, said.append)


def test_rows_are_chosen_by_name_and_by_kind_in_their_own_order() -> None:
    assert [row.name for row in chosen(every.ROWS, ["large", "edit"])] == [
        "edit-quiet",
        "edit-bulk",
        "large",
    ]
    assert chosen(every.ROWS, []) == list(every.ROWS)


def test_a_row_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(NoSuchRow, match=r"no row 'edits'.*edit-quiet"):
        chosen(every.ROWS, ["files", "edits"])


def test_programs_take_turns_and_rounds_follow_each_other() -> None:
    rows = [row("one", programs=(OURS, SYNCTHING)), row("two", programs=(OURS, PLAIN))]
    planned = measurements(rows, frozenset(), 2, is_quick=False)
    once = [("one", OURS), ("one", SYNCTHING), ("two", OURS), ("two", PLAIN)]
    assert [(each.row.name, each.program) for each in planned] == once * 2
    assert [each.round for each in planned] == [1] * 4 + [2] * 4
    assert {each.scale for each in planned} == {FULL}


def test_only_some_programs_and_quick_scales() -> None:
    planned = measurements([row()], frozenset({PLAIN}), 1, is_quick=True)
    assert [(each.program, each.scale) for each in planned] == [(PLAIN, SMALL)]


def test_many_deletes_come_after_all_that_makes_files() -> None:
    assert [each.deletes_many for each in every.ROWS].index(True) == len(every.ROWS) - 1


@pytest.mark.parametrize("program", [SYNCTHING, UNISON, RSYNC])
def test_a_program_that_is_not_installed_is_missing_by_name(
    program: str, ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    record = Record({})

    def measure(setting: Setting) -> Figures:
        with pair(setting.program, setting.ground):
            raise AssertionError

    course(ground, record, said).run([Measurement(1, row(measure=measure), FULL, program)])
    (missing,) = record.missing
    assert missing.why == f"{program.lower()} is not installed" and not missing.has_failed
    assert not record.runs and "missing: " in said[0]


def test_what_fails_is_kept_and_the_others_go_on(ground: Ground) -> None:
    def measure(setting: Setting) -> Figures:
        if setting.program == OURS:
            raise Failed("it did not arrive")
        return {"files_s": 2.0}

    record, said = Record({}), list[str]()
    planned = measurements([row(measure=measure)], frozenset(), 1, is_quick=False)
    course(ground, record, said).run(planned)
    assert [(each.program, each.has_failed) for each in record.missing] == [(OURS, True)]
    assert "it did not arrive" in record.missing[0].why
    assert [run.program for run in record.runs] == [SYNCTHING, PLAIN]
    assert [line.partition("]")[0] for line in said] == ["[1/3", "[2/3", "[3/3"]
    assert "rate 2 files/s" in said[1] and "1 to go" in said[1]


def test_without_a_place_nothing_is_measured_there() -> None:
    record = Record({})
    planned = [Measurement(1, row(), FULL, OURS)]
    course(Lacking("there is no tmpfs"), record, []).run(planned)
    assert [each.why for each in record.missing] == ["there is no tmpfs"]


def test_what_is_too_late_is_named(ground: Ground) -> None:
    record, said = Record({}), list[str]()
    planned = measurements([row()], frozenset(), 1, is_quick=False)
    Course({Place.DISK: ground}, record, lambda: None, said.append, most_s=-1).run(planned)
    assert [each.program for each in record.missing] == [OURS, SYNCTHING, PLAIN]
    assert not any(each.has_failed for each in record.missing)
    assert "3 measurements left out" in said[0]


def test_what_a_run_that_is_ended_has_not_measured_is_named(ground: Ground) -> None:
    def measure(setting: Setting) -> Figures:
        if setting.program == SYNCTHING:
            raise KeyboardInterrupt
        return {}

    record, saved = Record({}), list[int]()
    planned = measurements([row(measure=measure)], frozenset(), 1, is_quick=False)
    ended = Course(
        {Place.DISK: ground}, record, lambda: saved.append(len(record.missing)), lambda line: None
    )
    with pytest.raises(KeyboardInterrupt):
        ended.run(planned)
    assert [run.program for run in record.runs] == [OURS]
    assert [each.program for each in record.missing] == [SYNCTHING, PLAIN]
    assert saved[-1] == 2


@pytest.mark.parametrize(
    ("deletes_many", "files", "cleared"),
    [
        (False, FEW_FILES + 1, [(3, False)]),
        (True, FEW_FILES, [(3, False)]),
        (True, FEW_FILES + 1, [(number, True) for number in (1, 2, 3, 4, 5)]),
    ],
)
def test_files_are_deleted_between_rounds_and_after_many_deletes(
    ground: Ground,
    deletes_many: bool,
    files: int,
    cleared: list[tuple[int, bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not in between: what was just deleted makes new files slow."""
    said: list[str] = []
    found: list[tuple[int, bool]] = []
    monkeypatch.setattr(
        Ground, "clear", lambda self, has_deleted: found.append((len(said), has_deleted))
    )
    deleting = replace(row(deletes_many=deletes_many), full=(Scale(files=files),))
    planned = measurements([deleting], frozenset(), 2, is_quick=False)
    course(ground, Record({}), said).run(planned)
    assert found == cleared


def test_every_program_is_opened_by_somebody() -> None:
    assert {OURS, SYNCTHING} | {UNISON, RSYNC} == set(PROGRAMS[:4])
    with pytest.raises(KeyError):
        indexing(UNISON, None)  # type: ignore[arg-type]
