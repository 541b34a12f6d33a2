"""The interface of the file systems under disk/: an open root, open folders in it, open files in
those.

No call overwrites, follows a link below the root, or takes a path with `..` in it. So nothing built
on this interface can leave the share (I9) or replace a file that was not checked (I2). Names are
str and valid UTF-8; only `names` gives the raw bytes on disk.

`fs/real` implements it; a simulated one passes the same contract (tests/unit/disk/test_real.py).

Knows kinds and stats. Must not know descriptors, entries, the index or the write order.
"""

from __future__ import annotations

import errno
from types import TracebackType
from typing import Final, Protocol, Self

from msgspec import Struct

from leftzmq.tree.attributes import NO_MODE, Attributes
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.permissions import ALL_BITS

Buffer = bytes | bytearray | memoryview
Identity = tuple[int, int]
"""Of a folder: the device and the inode number."""

PRIVATE_MODE: Final = 0o600
"""Mode of an incomplete file: nobody else reads it, because the file may be private."""

ACL_NAME: Final = "system.posix_acl_access"
"""The ACL of a file as an extended attribute (acl(5), xattr(7))."""
USER_PREFIX: Final = "user."

CLONE_BYTES: Final = 4096
"""Block size in bytes of the file systems that can share blocks (btrfs, xfs)."""
CANNOT_CLONE: Final = frozenset((errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY))


class Stat(Struct, frozen=True):
    """The result of lstat. Times are ns since the epoch, limited to signed 64 bits as in the index.

    kind: None if it is neither file, folder nor link. exec: the owner's x bit of a file.
    mode: permission bits. device: compared only within one run. allocated: bytes on the disk, fewer
    than `size` if a file is sparse. owner, group: the numeric ids on this machine.
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
        """The part of the stat that the index keeps. A change of what is in a folder does not
        change its key."""
        assert self.kind is not None
        mode = NO_MODE if self.kind is Kind.SYMLINK else self.mode & ALL_BITS
        if self.kind is Kind.DIRECTORY:
            return ScanKey(self.kind, 0, 0, 0, self.inode, False, 0, mode)
        size = self.size if self.kind is Kind.FILE else 0
        return ScanKey(
            self.kind, size, self.mtime_ns, self.ctime_ns, self.inode, self.exec, self.links, mode
        )


class OtherSpelling(FileExistsError):
    """Nothing can be made at `name`: `other` is there, and this file system takes both for one
    name. other: "" if nobody can tell which name that is."""

    def __init__(self, name: str, other: str) -> None:
        self.name, self.other = name, other
        said = f"this disk cannot tell it from {other or 'another name'}"
        super().__init__(errno.EEXIST, said, name)


class NotKept(OSError):
    """This file system would change the name that was asked for; nothing was made."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EINVAL, "this disk would give it another name", name)


def with_exec(mode: int, exec: bool) -> int:
    """The mode with x for everybody who may read, or without x."""
    return mode | (mode & 0o444) >> 2 | 0o100 if exec else mode & ~0o111


def with_wanted(mode: int, wanted: Attributes) -> int:
    """The mode with all nine bits as they are wanted, if that is known, else with x alone."""
    if wanted.bits is None:
        return with_exec(mode, wanted.exec)
    return mode & ~ALL_BITS | wanted.bits


def mode_below(mode: int, folder_mode: int) -> int:
    """The part of `mode` that a new file or folder may have in a folder of `folder_mode`. Who may
    not enter the folder gets nothing; who may not change its content gets no w. The owner's bits
    stay."""
    for shift in (0, 3):
        may = folder_mode >> shift & 0o7
        allowed = 0 if not may & 0o1 else 0o5 | may & 0o2
        mode &= ~((0o7 & ~allowed) << shift)
    return mode


class Owned(Protocol):
    """The owner and mode of an open file or folder. Errors are OSError."""

    def set_owner(self, owner: int, group: int) -> None:
        """Set the numeric ids; -1 leaves one unchanged. PermissionError if not allowed."""

    def set_mode(self, mode: int) -> None:
        """Set the permission bits."""


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
        """Returns `length` bytes, fewer only at the end of the file."""

    def write(self, offset: int, data: Buffer) -> None:
        """Write all of `data`, or raise OSError."""

    def clone(self, offset: int, source: Self, source_offset: int, length: int) -> None:
        """Share `length` bytes of `source` without a copy. Both offsets and the length are
        multiples of CLONE_BYTES.

        OSError with an errno of CANNOT_CLONE if that is not possible. After any other OSError a
        part of the bytes may be written."""

    def truncate(self, size: int) -> None: ...

    def stat(self) -> Stat: ...

    def set_times(self, mtime_ns: int) -> None: ...

    def set_wanted(self, wanted: Attributes) -> None:
        """Set what of the mode is wanted. PermissionError if this process may not."""

    def xattrs(self) -> dict[str, bytes]:
        """Name -> value: the ACL, under ACL_NAME, and the names with USER_PREFIX. Empty if the file
        system has neither."""

    def set_xattr(self, name: str, value: bytes) -> None:
        """Set an attribute that `xattrs` could list. An ACL changes the permission bits, too."""

    def remove_xattr(self, name: str) -> None:
        """Remove an attribute that is there."""

    def begin_flush(self, offset: int, length: int) -> None:
        """Start the writeback of these bytes, unless the disk is behind already. This is a hint
        that hardly waits and never fails. A later `flush` reports errors and then waits less."""

    def flush(self) -> None: ...


