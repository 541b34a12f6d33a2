"""The table shows medians, ratios, what is wanted, and by how much it is not met; and what is
missing."""

from __future__ import annotations

import pytest
from record import Missing, Record, Run
from rows import every, growth
from rows.row import OURS, PLAIN, PROGRAMS, SYNCTHING, UNISON, Figure, Scale, Wanted
from table import number, table, verdicts, wanted_text

from .rows_made import FULL, RATE, SMALL, TIME, record, row

MEASURED = record(
    (OURS, {"files_s": [300, 100, 200], "seconds": [3, 1, 2]}),
    (SYNCTHING, {"files_s": [100, 100, 900], "seconds": [8, 8, 1]}),
    (PLAIN, {"files_s": [400, 400, 400], "seconds": [1, 1, 1]}),
)


def cells(text: str, figure: str) -> list[str]:
    """The cells of the line of a figure."""
    (line,) = [line for line in text.splitlines() if f"| {figure} |" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_line_has_medians_ratios_and_the_verdict() -> None:
    text = table(MEASURED, [row()])
    what, figure, wanted, ours, syncthing, plain, verdict = cells(text, "rate, files/s")
    assert what == "small files; 1,000 files" and figure == "rate, files/s"
    assert wanted == "at least 4 x Syncthing"
    assert (ours, syncthing, plain) == ("200", "100 (2)", "400 (0.5)")
    assert verdict == "not met: 0.5 times what is wanted (2 x Syncthing)"


def test_each_thing_that_is_wanted_has_a_verdict() -> None:
    assert cells(table(MEASURED, [row()]), "time, s")[-1] == (
        "met, not met: 1.54 times what is wanted (2 x plain)"
    )


def test_what_is_wanted_of_one_scale_is_not_asked_of_another() -> None:
    found = record((OURS, {"files_s": [1.0], "seconds": [90.0]}), scale=SMALL)
    assert wanted_text(TIME, SMALL) == "at most 1.3 x plain"
    assert wanted_text(TIME, FULL) == "at most 2 s, at most 1.3 x plain"
    assert verdicts(found, row(), SMALL, TIME) == "plain was not measured"


def test_without_a_figure_of_ours_there_is_no_verdict() -> None:
    assert verdicts(Record({}), row(), FULL, RATE) == ""


def test_exactly_what_is_wanted_is_met() -> None:
    exact = Figure("seconds", "time", "s", (Wanted(2),))
    found = record((OURS, {"seconds": [2.0]}))
    assert verdicts(found, row(figures=(exact,)), FULL, exact) == "met"


def test_what_is_missing_is_named_with_its_reason_once() -> None:
    found = record((OURS, {"files_s": [1.0, 2.0], "seconds": [1.0, 1.0]}))
    for number_ in (1, 2):
        why = "syncthing is not installed"
        found.missing.append(Missing("files", SYNCTHING, FULL, number_, why, has_failed=False))
    text = table(found, [row()])
    assert cells(text, "rate, files/s")[4] == "missing"
    assert text.count("syncthing is not installed") == 1
    assert "files (1,000 files, round 1), files (1,000 files, round 2)" in text


def test_a_failure_is_named_as_one() -> None:
    found = record((OURS, {"files_s": [1.0], "seconds": [1.0]}))
    found.missing.append(Missing("files", SYNCTHING, FULL, 1, "it hung", has_failed=True))
    assert "Syncthing: failed: it hung" in table(found, [row()])


def test_a_program_that_was_not_measured_has_no_column() -> None:
    text = table(MEASURED, [row()])
    heads = next(line for line in text.splitlines() if line.startswith("| what"))
    assert UNISON not in heads and SYNCTHING in heads


def test_syncthing_stands_beside_its_own_benchmark() -> None:
    scans = next(row for row in every.ROWS if row.name == "scan-large")
    scale = scans.full[0]
    figures = {"MB_s": 500.0, "hashing_MB_s": 1_000.0}
    found = Record({SYNCTHING: "syncthing v9"})
    found.runs.append(Run(scans.name, SYNCTHING, scale, 1, 1.0, figures))
    text = table(found, [scans])
    assert "syncthing v9: its benchmark says 1,000 MB/s at its start (median of 1)" in text
    assert "500 MB/s, 0.5 of that" in text


def test_a_cost_that_bends_upwards_is_a_finding() -> None:
    (grows,) = growth.ROWS
    found = Record({})
    for files, scan_s in ((1_000, 1.0), (10_000, 30.0)):
        scale = Scale(files=files, edits=1)
        found.runs.append(Run(grows.name, OURS, scale, 1, 1.0, {"scan_s": scan_s}))
    assert "leftzmq: first scan bends upwards: from 1,000 to 10,000 files" in table(found, [grows])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00123, "0.00123"), (8.456, "8.46"), (99.94, "99.9"), (1234.5, "1,234")],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_rows_name_programs_and_figures_that_are_there() -> None:
    names = [each.name for each in every.ROWS]
    assert len(set(names)) == len(names)
    for each in every.ROWS:
        assert set(each.programs) <= set(PROGRAMS) and OURS in each.programs
        for figure in each.figures:
            for wanted in figure.wanted:
                assert not wanted.of or wanted.of in each.programs, (each.name, figure.key)
                assert wanted.at is None or wanted.at in each.full, (each.name, figure.key)
