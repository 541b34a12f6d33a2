"""What disk/ needs of a file system: an open root, open folders in it, open files in those.

There is no call that overwrites, that follows a link below the root, or that takes a path with
`..` in it, so nothing built on this can leave the share (I9) or replace what it has not seen
(I2). Names are str that are valid UTF-8; only `names` gives what is really there.

disk/fs has the real one; a simulated one passes the same contract (tests/test_disk_fs.py).

Knows kinds and stats. Must not know descriptors, entries, the index or the write order.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from leftzmq.tree.entry import Kind, ScanKey

Buffer = bytes | bytearray | memoryview

PRIVATE_MODE: Final = 0o600
"""Of a file that is not whole yet: nobody else reads what may be a private one."""

ACL_NAME: Final = "system.posix_acl_access"
"""The ACL of a file as an extended attribute (acl(5), xattr(7))."""
USER_PREFIX: Final = "user."

CLONE_BYTES: Final = 4096
"""Blocks of the file systems that share them (btrfs, xfs)."""
CANNOT_CLONE: Final = frozenset((errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY))


@dataclass(frozen=True, slots=True)
class Stat:
    """What lstat said. Times are ns since the epoch, held to signed 64 bits as in the index.

    kind: None for what is neither file, folder nor link. exec: the owner's x bit of a file.
    mode: permission bits. device: compared only within one run. allocated: bytes on the disk, fewer
    than `size` where a file is sparse. owner, group: numbers, as this machine has them.
    """

    kind: Kind | None
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    exec: bool
    links: int
    device: int
    mode: int
    allocated: int
    owner: int
    group: int

    def key(self) -> ScanKey:
        """What the index keeps of it. A folder's key does not change when its children do."""
        assert self.kind is not None
        if self.kind is Kind.DIRECTORY:
            return ScanKey(self.kind, 0, 0, 0, self.inode, False, 0)
        size = self.size if self.kind is Kind.FILE else 0
        return ScanKey(
            self.kind, size, self.mtime_ns, self.ctime_ns, self.inode, self.exec, self.links
        )


class OtherSpelling(FileExistsError):
    """Nothing can be made at `name`: this file system takes `other`, which is there, for it. other:
    "" where it cannot be told which name that is."""

    def __init__(self, name: str, other: str) -> None:
        self.name, self.other = name, other
        said = f"this disk cannot tell it from {other or 'another name'}"
        super().__init__(errno.EEXIST, said, name)


class NotKept(OSError):
    """This file system gives another name than the one that was asked for; nothing was made."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EINVAL, "this disk would give it another name", name)


def with_exec(mode: int, exec: bool) -> int:
    """The mode with x for whoever may read, or without x."""
    return mode | (mode & 0o444) >> 2 | 0o100 if exec else mode & ~0o111


def mode_below(mode: int, folder_mode: int) -> int:
    """What of `mode` a new file or folder may have in a folder of `folder_mode`: who may not enter
    that gets nothing, who may not change what is in it gets no w. The owner keeps what he has."""
    for shift in (0, 3):
        may = folder_mode >> shift & 0o7
        allowed = 0 if not may & 0o1 else 0o5 | may & 0o2
        mode &= ~((0o7 & ~allowed) << shift)
    return mode


class Owned(Protocol):
    """An open file or folder, as somebody's. Errors are OSError."""

    def set_owner(self, owner: int, group: int) -> None:
        """-1 leaves that one as it is. PermissionError where this process may not."""

    def set_mode(self, mode: int) -> None:
        """Permission bits."""


class Closing(Protocol):
    """Something held open until `close`, or the end of its `with`."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class File(Closing, Owned, Protocol):
    """An open regular file. Offsets and lengths are bytes. Errors are OSError."""

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes, fewer only where the file ends."""

    def write(self, offset: int, data: Buffer) -> None:
        """All of `data`, or OSError."""

    def clone(self, offset: int, source: Self, source_offset: int, length: int) -> None:
        """Take over `length` bytes of `source` without a copy; all three are whole CLONE_BYTES.

        OSError with an errno of CANNOT_CLONE where that is not possible; any other one may have
        come half-way."""

    def truncate(self, size: int) -> None: ...

    def stat(self) -> Stat: ...

    def set_times(self, mtime_ns: int) -> None: ...

    def set_exec(self, exec: bool) -> None:
        """Set or clear the x bits (set: for whoever may read)."""

    def xattrs(self) -> dict[str, bytes]:
        """Name -> value: the ACL, under ACL_NAME, and what begins with USER_PREFIX. Empty where the
        file system has neither."""

    def set_xattr(self, name: str, value: bytes) -> None:
        """One of the names that `xattrs` gives. An ACL changes the permission bits, too."""

    def remove_xattr(self, name: str) -> None:
        """One that is there."""

    def begin_flush(self, offset: int, length: int) -> None:
        """Let these bytes begin to go to the disk, if it is not behind already. Hardly waits,
        promises nothing and never fails: `flush` does, and then has little left to wait for."""

    def flush(self) -> None: ...


