"""The only calls into the file system, relative to open directories; links are never followed.

`RealRoot`, `RealFolder` and `RealFile` are the `Root`, `Folder` and `File` of disk/root over
descriptors of this machine.

Knows descriptors and errno. Must not know entries, the index or the write order.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from leftzmq.disk import linux
from leftzmq.disk.linux import missing_calls
from leftzmq.disk.root import Buffer, File, Folder, Root, Stat
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import LEFTING_SUFFIX

__all__ = ["File", "Folder", "RealRoot", "Root", "Stat", "make_root", "missing_calls"]

_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO must not hold us up
_BENEATH: Final = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS
_NOT_KNOWN_HERE: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
_BLOCK_BYTES: Final = 512  # of st_blocks, whatever the file system's own blocks are
_MAX_CALL_BYTES: Final = 4096  # PATH_MAX with its NUL; a path in the trash can be longer
_NEITHER: Final = (
    "the file system can neither exchange two names nor link a file: what changes elsewhere "
    "cannot replace a file here"
)
_LINKS_ASIDE: Final = (
    "the file system cannot exchange two names: a file is linked aside before it is replaced, "
    "and a program that renames over the same name in that instant can lose its version"
)
_I64_MIN: Final = -(2**63)
_I64_MAX: Final = 2**63 - 1


def _raw(name: str) -> bytes:
    raw = name.encode()
    if raw in (b"", b".", b"..") or b"/" in raw or b"\0" in raw:
        raise ValueError(f"not a name: {name!r}")  # held also under -O: I9 hangs on it
    return raw


def _stat_of(found: os.stat_result) -> Stat:
    kind: Kind | None = None
    if modes.S_ISREG(found.st_mode):
        kind = Kind.FILE
    elif modes.S_ISDIR(found.st_mode):
        kind = Kind.DIRECTORY
    elif modes.S_ISLNK(found.st_mode):
        kind = Kind.SYMLINK
    return Stat(
        kind=kind,
        size=found.st_size,
        mtime_ns=min(max(found.st_mtime_ns, _I64_MIN), _I64_MAX),
        ctime_ns=min(max(found.st_ctime_ns, _I64_MIN), _I64_MAX),
        inode=found.st_ino & _I64_MAX,  # some file systems use the top bit; the index cannot
        exec=kind is Kind.FILE and bool(found.st_mode & 0o100),
        links=found.st_nlink,
        device=found.st_dev,
        mode=modes.S_IMODE(found.st_mode),
        allocated=found.st_blocks * _BLOCK_BYTES,
    )


class _Open:
    """A descriptor that is closed once."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def fd(self) -> int:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class RealFile(_Open):
    """`File` over a descriptor."""

    __slots__ = ()

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._fd, length, offset)
        if len(data) == length or not data:
            return data
        parts = [data]
        held = len(data)
        while held < length:
            data = os.pread(self._fd, length - held, offset + held)
            if not data:
                break
            parts.append(data)
            held += len(data)
        return b"".join(parts)

    def write(self, offset: int, data: Buffer) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view, offset = view[written:], offset + written

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def stat(self) -> Stat:
        return _stat_of(os.fstat(self._fd))

    def set_times(self, mtime_ns: int) -> None:
        if linux.HAS_FUTIMENS:
            linux.set_mtime(self._fd, mtime_ns)
        else:
            os.utime(self._fd, ns=(os.fstat(self._fd).st_atime_ns, mtime_ns))

    def set_exec(self, exec: bool, like: Stat | None = None) -> None:
        now = modes.S_IMODE(os.fstat(self._fd).st_mode)
        mode = now if like is None else (like.mode & 0o666) | 0o400
        readers = (mode & 0o444) >> 2 | 0o100
        mode = mode | readers if exec else mode & ~0o111
        if mode != now:
            os.fchmod(self._fd, mode)

    def flush(self) -> None:
        os.fsync(self._fd)


