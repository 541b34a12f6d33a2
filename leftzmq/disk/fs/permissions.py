"""Who may read and write what another device changed: the same as before, and nobody more.

A version that replaces a file takes over its owner, group, mode, ACL and user attributes. Where
this process may not give it all of them, some who could read it cannot any more; the caller says
so. The bits that let a file run as its owner (setuid, setgid) and its capabilities are not taken
over: other bytes must not get them. A file or folder that replaces nothing belongs to whom its
folder belongs, as far as this process may give it away, and is open to those to whom its folder is
open.

Knows owners, modes and extended attributes. Must not know versions, nor why a file changes.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from leftzmq.disk.fs.errno_meaning import is_gone, trouble_of
from leftzmq.disk.fs.interface import ACL_NAME, Directory, File, Owned, Stat, with_exec
from leftzmq.tree.conflict import read_name
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import name_of, parent_of

_MAY_NOT: Final = frozenset(
    (
        errno.EPERM,
        errno.EACCES,
        errno.EINVAL,  # of a user namespace: it has no such user
        errno.EOPNOTSUPP,
        errno.ENOSYS,
    )
)
_UNREADABLE: Final = "owner, group, mode, ACL and user attributes"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read and write a file, as it was at one moment."""

    owner: int
    group: int
    mode: int
    xattrs: dict[str, bytes]


def access_of(file: File) -> Access:
    """OSError."""
    found = file.stat()
    return Access(found.owner, found.group, found.mode, file.xattrs())


def heir_of(folder: Directory, path: str) -> str:
    """The name in this open folder of the file whose access a new version of `path` takes over: its
    own; for a conflict copy that is not there yet, that of the file it is a copy of; "": none."""
    for name in (name_of(path), _copied(path)):
        found = folder.stat(name) if name else None
        if found is not None:
            return name if found.kind is Kind.FILE else ""
    return ""


def keep(target: File, source: File, exec: bool) -> str:
    """Let `target` have what `source` has of owner, group, mode, ACL and user attributes; the x
    bits are those of `exec`. What could not be kept, in words; "": everything was.

    Whatever cannot be kept never lets in anybody who was kept out before. OSError.
    """
    before = source.stat()
    return _keep(target, before, source.xattrs(), exec)


def keep_from(target: File, folder: Directory, name: str, exec: bool) -> tuple[Access | None, str]:
    """As `keep`, with the file of that name; and what was read of it (None: it cannot be opened, so
    that nobody but the owner may read the target). OSError."""
    try:
        source = folder.open_read(name)
    except OSError as error:
        if trouble_of(error).passes:
            raise  # it says nothing of who may
        _clear_acl(target, target.xattrs())
        target.set_mode(with_exec(0o600, exec))
        found = None if is_gone(error) else folder.stat(name)
        if found is None or found.kind is not Kind.FILE:
            return None, ""  # a user was quicker
        return None, "" if _is_for_nobody_else(found, target.stat()) else _UNREADABLE
    with source:
        seen = access_of(source)
        return seen, _keep(target, source.stat(), seen.xattrs, exec)


def _is_for_nobody_else(found: Stat, target: Stat) -> bool:
    """No more than the owner may read or write it, and the target has the same. An ACL gives others
    nothing where the mode's bits for the group, which are then its mask, are none: acl(5)."""
    return found.mode & 0o077 == 0 and found.owner == target.owner


def _keep(target: File, before: Stat, wanted: dict[str, bytes], exec: bool) -> str:
    has = target.xattrs()
    owner_kept, group_kept = _give(target, target.stat(), before)
    lost = [] if owner_kept else [f"owner {before.owner}"]
    lost += [] if group_kept else [f"group {before.group}"]
    if not _same_user_attributes(target, has, wanted):
        lost.append("user attributes")
    mode = before.mode & 0o777 | 0o400
    if exec != before.exec:
        mode = with_exec(mode, exec)
    acl = wanted.get(ACL_NAME)
    if acl is None:
        # One that the folder gives every new file may let in whom the old one did not.
        if not _clear_acl(target, has):
            mode &= 0o700
            lost.append("mode")
    elif not group_kept or not _is_set(target, has, ACL_NAME, acl):
        _clear_acl(target, target.xattrs())
        mode &= 0o700  # what the others may is said by the ACL together with the bits
        lost.append("ACL")
    if not group_kept:
        mode = _without_group(mode)
    target.set_mode(mode)
    return ", ".join(lost)


