"""What can be the name of a device or of a folder."""

from __future__ import annotations

import pytest

from leftzmq.config.values import MAX_NAME_CHARS, is_name


@pytest.mark.parametrize("text", ["a", "my laptop", "späť", "x" * MAX_NAME_CHARS])
def test_what_is_a_name(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text", ["", " ", " a", "a ", "a\n", "a\x1bb", "a\u2028b", "\udcff", "x" * (MAX_NAME_CHARS + 1)]
)
def test_what_is_none(text: str) -> None:
    assert not is_name(text)
