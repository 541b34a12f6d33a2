"""Ids: of a chunk and of a list, keyed BLAKE3 over their bytes; of a statement of a roster.

Knows two keys, so that no file's bytes can be taken for a list. Statements have none: their ids
stand in other statements, and say nothing of a file. Must not know what the bytes mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NewType

from blake3 import blake3

from leftzmq.content.keys import FolderKeys

ChunkId = NewType("ChunkId", bytes)
"""32 bytes."""

ListId = NewType("ListId", bytes)
"""32 bytes."""


def chunk_id(keys: FolderKeys, data: bytes | bytearray | memoryview) -> ChunkId:
    """Return the id of a chunk; for a file of one chunk it is the content id, too."""
    return ChunkId(blake3(data, key=keys.chunk_id_key).digest())


def list_id(keys: FolderKeys, data: bytes | bytearray | memoryview) -> ListId:
    """Return the id of a packed list; the id of the top list is the content id of its file."""
    return ListId(blake3(data, key=keys.list_id_key).digest())


StatementId = NewType("StatementId", bytes)
"""16 bytes."""

STATEMENT_ID_BYTES: Final = 16
DIGEST_BYTES: Final = 16


def statement_id(signed: bytes) -> StatementId:
    """Return the id of a statement, from the bytes that are signed."""
    return StatementId(blake3(signed).digest(STATEMENT_ID_BYTES))


def digest_of(ids: Iterable[StatementId]) -> bytes:
    """Return 16 bytes that are the same for the same set of statements, in any order."""
    return blake3(b"".join(sorted(set(ids)))).digest(DIGEST_BYTES)
