"""The key with which a device signs what it says of a folder's members.

X25519 keys, which devices have, cannot sign. So the signing key is derived from the device's key:
there is no further file to keep, and it cannot be lost alone. Knows Ed25519 (RFC 8032,
https://doc.libsodium.org/public-key_cryptography/public-key_signatures). Must not know what is
signed.
"""

from __future__ import annotations

from typing import Final

from blake3 import blake3
from nacl.signing import SigningKey

_CONTEXT: Final = "leftzmq 2026 v1 signing"


def sign_key(device_secret: bytes) -> bytes:
    """Return the public half (32 bytes) of the signing key of a device. device_secret: the secret
    half of the device's key, 32 bytes."""
    return bytes(_pair(device_secret).verify_key)


def _pair(device_secret: bytes) -> SigningKey:
    return SigningKey(blake3(device_secret, derive_key_context=_CONTEXT).digest(32))
