"""Every key of a folder, derived by purpose from its secrets; and checks of what people copy.

A folder has one secret that never changes: its ids, its cuts and the proof of membership come from
it. Seals, pages and the tag on the wire come from the secret of an epoch, which is another one
after a removal. The first epoch has the secret of the folder.

Knows which purposes there are. Must not know where a secret is kept or who holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NewType

from blake3 import blake3

from leftzmq.tree.version import DEVICE_MARK_BYTES

FolderTag = NewType("FolderTag", bytes)
"""16 bytes that identify a folder and an epoch of it on the wire; only a device with the epoch's
secret can compute them. That of the first epoch is the identity tag of the folder."""

SECRET_BYTES: Final = 32
TAG_BYTES: Final = 16
KEY_BYTES: Final = 32
PROOF_BYTES: Final = 16
LOCAL_MARK_BYTES: Final = 8

_CONTEXT: Final = "leftzmq 2026 v1 "
"""Begins every derive_key context. Another derivation is another protocol: increase the v."""

_SEED_BITS: Final = 63
"""pyfastcdc shifts its seed left by one into a uint64: 2**63 overflows (0.3.1, fastcdc.pyx)."""


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """The keys of one epoch. Its repr shows only the tag, so that no log holds a key.

    tag: identifies the folder and the epoch on the wire
    seal_key: 32 bytes, for the boxes of chunks and of lists: their nonces are parts of ids, and the
        ids of the two kinds are made with different keys
    page_key: 32 bytes, for news and index pages, whose nonces are random
    """

    tag: FolderTag
    seal_key: bytes = field(repr=False)
    page_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FolderKeys:
    """The keys of one folder that never change, and those of its first epoch. Its repr shows only
    tags, so that no log holds a key.

    first: of the epoch that has the folder's own secret
    chunk_id_key, list_id_key: 32 bytes each, for keyed BLAKE3
    hello_key: 32 bytes, to prove to one device that the sender holds the secret (Pair)
    roster_key: 32 bytes, for the parts of a roster, whose nonces are random
    cut_seed: 1 to 2**63 - 1: changes where files are cut, so that the lengths of chunks do not
        identify a known file
    """

    first: EpochKeys
    chunk_id_key: bytes = field(repr=False)
    list_id_key: bytes = field(repr=False)
    roster_key: bytes = field(repr=False)
    hello_key: bytes = field(repr=False)
    cut_seed: int = field(repr=False)

    @property
    def tag(self) -> FolderTag:
        """The identity tag: that of the first epoch."""
        return self.first.tag


def derive_keys(secret: bytes) -> FolderKeys:
    """Return all keys of the folder with this secret (SECRET_BYTES, uniformly random)."""
    assert len(secret) == SECRET_BYTES
    return FolderKeys(
        first=derive_epoch(secret),
        chunk_id_key=_derive(secret, "chunk id", KEY_BYTES),
        list_id_key=_derive(secret, "list id", KEY_BYTES),
        roster_key=_derive(secret, "roster", KEY_BYTES),
        hello_key=_derive(secret, "hello", KEY_BYTES),
        cut_seed=_seed(_derive(secret, "cut seed", 8)),
    )


def derive_epoch(secret: bytes) -> EpochKeys:
    """Return the keys of the epoch with this secret (SECRET_BYTES, uniformly random)."""
    assert len(secret) == SECRET_BYTES
    return EpochKeys(
        tag=FolderTag(_derive(secret, "folder tag", TAG_BYTES)),
        seal_key=_derive(secret, "seal", KEY_BYTES),
        page_key=_derive(secret, "page", KEY_BYTES),
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """The keys of one folder, one sender and one receiver.

    proof: 16 bytes that only a holder of the folder's secret can compute
    key: 32 bytes, for what the sender says of the folder in a hello
    """

    proof: bytes = field(repr=False)
    key: bytes = field(repr=False)


def pair_of(keys: FolderKeys, sender: bytes, receiver: bytes) -> Pair:
    """Return the keys of a pair of devices (public keys of 32 bytes). The other direction has other
    keys."""
    assert len(sender) == len(receiver) == KEY_BYTES
    out = blake3(sender + receiver, key=keys.hello_key).digest(PROOF_BYTES + KEY_BYTES)
    return Pair(out[:PROOF_BYTES], out[PROOF_BYTES:])


def device_mark(public_key: bytes) -> bytes:
    """Return the 4 bytes that identify a device in its lives (tree.version), from its 32-byte
    key."""
    assert len(public_key) == KEY_BYTES
    return blake3(public_key).digest(DEVICE_MARK_BYTES)


def local_mark(salt: bytes, public_key: bytes) -> bytes:
    """Return the 8 bytes by which who knows a device's key recognizes it in the local network. Who
    does not know it cannot tell whose they are."""
    return blake3(salt + public_key).digest(LOCAL_MARK_BYTES)


def check_bits(purpose: str, data: bytes, bits: int) -> int:
    """Return a check of `data` for text that a person copies: a number of this many bits (1 to 64).

    It finds mistakes, and proves nothing. Another purpose gives another check, so that one text is
    not taken for another.
    """
    assert 1 <= bits <= 64
    return int.from_bytes(_derive(data, purpose, 8), "big") >> (64 - bits)


def token_mark(token: bytes) -> bytes:
    """Return the 32 bytes by which an invitation's token is recognized, and from which it cannot be
    found."""
    return blake3(token).digest()


def _derive(secret: bytes, purpose: str, length: int) -> bytes:
    return blake3(secret, derive_key_context=_CONTEXT + purpose).digest(length)


def _seed(material: bytes) -> int:
    seed = int.from_bytes(material, "big") >> (64 - _SEED_BITS)
    return seed or 1  # 0 would be pyfastcdc's public table