class Directory(Closing, Owned, Protocol):
    """An open directory. A name is one component: never empty, `.`, `..` or with `/` or NUL.

    Errors are OSError: FileNotFoundError and FileExistsError where they say so.
    What the file system itself makes of a name is seen at `raw`; that of a share goes by the exact
    spelling, whatever its disk does (disk/fs/spelling), and says OtherSpelling and NotKept.
    """

    @property
    def raw(self) -> Directory:
        """The file system's own."""

    def stat(self, name: str) -> Stat | None:
        """What lies at `name` itself, links not followed; None if nothing does."""

    def stat_listed(self, name: str) -> Stat | None:
        """The same of a name that `names` gave right before."""

    def own_stat(self) -> Stat:
        """The stat of the directory itself."""

    def device(self) -> int:
        """The number of the file system that it lies on, as in `own_stat`; cheaper."""

    def spelled(self, name: str) -> str | None:
        """The name in it that the disk takes for `name`, where that is another spelling; "" where
        it cannot be told which one. None: nothing is there, or `name` itself."""

    def names(self) -> list[bytes]:
        """The names on disk as they are, in no order."""

    def folder(self, name: str) -> Directory:
        """NotADirectoryError where `name` is a link or anything else than a folder."""

    def open_read(self, name: str) -> File:
        """A regular file, or OSError; a link is an error."""

    def open_write(self, name: str) -> File:
        """An existing regular file for reading and writing, or OSError; a link is an error."""

    def create(self, name: str) -> File:
        """A new file, open for reading and writing, PRIVATE_MODE; or FileExistsError. Who else may
        read it is said when it has its bytes: by then it is known."""

    def new_mode(self, exec: bool) -> int:
        """The permission bits of a file that replaces none: 0666 less the umask, less what nobody
        of this kind may do in this folder (mode_below), and where it is `exec`, x for whoever may
        read."""

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        """A new folder, `mode` less the umask; or FileExistsError."""

    def make_link(self, name: str, target: bytes) -> None: ...

    def read_link(self, name: str) -> bytes: ...

    def rename_new(self, name: str, to: Directory, to_name: str) -> None:
        """Rename where nothing is; FileExistsError if something is, and nothing has changed."""

    def respell(self, name: str, to_name: str) -> None:
        """Give what lies at `name` another spelling, in one step; only where the disk takes both
        for one name: nothing else can be at `to_name` there. FileNotFoundError, FileExistsError."""

    def exchange(self, name: str, to: Directory, to_name: str) -> None:
        """Swap two names at one instant; both must be there and neither may be a folder."""

    def unlink(self, name: str) -> None: ...

    def remove_folder(self, name: str) -> None:
        """OSError(ENOTEMPTY) if something is in it."""

    def flush(self) -> None:
        """Make the names in this directory durable."""

    def free_bytes(self) -> int:
        """What we may still write on this folder's file system."""

    def total_bytes(self) -> int:
        """The size of this folder's file system."""


class Root(Protocol):
    """A share's root, held open."""

    def folder(self, path: str) -> Directory:
        """The folder at `path` ("" is the root). FileNotFoundError if it is not there;
        NotADirectoryError if it, or anything on the way to it, is a link or not a folder."""

    def still_there(self) -> bool:
        """Whether the place that it was opened at still leads to this very directory. OSError where
        that cannot be told now; what is not there is no error."""

    def flush_all(self) -> None:
        """Flush everything on the root's file system (not on one that is mounted inside)."""

    def missing_at(self, path: str, name: str, other: str) -> tuple[str, ...]:
        """What the file system of the folder `path` cannot do, as sentences; tried on two files
        of ours in it, which may be exchanged."""

    def met(self, device: int) -> None:
        """A file system of this number was found in the share, perhaps in the place of another one
        that had it: what was known of it counts no more."""

    def close(self) -> None: ...


def is_free(folder: Directory, name: str) -> bool:
    """Whether something can get this name now: neither it nor another spelling of it is there."""
    return folder.stat(name) is None and folder.spelled(name) is None


class LastFolder:
    """The folder of the last path stays open: paths come folder by folder.

    `at` lends a folder until the next `at` or `close`. Whoever moves a folder away meanwhile takes
    what is done in it along, as with any folder held open: so hold it for one run of paths only.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._path = ""
        self._folder: Directory | None = None

    def at(self, path: str) -> Directory:
        """The folder at `path`; OSError as of Root.folder."""
        if self._folder is None or self._path != path:
            self.close()
            self._folder, self._path = self._root.folder(path), path
        return self._folder

    def close(self) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
