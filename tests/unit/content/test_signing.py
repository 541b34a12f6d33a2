"""Signatures of devices: golden values, known facts of Ed25519, and that nothing else is taken for
one.

1,000 signatures (the golden one, and 999 of random secrets and messages) were compared with those
of the package XEdDSA 1.2.0 (https://pypi.org/project/XEdDSA/) by hand, on 2026-11-29, with the same
Z. It verified all of them. Its own were the same bytes, where it was given the scalar modulo L. It
hashes a scalar that it need not negate as it is, which gives another nonce, and as good a
signature; the specification says "k (mod q)".
"""

from __future__ import annotations

from hashlib import sha512

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_scalarmult_base
from nacl.signing import VerifyKey

from leftzmq.content import signing
from leftzmq.content.ids import digest_of, statement_id
from leftzmq.content.signing import is_signed, sign
from leftzmq.transport import device_key

SECRET = bytes(range(32))
DEVICE = crypto_scalarmult_base(SECRET)
SIGNATURE = sign(SECRET, b"left")

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
"""u of the points of order 8 (https://cr.yp.to/ecdh.html#validate)."""


def little(number: int) -> bytes:
    return number.to_bytes(32, "little")


def edwards(device: bytes) -> bytes:
    """The Ed25519 form of a public key, as the specification gives it."""
    u = int.from_bytes(device, "little")
    return little((u - 1) * pow(u + 1, P - 2, P) % P)


# ---- known facts ---------------------------------------------------------------------------------


def test_golden_values() -> None:
    assert DEVICE.hex() == "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f"
    assert SIGNATURE.hex() == (
        "6192ab575684f3acbcfb777cb265644a0cbf2368aec39a0d4ffcd0ea28451bb4"
        "d08da29574ab4c9503eef8cf9775dc8afaa7e755a2ad5fadc2a75d8c5094e804"
    )
    assert statement_id(b"left").hex() == "87e596f34bdd4ba9812a5222449c3ed9"
    assert digest_of([]).hex() == "af1349b9f5f9a1a6a0404dea36dcc949"


Point = tuple[int, int]


def added(one: Point, other: Point) -> Point:
    """RFC 8032, 5.1.4, in affine coordinates."""
    (x, y), (v, w) = one, other
    t = D * x * v * y * w
    across = (x * w + v * y) * pow(1 + t, -1, P) % P
    return across, (y * w + x * v) * pow(1 - t, -1, P) % P


def times(number: int, point: Point) -> Point:
    found = (0, 1)
    while number:
        if number & 1:
            found = added(found, point)
        point, number = added(point, point), number >> 1
    return found


def decoded(data: bytes) -> Point:
    number = int.from_bytes(data, "little")
    y = number % 2**255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square, "on the curve"
    return (x if x % 2 == number >> 255 else P - x), y


def test_the_golden_signature_holds_by_rfc_8032_without_libsodium() -> None:
    key, base = decoded(edwards(DEVICE)), decoded(little(4 * pow(5, -1, P) % P))
    point, s = SIGNATURE[:32], int.from_bytes(SIGNATURE[32:], "little")
    h = int.from_bytes(sha512(point + edwards(DEVICE) + b"left").digest(), "little")
    assert s < L
    assert times(s, base) == added(decoded(point), times(h % L, key))


def test_a_signature_is_one_of_ed25519_by_the_edwards_form_of_the_key() -> None:
    halves = set()
    for number in range(32):
        secret = bytes([number]) * 32
        device = crypto_scalarmult_base(secret)
        signature = sign(secret, b"left")
        VerifyKey(edwards(device)).verify(b"left", signature)
        assert is_signed(device, b"left", signature)
        halves.add(signing.crypto_scalarmult_ed25519_base_noclamp(clamped(secret))[31] >> 7)
    assert halves == {0, 1}, "secrets of both kinds were tried"


def clamped(secret: bytes) -> bytes:
    return bytes([secret[0] & 0xF8, *secret[1:31], secret[31] & 0x7F | 0x40])


def test_the_key_that_libzmq_made_signs() -> None:
    keys = device_key.fresh_pair()
    assert is_signed(keys.public, b"left", sign(keys.secret, b"left"))


def test_the_bits_that_x25519_ignores_change_no_key() -> None:
    for other in (bytes([7]) + SECRET[1:], SECRET[:31] + bytes([SECRET[31] ^ 0xC0])):
        assert is_signed(DEVICE, b"left", sign(other, b"left"))


