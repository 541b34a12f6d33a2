"""Folder rows: what a hello or welcome says of a folder, readable only with the folder's secret.

A row proves that its sender holds the folder's secret, to the one device that it is for. The rest
of the row is in a box under a key of that pair of devices. A device without the secret learns only
that there is a row: no id, no tag, no life, no head. It cannot use a row that it received anywhere
else.

Knows how a row is made and opened. Must not know which folders there are, or who is asked.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from leftzmq.content.keys import FolderKeys, pair_of
from leftzmq.content.seal import open_row, seal_row
from leftzmq.errors import Refusal, Refused, StopCause
from leftzmq.tree.version import LIFE_BYTES, MAX_COUNTER, Life
from leftzmq.wire.messages import FolderHello

_HEAD_BYTES: Final = 8
_NO_LIFE: Final = Life(bytes(LIFE_BYTES))
_CAUSES: Final = {
    1: StopCause.SHARE_AWAY,
    2: StopCause.SHARE_UNUSABLE,
    3: StopCause.HELD_UP,
    4: StopCause.INDEX,
    5: StopCause.INDEX_BROKEN,
    6: StopCause.OPENING,
    7: StopCause.REMOVED,
    8: StopCause.PUT_OUT,
    9: StopCause.PAUSED,
}
"""The value of the head field in a row of a stopped folder. Any other number is a cause unknown
here."""
_NUMBERS: Final = {cause: number for number, cause in _CAUSES.items()}


class Standing(Struct, frozen=True):
    """A device's state in a folder, and how far it knows the index of the receiver.

    folder: the id that its secret has here; it is never sent
    life, head: the sender's life and the last sequence that it has made durable
    your_life, your_head: the life and head of the receiver's index that the sender holds (12 zero
        bytes and 0: none)
    """

    folder: str
    life: Life
    head: int
    your_life: Life
    your_head: int


class Halted(Struct, frozen=True):
    """The device has this folder, and the folder is stopped there: it cannot be asked for anything.

    cause: None if this version does not know it.
    """

    folder: str
    cause: StopCause | None


def row(
    keys: FolderKeys, sender: bytes, receiver: bytes, said: Standing | Halted, nonce: bytes
) -> FolderHello:
    """Return the row of a folder in a hello of `sender` to `receiver` (public keys of 32 bytes).

    nonce: 24 random bytes, never used twice.
    """
    pair = pair_of(keys, sender, receiver)
    if isinstance(said, Halted):
        number = 0 if said.cause is None else _NUMBERS[said.cause]
        plain = _NO_LIFE + _packed(number) + _NO_LIFE + _packed(0)
    else:
        plain = said.life + _packed(said.head) + said.your_life + _packed(said.your_head)
    return FolderHello(pair.proof, seal_row(pair.key, plain, nonce))


def proof_of(keys: FolderKeys, sender: bytes, receiver: bytes) -> bytes:
    """Return the proof that such a row must have."""
    return pair_of(keys, sender, receiver).proof


def opened(
    keys: FolderKeys, sender: bytes, receiver: bytes, folder: str, told: FolderHello
) -> Standing | Halted:
    """Return the content of a row whose proof is that of this folder.

    Raises Refused: DOES_NOT_OPEN, OUT_OF_RANGE.
    """
    plain = open_row(pair_of(keys, sender, receiver).key, told.sealed)
    half = LIFE_BYTES + _HEAD_BYTES
    (life, head), (your_life, your_head) = _unpacked(plain[:half]), _unpacked(plain[half:])
    if life == _NO_LIFE:
        return Halted(folder, _CAUSES.get(head))
    return Standing(folder, life, head, your_life, your_head)


def _packed(head: int) -> bytes:
    return head.to_bytes(_HEAD_BYTES, "big")


def _unpacked(half: bytes) -> tuple[Life, int]:
    head = int.from_bytes(half[LIFE_BYTES:], "big")
    if head > MAX_COUNTER:
        raise Refused(Refusal.OUT_OF_RANGE, f"a head of {head}")
    return Life(half[:LIFE_BYTES]), head
