"""Sets who may read and write a file that another device changed: the same users as before, and
nobody else.

A version that replaces a file takes over its owner, group, mode, ACL and user attributes. If this
process may not set all of them, some users lose their access, and the caller reports that. The bits
that let a file run as its owner (setuid, setgid) and its capabilities are not taken over: other
bytes must not get them. A file or folder that replaces nothing gets the owner and group of its
parent folder, as far as this process may set them. It is open to the users to whom the parent
folder is open.

Knows owners, modes and extended attributes. Must not know versions, nor why a file changes.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Final

from msgspec import Struct

from leftzmq.disk.fs.errno_meaning import is_gone, trouble_of
from leftzmq.disk.fs.interface import (
    ACL_NAME,
    PRIVATE_MODE,
    Directory,
    File,
    Owned,
    Stat,
    with_wanted,
)
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.conflict import read_name
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import name_of, parent_of

_MAY_NOT: Final = frozenset(
    (
        errno.EPERM,
        errno.EACCES,
        errno.EINVAL,  # a user namespace has no such user
        errno.EOPNOTSUPP,
        errno.ENOSYS,
    )
)
_OWNERS_BITS: Final = 0o700
_ANY_MODE: Final = Attributes(0, exec=False)
_UNREADABLE: Final = "owner, group, mode, ACL and user attributes"


class Access(Struct, frozen=True):
    """Who may read and write a file, as it was at one moment."""

    owner: int
    group: int
    mode: int
    xattrs: dict[str, bytes]


def access_of(file: File) -> Access:
    """The present access of an open file. OSError."""
    found = file.stat()
    return Access(found.owner, found.group, found.mode, file.xattrs())


def heir_of(folder: Directory, path: str) -> str:
    """The name, in this open folder, of the file whose access a new version of `path` takes over:
    the file at `path`, or for a conflict copy that is not there yet, the file that it is a copy of.
    "": no file. OSError."""
    for name in (name_of(path), _copied(path)):
        found = folder.stat(name) if name else None
        if found is not None:
            return name if found.kind is Kind.FILE else ""
    return ""


def keep(target: File, source: File, wanted: Attributes) -> str:
    """Give `target` the owner, group, ACL and user attributes of `source`, and its mode, with what
    is wanted of it. Returns what could not be kept, in words; "": everything was kept.

    A user without access to `source` never gets access to `target`. OSError.
    """
    before = source.stat()
    return _keep(target, before, source.xattrs(), wanted)


def keep_from(
    target: File, folder: Directory, name: str, wanted: Attributes
) -> tuple[Access | None, str]:
    """As `keep`, with the file `name` as the source. Returns its access and what could not be kept.
    The access is None if the file cannot be opened; then only the owner may read the target, unless
    nobody else may read the source and this target is wanted for others. OSError."""
    try:
        source = folder.open_read(name)
    except OSError as error:
        if trouble_of(error).passes:
            raise  # a passing error says nothing about permissions
        found = None if is_gone(error) else folder.stat(name)
        if found is None or found.kind is not Kind.FILE:
            give_new(target, folder, wanted)  # a user has deleted or replaced it already
            return None, ""
        _clear_acl(target, target.xattrs())
        private, own = with_wanted(PRIVATE_MODE, wanted), target.stat()
        if not _is_for_nobody_else(found, own):
            target.set_mode(private & _OWNERS_BITS)
            return None, _UNREADABLE
        # No ACL of the source gives anything to others: what is wanted says all.
        target.set_mode(private if found.group == own.group else _without_group(private))
        return None, ""
    with source:
        seen = access_of(source)
        return seen, _keep(target, source.stat(), seen.xattrs, wanted)


def _is_for_nobody_else(found: Stat, target: Stat) -> bool:
    """Whether only the owner may read or write the file, and the target has the same owner. With an
    ACL the mode's group bits are its mask: if they are 0, the ACL gives nothing to others,
    acl(5)."""
    return found.mode & 0o077 == 0 and found.owner == target.owner


def _keep(target: File, before: Stat, xattrs: dict[str, bytes], wanted: Attributes) -> str:
    has = target.xattrs()
    owner_kept, group_kept = _give(target, target.stat(), before)
    lost = [] if owner_kept else [f"owner {before.owner}"]
    lost += [] if group_kept else [f"group {before.group}"]
    if not _same_user_attributes(target, has, xattrs):
        lost.append("user attributes")
    mode = before.mode & 0o777 | 0o400
    if wanted.bits is not None or wanted.exec != before.exec:
        mode = with_wanted(mode, wanted)
    acl = xattrs.get(ACL_NAME)
    if acl is None:
        # The folder's default ACL may give access to users who had none to the old file.
        if not _clear_acl(target, has):
            mode &= 0o700
            lost.append("mode")
    elif not group_kept or not _is_set(target, has, ACL_NAME, acl):
        _clear_acl(target, target.xattrs())
        mode &= 0o700  # without the ACL these bits would give others different rights
        lost.append("ACL")
    if not group_kept:
        mode = _without_group(mode)
    target.set_mode(mode)
    return ", ".join(lost)


def give_new(file: File, folder: Directory, wanted: Attributes) -> None:
    """Set owner, group and mode of a file that replaces none, in its open folder. OSError."""
    _, group_kept = _give(file, file.stat(), folder.own_stat())
    mode = _new_mode(folder, wanted)
    file.set_mode(mode if group_kept else _without_group(mode))


def is_new(found: Stat, folder: Directory, wanted: Attributes) -> bool:
    """Whether this stat already has all that `give_new` would set. OSError."""
    above = folder.own_stat()
    same = (found.owner, found.group) == (above.owner, above.group)
    return same and found.mode == _new_mode(folder, wanted)


def _new_mode(folder: Directory, wanted: Attributes) -> int:
    """The mode of a file that replaces none: what is wanted, or, where that is not known, what the
    folder allows."""
    return folder.new_mode(wanted.exec) if wanted.bits is None else wanted.bits


def make_folder(folder: Directory, name: str, wanted: Attributes = _ANY_MODE) -> None:
    """Make a folder with the owner and group of its parent, and with the mode that is wanted or,
    where that is not known, that its parent allows. FileExistsError; OSError."""
    above = folder.own_stat()
    mode = wanted.bits or folder.new_mode(True) & (above.mode | 0o700)
    # Until it has the group of its parent, its group gets no access of its own.
    folder.make_folder(name, _without_group(mode))
    made = folder.stat(name)
    if made is None or made.kind is not Kind.DIRECTORY:
        return  # a user has replaced it already; the caller checks what is there
    is_given = (made.owner, made.group) == (above.owner, above.group)
    if is_given and made.mode & 0o777 == mode:
        return
    with suppress(FileNotFoundError, NotADirectoryError), folder.folder(name) as inner:
        if inner.own_stat().inode != made.inode or inner.names():
            return  # it is not the folder that was made, or a user works in it already
        _, group_kept = _give(inner, made, above)
        if group_kept:
            inner.set_mode(mode)


def _copied(path: str) -> str:
    """The name of the file that `path` is a conflict copy of; "": it is no copy."""
    copy = read_name(path)
    return "" if copy is None or parent_of(copy.path) != parent_of(path) else name_of(copy.path)


def _give(target: Owned, now: Stat, like: Stat) -> tuple[bool, bool]:
    """Give `target` the owner and group of `like`. Returns whether it has the owner, and whether it
    has the group. OSError."""
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
    """The mode for a file whose group could not be kept. Members of the new group were "others"
    before, and members of the old group are "others" now. Both get only the bits that group and
    others had in common."""
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