def give_new(file: File, folder: Directory, exec: bool) -> None:
    """A file that replaces none, in its open folder. OSError."""
    _, group_kept = _give(file, file.stat(), folder.own_stat())
    mode = folder.new_mode(exec)
    file.set_mode(mode if group_kept else _without_group(mode))


def is_new(found: Stat, folder: Directory, exec: bool) -> bool:
    """Whether this is the stat of a file to which `give_new` has nothing more to give. OSError."""
    above = folder.own_stat()
    same = (found.owner, found.group) == (above.owner, above.group)
    return same and found.mode == folder.new_mode(exec)


def make_folder(folder: Directory, name: str) -> None:
    """A new folder, with whom its parent has. FileExistsError; OSError."""
    above = folder.own_stat()
    mode = folder.new_mode(True) & (above.mode | 0o700)
    # Before its group is known to be that of its parent, it is for nobody's group.
    folder.make_folder(name, _without_group(mode))
    made = folder.stat(name)
    if made is None or made.kind is not Kind.DIRECTORY:
        return  # a user was quicker; who made it looks what is there
    is_given = (made.owner, made.group) == (above.owner, above.group)
    if is_given and made.mode & 0o777 == mode:
        return
    with suppress(FileNotFoundError, NotADirectoryError), folder.folder(name) as inner:
        if inner.own_stat().inode != made.inode or inner.names():
            return  # not the one that was made, or somebody works in it already
        _, group_kept = _give(inner, made, above)
        if group_kept:
            inner.set_mode(mode)


def _copied(path: str) -> str:
    """The name of the file that `path` is a conflict copy of; "": it is none."""
    copy = read_name(path)
    return "" if copy is None or parent_of(copy.path) != parent_of(path) else name_of(copy.path)


def _give(target: Owned, now: Stat, like: Stat) -> tuple[bool, bool]:
    """Whether it has the owner, and the group, of `like` now. OSError."""
    owner, group = now.owner == like.owner, now.group == like.group
    if not owner and _allowed(target, like.owner, -1 if group else like.group):
        return True, True
    if not group and _allowed(target, -1, like.group):
        return owner, True
    return owner, group


def _allowed(target: Owned, owner: int, group: int) -> bool:
    try:
        target.set_owner(owner, group)
    except OSError as error:
        if error.errno not in _MAY_NOT:
            raise
        return False
    return True


def _without_group(mode: int) -> int:
    """The group is another one: its members were others so far, and those of the old one are others
    from now on. Neither gets more than both had."""
    both = mode >> 3 & mode & 0o7
    return mode & ~0o077 | both << 3 | both


def _same_user_attributes(target: File, has: dict[str, bytes], wanted: dict[str, bytes]) -> bool:
    same = True
    for name in has.keys() - wanted.keys() - {ACL_NAME}:
        same &= _removed(target, name)
    for name in wanted.keys() - {ACL_NAME}:
        same &= _is_set(target, has, name, wanted[name])
    return same


def _is_set(target: File, has: dict[str, bytes], name: str, value: bytes) -> bool:
    if has.get(name) == value:
        return True
    try:
        target.set_xattr(name, value)
    except OSError as error:
        if error.errno not in _MAY_NOT:
            raise
        return False
    return True


def _removed(target: File, name: str) -> bool:
    try:
        target.remove_xattr(name)
    except OSError as error:
        if error.errno not in _MAY_NOT:
            raise
        return False
    return True


def _clear_acl(target: File, has: dict[str, bytes]) -> bool:
    return ACL_NAME not in has or _removed(target, ACL_NAME)
