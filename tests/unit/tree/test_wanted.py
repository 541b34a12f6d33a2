"""Which paths are fetched: the table of docs/fetching.md, and what it leaves open."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leftzmq.errors import Refused
from leftzmq.tree.entry import Kind
from leftzmq.tree.wanted import Wanted, only_path, without_below

PAGE = Path(__file__).parents[3] / "docs" / "fetching.md"
ROWS = re.findall(
    r"^\| (.*?) ?\| (.*?) ?\| (.*?) ?\| `(\S+)` \| (fetched|not fetched) \|$",
    PAGE.read_text(),
    re.M,
)


def test_the_page_has_its_table() -> None:
    assert len(ROWS) == 10


@pytest.mark.parametrize(("only", "got", "dropped", "path", "says"), ROWS)
def test_the_table_of_the_page_is_true(
    only: str, got: str, dropped: str, path: str, says: str
) -> None:
    pins: dict[str, bool] = {}
    for cell, is_wanted in ((dropped, False), (got, True)):
        if cell:
            pins = without_below(pins, cell.strip("`"), is_wanted)
    wanted = Wanted([only.strip("`")] if only else [], pins)
    kind = Kind.DIRECTORY if path.endswith("/") else Kind.FILE
    assert wanted.wants(path.removesuffix("/"), kind) is (says == "fetched")


def test_what_was_said_last_of_a_folder_counts_for_all_in_it() -> None:
    pins = without_below({"a/b": True, "a/bc": True, "ab": True}, "a", False)
    assert pins == {"ab": True, "a": False}
    assert without_below(pins, "a", True) == {"ab": True, "a": True}


@pytest.mark.parametrize("text", ["", "/", "/a", "a//b", "../a", "a/..", ".left/x", "a.lefting"])
def test_what_is_no_path_of_a_share_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        only_path(text)


def test_all_is_wanted_where_nothing_is_said() -> None:
    assert Wanted().is_all and Wanted().wants("x", Kind.FILE)
    assert not Wanted(["a"]).is_all and not Wanted((), {"a": False}).is_all
