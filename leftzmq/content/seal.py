"""Boxes: chunks and lists sealed under their id, pages and the like under a random nonce.

Chunks, lists and pages are sealed with the keys of an epoch; ids do not depend on the epoch. Knows
keys, ids and bytes, and libsodium's secretbox and box (XSalsa20-Poly1305, X25519). Must not know
what chunks belong to or what pages say. A chunk's box is deterministic. The id covers the whole
chunk under another key, and every device seals the chunk without the zeros at its end. So a nonce
made from the id is never used for two plaintexts.
"""

from __future__ import annotations

import os
from hmac import compare_digest
from typing import Final

from nacl.bindings import (
    crypto_box_easy,
    crypto_box_open_easy,
    crypto_secretbox_easy,
    crypto_secretbox_open_easy,
)
from nacl.exceptions import CryptoError

from leftzmq.content.ids import chunk_id, list_id
from leftzmq.content.keys import EpochKeys, FolderKeys
from leftzmq.content.zeros import trimmed
from leftzmq.errors import Refusal, Refused

MAC_BYTES: Final = 16
NONCE_BYTES: Final = 24


def seal_chunk(epoch: EpochKeys, id: bytes, data: bytes | bytearray | memoryview) -> bytes:
    """Return the box of a chunk: MAC_BYTES longer than `data` without the zeros at its end. `id`
    must be the id of `data`."""
    return crypto_secretbox_easy(trimmed(_as_bytes(data)), id[:NONCE_BYTES], epoch.seal_key)


def open_chunk(
    keys: FolderKeys,
    epoch: EpochKeys,
    id: bytes,
    box: bytes | bytearray | memoryview,
    length: int,
) -> bytes:
    """Return the chunk `id` of `length` bytes that is in the box, checked against that id.

    Raises Refused: DOES_NOT_OPEN (other folder or epoch, damaged, cut short, or sealed for another
    id) or WRONG_ID (a holder of the secrets sealed other bytes, or more of them, under this id).
    """
    plain = _open(box, id[:NONCE_BYTES], epoch.seal_key, id).ljust(length, b"\0")
    if len(plain) != length or not compare_digest(chunk_id(keys, plain), id):
        raise Refused(Refusal.WRONG_ID, id.hex()[:16])
    return plain


def seal_list(epoch: EpochKeys, id: bytes, rows: bytes) -> bytes:
    """Return the box of a list: MAC_BYTES longer than `rows`, all of which it contains."""
    return crypto_secretbox_easy(rows, id[:NONCE_BYTES], epoch.seal_key)


def open_list(
    keys: FolderKeys, epoch: EpochKeys, id: bytes, box: bytes | bytearray | memoryview
) -> bytes:
    """Return the list `id` that is in the box, checked against that id. Raises as open_chunk."""
    rows = _open(box, id[:NONCE_BYTES], epoch.seal_key, id)
    if not compare_digest(list_id(keys, rows), id):
        raise Refused(Refusal.WRONG_ID, id.hex()[:16])
    return rows


def fresh_nonce() -> bytes:
    """Return 24 random bytes from the OS, for one page, row or part of a roster."""
    return os.urandom(NONCE_BYTES)


def seal_page(epoch: EpochKeys, plain: bytes, nonce: bytes) -> bytes:
    """Return a sealed page: the nonce, then the box. `nonce` must be fresh; it is never used
    again."""
    assert len(nonce) == NONCE_BYTES
    return nonce + crypto_secretbox_easy(plain, nonce, epoch.page_key)


def open_page(epoch: EpochKeys, sealed: bytes | bytearray | memoryview) -> bytes:
    """Return the plain bytes of a sealed page. Raises Refused (DOES_NOT_OPEN)."""
    view = memoryview(sealed)
    return _open(view[NONCE_BYTES:], bytes(view[:NONCE_BYTES]), epoch.page_key, b"")


def seal_roster(keys: FolderKeys, plain: bytes, nonce: bytes) -> bytes:
    """Return a sealed part of a roster: the nonce, then the box. `nonce` must be fresh; it is never
    used again."""
    assert len(nonce) == NONCE_BYTES
    return nonce + crypto_secretbox_easy(plain, nonce, keys.roster_key)


def open_roster(keys: FolderKeys, sealed: bytes) -> bytes:
    """Return the plain bytes of a sealed part of a roster. Raises Refused (DOES_NOT_OPEN)."""
    return _open(sealed[NONCE_BYTES:], sealed[:NONCE_BYTES], keys.roster_key, b"")


def seal_row(key: bytes, plain: bytes, nonce: bytes) -> bytes:
    """Return the sealed part of a folder row in a hello: the nonce, then the box. key: of the pair;
    `nonce` must be fresh; it is never used again."""
    assert len(nonce) == NONCE_BYTES
    return nonce + crypto_secretbox_easy(plain, nonce, key)


def open_row(key: bytes, sealed: bytes) -> bytes:
    """Return the plain bytes of a folder row; the inverse of `seal_row`. Raises Refused
    (DOES_NOT_OPEN)."""
    return _open(sealed[NONCE_BYTES:], sealed[:NONCE_BYTES], key, b"")


def seal_for(device_secret: bytes, receiver: bytes, plain: bytes, nonce: bytes) -> bytes:
    """Return what only `receiver` (a device key) can open, and who has our device key: the nonce,
    then the box. `nonce` must be fresh; it is never used again. Raises Refused (DOES_NOT_OPEN) for
    a receiver whose key is none."""
    assert len(nonce) == NONCE_BYTES
    try:
        return nonce + crypto_box_easy(plain, nonce, receiver, device_secret)
    except CryptoError as error:
        raise Refused(Refusal.DOES_NOT_OPEN, receiver.hex()[:16]) from error


def open_from(device_secret: bytes, sender: bytes, sealed: bytes) -> bytes:
    """Return what a device (its public key) sealed for us; the inverse of `seal_for`. Raises
    Refused (DOES_NOT_OPEN)."""
    nonce, box = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return crypto_box_open_easy(box, nonce, sender, device_secret)
    except CryptoError as error:
        raise Refused(Refusal.DOES_NOT_OPEN, sender.hex()[:16]) from error


def _open(box: bytes | bytearray | memoryview, nonce: bytes, key: bytes, id: bytes) -> bytes:
    try:
        return crypto_secretbox_open_easy(_as_bytes(box), nonce, key)
    except CryptoError as error:  # includes PyNaCl's errors for short boxes and nonces
        raise Refused(Refusal.DOES_NOT_OPEN, id.hex()[:16]) from error


def _as_bytes(data: bytes | bytearray | memoryview) -> bytes:
    # The binding accepts only bytes (cffi: "must be a cdata pointer").
    return data if isinstance(data, bytes) else bytes(data)
