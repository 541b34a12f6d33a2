"""A device's key as text: both forms are read, and a mistake in the one that is shown is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as some
from zmq.utils import z85

from leftzmq import crockford
from leftzmq.content.key_text import key_beginning, key_text, read_key, z85_key
from leftzmq.content.keys import check_bits

KEY = bytes(range(32))
TEXT = "000g40-r40m30-e20918-5gr38e-1w8124-gk2gah-c5rr34-d1p70x-3rfgb5"
OLD = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"  # the zmq_curve manual's example key
keys = some.binary(min_size=32, max_size=32)


def test_golden() -> None:
    assert key_text(KEY) == TEXT and read_key(TEXT) == KEY
    assert read_key("0" * 40) == bytes(32) and key_beginning(KEY) == TEXT[:13]
    assert read_key(OLD).hex() == (
        "54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652"
    )


def test_it_is_the_key_and_a_check_of_14_bits() -> None:
    number = crockford.decode(TEXT.replace("-", ""))
    assert number >> 14 == int.from_bytes(KEY, "big")
    assert number & (1 << 14) - 1 == check_bits("device key", KEY, 14)


@given(keys)
def test_there_and_back_in_each_form(key: bytes) -> None:
    text = key_text(key)
    assert [len(group) for group in text.split("-")] == [6] * 9
    assert read_key(text) == read_key(text.upper()) == read_key(text.replace("-", "")) == key
    assert read_key(f" {text[:30]}\n  {text[30:]}") == key
    old = z85.encode(key).decode()
    assert z85_key(old) == read_key(old) == key


def test_every_letter_that_is_changed_is_found() -> None:
    missed = []
    for at, right in enumerate(TEXT):
        for letter in set("0123456789abcdefghjkmnpqrstvwxyz") - {right}:
            if right != "-":
                try:
                    read_key(TEXT[:at] + letter + TEXT[at + 1 :])
                    missed.append((at, letter))
                except ValueError as error:
                    assert str(error).endswith("there is a mistake in it, its check does not fit")
    assert missed == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "0 letters and digits, 54 are wanted"),
        ("...", "3 letters and digits, 54 are wanted"),
        (OLD[1:], "39 letters and digits, 54 are wanted"),
        (OLD + "0", "41 letters and digits, 54 are wanted"),
        (OLD[:-1] + "~", "40 letters and digits, 54 are wanted"),
        ("#" * 40, "40 letters and digits, 54 are wanted"),  # 85^5 - 1 does not fit into four bytes
    ],
)
def test_what_is_no_key_is_said(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a device's key: ") as caught:
        read_key(text)
    assert str(caught.value) == f"is not a device's key: {what}"


def test_a_letter_that_it_never_has_is_named() -> None:
    with pytest.raises(ValueError, match="key: it has 'u' in it, which it never has"):
        read_key(TEXT[:8] + "u" + TEXT[9:])


def test_one_that_was_cut_off_is_not_taken_for_the_older_form() -> None:
    for length in range(62):
        with pytest.raises(ValueError, match="54 are wanted"):
            read_key(TEXT[:length])


def test_keys_of_the_older_form_are_never_taken_for_cut_off_ones() -> None:
    chance = random.Random(15)
    for _ in range(2_000):
        key = chance.randbytes(32)
        assert read_key(z85.encode(key).decode()) == key
