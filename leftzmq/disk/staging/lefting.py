"""Names, creates and deletes `.lefting` files, and tells ours from the user's.

A `.lefting` is ours if its inode is the one in the index; any other file with that suffix is the
user's. If a crash came before its inode was learned, a `.lefting` may be either, so it is never
unlinked.

Knows names and inodes. Must not know the content: that is disk/staging/staging.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b
from typing import Final

from leftzmq.disk.fs.errno_meaning import is_gone, raise_if_short
from leftzmq.disk.fs.interface import Directory, File, Root, Stat
from leftzmq.disk.trash.trash import Spot, Trash
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import join, name_of, parent_of
from leftzmq.tree.plan import Staged
from leftzmq.tree.rules import LEFTING_SUFFIX, MAX_NAME_BYTES

HASHED_NAMES: Final = 8  # as many power cuts may hit one file before anybody cleans up
HASH_BYTES: Final = 8  # HASH16: 16 hex digits in the name of a .lefting for a name that is too long


def lefting_path(path: str) -> str:
    """The first choice for the path of the `.lefting` of `path`, in the same folder."""
    # Asked several times for each file that comes: nearly all names are short, and of one byte a
    # letter.
    name_letters = len(path) - path.rfind("/") - 1
    if path.isascii() and name_letters + len(LEFTING_SUFFIX) <= MAX_NAME_BYTES:
        return path + LEFTING_SUFFIX
    return next(lefting_paths(path))


def lefting_paths(path: str) -> Iterator[str]:
    """The paths for the `.lefting` of `path`, in the order in which they are tried. An earlier name
    may be taken: by a user's file, or by a `.lefting` whose index row a power cut has lost. A name
    over 255 bytes is hashed."""
    above, whole = parent_of(path), name_of(path) + LEFTING_SUFFIX
    if len(whole.encode()) <= MAX_NAME_BYTES:
        yield join(above, whole)
    for number in range(HASHED_NAMES):
        said = path.encode() + number.to_bytes(1, "big") if number else path.encode()
        hashed = blake2b(said, digest_size=HASH_BYTES).hexdigest()
        yield join(above, f".{hashed}{LEFTING_SUFFIX}")


class Unlearned(OSError):
    """A `.lefting` was made, but its inode could not be read. `staged` has its path alone, and no
    other name is meant by it."""

    def __init__(self, error: OSError, staged: Staged) -> None:
        super().__init__(error.errno, error.strerror, staged.path)
        self.staged = staged


def create_lefting(folder: Directory, path: str) -> tuple[File, Staged]:
    """Create a `.lefting` for `path` in its open folder. Returns it open, with its path and inode.

    Raises FileExistsError if all names are taken by files that are not ours; Unlearned; OSError.
    """
    for name in lefting_paths(path):
        try:
            file = folder.create(name_of(name))
        except FileExistsError:
            continue
        try:
            # Some file systems number nothing: their inode 0 says nothing.
            return file, Staged(name, file.stat().inode or None)
        except OSError as error:
            file.close()
            raise Unlearned(error, Staged(name, None, unread=True)) from error
    raise FileExistsError(path)


def is_ours(found: Stat | None, staged: Staged) -> bool:
    """Whether this is the stat of the file that we staged, by its inode."""
    if found is None or found.kind is not Kind.FILE:
        return False
    return staged.inode is not None and found.inode == staged.inode


def is_there(root: Root, staged: Staged) -> bool:
    """Whether the file that we staged is still there. OSError if that cannot be told."""
    try:
        with root.folder(parent_of(staged.path)) as folder:
            return is_ours(folder.stat(name_of(staged.path)), staged)
    except OSError as error:
        if is_gone(error):
            return False
        raise


def is_flushed(root: Root, staged: Staged) -> bool:
    """Flush a file that we staged. False only if the flush failed; True also if the file could not
    be opened. Raises OSError if the error says nothing about the file."""
    try:
        with root.folder(parent_of(staged.path)) as folder:
            file = folder.open_read(name_of(staged.path))
    except OSError as error:
        raise_if_short(error)
        return True
    with file:
        try:
            if is_ours(file.stat(), staged):
                file.flush()
        except OSError:
            return False
    return True


def is_swapped(root: Root, staged: Staged, path: str, old: ScanKey | None) -> bool:
    """Whether a crash came right after the exchange: another file has the name of the `.lefting`,
    and the file that we staged is at `path`. A user may have moved, deleted or replaced that one
    since: then `old`, the stat of our version at `path`, tells. OSError if that cannot be told."""
    try:
        with root.folder(parent_of(path)) as folder:
            other = folder.stat(name_of(staged.path))
            if other is None or not staged.is_certain or is_ours(other, staged):
                return False
            if old is not None and _is_still(other, old):
                return True
            return is_ours(folder.stat(name_of(path)), staged)
    except OSError as error:
        if is_gone(error):
            return False
        raise


def _is_still(found: Stat, key: ScanKey) -> bool:
    return found.kind is not None and found.key().same_bytes(key)


def throw_away(folder: Directory, staged: Staged) -> None:
    """Unlink a `.lefting` in its open folder if it is ours, by its inode. OSError."""
    if is_ours(folder.stat(name_of(staged.path)), staged):
        folder.unlink(name_of(staged.path))


def thrown_away(folder: Directory, staged: Staged) -> Staged | None:
    """Unlink a `.lefting` that could not be used. Returns it if that fails, else None."""
    try:
        throw_away(folder, staged)
    except OSError:
        return staged
    return None


def discard(root: Root, staged: Staged, now_ns: int) -> bool:
    """Remove a `.lefting` that nobody needs any more. Returns whether it may have been there.
    OSError.

    - Ours, by its inode: unlinked.
    - Its inode was never learned: moved to the trash, because it might be a user's. If `.lefting`
      files with the hashed names exist, this one is a user's, and they are moved instead. One that
      was certainly made under this name is moved in any case, and they are not.
    - In doubt: one `.lefting` was being deleted while another was made. The one with the inode is
      unlinked first, then the other is treated like one whose inode was never learned.
    - Another file, while ours has another name in the folder: a crash came between the exchange and
      the check, and this file is the old version. Moved to the trash.
    - Any other file: not touched.
    """
    try:
        folder = root.folder(parent_of(staged.path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    with folder:
        if not staged.is_certain:
            throw_away(folder, staged)
            _to_trash(root, folder, _made(folder, staged), now_ns)
        elif is_ours(folder.stat(name_of(staged.path)), staged):
            folder.unlink(name_of(staged.path))
        elif _is_among(folder, staged):
            _to_trash(root, folder, [staged.path], now_ns)
        else:
            return False
    return True


def _made(folder: Directory, staged: Staged) -> list[str]:
    """Under which names it may have been made, if its inode was never learned. OSError."""
    if staged.unread:
        return [staged.path]
    _, *others = lefting_paths(staged.path.removesuffix(LEFTING_SUFFIX))
    return [path for path in others if folder.stat(name_of(path))] or [staged.path]


def _to_trash(root: Root, folder: Directory, paths: Sequence[str], now_ns: int) -> None:
    """Move those of the `paths` in this folder that are files or links to the trash, and flush.
    OSError."""
    touched: list[str] = []
    trash = Trash(root, now_ns, lambda where, _: touched.append(where), partial(_flush, root))
    for path in paths:
        found = folder.stat(name_of(path))
        if found is not None and found.kind in (Kind.FILE, Kind.SYMLINK):
            trash.move_in(Spot(folder, name_of(path), parent_of(path)), path)
    _flush(root, tuple(dict.fromkeys(touched)))


def _flush(root: Root, folders: Sequence[str]) -> None:
    """Flush each of these folders. OSError."""
    for where in folders:
        with root.folder(where) as changed:
            changed.flush()


def _is_among(folder: Directory, staged: Staged) -> bool:
    """Whether the file that we staged has any name in the folder."""
    for raw in folder.names():
        try:
            found = folder.stat(raw.decode())
        except UnicodeDecodeError:
            continue
        if is_ours(found, staged):
            return True
    return False
