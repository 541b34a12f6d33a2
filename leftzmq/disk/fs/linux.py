"""Wraps the Linux calls that Python does not: renameat2, openat2, syncfs, sync_file_range,
FICLONERANGE. Only disk/fs uses them.

The module looks for each call once. If a call is missing, its function raises OSError(ENOSYS), fs
uses its documented replacement, and `missing_calls` says so in a sentence at start. There are two
exceptions. FICLONERANGE is tried each time, because it depends on the file system. sync_file_range
is only a hint, and is left out if missing.

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
_FICLONERANGE: Final = 0x4020940D  # on most machines; on the others no file knows this number
_CLONE_RANGE: Final = struct.Struct("=qQQQ")  # struct file_clone_range

# include/uapi/linux/openat2.h
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08

# arch/*/entry/syscalls; openat2 is so new that it has the same number everywhere
_RENAMEAT2_NUMBER: Final = {"x86_64": 316, "aarch64": 276, "riscv64": 276}
_OPENAT2_NUMBER: Final = 437

BEHIND_BYTES: Final = 4 << 20
"""With this much writeback under way we start no more before a flush must: on ext4 the flush of a
small file waits for all writeback that was begun, and for nothing else (at 80 MB/s an edit took
0.16 s at the median with 4 MiB, 0.41 s with 16 MiB)."""
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
    """Rename with the flag RENAME_NOREPLACE or RENAME_EXCHANGE. OSError; ENOSYS if the call is
    missing, EINVAL if the file system does not know the flag."""
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
    """Open `path` below `folder_fd`. Returns the descriptor. `resolve` says what the components of
    `path` may not be. OSError."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    return _syscall(
        _OPENAT2_NUMBER,
        ctypes.c_int(folder_fd),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )


def syncfs(fd: int) -> None:
    """Flush the whole file system of `fd`. OSError; write errors are reported since Linux 5.8."""
    if _LIBC is None or not hasattr(_LIBC, "syncfs"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    _checked(_LIBC.syncfs(ctypes.c_int(fd)))


def begin_writeback(fd: int, offset: int, length: int) -> None:
    """Begin to write out a part of a file (bytes). Does nothing if that is missing or impossible.

    The kernel reports a write error to one caller only. With this flag alone sync_file_range(2)
    reports none, so the next fsync still gets it."""
    if _LIBC is not None and hasattr(_LIBC, "sync_file_range"):
        part = (ctypes.c_int64(offset), ctypes.c_int64(length))
        _LIBC.sync_file_range(ctypes.c_int(fd), *part, ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


def disks_are_behind() -> bool:
    """Whether at least BEHIND_BYTES of writeback are under way on this machine (proc_vmstat(5))."""
    try:
        said = _VMSTAT.read_bytes()
    except OSError:
        return False
    pages = re.search(rb"^nr_writeback (\d+)$", said, re.MULTILINE)
    return pages is not None and int(pages[1]) * mmap.PAGESIZE >= BEHIND_BYTES


def clone_range(fd: int, offset: int, source_fd: int, source_offset: int, length: int) -> None:
    """Let `length` bytes of `fd` share the blocks of `source_fd` (ioctl_ficlonerange(2)). OSError;
    EOPNOTSUPP, EXDEV, EINVAL or ENOTTY if the file system cannot do it."""
    if not _LINUX:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    asked = _CLONE_RANGE.pack(source_fd, source_offset, length, offset)
    fcntl.ioctl(fd, _FICLONERANGE, asked)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def set_mtime(fd: int, mtime_ns: int) -> None:
    """Set the mtime and nothing else, in one call: os.utime needs the atime, too. OSError."""
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
    """A sentence for each call that this machine lacks, to be logged at start."""
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
