"""The secret of an epoch on its way from one device to another: the sealed content of epoch_key.

Knows how it is sealed, opened and checked. Must not know whether the epoch may be used, nor who is
told.
"""

from __future__ import annotations

from typing import Final

from leftzmq.content.keys import SECRET_BYTES, derive_epoch
from leftzmq.content.seal import MAC_BYTES, NONCE_BYTES, open_from, seal_for
from leftzmq.errors import Refusal, Refused

SEALED_BYTES: Final = NONCE_BYTES + MAC_BYTES + SECRET_BYTES


def seal(secret: bytes, device_secret: bytes, receiver: bytes, nonce: bytes) -> bytes:
    """Return the bytes of the field `sealed` in EpochKey.

    secret: of the epoch; device_secret: the secret half of our device key
    receiver: the public key of the other device; nonce: 24 random bytes, never used twice
    Raises Refused (DOES_NOT_OPEN) for a receiver whose key is none.
    """
    assert len(secret) == SECRET_BYTES
    return seal_for(device_secret, receiver, secret, nonce)


def open_sealed(sealed: bytes, epoch: bytes, device_secret: bytes, sender: bytes) -> bytes:
    """Return the secret of the epoch with this tag that is in a box from `sender`.

    Raises Refused, and nothing else, for any bytes: DOES_NOT_OPEN; WRONG_ID: it is the secret of
    another epoch.
    """
    secret = open_from(device_secret, sender, sealed)
    if len(secret) != SECRET_BYTES or derive_epoch(secret).tag != epoch:
        raise Refused(Refusal.WRONG_ID, f"the secret of the epoch {epoch.hex()[:16]}")
    return secret
