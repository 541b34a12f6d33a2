"""Names of conflict copies."""

from __future__ import annotations

import pytest
from trees import file, life, made

from leftzmq.tree.conflict import conflict_copy, conflict_path
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import check_path, name_of
from leftzmq.tree.version import device_letters

MARK = f".conflict-20231114-221320-{device_letters(life('a'))}-6f6e"


def version(path: str, mtime: int = 1_700_000_000) -> Entry:
    return made("a", file(path, "one", mtime))


@pytest.mark.parametrize(
    "path, copy",
    [
        ("letter.txt", f"letter{MARK}.txt"),
        ("a/b/letter.tar.gz", f"a/b/letter.tar{MARK}.gz"),
        ("Makefile", f"Makefile{MARK}"),
        (".profile", f".profile{MARK}"),
        ("ends.", f"ends{MARK}."),
    ],
)
def test_the_name(path: str, copy: str) -> None:
    assert conflict_path(version(path)) == copy


@pytest.mark.parametrize(
    "name", ["x" * 255, "é" * 127, "名" * 85, "a." + "e" * 250, "." + "d" * 254]
)
def test_a_long_name_is_cut_at_a_character(name: str) -> None:
    copy = conflict_path(version(name))
    assert len(name_of(copy).encode()) <= 255
    assert check_path(copy) == copy


def test_more_digits_make_another_name() -> None:
    assert conflict_path(version("a"), 8) == conflict_path(version("a")) + "652e"


@pytest.mark.parametrize("mtime", [0, -5_000_000_000, 10**14, -(10**14)])
def test_any_mtime_makes_a_name(mtime: int) -> None:
    loser = made("a", file("a", "one", 0))
    assert ".conflict-" in conflict_path(made("a", file("a", "one", mtime // 10**9), loser, 2))


def test_the_copy_is_made_of_the_loser_alone() -> None:
    loser = version("a")
    copy = conflict_copy(loser, conflict_path(loser))
    assert (copy.vector, copy.writer, copy.stamp) == (loser.vector, loser.writer, loser.stamp)
    assert copy.path != loser.path
