"""Makes the only calls into the file system, relative to open directories. Links are never
followed.

`RealRoot`, `RealDirectory` and `RealFile` implement `Root`, `Directory` and `File` of
disk/fs/interface with descriptors of this machine.

Knows descriptors and errno. Must not know entries, the index or the write order.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from leftzmq.disk.fs import linux, renaming
from leftzmq.disk.fs.errno_meaning import is_gone
from leftzmq.disk.fs.interface import (
    ACL_NAME,
    PRIVATE_MODE,
    USER_PREFIX,
    Buffer,
    Directory,
    Identity,
    Stat,
    mode_below,
    with_exec,
    with_wanted,
)
from leftzmq.disk.fs.linux import missing_calls
from leftzmq.tree.attributes import Attributes
from leftzmq.tree.entry import Kind

__all__ = [
    "MountTable",
    "RealDirectory",
    "RealFile",
    "RealRoot",
    "make_root",
    "missing_calls",
    "real_path",
]

_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO must not block us
_BENEATH: Final = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS
_BLOCK_BYTES: Final = 512  # the unit of st_blocks, whatever the file system's block size is
_MAX_CALL_BYTES: Final = 4096  # PATH_MAX with its NUL; a path in the trash can be longer
_NO_MODES: Final = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS))
_NO_XATTRS: Final = frozenset((errno.EOPNOTSUPP, errno.ENOSYS))
_HAS_XATTRS: Final = hasattr(os, "listxattr")
_TABLE_BYTES: Final = 64 << 10  # of one read
_CHANGES_PROBED: Final = 16  # in 100 us
_COARSEST_NS: Final = 2_000_000_000  # FAT stores times in steps of two seconds
_I64_MIN: Final = -(2**63)
_I64_MAX: Final = 2**63 - 1


def _raw(name: str) -> bytes:
    raw = name.encode()
    if raw in (b"", b".", b"..") or b"/" in raw or b"\0" in raw:
        raise ValueError(f"not a name: {name!r}")  # no assert: I9 depends on it, also under -O
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
        owner=found.st_uid,
        group=found.st_gid,
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

    def __exit__(self, *_: object) -> None:
        self.close()


class RealFile(_Open):
    """A `File` with a descriptor."""

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

    def clone(self, offset: int, source: Self, source_offset: int, length: int) -> None:
        linux.clone_range(self._fd, offset, source.fd, source_offset, length)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def stat(self) -> Stat:
        return _stat_of(os.fstat(self._fd))

    def set_times(self, mtime_ns: int) -> None:
        if linux.HAS_FUTIMENS:
            linux.set_mtime(self._fd, mtime_ns)
            if abs(os.fstat(self._fd).st_mtime_ns - mtime_ns) <= _COARSEST_NS:
                return
            # A FUSE file system may not know UTIME_OMIT, and set both times to now.
        os.utime(self._fd, ns=(os.fstat(self._fd).st_atime_ns, mtime_ns))

    def set_wanted(self, wanted: Attributes) -> None:
        now = modes.S_IMODE(os.fstat(self._fd).st_mode)
        mode = with_wanted(now, wanted)
        if mode != now:
            os.fchmod(self._fd, mode)

    def set_mode(self, mode: int) -> None:
        now = modes.S_IMODE(os.fstat(self._fd).st_mode)
        if mode == now:
            return
        try:
            os.fchmod(self._fd, mode)
        except OSError as error:
            # On a mount with one fixed mode for all files, no file starts with PRIVATE_MODE.
            if now == PRIVATE_MODE or error.errno not in _NO_MODES:
                raise

    def set_owner(self, owner: int, group: int) -> None:
        os.fchown(self._fd, owner, group)

    def xattrs(self) -> dict[str, bytes]:
        if not _HAS_XATTRS:
            return {}
        try:
            names = os.listxattr(self._fd)
            kept = [name for name in names if name == ACL_NAME or name.startswith(USER_PREFIX)]
            return {name: os.getxattr(self._fd, name) for name in kept}
        except OSError as error:
            if error.errno in _NO_XATTRS:
                return {}
            raise

    def set_xattr(self, name: str, value: bytes) -> None:
        os.setxattr(self._fd, name, value)

    def remove_xattr(self, name: str) -> None:
        os.removexattr(self._fd, name)

    def begin_flush(self, offset: int, length: int) -> None:
        if not linux.disks_are_behind():
            linux.begin_writeback(self._fd, offset, length)

    def flush(self) -> None:
        os.fsync(self._fd)


class RealDirectory(_Open):
    """A `Directory` with a descriptor; names are as the file system treats them."""

    __slots__ = ()

    @property
    def raw(self) -> Self:
        return self

    def stat(self, name: str) -> Stat | None:
        try:
            return _stat_of(os.stat(_raw(name), dir_fd=self._fd, follow_symlinks=False))
        except FileNotFoundError:
            return None

    stat_listed = stat

    def spelled(self, name: str) -> str | None:
        return None

    def own_stat(self) -> Stat:
        return _stat_of(os.fstat(self._fd))

    def device(self) -> int:
        return os.fstat(self._fd).st_dev

    def identity(self) -> Identity:
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino

    def names(self) -> list[bytes]:
        return [os.fsencode(name) for name in os.listdir(self._fd)]

    def folders(self) -> list[bytes]:
        """The raw names of the folders in it, without links to folders.

        For the watcher, which needs no stats: the kernel's listing has the kinds.
        """
        with os.scandir(self._fd) as found:
            return [os.fsencode(e.name) for e in found if e.is_dir(follow_symlinks=False)]

    def folder(self, name: str) -> RealDirectory:
        return RealDirectory(_open_folder(self._fd, _raw(name)))

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
        return RealFile(os.open(_raw(name), flags, PRIVATE_MODE, dir_fd=self._fd))

    def set_owner(self, owner: int, group: int) -> None:
        os.fchown(self._fd, owner, group)

    def set_mode(self, mode: int) -> None:
        """Keeps S_ISGID, which a folder inherits from its parent. Without it new files in the
        folder would get another group."""
        os.fchmod(self._fd, mode | os.fstat(self._fd).st_mode & modes.S_ISGID)

    def new_mode(self, exec: bool) -> int:
        whole = with_exec(0o666 & ~_UMASK, exec)
        return mode_below(whole, os.fstat(self._fd).st_mode)

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        os.mkdir(_raw(name), mode, dir_fd=self._fd)

    def make_link(self, name: str, target: bytes) -> None:
        os.symlink(target, _raw(name), dir_fd=self._fd)

    def read_link(self, name: str) -> bytes:
        return os.readlink(_raw(name), dir_fd=self._fd)

    def rename_new(self, name: str, to: Directory, to_name: str) -> None:
        renaming.rename_new(self._fd, _raw(name), _fd_of(to), _raw(to_name))

    def respell(self, name: str, to_name: str) -> None:
        # os.rename overwrites; here both names are one name, so nothing else can be there.
        os.rename(_raw(name), _raw(to_name), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def exchange(self, name: str, to: Directory, to_name: str) -> None:
        renaming.exchange(self._fd, _raw(name), _fd_of(to), _raw(to_name))

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
    """A `Root` at a path of this machine. The path itself may contain links: the user chose it.
    OSError if it cannot be opened as a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._top = _Open(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def folder(self, path: str) -> RealDirectory:
        names = [_raw(name) for name in path.split("/")] if path else []
        if not names:
            return RealDirectory(_open_folder(self._top.fd, b"."))
        raw = b"/".join(names)
        if linux.HAS_OPENAT2 and len(raw) < _MAX_CALL_BYTES:
            return RealDirectory(_open_beneath(self._top.fd, raw))
        fd = _open_folder(self._top.fd, names[0])
        for name in names[1:]:
            with _Open(fd) as above:
                fd = _open_folder(above.fd, name)
        return RealDirectory(fd)

    def still_there(self) -> bool:
        held = os.fstat(self._top.fd)
        try:
            found = os.stat(self.path)
        except OSError as error:
            if is_gone(error):
                return False
            raise
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def flush_all(self) -> None:
        if linux.HAS_SYNCFS:
            linux.syncfs(self._top.fd)
        else:
            os.sync()

    def missing_at(self, path: str, name: str, other: str) -> tuple[str, ...]:
        with self.folder(path) as folder:
            return renaming.missing_at(folder.fd, _raw(name), _raw(other))

    def tells_each_change(self, path: str, name: str) -> int | None:
        """As Linux 6.13 and later do on ext4, xfs, btrfs and tmpfs (Documentation/filesystems/
        multigrain-ts.rst of the kernel). Elsewhere a ctime is that of the last tick, 1 to 10 ms
        long, in which all these writes find room."""
        with self.folder(path) as folder, folder.open_write(name) as file:
            seen = [file.stat()]
            for _ in range(_CHANGES_PROBED):
                file.write(0, b"x")
                seen.append(file.stat())
        times = {stat.ctime_ns for stat in seen}
        return seen[0].device if len(times) == len(seen) else None

    def met(self, device: int) -> None:
        pass  # this class keeps nothing by device

    def close(self) -> None:
        self._top.close()


class MountTable(_Open):
    """The kernel's mount table, as this process sees it. Its descriptor, polled for POLLPRI,
    signals every change. OSError if there is no such table."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC))

    def read(self) -> bytes:
        os.lseek(self._fd, 0, os.SEEK_SET)
        parts = []
        while part := os.read(self._fd, _TABLE_BYTES):
            parts.append(part)
        return b"".join(parts)


class PollEnd(_Open):
    """A descriptor that another thread makes readable, to end a wait in poll."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))

    def signal(self) -> None:
        """Make it readable. A descriptor that is closed belongs to a wait that has ended."""
        with suppress(OSError):
            os.eventfd_write(self._fd, 1)

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._fd)


def real_path(path: Path) -> bytes:
    """The path with all links resolved."""
    return os.fsencode(os.path.realpath(path))


def make_root(path: Path) -> None:
    """Make the folder at `path` and missing folders above it, and flush their names. OSError."""
    made = []
    for folder in (path, *path.parents):
        if folder.exists():
            break
        made.append(folder)
    path.mkdir(parents=True, exist_ok=True)
    for folder in made:
        with _Open(os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as above:
            os.fsync(above.fd)


def _umask() -> int:
    """The umask of this process. It can be read only by setting it: so this is done once, before
    there are threads."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK: Final = _umask()


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
    """One error, ENOTDIR, for a link in the path: the calls report it as ELOOP, EXDEV or
    ENOTDIR."""
    code = errno.ENOTDIR if error.errno in (errno.ELOOP, errno.EXDEV) else error.errno or 0
    return OSError(code, os.strerror(code), os.fsdecode(name))


def _fd_of(folder: Directory) -> int:
    raw = folder.raw
    assert isinstance(raw, RealDirectory)
    return raw.fd