class Directory(Closing, Owned, Protocol):
    """An open directory. A name is one component: never empty, `.`, `..` or with `/` or NUL.

    Errors are OSError; FileNotFoundError and FileExistsError mean what their names say.
    `raw` shows names as the file system itself treats them. A directory of a share uses the exact
    spelling, whatever its disk does (disk/fs/spelling), and raises OtherSpelling and NotKept.
    """

    @property
    def raw(self) -> Directory:
        """The directory as the file system itself has it."""

    def stat(self, name: str) -> Stat | None:
        """The stat of `name` itself, links not followed; None if nothing is there."""

    def stat_listed(self, name: str) -> Stat | None:
        """As `stat`, for a name that `names` returned right before."""

    def own_stat(self) -> Stat:
        """The stat of the directory itself."""

    def device(self) -> int:
        """The device number of its file system, as in `own_stat`, but cheaper."""

    def identity(self) -> Identity:
        """Its device and inode number, as in `own_stat`, but cheaper. They stay the same while it
        is open, whatever its path is by then."""

    def spelled(self, name: str) -> str | None:
        """The other spelling that is there and that the disk takes for `name`; "" if nobody can
        tell which one it is. None: nothing is there, or `name` itself."""

    def names(self) -> list[bytes]:
        """The raw names on disk, in no order."""

    def folder(self, name: str) -> Directory:
        """Open the folder `name`. NotADirectoryError if it is a link or anything else."""

    def open_read(self, name: str) -> File:
        """Open a regular file. OSError; a link is an error."""

    def open_write(self, name: str) -> File:
        """Open an existing regular file for reading and writing. OSError; a link is an error."""

    def create(self, name: str) -> File:
        """Create a file with PRIVATE_MODE, open for reading and writing. FileExistsError. The final
        mode is set when the file has its bytes: only then is it known."""

    def new_mode(self, exec: bool) -> int:
        """The permission bits of a file that replaces none: 0666 less the umask, less what this
        folder does not allow (mode_below). With `exec`, x for everybody who may read."""

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        """Make a folder with `mode` less the umask. FileExistsError."""

    def make_link(self, name: str, target: bytes) -> None: ...

    def read_link(self, name: str) -> bytes: ...

    def rename_new(self, name: str, to: Directory, to_name: str) -> None:
        """Rename to a free name. FileExistsError if the name is taken; then nothing has changed."""

    def respell(self, name: str, to_name: str) -> None:
        """Give `name` another spelling, in one step. Only for a disk that takes both for one name:
        there nothing else can be at `to_name`. FileNotFoundError, FileExistsError."""

    def exchange(self, name: str, to: Directory, to_name: str) -> None:
        """Exchange two names in one step. Both must exist and neither may be a folder."""

    def unlink(self, name: str) -> None: ...

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder. OSError(ENOTEMPTY) if it is not empty."""

    def flush(self) -> None:
        """Make the names in this directory durable."""

    def free_bytes(self) -> int:
        """How many bytes we may still write on this folder's file system."""

    def total_bytes(self) -> int:
        """The size of this folder's file system in bytes."""


class Root(Protocol):
    """A share's root, held open."""

    def folder(self, path: str) -> Directory:
        """Open the folder at `path` ("" is the root). FileNotFoundError if it does not exist.
        NotADirectoryError if a component of `path` is a link or not a folder."""

    def still_there(self) -> bool:
        """Whether the path of the root still leads to this very directory; False if nothing is
        there. OSError if that cannot be told now."""

    def flush_all(self) -> None:
        """Flush the root's file system (not the ones that are mounted inside)."""

    def missing_at(self, path: str, name: str, other: str) -> tuple[str, ...]:
        """Sentences that say what the file system of the folder `path` cannot do. The test uses two
        files of ours in the folder, and may exchange them."""

    def tells_each_change(self, path: str, name: str) -> int | None:
        """The device number of the file system of the folder `path`, if there a file that was
        written after a stat has another ctime than that stat showed, however soon; else None. The
        test writes to a file of ours in the folder."""

    def met(self, device: int) -> None:
        """Forget what is known of the file system with this device number: it was found in the
        share now, and an earlier file system may have had the same number."""

    def close(self) -> None: ...


def is_free(folder: Directory, name: str) -> bool:
    """Whether the name is free: neither it nor another spelling of it is there. OSError."""
    return folder.stat(name) is None and folder.spelled(name) is None


class LastFolder:
    """Keeps the last folder open: consecutive paths are mostly in the same folder.

    The caller may use a folder from `at` until the next `at` or `close`. If a user moves the open
    folder away meanwhile, changes in it happen at its new path. So keep this object for one run of
    paths only.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._path = ""
        self._folder: Directory | None = None

    def at(self, path: str) -> Directory:
        """The folder at `path`, open. OSError as from Root.folder."""
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
