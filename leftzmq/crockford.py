"""Numbers as text that a person can read out, type and paste: Crockford's base32 in lower case.

Five bits are a letter: a digit, or a letter other than i, l, o and u. Knows letters. Must not know
what a number means, nor how its text is cut into groups.
https://www.crockford.com/base32.html
"""

from __future__ import annotations

from typing import Final

BITS_A_LETTER: Final = 5

_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_READ_AS: Final = {"i": "1", "l": "1", "o": "0"}  # they look alike
_VALUES: Final = {
    form: _LETTERS.index(_READ_AS.get(letter, letter))
    for letter in (*_LETTERS, *_READ_AS)
    for form in (letter, letter.upper())
}


def encode(value: int, letters: int) -> str:
    """Return `value` in this number of letters, the most significant first. It must fit."""
    assert 0 <= value < 1 << BITS_A_LETTER * letters
    ends = range(BITS_A_LETTER * (letters - 1), -1, -BITS_A_LETTER)
    return "".join(_LETTERS[value >> end & 31] for end in ends)


def decode(text: str) -> int:
    """The inverse of `encode`. Case is ignored, i and l are read as 1, o as 0.

    ValueError names the first character that is none of the letters.
    """
    value = 0
    for character in text:
        digit = _VALUES.get(character)
        if digit is None:
            raise ValueError(f"has {character!r} in it, which it never has")
        value = value << BITS_A_LETTER | digit
    return value
