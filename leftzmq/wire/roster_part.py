"""Parts of a roster: the sealed content of roster_part.

Knows how statements are packed, sealed, opened and checked, and how many of them go into one part.
Must not know which statements count, which of them are here, or who is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from leftzmq.content.ids import DIGEST_BYTES
from leftzmq.content.key_text import key_beginning
from leftzmq.content.keys import FolderKeys
from leftzmq.content.seal import open_roster, seal_roster
from leftzmq.errors import Refusal, Refused
from leftzmq.wire.messages import MAX_PART_STATEMENTS, MAX_SEALED_BYTES, WireRoster
from leftzmq.wire.statements import MAX_STATEMENT_BYTES, Signed, decode, encode
from leftzmq.wire.strict import SizeLimits, pack, shaped, unpack

MAX_PART_BYTES: Final = 48 << 10
"""Of the statements of a part, each as it travels. What is around them takes less than 1 KiB: 3
bytes for each statement, 56 for device and digest, 40 for the seal."""

_LIMITS: Final = SizeLimits(
    frame=MAX_SEALED_BYTES, str=0, bin=MAX_STATEMENT_BYTES, array=MAX_PART_STATEMENTS
)


class RosterSaid(Struct, frozen=True):
    """What a device says of its roster of a folder.

    digest: of its whole roster (content/ids, digest_of), 16 bytes
    statements: some of it, a parent before its children; (): only the digest is told
    """

    digest: bytes
    statements: tuple[Signed, ...] = ()


def seal(said: RosterSaid, keys: FolderKeys, device: bytes, nonce: bytes) -> bytes:
    """Return the bytes of the field `sealed` in RosterPart.

    device: the sender's public key, 32 bytes; nonce: 24 random bytes, never used twice
    """
    return seal_roster(keys, plaintext(said, device), nonce)


def open_sealed(sealed: bytes, keys: FolderKeys, device: bytes) -> RosterSaid:
    """Return what is in a box that came from `device`. Statements of kinds that this version does
    not know are left out. Signatures are not checked.

    Raises Refused, and nothing else, for any bytes: DOES_NOT_OPEN, NOT_ITS_NAME, and those of a
    frame and of a statement.
    """
    return read_plaintext(open_roster(keys, sealed), keys, device)


def plaintext(said: RosterSaid, device: bytes) -> bytes:
    """Return the msgpack of a part, before sealing."""
    assert len(said.digest) == DIGEST_BYTES and len(said.statements) <= MAX_PART_STATEMENTS
    return pack(WireRoster(device, said.digest, [encode(each) for each in said.statements]))


def read_plaintext(plain: bytes, keys: FolderKeys, device: bytes) -> RosterSaid:
    """Return what is in this msgpack, with every check; the inverse of `plaintext`, see
    open_sealed."""
    wire = shaped(unpack(plain, _LIMITS), WireRoster)
    # All members have the folder's key. Without the name inside, one of them could send what
    # another one said as its own, such as a digest that was right long ago.
    if wire.device != device:
        raise Refused(Refusal.NOT_ITS_NAME, f"a roster of {key_beginning(wire.device)}")
    known = (_known(frame, keys.tag) for frame in wire.statements)
    return RosterSaid(wire.digest, tuple(signed for signed in known if signed is not None))


def parts(digest: bytes, statements: Sequence[Signed]) -> Iterator[RosterSaid]:
    """Return these statements, in their order, as parts that may be sent; none for no statements.

    digest: of the whole roster
    """
    begun: list[Signed] = []
    size = 0
    for signed in statements:
        signed_bytes = len(encode(signed))
        if len(begun) == MAX_PART_STATEMENTS or size + signed_bytes > MAX_PART_BYTES:
            yield RosterSaid(digest, tuple(begun))
            begun, size = [], 0
        begun.append(signed)
        size += signed_bytes
    if begun:
        yield RosterSaid(digest, tuple(begun))


def may_go_on(said: RosterSaid) -> bool:
    """Return whether a part is so full that another one may follow it."""
    size = sum(len(encode(signed)) for signed in said.statements)
    most = MAX_PART_BYTES - MAX_STATEMENT_BYTES
    return len(said.statements) == MAX_PART_STATEMENTS or size > most


def _known(frame: bytes, folder: bytes) -> Signed | None:
    """Return a statement; None if it is of a later kind."""
    try:
        return decode(frame, folder)
    except Refused as refused:
        if refused.refusal is Refusal.UNKNOWN_MESSAGE:
            return None
        raise
