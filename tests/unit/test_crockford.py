"""Crockford's base32: what is written is read again, and what looks alike is read alike."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as some

from leftzmq import crockford


@pytest.mark.parametrize(
    ("value", "letters", "text"),
    [
        (0, 0, ""),
        (0, 3, "000"),
        (31, 1, "z"),
        (32, 2, "10"),
        (1234, 4, "016j"),
        (0xDEADBEEF, 7, "3favfqf"),
        ((1 << 60) - 1, 12, "z" * 12),
    ],
)
def test_written_down(value: int, letters: int, text: str) -> None:
    assert crockford.encode(value, letters) == text and crockford.decode(text) == value


@given(some.binary(max_size=64))
def test_there_and_back_in_either_case(data: bytes) -> None:
    value, letters = int.from_bytes(data, "big"), (len(data) * 8 + 4) // 5
    text = crockford.encode(value, letters)
    assert len(text) == letters and text == text.lower()
    assert crockford.decode(text) == crockford.decode(text.upper()) == value


def test_what_looks_alike_is_read_alike() -> None:
    assert crockford.decode("iIlL1") == crockford.decode("11111")
    assert crockford.decode("oO0") == crockford.decode("000")


def test_the_first_wrong_character_is_named() -> None:
    known = set(string.digits + string.ascii_letters) - {"u", "U"}
    for number in range(0x300):
        if (character := chr(number)) not in known:
            with pytest.raises(ValueError, match=r"^has ") as caught:
                crockford.decode(f"0a{character}u")
            assert repr(character) in str(caught.value)
    with pytest.raises(ValueError, match="has '\u212a' in it"):  # of kelvin: lower() makes it k
        crockford.decode("0\u212a")