# ---- what is signed, and what is not -------------------------------------------------------------


def test_what_a_device_signed_is_signed_by_it_and_by_no_other() -> None:
    assert is_signed(DEVICE, b"left", SIGNATURE)
    assert not is_signed(crypto_scalarmult_base(bytes(32)), b"left", SIGNATURE)
    assert not is_signed(DEVICE, b"leftt", SIGNATURE)


def test_the_same_message_has_one_signature_and_each_message_another_nonce() -> None:
    assert sign(SECRET, b"left") == SIGNATURE
    points = {sign(SECRET, bytes(length))[:32] for length in range(100)}
    assert len(points | {sign(SECRET[::-1], b"")[:32]}) == 101


def test_no_bit_of_a_signature_or_key_can_be_changed() -> None:
    for at in range(64 * 8):
        wrong = bytearray(SIGNATURE)
        wrong[at // 8] ^= 1 << at % 8
        assert not is_signed(DEVICE, b"left", bytes(wrong)), at
    for at in range(32 * 8):
        other = bytearray(DEVICE)
        other[at // 8] ^= 1 << at % 8
        assert not is_signed(bytes(other), b"left", SIGNATURE), at


def test_nothing_is_cut_off_or_filled_up() -> None:
    assert not is_signed(DEVICE + b"\0", b"left", SIGNATURE)
    for wrong in (b"", SIGNATURE[:63], SIGNATURE + b"\0"):
        assert not is_signed(DEVICE, b"left", wrong)


def test_no_second_s_makes_a_second_signature() -> None:
    s = int.from_bytes(SIGNATURE[32:], "little")
    for wrong in (s + L, s + 7 * L, L, 2**256 - 1):
        assert not is_signed(DEVICE, b"left", SIGNATURE[:32] + little(wrong))


def test_no_two_device_keys_have_one_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """X25519 takes both halves of each pair here for one key."""
    high = bytes([*DEVICE[:31], DEVICE[31] | 0x80])
    assert not is_signed(high, b"left", SIGNATURE)
    # Nobody knows a secret for any u below 19, so the signature is left out.
    monkeypatch.setattr(signing, "VerifyKey", TakesAll)
    assert is_signed(DEVICE, b"left", SIGNATURE)
    for low in range(19):
        assert is_signed(little(low), b"left", SIGNATURE)
        assert not is_signed(little(P + low), b"left", SIGNATURE), low


class TakesAll:
    def __init__(self, key: bytes) -> None:
        assert len(key) == 32

    def verify(self, message: bytes, signature: bytes) -> bytes:
        return message


# Under a point of small order a signature could fit more than one message, under -1 there is no
# Edwards form. https://datatracker.ietf.org/doc/html/rfc8032, section 8.1
@pytest.mark.parametrize("u", [0, 1, P - 1, *ORDER_8, P, P + 1, 2 * P - 1, 2**256 - 1])
def test_no_weak_key_signs_anything(u: int) -> None:
    device = little(u)
    small = [little(1), little(P - 1), little(0), edwards(device)]
    for point in (*small, *(bytes([*each[:31], each[31] | 0x80]) for each in small)):
        for message in (bytes([number]) for number in range(16)):
            assert not is_signed(device, message, point + bytes(32))


def test_a_key_that_is_not_on_the_curve_signs_nothing() -> None:
    u = next(
        u
        for u in range(2, 99)
        # https://datatracker.ietf.org/doc/html/rfc7748, section 4.1
        if pow(u**3 + 486662 * u**2 + u, (P - 1) // 2, P) != 1
    )
    with pytest.raises(AssertionError, match="on the curve"):
        decoded(edwards(little(u)))
    for signature in (SIGNATURE, bytes(64), little(1) + bytes(32), edwards(little(u)) + bytes(32)):
        assert not is_signed(little(u), b"left", signature)


@settings(max_examples=200, deadline=None)
@given(key=st.binary(max_size=40), message=st.binary(max_size=40), said=st.binary(max_size=70))
def test_any_bytes_are_answered(key: bytes, message: bytes, said: bytes) -> None:
    assert not is_signed(key, message, said)
    assert not is_signed(key.ljust(32, b"x")[:32], message, said.ljust(64, b"x")[:64])


def test_a_digest_is_of_a_set() -> None:
    one, other = statement_id(b"1"), statement_id(b"2")
    assert digest_of([one, other]) == digest_of([other, one, other])
    assert len({digest_of(ids) for ids in ([], [one], [other], [one, other])}) == 4
