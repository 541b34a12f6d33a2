"""Paths as strings: parents, names, order, and which names some file systems take for one.

A path is relative, uses `/`, is valid UTF-8 and is kept exactly as it is on disk. Must not know
which paths may be synced (tree/rules does).
"""

from __future__ import annotations

from unicodedata import normalize


def folded(path: str) -> str:
    """The same string for all paths that some file systems cannot tell apart, by case or by the
    form of Unicode. No disk folds exactly like this: the disk tells which of several names it
    means."""
    if path.isascii():
        return path.lower()
    return normalize("NFC", normalize("NFD", path).casefold())


def parent_of(path: str) -> str:
    """The directory that holds `path`; "" is the share's root."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """The last component of `path`."""
    return path.rpartition("/")[2]


def folders_above(path: str) -> list[str]:
    """The folders that hold `path`, the innermost first, without the share's root."""
    above: list[str] = []
    while path := parent_of(path):
        above.append(path)
    return above


def join(parent: str, name: str) -> str:
    """The path of `name` in the directory `parent` ("" is the share's root)."""
    return f"{parent}/{name}" if parent else name


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is inside `folder`, and is not `folder` itself."""
    return not folder or path.startswith(folder + "/")


def is_within(path: str, top: str) -> bool:
    """Whether `path` is `top` or is inside it."""
    return path == top or is_below(path, top)


def sort_key(path: str) -> bytes:
    """Bytes whose order is that of a sorted walk: a directory, all that is in it, then its next
    sibling.

    `/` becomes NUL, which no name can contain, so `a/b` sorts before `a-b`. It is also the form in
    which the index stores a path: one walk and one cursor can be merged.
    """
    return path.encode().replace(b"/", b"\0")


def keys_below(folder: str) -> tuple[bytes, bytes]:
    """The open interval of the sort keys below `folder` ("": the share's root)."""
    if not folder:
        return b"", b"\xff"  # no UTF-8 text starts with it
    key = sort_key(folder)
    return key + b"\0", key + b"\1"


def path_of_key(key: bytes) -> str:
    """The inverse of `sort_key`."""
    return key.replace(b"\0", b"/").decode()
