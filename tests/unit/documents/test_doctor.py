"""docs/doctor.md is what `leftzmq doctor` can find: each finding, its sentence, cure and test."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from leftzmq.sync.admin.health.findings import Check, Finding

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "doctor.md").read_text()
TESTS = [
    *(ROOT / "tests/unit/sync/admin/health").glob("test_*.py"),
    ROOT / "tests/unit/cli/test_doctor.py",
]
ROW = re.compile(r"^\| ([A-Z_]+) \| (\w+) \| (.*) \| (.*) \| `(\w+)` \|$", re.M)


def sections() -> dict[str, str]:
    return dict(part.split("\n", 1) for part in TEXT.split("\n## ")[1:])


def test_every_check_has_a_section_and_every_finding_a_row_in_it() -> None:
    found = sections()
    assert [*found] == [check.value for check in Check]
    for check in Check:
        names = [row[0] for row in ROW.findall(found[check.value])]
        assert names == [finding.name for finding in Finding if finding.check is check]


@pytest.mark.parametrize("finding", Finding, ids=lambda finding: finding.name)
def test_a_row_is_what_the_command_says_and_its_test_is_there(finding: Finding) -> None:
    ((_, state, text, cure, test),) = [row for row in ROW.findall(TEXT) if row[0] == finding.name]
    assert (state, text, cure) == (finding.state.value, finding.value.text, finding.value.cure)
    assert any(f"\ndef {test}(" in file.read_text() for file in TESTS), test


@pytest.mark.parametrize("finding", Finding, ids=lambda finding: finding.name)
def test_what_is_bad_has_a_cure_and_what_is_good_has_none(finding: Finding) -> None:
    if finding.state.value == "bad":
        assert finding.value.cure
    if finding.state.value == "good":
        assert not finding.value.cure


def test_parts_of_sentences_are_named() -> None:
    """A part without a name would be filled in by its place."""
    for finding in Finding:
        for template in (finding.value.text, finding.value.cure):
            parts = [part for _, part, _, _ in Formatter().parse(template) if part is not None]
            assert all(part.isidentifier() for part in parts), finding
