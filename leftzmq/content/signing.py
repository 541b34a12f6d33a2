"""What a device signs with its own key: XEdDSA, which is Ed25519 by an X25519 key.

So the device key names the signer, and nobody has to vouch for another key (decisions/0019). Knows
XEdDSA (https://signal.org/docs/specifications/xeddsa/); all arithmetic of secrets is libsodium's.
Must not know what is signed.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

from blake3 import blake3
from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_negate,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

SIGNATURE_BYTES: Final = 64

_DEVICE_KEY_BYTES: Final = 32
_NONCE_CONTEXT: Final = "leftzmq 2026 v1 signing nonce"
_HASH_1: Final = b"\xfe" + b"\xff" * 31
"""Begins what a nonce is made from (hash1 of the specification). No point is encoded like this, so
nothing else that is hashed here begins with it."""
_P: Final = 2**255 - 19


def sign(device_secret: bytes, message: bytes) -> bytes:
    """Return the signature (64 bytes) of a device under a message; the same message always gets the
    same one. device_secret: the secret half of the device's key, 32 bytes."""
    edwards, scalar = _edwards_pair(device_secret)
    # The specification's Z is random. Ours is derived from the secret, as the prefix is from which
    # Ed25519 makes its nonces (RFC 8032, 5.1.6). To whoever knows neither Z nor the scalar a nonce
    # is a random function of the message: two messages have two nonces, and bad randomness cannot
    # change that. A random Z would also give some shelter from faults that somebody provokes in
    # the hardware while it signs; Ed25519 does not give it either.
    z = blake3(device_secret, derive_key_context=_NONCE_CONTEXT).digest(64)
    nonce = _hash(_HASH_1 + scalar + message + z)
    point = crypto_scalarmult_ed25519_base_noclamp(nonce)
    factor = _hash(point + edwards + message)
    return point + crypto_core_ed25519_scalar_add(
        nonce, crypto_core_ed25519_scalar_mul(factor, scalar)
    )


def is_signed(device: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the device with this public key (32 bytes) signed the message. False for
    whatever is no key or no signature; nothing is raised for any bytes."""
    edwards = _edwards(device)
    if edwards is None:
        return False
    try:
        VerifyKey(edwards).verify(message, signature)
    except CryptoError:  # includes PyNaCl's error for a signature of another length
        return False
    return True


def _edwards(device: bytes) -> bytes | None:
    """Return the Ed25519 form of a public X25519 key, with sign bit 0. None: the key is not
    canonical. X25519 takes u + p and u with its highest bit set for u, and a signature would be
    that of each of these devices."""
    u = int.from_bytes(device, "little")
    # For -1 the form is not defined; it is of small order, and signs nothing.
    if len(device) != _DEVICE_KEY_BYTES or u >= _P - 1:
        return None
    return ((u - 1) * pow(u + 1, -1, _P) % _P).to_bytes(32, "little")


def _edwards_pair(device_secret: bytes) -> tuple[bytes, bytes]:
    """Return the Ed25519 form of a device's public key, and the scalar to which it belongs."""
    assert len(device_secret) == _DEVICE_KEY_BYTES
    clamped = bytearray(device_secret)
    clamped[0] &= 0xF8
    clamped[31] = clamped[31] & 0x7F | 0x40
    point = bytearray(crypto_scalarmult_ed25519_base_noclamp(bytes(clamped)))
    scalar = crypto_core_ed25519_scalar_reduce(bytes(clamped) + bytes(32))
    # Which of the two points of a public key the secret gives is worth nothing to anybody.
    if point[31] & 0x80:
        point[31] &= 0x7F
        scalar = crypto_core_ed25519_scalar_negate(scalar)
    return bytes(point), scalar


def _hash(data: bytes) -> bytes:
    """Return the hash of the specification, as a scalar."""
    return crypto_core_ed25519_scalar_reduce(sha512(data).digest())
