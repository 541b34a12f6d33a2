"""The plan of a join as text."""

from __future__ import annotations

from typing import Any

from leftzmq.cli.pairing.join_plan import plan_lines

NOTHING: dict[str, Any] = {"paths": 0, "bytes": 0, "first": []}
EMPTY: dict[str, Any] = dict.fromkeys(
    ("comes", "same", "replaced", "removed", "conflicts", "goes"), NOTHING
)


def text(**parts: object) -> str:
    return "\n".join(plan_lines(EMPTY | parts))


def test_each_part_has_its_number_its_size_and_its_first_paths() -> None:
    first = [f"d/{number}" for number in range(10)]
    said = text(
        comes={"paths": 1, "bytes": 5, "first": ["new"]},
        goes={"paths": 1234, "bytes": 3 << 20, "first": first},
    )
    assert "  1 file, 5 B, comes\n      new\n" in said
    assert "  1,234 files, 3.1 MB, go to the others\n      d/0\n" in said
    assert said.endswith("      d/9\n      and 1,224 more")
    assert "same" not in said and "conflict" not in said


def test_a_conflict_names_the_copy_that_is_made() -> None:
    copy = {"path": "d/f.txt", "copy": "d/f.conflict-20261129-122700-FJRU5WQ-7224.txt"}
    said = text(conflicts={"paths": 1, "bytes": 5, "first": [copy]})
    assert "differs: both versions are kept" in said
    assert "d/f.txt, one version as f.conflict-20261129-122700-FJRU5WQ-7224.txt" in said


def test_what_is_removed_has_no_size() -> None:
    removed = {"paths": 2, "bytes": 0, "first": ["a", "b"]}
    assert "  2 files were deleted elsewhere, and move to the trash" in text(removed=removed)


def test_a_plan_without_files_says_so() -> None:
    assert text().endswith("no file comes or goes")
