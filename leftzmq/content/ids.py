"""The id of a chunk and the id of a list: keyed BLAKE3 over their bytes.

Knows two keys, so that no file's bytes can be taken for a list. Must not know what the bytes mean.
"""

from __future__ import annotations

from typing import NewType

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
