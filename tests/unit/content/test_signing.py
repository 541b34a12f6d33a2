"""Signatures of devices: golden values, and that nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leftzmq.content.ids import digest_of, statement_id
from leftzmq.content.signing import is_signed, sign, sign_key

SECRET = bytes(range(32))
KEY = sign_key(SECRET)
SIGNATURE = sign(SECRET, b"left")


def test_golden_values() -> None:
    assert KEY.hex() == "f29c4b6f5a4a7016743e037bc222e5ab30d276251cb79549a61230800ac09f2a"
    assert SIGNATURE.hex() == (
        "35599930611b74281707c7112044b4b8c2a6373f8964e927832649d44cb551df"
        "b68763dc2af9eef1371276a70f24f79ad15258dd8181cd57898e67bc2c1c1700"
    )
    assert statement_id(b"left").hex() == "87e596f34bdd4ba9812a5222449c3ed9"
    assert digest_of([]).hex() == "af1349b9f5f9a1a6a0404dea36dcc949"


def test_what_a_device_signed_is_signed_by_it_and_by_no_other() -> None:
    assert is_signed(KEY, b"left", SIGNATURE)
    assert not is_signed(sign_key(bytes(32)), b"left", SIGNATURE)
    assert not is_signed(KEY, b"leftt", SIGNATURE)


def test_no_bit_of_a_signature_or_key_can_be_changed() -> None:
    for at in range(64 * 8):
        wrong = bytearray(SIGNATURE)
        wrong[at // 8] ^= 1 << at % 8
        assert not is_signed(KEY, b"left", bytes(wrong))
    for at in range(32 * 8):
        other = bytearray(KEY)
        other[at // 8] ^= 1 << at % 8
        assert not is_signed(bytes(other), b"left", SIGNATURE)


# Points of small order: under such a key a signature could fit more than one message.
# https://datatracker.ietf.org/doc/html/rfc8032, section 8.1
@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_no_weak_key_signs_anything(key: bytes) -> None:
    for signature in (bytes(64), b"\1" + bytes(63), key + bytes(32)):
        assert not is_signed(key, b"left", signature)


@settings(max_examples=200, deadline=None)
@given(key=st.binary(max_size=40), message=st.binary(max_size=40), said=st.binary(max_size=70))
def test_any_bytes_are_answered(key: bytes, message: bytes, said: bytes) -> None:
    assert not is_signed(key, message, said)
    assert not is_signed(key.ljust(32, b"x")[:32], message, said.ljust(64, b"x")[:64])


def test_a_digest_is_of_a_set() -> None:
    one, other = statement_id(b"1"), statement_id(b"2")
    assert digest_of([one, other]) == digest_of([other, one, other])
    assert len({digest_of(ids) for ids in ([], [one], [other], [one, other])}) == 4
