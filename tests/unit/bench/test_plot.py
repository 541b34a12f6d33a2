"""Pictures are drawn where matplotlib is; where it is not, that is said."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import plot
import pytest
from record import Record, Run
from rows import growth
from rows.row import OURS, PLAIN, SYNCTHING

from .rows_made import record, row


def test_without_matplotlib_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "matplotlib is not installed" in plot.missing()


@pytest.mark.parametrize(
    ("files", "text"), [(100, "100"), (1_000, "1k"), (100_000, "100k"), (1_000_000, "1M")]
)
def test_an_axis_has_short_numbers(files: int, text: str) -> None:
    assert plot.short(files) == text


@pytest.mark.skipif(bool(plot.missing()), reason="matplotlib is not installed")
def test_a_picture_for_each_kind_and_one_of_growth(tmp_path: Path) -> None:
    (grows,) = growth.ROWS
    found = record(
        (OURS, {"files_s": [300.0], "seconds": [3.0]}),
        (SYNCTHING, {"files_s": [100.0], "seconds": [8.0]}),
        (PLAIN, {"files_s": [9_000.0], "seconds": [0.01]}),
    )
    for scale in grows.full[:2]:
        found.runs.append(Run(grows.name, OURS, scale, 1, 1.0, {"scan_s": float(scale.files)}))
    drawn = plot.draw(found, [row(), grows], tmp_path)
    # Growth was measured of ours alone: there is no ratio.
    assert [file.name for file in drawn] == ["ratios-files.png", "growth.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in drawn)


@pytest.mark.skipif(bool(plot.missing()), reason="matplotlib is not installed")
def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    assert plot.draw(Record({}), [row(), *growth.ROWS], tmp_path) == []
