"""Pads texts to fixed steps before sealing, so a longer name does not make a longer box.

A page of one entry takes 60 to 300 bytes without its path, and most paths are shorter than 200. So
within the first step, news of an edit with any name looks like a heartbeat. The steps double up to
4 KiB, and stay 4 KiB from there: at most twice the bytes for a short page, at most 9% of the
longest. An observer still sees about how much was changed at once.

Knows bytes. Must not know what they say.
"""

from __future__ import annotations

from typing import Final

from leftzmq.errors import Refusal, Refused

FIRST_STEP_BYTES: Final = 512
LONG_STEP_BYTES: Final = 4 << 10
_LENGTH_BYTES: Final = 4


def padded(plain: bytes) -> bytes:
    """Return the length of `plain` (4 bytes, big-endian), `plain`, and zeros up to the next
    step."""
    size = len(plain) + _LENGTH_BYTES
    return (len(plain).to_bytes(_LENGTH_BYTES, "big") + plain).ljust(_step(size), b"\0")


def unpadded(filled: bytes) -> bytes:
    """Return the plain bytes; the inverse of `padded`.

    Raises Refused (BAD_PADDING): each text has exactly one padded form, and this is not one.
    """
    length = int.from_bytes(filled[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    if len(filled) < _LENGTH_BYTES or len(filled) != _step(end) or filled[end:].strip(b"\0"):
        raise Refused(Refusal.BAD_PADDING, f"{length} bytes in {len(filled)}")
    return filled[_LENGTH_BYTES:end]


def _step(size: int) -> int:
    if size > LONG_STEP_BYTES:
        return -(-size // LONG_STEP_BYTES) * LONG_STEP_BYTES
    step = FIRST_STEP_BYTES
    while step < size:
        step *= 2
    return step
