"""Medians and ratios are those of the single measurements, and all of these are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from record import Missing
from rows.row import OURS, PLAIN, SYNCTHING, UNISON

from .rows_made import FULL, RATE, SMALL, TIME, record, row


def test_the_median_is_that_of_all_rounds() -> None:
    found = record((OURS, {"files_s": [10, 1_000, 30]}))
    assert found.median(row(), FULL, OURS, "files_s") == 30


@pytest.mark.parametrize(
    ("scale", "program", "key"),
    [(SMALL, OURS, "files_s"), (FULL, SYNCTHING, "files_s"), (FULL, OURS, "seconds")],
)
def test_what_was_not_measured_has_no_median(scale: object, program: str, key: str) -> None:
    found = record((OURS, {"files_s": [10.0]}))
    assert found.median(row(), scale, program, key) is None  # type: ignore[arg-type]


def test_a_ratio_above_1_means_better_whichever_way_a_figure_is_read() -> None:
    found = record(
        (OURS, {"files_s": [400.0], "seconds": [2.0]}),
        (SYNCTHING, {"files_s": [100.0], "seconds": [8.0]}),
    )
    assert found.ratio(row(), FULL, RATE, OURS, SYNCTHING) == 4
    assert found.ratio(row(), FULL, TIME, OURS, SYNCTHING) == 4
    assert found.ratio(row(), FULL, TIME, SYNCTHING, OURS) == 0.25


def test_there_is_no_ratio_to_what_was_not_measured_or_is_nothing() -> None:
    found = record((OURS, {"seconds": [2.0]}), (PLAIN, {"seconds": [0.0]}))
    assert found.ratio(row(), FULL, TIME, OURS, SYNCTHING) is None
    assert found.ratio(row(), FULL, TIME, OURS, PLAIN) is None


def test_every_single_measurement_is_written(tmp_path: Path) -> None:
    found = record((OURS, {"files_s": [10, 20, 30]}))
    found.missing.append(Missing("files", UNISON, FULL, 1, "it is not there", has_failed=False))
    found.write(tmp_path / "record.json")
    read = json.loads((tmp_path / "record.json").read_text())
    assert [run["figures"]["files_s"] for run in read["runs"]] == [10, 20, 30]
    assert [run["round"] for run in read["runs"]] == [1, 2, 3]
    assert read["missing"][0]["why"] == "it is not there"
    assert read["machine"] == {"machine": "2 cores"}
