"""The two renames that never overwrite anything unchecked, and their replacements where renameat2
is missing or the file system does not know its flags. Only disk/fs uses them.

Knows renameat2, links and errno. Must not know folders, or what is renamed.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from leftzmq.disk.fs import linux
from leftzmq.tree.rules import LEFTING_SUFFIX

_NOT_KNOWN_HERE: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_NEITHER: Final = (
    "the file system can neither exchange two names nor link a file: the old version of a file is "
    "moved aside before the new one gets its name, and a program that makes a file of that name in "
    "that instant can lose it"
)
_LINKS_ASIDE: Final = (
    "the file system cannot exchange two names: a file is linked aside before it is replaced, "
    "and a program that renames over the same name in that instant can lose its version"
)


def rename_new(fd: int, old: bytes, to_fd: int, new: bytes) -> None:
    """Rename `old` in the directory `fd` to `new` in `to_fd`. FileExistsError if `new` is taken."""
    _either(
        lambda: linux.renameat2(fd, old, to_fd, new, linux.RENAME_NOREPLACE),
        lambda: _link_then_unlink(fd, old, to_fd, new),
    )


def exchange(fd: int, old: bytes, to_fd: int, new: bytes) -> None:
    """Exchange two names. OSError(EOPNOTSUPP) if the file system has no way to do it."""
    _either(
        lambda: linux.renameat2(fd, old, to_fd, new, linux.RENAME_EXCHANGE),
        lambda: _link_aside_then_rename(fd, old, to_fd, new),
    )


def missing_at(fd: int, name: bytes, other: bytes) -> tuple[str, ...]:
    """Sentences that say what this file system lacks. The test uses two files in the directory
    `fd`; they may be exchanged afterwards. disk/fs/linux says if renameat2 itself is missing."""
    if linux.HAS_RENAMEAT2:
        try:
            linux.renameat2(fd, name, fd, other, linux.RENAME_EXCHANGE)
            return ()
        except OSError as error:
            if error.errno not in _NOT_KNOWN_HERE:
                raise
    try:
        _link_aside_then_rename(fd, name, fd, other)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return (_NEITHER,)
    return (_LINKS_ASIDE,) if linux.HAS_RENAMEAT2 else ()


def _either(call: Callable[[], None], instead: Callable[[], None]) -> None:
    if linux.HAS_RENAMEAT2:
        try:
            return call()
        except OSError as error:
            if error.errno not in _NOT_KNOWN_HERE:
                raise
    return instead()


def _link_then_unlink(fd: int, old: bytes, to_fd: int, new: bytes) -> None:
    """link(2) fails if the new name is taken, as RENAME_NOREPLACE does. A crash between link and
    unlink leaves two names of one file. A folder cannot be linked, nor a file on a file system
    without links: there the new name is checked, then the old one is renamed."""
    found = os.stat(old, dir_fd=fd, follow_symlinks=False)
    if not modes.S_ISDIR(found.st_mode):
        try:
            os.link(old, new, src_dir_fd=fd, dst_dir_fd=to_fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (*_NOT_KNOWN_HERE, errno.EPERM):
                raise
        else:
            os.unlink(old, dir_fd=fd)
            return
    try:
        os.stat(new, dir_fd=to_fd, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=fd, dst_dir_fd=to_fd)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(new))


def _link_aside_then_rename(fd: int, old: bytes, to_fd: int, new: bytes) -> None:
    """Exchange without a moment in which the final name has no file: the file at `new` gets a link
    aside, is replaced, then the link is renamed to `old`. Where links are impossible, nothing is
    done: the caller moves the file away first (disk/apply/swap)."""
    inode = os.stat(new, dir_fd=to_fd, follow_symlinks=False).st_ino
    os.stat(old, dir_fd=fd, follow_symlinks=False)
    # The name contains the inode: an aside that a crash left is another link to this very file.
    mark = blake2b(b"%d %s" % (inode, new), digest_size=8).hexdigest()
    aside = f".{mark}.old{LEFTING_SUFFIX}".encode()
    try:
        os.link(new, aside, src_dir_fd=to_fd, dst_dir_fd=to_fd, follow_symlinks=False)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in (*_NOT_KNOWN_HERE, errno.EPERM):
            raise
        raise OSError(errno.EOPNOTSUPP, _NEITHER, os.fsdecode(new)) from error
    os.rename(old, new, src_dir_fd=fd, dst_dir_fd=to_fd)
    _link_then_unlink(to_fd, aside, fd, old)
