"""A device of the mesh whose index lies: files of any size, made of any chunks.

Knows entries and lists. Must not know how the other devices react.
"""

from __future__ import annotations

from leftzmq.content.cut import MAX_CHUNK_BYTES
from leftzmq.content.ids import chunk_id
from leftzmq.content.lists import Listed, build, pack_row
from leftzmq.sync.facts import TimePassed
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.version import Vector
from tests.helpers.mesh import Device

TIB = 1 << 40


def rows(device: Device, shape: str, count: int) -> bytes:
    """Returns packed rows of `count` chunks of 1 MiB. "one": all are the same; "two": two by turns;
    "all": no two are the same."""
    if shape == "all":
        ids = (bytes(28) + at.to_bytes(4, "big") for at in range(count))
        return b"".join(pack_row(id, MAX_CHUNK_BYTES) for id in ids)
    some = [chunk_id(device.keys, b"%d" % at) for at in range(2 if shape == "two" else 1)]
    packed = b"".join(pack_row(id, MAX_CHUNK_BYTES) for id in some)
    return packed * (count // len(some))


def forge(device: Device, *files: tuple[str, str, int]) -> list[Listed]:
    """Put files into the device's index. files: (path, shape, size in bytes) of each. Returns the
    lists that were built for each."""
    made: list[Listed] = []
    index_view, life = device.folder.index_view, device.store.heads.life
    device.folder.scheduler.stopped = True  # so that no walk finds the lie
    for path, shape, size in files:
        listed = build(device.keys, rows(device, shape, size // MAX_CHUNK_BYTES))
        made.append(listed)
        for id, packed in listed.lists:
            device.store.put_list(id, packed)
        sequence = index_view.next_sequence()
        content, vector = ContentId(listed.content), Vector.of([(life, sequence)])
        stamp = 1_800_000_000_000_000_000
        entry = Entry(
            path,
            Kind.FILE,
            size,
            stamp,
            False,
            content,
            listed.depth,
            vector,
            life,
            stamp,
            False,
        )
        index_view.set_ours(index_view.rows(path), entry, sequence, None)
    device.take(TimePassed())
    return made
