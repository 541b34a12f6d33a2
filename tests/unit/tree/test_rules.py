"""The one place that decides which names may be synced."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.errors import Refusal, Refused
from leftzmq.tree.rules import MAX_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES, check_path

GOOD = [
    "a",
    "a/b/c",
    ".hidden",
    "...",
    "..a",
    "a..",
    "-rf",
    " ",
    "a b",
    "a\nb",
    "a\\b",
    "C:",
    "con",
    "x:y",
    "GIT~1",
    "trailing.",
    "left",
    ".left2",
    ".lef",
    "a/.left",
    "a/.left/b",
    "lefting",
    "a.lefting.txt",
    "x.leftingly",
    ".lefting2/x",
    "ü/ñ",
    "u\u0308",
    "\U0001f4c1",
    "\u200fx",
    "x" * 250,
    "x" * MAX_NAME_BYTES,
    "ü" * 127,
    "/".join(["d"] * MAX_DEPTH),
    "/".join(["x" * 255] * 15 + ["y" * 240, "z" * 15]),  # 4096 bytes
]

BAD = [
    ("", Refusal.PATH_EMPTY),
    ("\0", Refusal.PATH_NUL),
    ("a\0b", Refusal.PATH_NUL),
    ("a/b\0", Refusal.PATH_NUL),
    ("/", Refusal.PATH_ABSOLUTE),
    ("/x", Refusal.PATH_ABSOLUTE),
    ("//x", Refusal.PATH_ABSOLUTE),
    ("/../x", Refusal.PATH_ABSOLUTE),
    (".", Refusal.PATH_UNCLEAN),
    ("..", Refusal.PATH_UNCLEAN),
    ("../x", Refusal.PATH_UNCLEAN),
    ("a/..", Refusal.PATH_UNCLEAN),
    ("a/../b", Refusal.PATH_UNCLEAN),
    ("a/../../b", Refusal.PATH_UNCLEAN),
    ("./a", Refusal.PATH_UNCLEAN),
    ("a/./b", Refusal.PATH_UNCLEAN),
    ("a/.", Refusal.PATH_UNCLEAN),
    ("a//b", Refusal.PATH_UNCLEAN),
    ("a/", Refusal.PATH_UNCLEAN),
    ("..\u200c", Refusal.PATH_UNCLEAN),
    ("a/\ufeff", Refusal.PATH_UNCLEAN),
    ("\udc80", Refusal.PATH_NOT_UTF8),
    ("a/caf\udce9", Refusal.PATH_NOT_UTF8),
    ("\ud83d", Refusal.PATH_NOT_UTF8),
    ("x" * (MAX_NAME_BYTES + 1), Refusal.PATH_TOO_LONG),
    ("ü" * 128, Refusal.PATH_TOO_LONG),
    ("a/" + "x" * 256 + "/b", Refusal.PATH_TOO_LONG),
    ("/".join(["d"] * (MAX_DEPTH + 1)), Refusal.PATH_TOO_LONG),
    ("/".join(["x" * 255] * 15 + ["y" * 240, "z" * 16]), Refusal.PATH_TOO_LONG),  # 4097 bytes
    ("/".join(["ü" * 127 + "x"] * 16) + "x", Refusal.PATH_TOO_LONG),  # the last name is 256 bytes
    ("/".join(["ü" * 127] * 16 + ["z" * 17]), Refusal.PATH_TOO_LONG),  # 4097 bytes, fewer letters
    (".left", Refusal.PATH_RESERVED),
    (".left/marker", Refusal.PATH_RESERVED),
    (".left/trash/x", Refusal.PATH_RESERVED),
    (".LEFT", Refusal.PATH_RESERVED),
    (".LEFT/x", Refusal.PATH_RESERVED),
    (".Left/x", Refusal.PATH_RESERVED),
    (".le\u200cft/marker", Refusal.PATH_RESERVED),
    ("\ufeff.left", Refusal.PATH_RESERVED),
    (".LEFT\u00ad/x", Refusal.PATH_RESERVED),
    ("x.lefting", Refusal.PATH_RESERVED),
    ("x.LEFTING", Refusal.PATH_RESERVED),
    (".lefting", Refusal.PATH_RESERVED),
    ("a/b.lefting", Refusal.PATH_RESERVED),
    ("a.lefting/b", Refusal.PATH_RESERVED),
    ("a.LeftIng/b", Refusal.PATH_RESERVED),
    ("ü.lefting\u200d", Refusal.PATH_RESERVED),
    ("ü.left\u2060ing/x", Refusal.PATH_RESERVED),
]


@pytest.mark.parametrize("path", GOOD, ids=ascii)
def test_good_paths_come_back_as_they_are(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(("path", "refusal"), BAD, ids=lambda value: ascii(value)[:40])
def test_bad_paths_are_refused_by_name(path: str, refusal: Refusal) -> None:
    with pytest.raises(Refused) as caught:
        check_path(path)
    assert caught.value.refusal is refusal


def test_the_lengths_in_the_tables_are_the_limits() -> None:
    assert len(GOOD[-1].encode()) == MAX_PATH_BYTES
    assert len("ü" * 128) < MAX_NAME_BYTES < len(("ü" * 128).encode())


@settings(max_examples=300, deadline=None)
@given(path=st.text(alphabet=st.sampled_from("./aLl\0\u200cü\udc80"), max_size=12))
def test_what_is_taken_stays_inside_whatever_it_is(path: str) -> None:
    try:
        check_path(path)
    except Refused as refused:
        assert refused.refusal.name.startswith("PATH_")
        return
    names = path.split("/")
    assert not {"", ".", ".."} & set(names)
    assert "\0" not in path and path.encode().decode() == path
