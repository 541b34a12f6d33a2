"""Checks of an entry that types cannot express: a version that contradicts itself is refused.

Knows WireEntry and tree.Entry and converts one into the other. Must not know who sent it, or why.
"""

from __future__ import annotations

from typing import NoReturn

from msgspec.structs import astuple

from leftzmq.content.cut import ONE_CHUNK_MAX_BYTES
from leftzmq.content.lists import MAX_LEVELS
from leftzmq.errors import Refusal, Refused
from leftzmq.tree.entry import (
    ID_BYTES,
    MAX_LINK_BYTES,
    MAX_SIZE,
    OWNERS_BITS,
    ContentId,
    Entry,
    Kind,
)
from leftzmq.tree.permissions import ALL_BITS, RUN_BITS, Permissions
from leftzmq.tree.rules import check_path
from leftzmq.tree.version import MAX_COUNTER, MAX_STAMP, MAX_WRITERS, PRIVATE, Life, Vector
from leftzmq.wire.messages import WireEntry, WirePermissions


def check_entry(wire: WireEntry) -> Entry:
    """Return the entry that `wire` stands for.

    Raises Refused: PATH_*, BAD_ENTRY, BAD_LINK, BAD_VECTOR, OUT_OF_RANGE; the detail names the
    path. A device that sends such an entry is dropped.
    """
    path = check_path(wire.path)
    try:
        kind = Kind(wire.kind)
    except ValueError as error:
        raise Refused(Refusal.BAD_ENTRY, f"{path!r}: kind {wire.kind}") from error
    if not 0 <= wire.size <= MAX_SIZE or not -MAX_STAMP <= wire.stamp <= MAX_STAMP:
        raise Refused(Refusal.OUT_OF_RANGE, f"{path!r}: size {wire.size}, stamp {wire.stamp}")
    _check_content(path, kind, wire.content)
    _check_attributes(path, kind, wire)
    return Entry(
        path=path,
        kind=kind,
        size=wire.size,
        mtime_ns=wire.mtime_ns,
        exec=wire.exec,
        content=ContentId(wire.content),
        depth=wire.depth,
        vector=_vector(path, wire),
        writer=Life(wire.writer),
        stamp=wire.stamp,
        deleted=wire.deleted,
        permissions=_permissions(path, kind, wire.permissions),
    )


def to_wire(entry: Entry) -> WireEntry:
    """Return the WireEntry of an entry; the inverse of `check_entry`."""
    said = entry.permissions
    return WireEntry(
        path=entry.path,
        kind=int(entry.kind),
        size=entry.size,
        mtime_ns=entry.mtime_ns,
        exec=entry.exec,
        content=entry.content,
        depth=entry.depth,
        vector=entry.vector.pack(),
        writer=entry.writer,
        stamp=entry.stamp,
        deleted=entry.deleted,
        permissions=None if said is None else WirePermissions(*astuple(said)),
    )


def fields_of(wire: WireEntry) -> tuple[object, ...]:
    """Return the fields that are sent of it."""
    return astuple(wire)[: None if wire.permissions else -1]


def _check_content(path: str, kind: Kind, content: bytes) -> None:
    if kind is Kind.FILE and len(content) != ID_BYTES:
        _bad_entry(path, f"a file's content id has {len(content)} bytes")
    if kind is Kind.DIRECTORY and content:
        _bad_entry(path, "a folder with a content id")
    if kind is Kind.SYMLINK:
        if not 0 < len(content) <= MAX_LINK_BYTES or b"\0" in content:
            raise Refused(Refusal.BAD_LINK, repr(path))
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise Refused(Refusal.BAD_LINK, repr(path)) from error


def _check_attributes(path: str, kind: Kind, wire: WireEntry) -> None:
    if wire.deleted or kind is not Kind.FILE:
        if wire.size or wire.mtime_ns or wire.exec or wire.depth:
            what = "a tombstone" if wire.deleted else f"a {kind.name.lower()}"
            _bad_entry(path, f"{what} with a size, an mtime, an exec bit or a depth")
    elif not 0 <= wire.depth <= MAX_LEVELS or (wire.depth == 0) != (
        wire.size <= ONE_CHUNK_MAX_BYTES
    ):
        _bad_entry(path, f"{wire.size} bytes with {wire.depth} levels of lists")


def _permissions(path: str, kind: Kind, wire: WirePermissions | None) -> Permissions | None:
    if wire is None:
        return None
    if kind is Kind.SYMLINK or (kind is Kind.DIRECTORY and wire.mask == RUN_BITS):
        _bad_entry(path, f"a {kind.name.lower()} with a register of {wire.mask:o}")
    if wire.writer == PRIVATE:
        _bad_entry(path, "a register that is told to nobody")
    needed = {ALL_BITS: OWNERS_BITS[kind], RUN_BITS: 0}.get(wire.mask)
    if needed is None or wire.bits & ~wire.mask or wire.bits & needed != needed:
        _bad_entry(path, f"mode {wire.bits:o} of {wire.mask:o}")
    return Permissions(wire.number, Life(wire.writer), wire.bits, wire.mask)


def _vector(path: str, wire: WireEntry) -> Vector:
    try:
        vector = Vector.unpack(wire.vector)
    except ValueError as error:
        raise Refused(Refusal.BAD_VECTOR, f"{path!r}: {error}") from error
    pairs = vector.pairs
    if len(pairs) > MAX_WRITERS:
        raise Refused(Refusal.BAD_VECTOR, f"{path!r}: {len(pairs)} writers")
    if any(pairs[at][0] >= pairs[at + 1][0] for at in range(len(pairs) - 1)):
        raise Refused(Refusal.BAD_VECTOR, f"{path!r}: writers are not in strict order")
    if not all(1 <= counter <= MAX_COUNTER for _, counter in pairs):
        raise Refused(Refusal.BAD_VECTOR, f"{path!r}: a counter is outside 1 to 2^53")
    if vector.counter(PRIVATE):
        raise Refused(Refusal.BAD_VECTOR, f"{path!r}: a version that is told to nobody")
    if not vector.counter(Life(wire.writer)):
        raise Refused(Refusal.BAD_VECTOR, f"{path!r}: the version's writer is not in it")
    return vector


def _bad_entry(path: str, what: str) -> NoReturn:
    raise Refused(Refusal.BAD_ENTRY, f"{path!r}: {what}")
