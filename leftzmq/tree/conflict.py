"""The name and the entry of a conflict copy.

Both are made of the losing version alone, so that every device that makes the copy makes the
SAME one, and a user's edit or delete of it is above all of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from leftzmq.tree.entry import Entry
from leftzmq.tree.path import MAX_NAME_BYTES, join, name_of, parent_of
from leftzmq.tree.version import device_letters

CONFLICT_MARK: Final = ".conflict-"
HEX_DIGITS: Final = 4
"""Digits of the content id in a copy's name; more where other bytes have that name."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_conflict_name(path: str) -> bool:
    """Whether the last component of `path` is made as `conflict_path` makes it."""
    return CONFLICT_MARK in path and CONFLICT_MARK in name_of(path)


def conflict_path(loser: Entry, digits: int = HEX_DIGITS) -> str:
    """`name.conflict-YYYYMMDD-HHMMSS-DEVICE-CCCC.ext` beside the path of `loser`.

    The time is the UTC of its mtime; the stem is cut at a character so that 255 bytes hold all.
    """
    name = name_of(loser.path)
    stem, dot, extension = name.rpartition(".")
    if not stem:  # no dot, or a dotfile: all of it is stem
        stem, dot, extension = name, "", ""
    mark = f"{CONFLICT_MARK}{_utc(loser.mtime_ns)}-{device_letters(loser.writer)}-"
    mark += loser.content.hex()[:digits]
    tail = mark + dot + extension
    if len(tail.encode()) >= MAX_NAME_BYTES:  # an extension of 200 bytes is no extension
        stem, tail = name, mark
    room = MAX_NAME_BYTES - len(tail.encode())
    stem = stem.encode()[:room].decode(errors="ignore")
    return join(parent_of(loser.path), stem + tail)


def conflict_copy(loser: Entry, path: str) -> Entry:
    """The copy's entry: the loser's vector, writer, stamp, mtime and exec, under another path."""
    return replace(loser, path=path)


def _utc(mtime_ns: int) -> str:
    try:
        moment = _EPOCH + timedelta(seconds=mtime_ns // 1_000_000_000)
    except OverflowError:
        moment = _EPOCH
    return moment.strftime("%Y%m%d-%H%M%S")
