"""`Root`, `Directory` and `File` of disk/fs/interface over a simulated disk, as an agent uses them.

Every call is counted. Before the N-th call something can happen: a crash (which is no Exception, as
no job may catch it), an error of the disk, or a user's change. After a crash the handles of that
life are dead: calls in a `finally` do not reach the disk.

Knows a disk and one life of an agent. Must not know why a call is made.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Self

from leftzmq.disk.fs.interface import (
    CLONE_BYTES,
    PRIVATE_MODE,
    Buffer,
    Stat,
    mode_below,
    with_exec,
    with_wanted,
)
from leftzmq.disk.fs.interface import Directory as AnyFolder
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.entry import Kind

from .disk import Disk, Inode

_OF_ITSELF = ("flush folder", "names", "own_stat", "set_owner", "set_mode")
"""Calls on a folder that name no file in it."""


class Crash(BaseException):
    """The process or the machine ends here."""


def _error(code: int, name: object = "") -> OSError:
    return OSError(code, os.strerror(code), str(name))


def _raw(name: str) -> bytes:
    raw = name.encode()
    if raw in (b"", b".", b"..") or b"/" in raw or b"\0" in raw:
        raise ValueError(f"not a name: {name!r}")
    if len(raw) > 255:
        raise _error(errno.ENAMETOOLONG, name)
    return raw


class Calls:
    """The calls of one life of an agent. before: called ahead of each, with its name and a path.

    named: called with (folder, name, inode) for each name that the agent gave; checks if it may
    wrote: called with each inode that the agent wrote to
    gone:  called with each inode whose last name the agent removed
    takes: called with (folder, name, inode) for each name that the agent is about to move or remove
    respells: the same for a name that it is about to spell otherwise, where it stays
    alters: called with each inode whose attributes the agent is about to change
    """

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.count = 0
        self.dead = False
        self.before: Callable[[str, str], None] = lambda call, path: None
        self.named: Callable[[Inode, bytes, Inode], None] = lambda folder, name, inode: None
        self.wrote: Callable[[Inode], None] = lambda inode: None
        self.gone: Callable[[Inode, bytes, Inode], None] = lambda folder, name, inode: None
        self.takes: Callable[[Inode, bytes, Inode], None] = lambda folder, name, inode: None
        self.respells: Callable[[Inode, bytes, Inode], None] = lambda folder, name, inode: None
        self.alters: Callable[[Inode], None] = lambda inode: None

    def call(self, what: str, path: str = "") -> None:
        if self.dead:
            raise Crash
        self.count += 1
        self.before(what, path)


class _Handle:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        pass


class SimFile(_Handle):
    """`File` over an inode."""

    def __init__(self, calls: Calls, inode: Inode, *, writable: bool) -> None:
        self._calls, self._disk, self.inode = calls, calls.disk, inode
        self._writable, self._wrote = writable, False

    def read(self, offset: int, length: int) -> bytes:
        named = self.inode.where[0][1] if self.inode.where else b""
        self._calls.call("read", named.decode(errors="replace"))
        return bytes(self.inode.data[offset : offset + length])

    def write(self, offset: int, data: Buffer) -> None:
        self._calls.call("write")
        if not self._writable:
            raise _error(errno.EBADF)
        more = offset + len(data) - len(self.inode.data)
        if more > 0 and more > self._disk.free_bytes:
            raise _error(errno.ENOSPC)
        if len(data):
            self._wrote = True
            self._disk.write(self.inode, offset, data)
            self._calls.wrote(self.inode)

    def clone(self, offset: int, source: Self, source_offset: int, length: int) -> None:
        self._calls.call("clone")
        if not self._disk.shares_blocks:
            raise _error(errno.EOPNOTSUPP)
        end = source_offset + length
        if (offset | source_offset | length) % CLONE_BYTES or end > len(source.inode.data):
            raise _error(errno.EINVAL)
        self.write(offset, bytes(source.inode.data[source_offset:end]))

    def truncate(self, size: int) -> None:
        self._calls.call("truncate")
        if not self._writable:
            raise _error(errno.EINVAL)
        self._wrote = True
        self._disk.truncate(self.inode, size)
        self._calls.wrote(self.inode)

    def stat(self) -> Stat:
        self._calls.call("fstat")
        return self.inode.stat()

    def set_times(self, mtime_ns: int) -> None:
        self._calls.call("set_times")
        self._calls.alters(self.inode)
        self._disk.attributes(self.inode, mtime_ns=mtime_ns)

    def set_wanted(self, wanted: Attributes) -> None:
        self._calls.call("set_wanted")
        self._calls.alters(self.inode)
        now = self.inode.mode
        mode = with_wanted(now, wanted)
        if mode != now:
            self._disk.attributes(self.inode, mode=mode)

    def set_mode(self, mode: int) -> None:
        self._calls.call("set_mode")
        self._calls.alters(self.inode)
        self._disk.attributes(self.inode, mode=mode)

    def set_owner(self, owner: int, group: int) -> None:
        self._calls.call("set_owner")
        self._calls.alters(self.inode)
        self.inode.give(owner, group)

    def xattrs(self) -> dict[str, bytes]:
        self._calls.call("xattrs")
        return dict(self.inode.xattrs)

    def set_xattr(self, name: str, value: bytes) -> None:
        self._calls.call("set_xattr")
        self._calls.alters(self.inode)
        self.inode.xattrs[name] = value

    def remove_xattr(self, name: str) -> None:
        self._calls.call("remove_xattr")
        self._calls.alters(self.inode)
        del self.inode.xattrs[name]

    def begin_flush(self, offset: int, length: int) -> None:
        """Does nothing: in disk.power_cut the disk may have written these bytes of its own
        accord."""

    def flush(self) -> None:
        try:
            self._calls.call("flush file")
        except OSError:
            self.inode.doomed, self.inode.owes = True, False
            raise
        if self.inode.owes:
            self.inode.owes = False
            raise _error(errno.EIO)
        self._disk.flush_file(self.inode)

    def close(self) -> None:
        if self._wrote and not self._calls.dead:
            self._wrote = False
            self._disk.closed(self.inode)


class SimFolder(_Handle):
    """`Directory` over an inode."""

    def __init__(self, calls: Calls, inode: Inode) -> None:
        self._calls, self._disk, self.inode = calls, calls.disk, inode

    def _call(self, what: str, name: str = "") -> bytes:
        raw = _raw(name) if name or what not in _OF_ITSELF else b""
        self._calls.call(what, name)
        if self.inode.closed:
            raise _error(errno.EACCES, name)
        return raw

    def _there(self, raw: bytes) -> Inode:
        inode = self.inode.children.get(self._called(raw))
        if inode is None:
            raise _error(errno.ENOENT, os.fsdecode(raw))
        return inode

    def _called(self, raw: bytes) -> bytes:
        return self._disk.called(self.inode, raw)

    def _free(self, raw: bytes) -> None:
        if self._called(raw) in self.inode.children:
            raise _error(errno.EEXIST, os.fsdecode(raw))
        self._alive()

    def _alive(self) -> None:
        """A removed folder takes no new names."""
        if not self.inode.where and self.inode is not self._disk.top:
            raise _error(errno.ENOENT)

    def stat(self, name: str) -> Stat | None:
        raw = self._call("stat", name)
        inode = self.inode.children.get(self._called(raw))
        return inode.stat() if inode is not None else None

    stat_listed = stat

    @property
    def raw(self) -> Self:
        return self

    def device(self) -> int:
        return self.inode.device

    def identity(self) -> tuple[int, int]:
        return self.inode.device, self.inode.number

    def spelled(self, name: str) -> str | None:
        return None

    def own_stat(self) -> Stat:
        self._call("own_stat")
        return self.inode.stat()

    def names(self) -> list[bytes]:
        self._call("names")
        return list(self.inode.children)

    def folder(self, name: str) -> SimFolder:
        raw = self._call("folder", name)
        inode = self._there(raw)
        if inode.kind is not Kind.DIRECTORY:
            raise _error(errno.ENOTDIR, name)
        return SimFolder(self._calls, inode)

    def _open(self, name: str, what: str) -> SimFile:
        inode = self._there(self._call(what, name))
        if inode.kind is Kind.SYMLINK:
            raise _error(errno.ELOOP, name)
        if inode.kind is Kind.DIRECTORY:
            raise _error(errno.EISDIR, name)
        if inode.closed:
            raise _error(errno.EACCES, name)
        return SimFile(self._calls, inode, writable=what == "open_write")

    def open_read(self, name: str) -> SimFile:
        return self._open(name, "open_read")

    def open_write(self, name: str) -> SimFile:
        return self._open(name, "open_write")

    def create(self, name: str) -> SimFile:
        raw = self._call("create", name)
        self._free(raw)
        inode = self._disk.make(Kind.FILE, PRIVATE_MODE)
        self._name(raw, inode)
        return SimFile(self._calls, inode, writable=True)

    def set_owner(self, owner: int, group: int) -> None:
        self._call("set_owner", "")
        self.inode.give(owner, group)

    def set_mode(self, mode: int) -> None:
        self._call("set_mode", "")
        self._disk.attributes(self.inode, mode=mode)

    def new_mode(self, exec: bool) -> int:
        return mode_below(with_exec(0o644, exec), self.inode.mode)

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        raw = self._call("make_folder", name)
        self._free(raw)
        self._name(raw, self._disk.make(Kind.DIRECTORY, mode & ~0o022))

    def make_link(self, name: str, target: bytes) -> None:
        raw = self._call("make_link", name)
        self._free(raw)
        self._name(raw, self._disk.make(Kind.SYMLINK, 0o777, target))

    def _name(self, raw: bytes, inode: Inode) -> None:
        self._disk.change((self.inode, raw, inode))
        self._calls.named(self.inode, raw, inode)

    def read_link(self, name: str) -> bytes:
        inode = self._there(self._call("read_link", name))
        if inode.kind is not Kind.SYMLINK:
            raise _error(errno.EINVAL, name)
        return bytes(inode.data)

    def rename_new(self, name: str, to: AnyFolder, to_name: str) -> None:
        raw, new = _raw(name), _raw(to_name)
        self._call("rename_new", name)
        to = to.raw
        assert isinstance(to, SimFolder)
        inode = self._there(raw)
        self._one_device(inode, to)
        to._free(new)
        if inode.kind is Kind.DIRECTORY and _is_inside(to.inode, inode):
            raise _error(errno.EINVAL, name)
        self._calls.takes(self.inode, self._called(raw), inode)
        self._disk.change((self.inode, self._called(raw), None), (to.inode, new, inode))
        self._calls.named(to.inode, new, inode)

    def respell(self, name: str, to_name: str) -> None:
        raw, new = _raw(name), _raw(to_name)
        self._call("respell", name)
        inode, over = self._there(raw), self.inode.children.get(self._called(new))
        assert over in (None, inode), "it would overwrite another file"
        self._calls.respells(self.inode, self._called(raw), inode)
        self._disk.change((self.inode, self._called(raw), None), (self.inode, new, inode))
        self._calls.named(self.inode, new, inode)

    def _one_device(self, inode: Inode, to: SimFolder) -> None:
        if inode.root:
            raise _error(errno.EBUSY)
        if self.inode.device != to.inode.device:
            raise _error(errno.EXDEV)

    def exchange(self, name: str, to: AnyFolder, to_name: str) -> None:
        raw, new = _raw(name), _raw(to_name)
        self._call("exchange", name)
        if not self._disk.can_exchange:
            raise _error(errno.EOPNOTSUPP, name)
        to = to.raw
        assert isinstance(to, SimFolder)
        raw, new = self._called(raw), to._called(new)
        one, two = self._there(raw), to._there(new)
        self._one_device(one, to)
        if one is two:
            return
        self._calls.takes(self.inode, raw, one)
        self._calls.takes(to.inode, new, two)
        self._disk.change((self.inode, raw, two), (to.inode, new, one))
        self._calls.named(self.inode, raw, two)
        self._calls.named(to.inode, new, one)

    def unlink(self, name: str) -> None:
        raw = self._call("unlink", name)
        inode = self._there(raw)
        if inode.kind is Kind.DIRECTORY:
            raise _error(errno.EISDIR, name)
        raw = self._called(raw)
        self._calls.takes(self.inode, raw, inode)
        self._disk.change((self.inode, raw, None))
        self._calls.gone(self.inode, raw, inode)

    def remove_folder(self, name: str) -> None:
        raw = self._call("remove_folder", name)
        inode = self._there(raw)
        if inode.kind is not Kind.DIRECTORY:
            raise _error(errno.ENOTDIR, name)
        if inode.root:
            raise _error(errno.EBUSY, name)
        if inode.children:
            raise _error(errno.ENOTEMPTY, name)
        self._calls.takes(self.inode, self._called(raw), inode)
        self._disk.change((self.inode, self._called(raw), None))

    def flush(self) -> None:
        self._call("flush folder")
        self._disk.flush_folder(self.inode)

    def free_bytes(self) -> int:
        return self._disk.free_bytes

    def total_bytes(self) -> int:
        return self._disk.size_bytes


class SimRoot(_Handle):
    """`Root` over the inode at the share's path when it is opened."""

    def __init__(self, calls: Calls) -> None:
        if calls.disk.top is None:
            raise _error(errno.ENOENT)
        self._calls, self._disk, self._top = calls, calls.disk, calls.disk.top

    def folder(self, path: str) -> SimFolder:
        names = [_raw(name) for name in path.split("/")] if path else []
        self._calls.call("open folder", path)
        inode = self._top
        for name in names:
            if inode.kind is not Kind.DIRECTORY:
                raise _error(errno.ENOTDIR, path)
            if inode.closed:
                raise _error(errno.EACCES, path)
            below = inode.children.get(self._disk.called(inode, name))
            if below is None:
                raise _error(errno.ENOENT, path)
            inode = below
        if inode.kind is not Kind.DIRECTORY:
            raise _error(errno.ENOTDIR, path)
        if inode.closed:
            raise _error(errno.EACCES, path)
        return SimFolder(self._calls, inode)

    def met(self, device: int) -> None:
        pass

    def still_there(self) -> bool:
        self._calls.call("still_there")
        return self._disk.top is self._top

    def flush_all(self) -> None:
        try:
            self._calls.call("flush all")
        except OSError:
            for inode in self._disk.dirty.values():
                inode.doomed = inode.owes = True
            raise
        self._disk.flush_all()

    def tells_each_change(self, path: str, name: str) -> int | None:
        return self._top.device if self._disk.tells_each_change else None

    def missing_at(self, path: str, name: str, other: str) -> tuple[str, ...]:
        if not self._disk.can_exchange:
            return ("it cannot exchange two names",)
        with self.folder(path) as folder:
            folder.exchange(name, folder, other)
        return ()


def _is_inside(inode: Inode, folder: Inode) -> bool:
    while inode is not folder:
        if not inode.where:
            return False
        inode = inode.where[0][0]
    return True
