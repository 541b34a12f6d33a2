"""Paths as strings: parents, names, and their order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.tree.path import is_below, join, name_of, parent_of, path_of_key, sort_key


def test_parent_name_join() -> None:
    assert (parent_of("a/b/c"), name_of("a/b/c")) == ("a/b", "c")
    assert (parent_of("a"), name_of("a")) == ("", "a")
    assert join("a/b", "c") == "a/b/c"
    assert join("", "c") == "c"


def test_is_below() -> None:
    assert is_below("a/b", "a") and is_below("a/b/c", "a") and is_below("a", "")
    assert not is_below("a", "a") and not is_below("ab", "a") and not is_below("a", "a/b")


def test_sort_key_is_the_order_of_a_sorted_walk() -> None:
    walk = ["a", "a/b", "a/b/c", "a/z", "a b", "a-b", "a.txt", "aa", "ä"]
    assert sorted(set(walk), key=sort_key) == walk


@settings(max_examples=100, deadline=None)
@given(names=st.lists(st.text(min_size=1, max_size=5).filter(lambda n: not {"/", "\0"} & set(n))))
def test_sort_key_can_be_undone(names: list[str]) -> None:
    path = "/".join(names)
    try:
        path.encode()
    except UnicodeEncodeError:
        return
    assert path_of_key(sort_key(path)) == path
