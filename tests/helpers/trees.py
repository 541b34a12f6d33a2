"""Short names for versions, so that tables of tests are easy to read."""

from __future__ import annotations

from leftzmq.tree.entry import ContentId, Entry, Kind, Observed, local_change, tombstone
from leftzmq.tree.version import Life, make_life

S_NS = 1_000_000_000


def life(device: str, start: int = 0) -> Life:
    """Returns the life of a one-letter device in its start-th start."""
    return make_life(device.encode() * 4, 1_700_000_000 + start, bytes(4))


def content(text: str) -> ContentId:
    """Returns a content id that differs for each text."""
    return ContentId(text.encode().ljust(32, b"."))


def file(path: str = "p", text: str = "one", mtime: int = 10, exec: bool = False) -> Observed:
    mode = 0o755 if exec else 0o644
    return Observed(path, Kind.FILE, len(text), mtime * S_NS, exec, content(text), mode=mode)


def folder(path: str = "p") -> Observed:
    return Observed(path, Kind.DIRECTORY)


def link(path: str = "p", target: str = "there", mtime: int = 10) -> Observed:
    return Observed(path, Kind.SYMLINK, 0, mtime * S_NS, False, ContentId(target.encode()))


def made(by: str, what: Observed, base: Entry | None = None, number: int = 1) -> Entry:
    """Returns the version that device `by` makes of an observed file."""
    known = base.permissions if base is not None and base.kind is what.kind else None
    return local_change(what, base, life(by), number, known)


def deleted(by: str, base: Entry, number: int = 2, now: int = 20) -> Entry:
    return tombstone(base, life(by), number, now * S_NS)
