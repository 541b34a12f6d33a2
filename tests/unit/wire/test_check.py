"""Entries that contradict themselves do not come in."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from leftzmq.errors import Refusal, Refused
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.permissions import RUN_BITS, Permissions
from leftzmq.tree.version import PRIVATE, Life, Vector
from leftzmq.wire.check import check_entry, to_wire
from leftzmq.wire.messages import WireEntry, WirePermissions
from leftzmq.wire.strict import shaped

CHUNK = 256 << 10
A, B = Life(b"a" * 12), Life(b"b" * 12)

FILE = Entry(
    path="docs/ü.txt",
    kind=Kind.FILE,
    size=5,
    mtime_ns=-1,
    exec=True,
    content=ContentId(bytes(range(32))),
    depth=0,
    vector=Vector.of(((A, 1), (B, 2**53))),
    writer=B,
    stamp=-(2**62),
    deleted=False,
)
FOLDER = replace(
    FILE, path="docs", kind=Kind.DIRECTORY, size=0, mtime_ns=0, exec=False, content=ContentId(b"")
)
LINK = replace(FOLDER, path="link", kind=Kind.SYMLINK, content=ContentId(b"../anything"))
GOOD = {
    "file": FILE,
    "empty file": replace(FILE, size=0),
    "one chunk": replace(FILE, size=CHUNK),
    "one list": replace(FILE, size=CHUNK + 1, depth=1),
    "lists of lists": replace(FILE, size=2**60, depth=4),
    "folder": FOLDER,
    "link": LINK,
    "longest link": replace(LINK, content=ContentId(b"x" * 4095)),
    "absolute link": replace(LINK, content=ContentId(b"/etc/passwd")),
    "highest stamp": replace(FILE, stamp=2**62),
    "tombstone of a file": replace(FILE, size=0, mtime_ns=0, exec=False, deleted=True),
    "tombstone of a folder": replace(FOLDER, deleted=True),
    "tombstone of a link": replace(LINK, deleted=True),
    "all bits": replace(FILE, permissions=Permissions(1, A, 0o640)),
    "the highest register": replace(FILE, permissions=Permissions(2**53, B, 0o777)),
    "x alone": replace(FILE, permissions=Permissions(1, A, 0o111, RUN_BITS)),
    "not to be run": replace(FILE, permissions=Permissions(1, A, 0, RUN_BITS)),
    "tombstone with a register": replace(
        FILE,
        size=0,
        mtime_ns=0,
        exec=False,
        deleted=True,
        permissions=Permissions(7, A, 0o640),
    ),
    "64 writers": replace(
        FILE,
        vector=Vector.of(tuple((Life(bytes([n]) * 12), 1) for n in range(64))),
        writer=bytes(12),
    ),
}


def pairs(*of: tuple[bytes, int]) -> bytes:
    return b"".join(writer + counter.to_bytes(8, "big") for writer, counter in of)


_file, _folder, _link = to_wire(FILE), to_wire(FOLDER), to_wire(LINK)
_grave = to_wire(GOOD["tombstone of a file"])


def but(wire: WireEntry, **changes: object) -> WireEntry:
    return msgspec.structs.replace(wire, **changes)


_SAID = WirePermissions(1, A, 0o640, 0o777)
BAD = {
    "folder with a register": (but(_folder, permissions=_SAID), Refusal.BAD_ENTRY),
    "link with a register": (but(_link, permissions=_SAID), Refusal.BAD_ENTRY),
    "owner may not read": (
        but(_file, permissions=WirePermissions(1, A, 0o240, 0o777)),
        Refusal.BAD_ENTRY,
    ),
    "bits that are not meant": (
        but(_file, permissions=WirePermissions(1, A, 0o444, 0o111)),
        Refusal.BAD_ENTRY,
    ),
    "no such mask": (
        but(_file, permissions=WirePermissions(1, A, 0o600, 0o700)),
        Refusal.BAD_ENTRY,
    ),
    "a private register": (
        but(_file, permissions=WirePermissions(1, PRIVATE, 0o600, 0o777)),
        Refusal.BAD_ENTRY,
    ),
    "escape": (but(_file, path="../x"), Refusal.PATH_UNCLEAN),
    "absolute": (but(_file, path="/x"), Refusal.PATH_ABSOLUTE),
    "empty component": (but(_file, path="a//b"), Refusal.PATH_UNCLEAN),
    "dot component": (but(_file, path="a/./b"), Refusal.PATH_UNCLEAN),
    "NUL": (but(_file, path="a\0b"), Refusal.PATH_NUL),
    "our folder": (but(_file, path=".left/marker"), Refusal.PATH_RESERVED),
    "our folder, folded": (but(_file, path=".LEFT/x"), Refusal.PATH_RESERVED),
    "arriving": (but(_file, path="x.lefting"), Refusal.PATH_RESERVED),
    "long name": (but(_file, path="x" * 256), Refusal.PATH_TOO_LONG),
    "no path": (but(_file, path=""), Refusal.PATH_EMPTY),
    "no such kind": (but(_file, kind=3), Refusal.BAD_ENTRY),
    "file, short id": (but(_file, content=bytes(31)), Refusal.BAD_ENTRY),
    "file, long id": (but(_file, content=bytes(33)), Refusal.BAD_ENTRY),
    "file, no id": (but(_file, content=b""), Refusal.BAD_ENTRY),
    "tombstone, no id": (but(_grave, content=b""), Refusal.BAD_ENTRY),
    "small file with a list": (but(_file, size=CHUNK, depth=1), Refusal.BAD_ENTRY),
    "large file without": (but(_file, size=CHUNK + 1), Refusal.BAD_ENTRY),
    "five levels": (but(_file, size=2**40, depth=5), Refusal.BAD_ENTRY),
    "depth below 0": (but(_file, size=2**40, depth=-1), Refusal.BAD_ENTRY),
    "folder with content": (but(_folder, content=b"x"), Refusal.BAD_ENTRY),
    "folder with size": (but(_folder, size=1), Refusal.BAD_ENTRY),
    "folder with mtime": (but(_folder, mtime_ns=1), Refusal.BAD_ENTRY),
    "folder with exec": (but(_folder, exec=True), Refusal.BAD_ENTRY),
    "folder with depth": (but(_folder, depth=1), Refusal.BAD_ENTRY),
    "link with size": (but(_link, size=1), Refusal.BAD_ENTRY),
    "link with mtime": (but(_link, mtime_ns=1), Refusal.BAD_ENTRY),
    "link with exec": (but(_link, exec=True), Refusal.BAD_ENTRY),
    "link with depth": (but(_link, depth=1), Refusal.BAD_ENTRY),
    "link to nothing": (but(_link, content=b""), Refusal.BAD_LINK),
    "link with NUL": (but(_link, content=b"a\0b"), Refusal.BAD_LINK),
    "link not UTF-8": (but(_link, content=b"caf\xe9"), Refusal.BAD_LINK),
    "link too long": (but(_link, content=b"x" * 4096), Refusal.BAD_LINK),
    "dead link to nothing": (but(_link, content=b"", deleted=True), Refusal.BAD_LINK),
    "tombstone with size": (but(_grave, size=1), Refusal.BAD_ENTRY),
    "tombstone with mtime": (but(_grave, mtime_ns=1), Refusal.BAD_ENTRY),
    "tombstone with exec": (but(_grave, exec=True), Refusal.BAD_ENTRY),
    "tombstone with depth": (but(_grave, depth=1), Refusal.BAD_ENTRY),
    "half a pair": (but(_file, vector=pairs((B, 1))[:-1]), Refusal.BAD_VECTOR),
    "no pair": (but(_file, vector=b""), Refusal.BAD_VECTOR),
    "writers out of order": (but(_file, vector=pairs((B, 1), (A, 1))), Refusal.BAD_VECTOR),
    "a writer twice": (but(_file, vector=pairs((B, 1), (B, 2))), Refusal.BAD_VECTOR),
    "counter 0": (but(_file, vector=pairs((A, 0), (B, 1))), Refusal.BAD_VECTOR),
    "counter above 2^53": (but(_file, vector=pairs((B, 2**53 + 1))), Refusal.BAD_VECTOR),
    "highest counter there is": (but(_file, vector=pairs((B, 2**64 - 1))), Refusal.BAD_VECTOR),
    "writer not in it": (but(_file, vector=pairs((A, 1))), Refusal.BAD_VECTOR),
    "65 writers": (
        but(_file, vector=pairs(*((bytes([n]) * 12, 1) for n in range(34, 99)))),
        Refusal.BAD_VECTOR,
    ),
    "size above 2^60": (but(_file, size=2**60 + 1, depth=4), Refusal.OUT_OF_RANGE),
    "size below 0": (but(_file, size=-1), Refusal.OUT_OF_RANGE),
    "stamp above 2^62": (but(_file, stamp=2**62 + 1), Refusal.OUT_OF_RANGE),
    "stamp below -2^62": (but(_file, stamp=-(2**62) - 1), Refusal.OUT_OF_RANGE),
}


@pytest.mark.parametrize("entry", GOOD.values(), ids=GOOD.keys())
def test_good_entries_go_round(entry: Entry) -> None:
    wire = to_wire(entry)
    assert check_entry(wire) == entry
    plain = msgspec.to_builtins(wire, builtin_types=(bytes,))
    assert shaped(plain, WireEntry) == wire


@pytest.mark.parametrize(("wire", "refusal"), BAD.values(), ids=BAD.keys())
def test_bad_entries_are_refused_by_name(wire: WireEntry, refusal: Refusal) -> None:
    with pytest.raises(Refused) as caught:
        check_entry(wire)
    assert caught.value.refusal is refusal
    if wire.path:
        assert repr(wire.path)[:20].strip("'") in caught.value.detail
