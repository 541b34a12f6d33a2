"""The name and the entry of a conflict copy, and what its name says.

Both are made from the losing version alone. So every device that makes the copy makes the SAME one,
and a user's edit or delete of the copy is above all of them.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.tree.entry import Entry, Kind, private
from leftzmq.tree.path import join, name_of, parent_of
from leftzmq.tree.rules import MAX_NAME_BYTES
from leftzmq.tree.version import device_letters

CONFLICT_MARK: Final = ".conflict-"
HEX_DIGITS: Final = 4
"""Digits of the content's id in a copy's name; more where a file with other bytes has that name."""
MAX_DIGITS: Final = 64

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_COPY: Final = re.compile(
    r"(?P<stem>.+)\.conflict-(?P<time>\d{8}-\d{6})-(?P<device>[A-Z2-7]{7})-(?P<digits>[0-9a-f]{1,64})"
    r"(?P<extension>\.[^.]*)?",
    re.ASCII | re.DOTALL,
)


class CopyName(Struct, frozen=True):
    """What the name of a conflict copy says.

    path: of the file that it is a copy of; of a very long name only the part that was kept
    time: YYYYMMDD-HHMMSS, UTC
    device: the letters of the device that wrote it (version.device_letters)
    """

    path: str
    time: str
    device: str
    digits: str


def read_name(path: str) -> CopyName | None:
    """The inverse of `conflict_path`; None: this is not the name of a conflict copy."""
    if CONFLICT_MARK not in path:
        return None
    found = _COPY.fullmatch(name_of(path))
    if found is None:
        return None
    name = found["stem"] + (found["extension"] or "")
    return CopyName(join(parent_of(path), name), found["time"], found["device"], found["digits"])


def is_conflict_name(path: str) -> bool:
    """Whether the last component of `path` has the form that `conflict_path` makes."""
    return read_name(path) is not None


def is_copy_of(copy: str, path: str) -> bool:
    """Whether `copy` is named as a conflict copy of `path`."""
    found = read_name(copy)
    return found is not None and found.path == path


def copies_between(path: str) -> tuple[str, str]:
    """Two paths between which all conflict copies of `path` sort. Not all paths between them are
    copies."""
    stem, _ = _split(name_of(path))
    low = join(parent_of(path), stem + CONFLICT_MARK)
    return low, low[:-1] + chr(ord(low[-1]) + 1)


def kept_path(copy: CopyName, device: str, *, again: bool = False) -> str:
    """`name (DEVICE DATE TIME).ext`: the name of a copy that a user keeps as a file of its own.

    device: what a person calls the device
    again: adds the digits, where that name is taken
    """
    stem, extension = _split(name_of(copy.path))
    clear = "".join(c if c.isprintable() and c != "/" else "-" for c in device)
    day, clock = copy.time.split("-")
    mark = f" ({clear} {day[:4]}-{day[4:6]}-{day[6:]} {clock}"
    tail = f"{mark} {copy.digits})" if again else f"{mark})"
    return join(parent_of(copy.path), _fitted(stem, tail, extension))


def conflict_path(loser: Entry, digits: int = HEX_DIGITS) -> str:
    """`name.conflict-YYYYMMDD-HHMMSS-DEVICE-CCCC.ext` beside the path of `loser`.

    The time is the UTC of its mtime; the stem is cut at a character so that 255 bytes hold all.
    """
    mark = f"{CONFLICT_MARK}{_utc(loser.mtime_ns)}-{device_letters(loser.writer)}-"
    mark += _id_of(loser)[:digits]
    stem, extension = _split(name_of(loser.path))
    return join(parent_of(loser.path), _fitted(stem, mark, extension))


def _id_of(loser: Entry) -> str:
    """MAX_DIGITS digits. For a link, a hash of its target: most targets begin with the same
    characters, and a link has no mtime that would tell two copies apart."""
    if loser.kind is Kind.SYMLINK:
        return hashlib.blake2b(loser.content, digest_size=MAX_DIGITS // 2).hexdigest()
    return loser.content.hex()


def _split(name: str) -> tuple[str, str]:
    """The stem, and the extension with its dot. A name without a dot, or of a
    dotfile, is all stem."""
    stem, dot, extension = name.rpartition(".")
    return (stem, dot + extension) if stem else (name, "")


def _fitted(stem: str, mark: str, extension: str) -> str:
    """The three as one name; the stem is cut at a character so that 255 bytes hold all."""
    if len((mark + extension).encode()) >= MAX_NAME_BYTES:  # 200 bytes are no extension
        stem, extension = stem + extension, ""
    room = MAX_NAME_BYTES - len((mark + extension).encode())
    return stem.encode()[:room].decode(errors="ignore") + mark + extension


def conflict_copy(loser: Entry, path: str) -> Entry:
    """The copy's entry: the loser's vector, writer, stamp, mtime and exec, under another path. The
    copy of a private version is one of a path where nobody else has anything."""
    copy = replace(loser, path=path)
    return private(copy, None, None) if loser.is_private else copy


def _utc(mtime_ns: int) -> str:
    try:
        moment = _EPOCH + timedelta(seconds=mtime_ns // 1_000_000_000)
    except OverflowError:
        moment = _EPOCH
    return moment.strftime("%Y%m%d-%H%M%S")
