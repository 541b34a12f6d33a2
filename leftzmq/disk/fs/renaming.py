"""The two renames that never overwrite anything unseen, and what is done where renameat2 is missing
or the file system does not know its flags.

Knows renameat2, links and errno. Must not know folders, or what is renamed: it is disk/fs's alone.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from leftzmq.disk.fs import linux
from leftzmq.tree.path import LEFTING_SUFFIX

_NOT_KNOWN_HERE: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_NEITHER: Final = (
    "the file system can neither exchange two names nor link a file: what changes elsewhere "
    "cannot replace a file here"
)
_LINKS_ASIDE: Final = (
    "the file system cannot exchange two names: a file is linked aside before it is replaced, "
    "and a program that renames over the same name in that instant can lose its version"
)


def rename_new(fd: int, old: bytes, to_fd: int, new: bytes) -> None:
    """`old` below the directory `fd` becomes `new` below `to_fd`. FileExistsError: it is taken."""
    _either(
        lambda: linux.renameat2(fd, old, to_fd, new, linux.RENAME_NOREPLACE),
        lambda: _link_then_unlink(fd, old, to_fd, new),
    )


def exchange(fd: int, old: bytes, to_fd: int, new: bytes) -> None:
    """Two names change places. OSError(EOPNOTSUPP) where nothing of the kind is possible."""
    _either(
        lambda: linux.renameat2(fd, old, to_fd, new, linux.RENAME_EXCHANGE),
        lambda: _link_aside_then_rename(fd, old, to_fd, new),
    )


def missing_at(fd: int, name: bytes, other: bytes) -> tuple[str, ...]:
    """What this file system lacks, in sentences; tried with two files below `fd`, which may have
    changed places afterwards. That renameat2 itself is missing is said by disk/fs/linux."""
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
    """A link fails where something is, as RENAME_NOREPLACE does; a crash between the two leaves
    two names of one file. A folder, or a file where links cannot be, is renamed after a look."""
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
    """The final name is never without a file: what lies there is linked aside, then replaced,
    then its link takes the other name. Where links cannot be, nothing is done: moving the old
    one away first would leave, after a crash, a hole that the next scan takes for a delete."""
    inode = os.stat(new, dir_fd=to_fd, follow_symlinks=False).st_ino
    os.stat(old, dir_fd=fd, follow_symlinks=False)
    # The inode in the name: an aside that a crash left is another link to this very file.
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