class RealFolder(_Open):
    """`Folder` over a descriptor."""

    __slots__ = ()

    def stat(self, name: str) -> Stat | None:
        try:
            return _stat_of(os.stat(_raw(name), dir_fd=self._fd, follow_symlinks=False))
        except FileNotFoundError:
            return None

    def own_stat(self) -> Stat:
        return _stat_of(os.fstat(self._fd))

    def names(self) -> list[bytes]:
        return [os.fsencode(name) for name in os.listdir(self._fd)]

    def folders(self) -> list[bytes]:
        """The names of the folders in it, as they are on disk; links to folders are none.

        For the watcher, which needs no stats: the kernel's listing tells the kinds.
        """
        with os.scandir(self._fd) as found:
            return [os.fsencode(e.name) for e in found if e.is_dir(follow_symlinks=False)]

    def folder(self, name: str) -> RealFolder:
        return RealFolder(_open_folder(self._fd, _raw(name)))

    def _open_file(self, name: str, flags: int) -> RealFile:
        file = RealFile(os.open(_raw(name), flags | _FILE_FLAGS, dir_fd=self._fd))
        try:
            found = file.stat()
            if found.kind is Kind.DIRECTORY:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
            if found.kind is not Kind.FILE:
                raise OSError(errno.EINVAL, "not a regular file", name)
        except OSError:
            file.close()
            raise
        return file

    def open_read(self, name: str) -> RealFile:
        return self._open_file(name, os.O_RDONLY)

    def open_write(self, name: str) -> RealFile:
        return self._open_file(name, os.O_RDWR)

    def create(self, name: str) -> RealFile:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE_FLAGS
        return RealFile(os.open(_raw(name), flags, 0o666, dir_fd=self._fd))

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        os.mkdir(_raw(name), mode, dir_fd=self._fd)

    def make_link(self, name: str, target: bytes) -> None:
        os.symlink(target, _raw(name), dir_fd=self._fd)

    def read_link(self, name: str) -> bytes:
        return os.readlink(_raw(name), dir_fd=self._fd)

    def rename_new(self, name: str, to: Folder, to_name: str) -> None:
        old, new, to_fd = _raw(name), _raw(to_name), _fd_of(to)
        _either(
            lambda: linux.renameat2(self._fd, old, to_fd, new, linux.RENAME_NOREPLACE),
            lambda: _link_then_unlink(self._fd, old, to_fd, new),
        )

    def exchange(self, name: str, to: Folder, to_name: str) -> None:
        old, new, to_fd = _raw(name), _raw(to_name), _fd_of(to)
        _either(
            lambda: linux.renameat2(self._fd, old, to_fd, new, linux.RENAME_EXCHANGE),
            lambda: _link_aside_then_rename(self._fd, old, to_fd, new),
        )

    def unlink(self, name: str) -> None:
        os.unlink(_raw(name), dir_fd=self._fd)

    def remove_folder(self, name: str) -> None:
        os.rmdir(_raw(name), dir_fd=self._fd)

    def flush(self) -> None:
        os.fsync(self._fd)

    def free_bytes(self) -> int:
        found = os.fstatvfs(self._fd)
        return found.f_bavail * found.f_frsize

    def total_bytes(self) -> int:
        found = os.fstatvfs(self._fd)
        return found.f_blocks * found.f_frsize


class RealRoot:
    """`Root` over a path of this machine. The path itself may lead through links: the user chose
    it. OSError if it cannot be opened as a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._top = _Open(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def folder(self, path: str) -> RealFolder:
        names = [_raw(name) for name in path.split("/")] if path else []
        if not names:
            return RealFolder(_open_folder(self._top.fd, b"."))
        raw = b"/".join(names)
        if linux.HAS_OPENAT2 and len(raw) < _MAX_CALL_BYTES:
            return RealFolder(_open_beneath(self._top.fd, raw))
        fd = _open_folder(self._top.fd, names[0])
        for name in names[1:]:
            with _Open(fd) as above:
                fd = _open_folder(above.fd, name)
        return RealFolder(fd)

    def still_there(self) -> bool:
        held = os.fstat(self._top.fd)
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def flush_all(self) -> None:
        if linux.HAS_SYNCFS:
            linux.syncfs(self._top.fd)
        else:
            os.sync()

    def missing_at(self, path: str, name: str, other: str) -> tuple[str, ...]:
        with self.folder(path) as folder:
            if linux.HAS_RENAMEAT2:
                try:
                    one, two = _raw(name), _raw(other)
                    linux.renameat2(folder.fd, one, folder.fd, two, linux.RENAME_EXCHANGE)
                    return ()
                except OSError as error:
                    if error.errno not in _NOT_KNOWN_HERE:
                        raise
            try:
                folder.exchange(name, folder, other)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
                return (_NEITHER,)
        return (_LINKS_ASIDE,) if linux.HAS_RENAMEAT2 else ()

    def close(self) -> None:
        self._top.close()


def make_root(path: Path) -> None:
    """Make the folder at `path`, and what is missing above it, and flush their names."""
    made = []
    for folder in (path, *path.parents):
        if folder.exists():
            break
        made.append(folder)
    path.mkdir(parents=True, exist_ok=True)
    for folder in made:
        with _Open(os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as above:
            os.fsync(above.fd)


def _open_folder(fd: int, name: bytes) -> int:
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=fd)
    except OSError as error:
        raise _as_not_a_directory(error, name) from error


def _open_beneath(fd: int, path: bytes) -> int:
    try:
        return linux.openat2(fd, path, _FOLDER_FLAGS, _BENEATH)
    except OSError as error:
        raise _as_not_a_directory(error, path) from error


def _as_not_a_directory(error: OSError, name: bytes) -> OSError:
    """A link in the way is ELOOP or ENOTDIR, by the call that met it: one error for both."""
    code = errno.ENOTDIR if error.errno in (errno.ELOOP, errno.EXDEV) else error.errno or 0
    return OSError(code, os.strerror(code), os.fsdecode(name))


def _fd_of(folder: Folder) -> int:
    assert isinstance(folder, RealFolder)
    return folder.fd


# ---- where renameat2 is missing, or the file system does not know its flags -------------------


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
