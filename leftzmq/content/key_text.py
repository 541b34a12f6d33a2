"""A device's public key as people read, type and paste it.

It is shown as 54 letters and digits with a check in them, in nine groups: `leftzmq id`. Before that
it was 40 characters of z85, and those are read for ever. Knows both texts. Must not know whose key
it is.
"""

from __future__ import annotations

import re
from typing import Final

from leftzmq import crockford
from leftzmq.content.keys import KEY_BYTES, check_bits

KEY_LETTERS: Final = 54

_PURPOSE: Final = "device key"
_CHECK_BITS: Final = KEY_LETTERS * crockford.BITS_A_LETTER - 8 * KEY_BYTES
_GROUP_LETTERS: Final = 6
_Z85_CHARS: Final = 40

# https://rfc.zeromq.org/spec/32/: five characters, in base 85, are four bytes
_Z85: Final = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
)

# The first 40 characters of what is shown are letters of z85, too. A dash at all these five places
# and nothing but digits and small letters elsewhere is no key that was ever drawn (2^-70).
_CUT_OFF: Final = re.compile(r"(?:[0-9a-z]{6}-){5}[0-9a-z]{5}", re.ASCII)


def key_text(key: bytes) -> str:
    """Return the text of a public key (32 bytes): nine groups of six, with `-` between them."""
    assert len(key) == KEY_BYTES
    number = int.from_bytes(key, "big") << _CHECK_BITS | check_bits(_PURPOSE, key, _CHECK_BITS)
    letters = crockford.encode(number, KEY_LETTERS)
    ends = range(0, KEY_LETTERS, _GROUP_LETTERS)
    return "-".join(letters[at : at + _GROUP_LETTERS] for at in ends)


def key_beginning(key: bytes) -> str:
    """Return the first two groups of `key_text`: enough to tell devices apart in a log."""
    return key_text(key)[: 2 * _GROUP_LETTERS + 1]


def read_key(text: str) -> bytes:
    """Return the public key (32 bytes) that a text stands for: the inverse of `key_text`, with or
    without the dashes, and with white space anywhere; or the 40 characters of z85.

    ValueError says what is wrong, as a clause.
    """
    if (key := z85_key(text)) is not None:
        return key
    letters = "".join(text.split()).replace("-", "")
    if len(letters) != KEY_LETTERS:
        what = f"{len(letters)} letters and digits, {KEY_LETTERS} are wanted"
        raise ValueError(f"is not a device's key: {what}")
    try:
        number = crockford.decode(letters)
    except ValueError as error:
        raise ValueError(f"is not a device's key: it {error}") from None
    key = (number >> _CHECK_BITS).to_bytes(KEY_BYTES, "big")
    if number & (1 << _CHECK_BITS) - 1 != check_bits(_PURPOSE, key, _CHECK_BITS):
        raise ValueError("is not a device's key: there is a mistake in it, its check does not fit")
    return key


def z85_key(text: str) -> bytes | None:
    """Return the 32 bytes of 40 characters of z85, public or secret; None if it is not that."""
    if len(text) != _Z85_CHARS or _CUT_OFF.fullmatch(text):
        return None
    key = bytearray()
    for at in range(0, _Z85_CHARS, 5):
        number = 0
        for letter in text[at : at + 5]:
            value = _Z85.find(letter)
            if value < 0:
                return None
            number = number * 85 + value
        if number >= 1 << 32:
            return None
        key += number.to_bytes(4, "big")
    return bytes(key)
