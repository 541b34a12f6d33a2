"""Where is measured: room is asked for, and many files are deleted only when that disturbs
nobody."""

from __future__ import annotations

import os
from pathlib import Path

import ground as ground_module
import pytest
from ground import Ground, Needs
from programs.pair import Lacking


def filled(ground: Ground, files: int) -> Path:
    home = ground.new_home()
    home.mkdir()
    for number in range(files):
        (home / str(number)).touch()
    return home


def test_a_few_files_go_at_once_and_many_later(tmp_path: Path) -> None:
    forgotten: list[str] = []
    ground = Ground(tmp_path, forget=lambda: forgotten.append("waited"), few=3)
    few, many = filled(ground, 3), filled(ground, 4)
    ground.leave(few)
    ground.leave(many)
    assert not few.exists() and not many.exists()
    assert sum(len(files) for _, _, files in os.walk(ground.folder)) == 4
    ground.clear()
    assert sum(len(files) for _, _, files in os.walk(ground.folder)) == 0
    ground.clear()
    assert forgotten == ["waited"]  # where nothing was deleted, nothing is waited for
    ground.clear(has_deleted=True)
    assert forgotten == ["waited"] * 2
    ground.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        (Needs(size=1 << 60), "GB are free at"),
        (Needs(memory_bytes=1 << 60), "GB of memory"),
        (Needs(files=1 << 60), "are free at|more can be made at"),
    ],
)
def test_too_little_room_is_said_with_both_numbers(tmp_path: Path, needs: Needs, why: str) -> None:
    ground = Ground(tmp_path, forget=lambda: None)
    with pytest.raises(Lacking, match=rf"it needs .*({why})"):
        ground.require(needs)
    ground.require(Needs(files=1, size=1))


def test_what_was_left_goes_where_room_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = Ground(tmp_path, forget=lambda: None, few=0)
    ground.leave(filled(ground, 2))
    left = ground.folder / "left"
    monkeypatch.setattr(
        ground_module.Ground, "_short_of", lambda self, needs: "x" if any(left.iterdir()) else ""
    )
    ground.require(Needs())
    assert not any(left.iterdir())
