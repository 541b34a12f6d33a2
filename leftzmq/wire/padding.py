"""Filling up to steps before sealing: a box is not longer for a longer name.

A page of one entry takes 60 to 300 bytes without its path, and most paths are shorter than 200: so
the first step is one at which news of an edit, whatever its name, and the heartbeat are alike. The
steps double up to 4 KiB, and stay 4 KiB from there: at most twice the bytes for a short page, at
most 9% of the longest. What remains visible is about how much was changed at once.

Knows bytes. Must not know what they say.
"""

from __future__ import annotations

from typing import Final

from leftzmq.errors import Refusal, Refused

FIRST_STEP_BYTES: Final = 512
LONG_STEP_BYTES: Final = 4 << 10
_LENGTH_BYTES: Final = 4


def padded(plain: bytes) -> bytes:
    """The length of `plain` (4 bytes, big-endian), `plain`, and zeros up to the next step."""
    size = len(plain) + _LENGTH_BYTES
    return (len(plain).to_bytes(_LENGTH_BYTES, "big") + plain).ljust(_step(size), b"\0")


def unpadded(filled: bytes) -> bytes:
    """The inverse of `padded`.

    Raises Refused (BAD_PADDING): of each text there is one padded form, and this is none.
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
