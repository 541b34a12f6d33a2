"""Names of conflict copies."""

from __future__ import annotations

import pytest

from leftzmq.tree.conflict import (
    MAX_DIGITS,
    CopyName,
    conflict_copy,
    conflict_path,
    copies_between,
    is_conflict_name,
    is_copy_of,
    kept_path,
    read_name,
)
from leftzmq.tree.entry import Entry
from leftzmq.tree.path import name_of, sort_key
from leftzmq.tree.rules import check_path
from leftzmq.tree.version import device_letters
from tests.helpers.trees import file, life, link, made

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


def test_links_that_begin_alike_have_copies_of_other_names() -> None:
    names = {conflict_path(made("a", link("a", target))) for target in ("../x", "../y", "..", "z")}
    assert len(names) == 4
    assert all(is_conflict_name(name) for name in names)
    longest = conflict_path(made("a", link("a", "../x" * 100)), MAX_DIGITS)
    assert is_conflict_name(longest) and longest.endswith("-" + longest[-MAX_DIGITS:])


@pytest.mark.parametrize("mtime", [0, -5_000_000_000, 10**14, -(10**14)])
def test_any_mtime_makes_a_name(mtime: int) -> None:
    loser = made("a", file("a", "one", 0))
    assert ".conflict-" in conflict_path(made("a", file("a", "one", mtime // 10**9), loser, 2))


def test_the_copy_is_made_of_the_loser_alone() -> None:
    loser = version("a")
    copy = conflict_copy(loser, conflict_path(loser))
    assert (copy.vector, copy.writer, copy.stamp) == (loser.vector, loser.writer, loser.stamp)
    assert copy.path != loser.path


@pytest.mark.parametrize(
    "path", ["letter.txt", "a/b/letter.tar.gz", "Makefile", ".profile", "ends.", "d/имя.txt", "a b"]
)
def test_the_name_of_a_copy_can_be_read(path: str) -> None:
    copy = conflict_path(version(path))
    name = read_name(copy)
    assert name == CopyName(path, "20231114-221320", device_letters(life("a")), "6f6e")
    assert is_copy_of(copy, path) and not is_copy_of(copy, path + "x")
    again = read_name(conflict_path(version(copy)))
    assert again is not None and again.path == copy, "a copy of a copy"
    low, high = copies_between(path)
    assert sort_key(low) < sort_key(copy) < sort_key(high)


@pytest.mark.parametrize(
    "path",
    [
        "letter.txt",
        "letter.conflict-resolution.txt",
        f"{MARK}.txt",
        f"a{MARK}.tar.gz",
        f"folder{MARK}/letter.txt",
        f"a{MARK}".upper(),
        "a.conflict-20231114-221320-AAAAAAA-",
        "a.conflict-20231114-221320-AAAAAA1-6f6e",
        "a.conflict-٢٠٢٣1114-221320-AAAAAAA-6f6e",
    ],
)
def test_what_is_no_copy_is_not_taken_for_one(path: str) -> None:
    assert read_name(path) is None and not is_conflict_name(path)


@pytest.mark.parametrize(
    "path, device, kept",
    [
        ("letter.txt", "beta", "letter (beta 2023-11-14 221320).txt"),
        ("d/Makefile", "a/b\nc", "d/Makefile (a-b-c 2023-11-14 221320)"),
        (".profile", "beta", ".profile (beta 2023-11-14 221320)"),
    ],
)
def test_the_name_of_a_copy_that_is_kept(path: str, device: str, kept: str) -> None:
    name = read_name(conflict_path(version(path)))
    assert name is not None
    assert kept_path(name, device) == kept
    assert kept_path(name, device, again=True) == kept.replace("221320)", "221320 6f6e)")


def test_a_long_name_that_is_kept_is_cut_at_a_character() -> None:
    name = read_name(conflict_path(version("名" * 60 + ".txt")))
    assert name is not None
    kept = kept_path(name, "д" * 100)
    assert len(kept.encode()) <= 255 and kept.endswith(").txt") and check_path(kept) == kept
