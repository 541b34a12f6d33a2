"""The key with which a device signs what it says of a folder's members.

X25519 keys, which devices have, cannot sign. So the signing key is derived from the device's key:
there is no further file to keep, and it cannot be lost alone. Knows Ed25519 (RFC 8032,
https://doc.libsodium.org/public-key_cryptography/public-key_signatures). Must not know what is
signed.
"""

from __future__ import annotations

from typing import Final

from blake3 import blake3
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

SIGN_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_CONTEXT: Final = "leftzmq 2026 v1 signing"


def sign_key(device_secret: bytes) -> bytes:
    """Return the public half (32 bytes) of the signing key of a device. device_secret: the secret
    half of the device's key, 32 bytes."""
    return bytes(_pair(device_secret).verify_key)


def sign(device_secret: bytes, message: bytes) -> bytes:
    """Return the signature (64 bytes) of a device under a message; the same message always gets the
    same one. device_secret: as in `sign_key`."""
    return _pair(device_secret).sign(message).signature


def is_signed(sign_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the device with this public signing key signed the message. False for whatever
    is no key or no signature; nothing is raised for any bytes."""
    if len(sign_key) != SIGN_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        VerifyKey(sign_key).verify(message, signature)
    except CryptoError:
        return False
    return True


def _pair(device_secret: bytes) -> SigningKey:
    return SigningKey(blake3(device_secret, derive_key_context=_CONTEXT).digest(32))
