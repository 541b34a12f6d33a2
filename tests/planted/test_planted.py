"""The table of planted bugs (tests/planted) does not rot: every anchor still is in its file, once.
Planting them all: python -m tests.planted"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.planted.bug import Bug, Edit, misplaced, plant
from tests.planted.programme import BUGS

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_still_be_planted(bug: Bug, tmp_path: Path) -> None:
    assert misplaced(bug, REPOSITORY) == []
    files = {edit.file for edit in bug.edits}
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / file, tmp_path / file)
    plant(bug, tmp_path)
    for file in files:
        broken = (tmp_path / file).read_text()
        assert broken != (REPOSITORY / file).read_text()
        compile(broken, file, "exec")


def test_names_are_different() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20


def test_an_anchor_that_moved_is_said(tmp_path: Path) -> None:
    bug = Bug("one", "a sentence", (Edit("a.py", "x = 1\n", "x = 2\n"),), frozenset(), ())
    assert misplaced(bug, tmp_path) == ["one: 'x = 1\\n' stands 0 times in a.py"]
    (tmp_path / "a.py").write_text("x = 1\nx = 1\n")
    with pytest.raises(ValueError, match="stands 2 times"):
        plant(bug, tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n")
    plant(bug, tmp_path)
    assert (tmp_path / "a.py").read_text() == "x = 2\n"
