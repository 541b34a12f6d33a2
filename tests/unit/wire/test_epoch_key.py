"""The secret of an epoch in its box: golden bytes, who can open it, hostile bytes."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_box_easy, crypto_scalarmult_base

from leftzmq.content.keys import SECRET_BYTES, derive_epoch
from leftzmq.errors import Refusal, Refused
from leftzmq.wire.codec import Socket, decode, encode
from leftzmq.wire.epoch_key import SEALED_BYTES, open_sealed, seal
from leftzmq.wire.messages import EpochKey
from tests.helpers.wire_vectors import TAG

SECRET = bytes(range(32))
EPOCH = derive_epoch(SECRET)
NONCE = bytes(range(24))
A, B, OTHER = (blake3(name).digest() for name in (b"a", b"b", b"other"))
A_KEY, B_KEY, OTHER_KEY = (crypto_scalarmult_base(secret) for secret in (A, B, OTHER))
SEALED = NONCE + crypto_box_easy(SECRET, NONCE, B_KEY, A)


def refusal_of(sealed: bytes, epoch: bytes = EPOCH.tag, secret: bytes = B) -> Refusal:
    with pytest.raises(Refused) as caught:
        open_sealed(sealed, epoch, secret, A_KEY)
    return caught.value.refusal


def test_a_sealed_secret_is_its_golden_bytes() -> None:
    assert len(SEALED) == SEALED_BYTES == 72
    assert blake3(SEALED).hexdigest(8) == "ff704ebfdbcbf33e"
    assert seal(SECRET, A, B_KEY, NONCE) == SEALED
    assert open_sealed(SEALED, EPOCH.tag, B, A_KEY) == SECRET


def test_it_fits_its_message_and_no_other_length_does() -> None:
    frame = encode(EpochKey(TAG, EPOCH.tag, SEALED))
    message = decode(frame, Socket.CONTROL)
    assert isinstance(message, EpochKey)
    assert open_sealed(message.sealed, message.epoch, B, A_KEY) == SECRET
    for sealed in (SEALED[:-1], SEALED + b"x", b""):
        with pytest.raises(Refused):
            decode(encode(EpochKey(TAG, EPOCH.tag, sealed)), Socket.CONTROL)


def test_nobody_else_opens_it() -> None:
    assert refusal_of(SEALED, secret=OTHER) is Refusal.DOES_NOT_OPEN
    with pytest.raises(Refused) as caught:
        open_sealed(SEALED, EPOCH.tag, B, OTHER_KEY)
    assert caught.value.refusal is Refusal.DOES_NOT_OPEN


def test_the_secret_of_another_epoch_is_refused() -> None:
    assert refusal_of(SEALED, TAG) is Refusal.WRONG_ID
    short = NONCE + crypto_box_easy(SECRET[1:], NONCE, B_KEY, A)
    assert refusal_of(short) is Refusal.WRONG_ID


def test_no_flipped_bit_opens_and_nothing_that_is_cut_off() -> None:
    for at in range(len(SEALED)):
        flipped = SEALED[:at] + bytes([SEALED[at] ^ 1 << at % 8]) + SEALED[at + 1 :]
        assert refusal_of(flipped) is Refusal.DOES_NOT_OPEN
        assert refusal_of(SEALED[:at]) is Refusal.DOES_NOT_OPEN


@settings(max_examples=200, deadline=None)
@given(sealed=st.binary(max_size=100), sender=st.binary(min_size=32, max_size=32))
def test_random_bytes_of_anybody_are_refused(sealed: bytes, sender: bytes) -> None:
    with pytest.raises(Refused):
        open_sealed(sealed, EPOCH.tag, B, sender)


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31)])
def test_nothing_is_sealed_for_or_by_a_key_that_is_none(key: bytes) -> None:
    """The box would open for everybody."""
    with pytest.raises(Refused):
        seal(SECRET, A, key, NONCE)
    with pytest.raises(Refused):
        open_sealed(SEALED, EPOCH.tag, B, key)


def test_a_secret_of_another_length_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        seal(bytes(SECRET_BYTES - 1), A, B_KEY, NONCE)
