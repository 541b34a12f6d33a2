"""The Linux calls that Python does not wrap: renameat2, openat2, syncfs, sync_file_range,
FICLONERANGE. Only disk/fs uses them.

Each is looked for once. Where one is missing its function raises OSError(ENOSYS), fs has its
documented way around it, and `missing_calls` says so in a sentence at start. FICLONERANGE alone is
tried each time: whether it can be done is a matter of the file system. sync_file_range is a
hint, and simply not given.

Knows numbers and structures of the kernel. Must not know what the calls are used for.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import re
import struct
import sys
from pathlib import Path
from typing import Final

# include/uapi/linux/fs.h
RENAME_NOREPLACE: Final = 1
RENAME_EXCHANGE: Final = 2

_SYNC_FILE_RANGE_WRITE: Final = 2
_FICLONERANGE: Final = 0x4020940D  # of most machines; elsewhere it is a call that no file knows
_CLONE_RANGE: Final = struct.Struct("=qQQQ")  # struct file_clone_range

# include/uapi/linux/openat2.h
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08

# arch/*/entry/syscalls; openat2 came after the numbers were made the same everywhere
_RENAMEAT2_NUMBER: Final = {"x86_64": 316, "aarch64": 276, "riscv64": 276}
_OPENAT2_NUMBER: Final = 437

BEHIND_BYTES: Final = 4 << 20
"""A disk that has so much to write gets nothing before it must: on ext4 the flush of a small file
waits for all that was begun, and for nothing that was not (80 MB/s: an edit took 0.16 s at the
median with 4 MiB, 0.41 s with 16 MiB)."""
_VMSTAT: Final = Path("/proc/vmstat")
_UTIME_OMIT: Final = (1 << 30) - 2  # <bits/stat.h>
_LINUX: Final = sys.platform.startswith("linux")
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if _LINUX else None


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def _syscall(number: int | None, *arguments: object) -> int:
    if _LIBC is None or number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return _checked(_LIBC.syscall(ctypes.c_long(number), *arguments))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def renameat2(from_fd: int, name: bytes, to_fd: int, to_name: bytes, flags: int) -> None:
    """Rename under RENAME_NOREPLACE or RENAME_EXCHANGE. OSError: ENOSYS, or EINVAL where the
    file system does not know the flag."""
    arguments = (
        ctypes.c_int(from_fd),
        ctypes.c_char_p(name),
        ctypes.c_int(to_fd),
        ctypes.c_char_p(to_name),
        ctypes.c_uint(flags),
    )
    if _LIBC is not None and hasattr(_LIBC, "renameat2"):
        _checked(_LIBC.renameat2(*arguments))
    else:
        _syscall(_RENAMEAT2_NUMBER.get(platform.machine()), *arguments)


def openat2(folder_fd: int, path: bytes, flags: int, resolve: int) -> int:
    """Open `path` below `folder_fd`; `resolve` says what its components may not be."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    return _syscall(
        _OPENAT2_NUMBER,
        ctypes.c_int(folder_fd),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )


def syncfs(fd: int) -> None:
    """Flush the whole file system that `fd` lies on; reports write errors since Linux 5.8."""
    if _LIBC is None or not hasattr(_LIBC, "syncfs"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    _checked(_LIBC.syncfs(ctypes.c_int(fd)))


def begin_writeback(fd: int, offset: int, length: int) -> None:
    """Begin to write out a part of a file. Nothing where that is missing or not possible.

    With this flag alone sync_file_range(2) reports no write error, and so takes none away from the
    fsync to come: an error is told to one caller."""
    if _LIBC is not None and hasattr(_LIBC, "sync_file_range"):
        part = (ctypes.c_int64(offset), ctypes.c_int64(length))
        _LIBC.sync_file_range(ctypes.c_int(fd), *part, ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


def disks_are_behind() -> bool:
    """Whether this machine has begun to write more than its disks took so far (proc_vmstat(5))."""
    try:
        said = _VMSTAT.read_bytes()
    except OSError:
        return False
    pages = re.search(rb"^nr_writeback (\d+)$", said, re.MULTILINE)
    return pages is not None and int(pages[1]) * mmap.PAGESIZE >= BEHIND_BYTES


def clone_range(fd: int, offset: int, source_fd: int, source_offset: int, length: int) -> None:
    """Let bytes of `fd` share the blocks of those of `source_fd` (ioctl_ficlonerange(2)). OSError:
    EOPNOTSUPP, EXDEV, EINVAL or ENOTTY where the file system cannot."""
    if not _LINUX:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    asked = _CLONE_RANGE.pack(source_fd, source_offset, length, offset)
    fcntl.ioctl(fd, _FICLONERANGE, asked)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def set_mtime(fd: int, mtime_ns: int) -> None:
    """Set the mtime and nothing else, in one call: os.utime wants the atime as well."""
    assert _LIBC is not None
    seconds, nanoseconds = divmod(mtime_ns, 1_000_000_000)
    times = (_Timespec * 2)(_Timespec(0, _UTIME_OMIT), _Timespec(seconds, nanoseconds))
    _checked(_LIBC.futimens(ctypes.c_int(fd), times))


def _has_renameat2() -> bool:
    try:
        renameat2(-1, b"a", -1, b"b", RENAME_NOREPLACE)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


def _has_openat2() -> bool:
    try:
        os.close(openat2(-1, b"/", os.O_RDONLY | os.O_DIRECTORY, RESOLVE_NO_MAGICLINKS))
    except OSError:
        return False  # ENOSYS before Linux 5.6, EPERM under an old seccomp filter
    return True


def _has_syncfs() -> bool:
    return _LIBC is not None and hasattr(_LIBC, "syncfs")


HAS_RENAMEAT2: Final = _has_renameat2()
HAS_OPENAT2: Final = _has_openat2()
HAS_SYNCFS: Final = _has_syncfs()
HAS_FUTIMENS: Final = _LIBC is not None and hasattr(_LIBC, "futimens")


def missing_calls() -> tuple[str, ...]:
    """A sentence for each call that this machine lacks, to be said at start."""
    said = []
    if not HAS_RENAMEAT2:
        said.append(
            "renameat2 is missing: a file is linked aside before it is replaced, and a program "
            "that renames over the same name in that instant can lose its version"
        )
    if not HAS_OPENAT2:
        said.append("openat2 is missing: folders are opened one component at a time, slower")
    if not HAS_SYNCFS:
        said.append("syncfs is missing: a batch of small files flushes every disk, slower")
    return tuple(said)
