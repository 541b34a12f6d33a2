"""The trash: `.left/trash/<YYYYMMDD-HHMMSS>-<8 hex>/<the path it had>`, one folder per batch.

The name is the time of the batch, UTC; the hex digits are its nanoseconds, so that names sort by
time. A deleted or replaced version keeps its own path there, so that a user can put it back by
hand. Nothing in the trash is ever overwritten. Knows the paths in the trash. Must not know why a
version is moved here, nor whether it may be (disk/apply checks), nor when it may be deleted
(disk/trash/retention).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from msgspec import Struct

from leftzmq.disk.fs.interface import Directory, File, Root, is_free
from leftzmq.disk.fs.permissions import keep
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import is_within, join, name_of, parent_of
from leftzmq.tree.rules import LEFT_DIRECTORY

TRASH_NAME: Final = "trash"
TRASH_PATH: Final = f"{LEFT_DIRECTORY}/{TRASH_NAME}"

GOING: Final = "going-"
"""Prefix of the name of a batch that is being deleted (disk/trash/retention)."""

COPY_BYTES: Final = 1 << 20
"""Size of one read and write when a file must be copied."""

_PRIVATE_MODE: Final = 0o700
_TRIES: Final = 16  # a batch finds a taken name once or twice; more would be an endless loop
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS: Final = 1_000_000_000
_BATCH: Final = re.compile(r"(\d{8}-\d{6})-([0-9a-f]{8})", re.ASCII)


def batch_name(now_ns: int) -> str:
    """The name of a batch made at this wall clock time."""
    return f"{_utc(now_ns)}-{now_ns % _SECOND_NS:08x}"


def is_batch(name: str) -> bool:
    """Whether this is the name of a batch. Such names sort by their times."""
    return _BATCH.fullmatch(name) is not None


def taken_ns(batch: str) -> int | None:
    """The time in a batch's name, in ns since the epoch; None: it is not the name of a batch."""
    found = _BATCH.fullmatch(batch)
    if found is None:
        return None
    try:
        moment = datetime.strptime(found[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * _SECOND_NS + min(int(found[2], 16), _SECOND_NS - 1)


def our_names(folder: Directory) -> list[str]:
    """The names in a folder of the trash. Names that are not UTF-8 are left out: they are not
    ours. OSError."""
    names = []
    for raw in folder.names():
        try:
            names.append(raw.decode())
        except UnicodeDecodeError:
            continue
    return names


class Spot(Struct, frozen=True):
    """A name in an open folder. where: the folder's path. in_trash: a file there is in the trash
    already.

    Leaving the `with` closes the folder. So do not use `with` for a spot whose folder belongs to
    other code.
    """

    folder: Directory
    name: str
    where: str
    in_trash: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.close()


class Trash:
    """One batch of the trash.

    touch:  called with the path of each folder whose names change, and with the folder itself
    settle: called with the folders in which new ones were made, before anything is moved into
            these: a power cut must not take them, and leave the file without its old name. OSError
    """

    def __init__(
        self,
        root: Root,
        now_ns: int,
        touch: Callable[[str, Directory], None],
        settle: Callable[[Sequence[str]], None],
    ) -> None:
        self._root, self._now_ns, self._touch, self._settle = root, now_ns, touch, settle
        self._top = ""
        self._made = self._copied = 0
        self._folders: list[str] = []  # made by this object, parents first
        self._unsettled: dict[str, None] = {}  # folders in which it made some

    def spot(self, path: str) -> Spot:
        """A free name in the trash for the file at `path`. The caller closes the spot. OSError."""
        for _ in range(_TRIES):
            top = self._top = self._top or self._begin()
            where = join(top, parent_of(path)) if parent_of(path) else top
            try:
                folder = self._folder(top, parent_of(path))
            except (FileExistsError, NotADirectoryError, FileNotFoundError):
                self._top = (
                    ""  # a file of this batch lies where a folder is needed, or it was emptied
                )
                continue
            spot = Spot(folder, name_of(path), where, in_trash=True)
            try:
                if is_free(folder, spot.name):
                    self._touch(where, folder)
                    self._settle(tuple(self._unsettled))
                    self._unsettled.clear()
                    return spot
            except OSError:
                folder.close()
                raise
            folder.close()
            self._top = ""
        raise OSError(errno.EEXIST, "no free name in the trash", path)

    def move_in(self, spot: Spot, path: str) -> None:
        """Move the file at `spot`, which was at `path`, into the trash. From another file system it
        is copied, flushed, checked again and only then unlinked. OSError."""
        if spot.in_trash:
            return
        with self.spot(path) as goal:
            try:
                spot.folder.rename_new(spot.name, goal.folder, goal.name)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy_whole(spot, goal)
                spot.folder.unlink(spot.name)
        self._touch(spot.where, spot.folder)

    def remove_empty(self) -> None:
        """Remove the folders that this object made and that are empty. If that fails, they stay."""
        while self._folders:
            path = self._folders.pop()
            with suppress(OSError), self._root.folder(parent_of(path)) as above:
                above.remove_folder(name_of(path))

    def _copy_whole(self, spot: Spot, goal: Spot) -> None:
        """Copy the whole file and flush it, or leave nothing: half a file in the trash would look
        like a version of the user. OSError."""
        found = spot.folder.stat(spot.name)
        if found is not None and found.kind is Kind.SYMLINK:
            goal.folder.make_link(goal.name, spot.folder.read_link(spot.name))
        else:
            self._copy_file(spot, goal)
        goal.folder.flush()
        # The original is removed on another disk, which no flush of this one waits for.
        above = parent_of(goal.where)
        while is_within(above, TRASH_PATH):
            with self._root.folder(above) as folder:
                folder.flush()
            above = parent_of(above)

    def _copy_file(self, spot: Spot, goal: Spot) -> None:
        """Copy the file through a folder that a sweep deletes: if half a copy cannot be removed,
        the next sweep deletes it. OSError."""
        self._copied += 1
        above, part = f"{GOING}{name_of(self._top)}", str(self._copied)
        with self._root.folder(TRASH_PATH) as trash:
            with suppress(FileExistsError):
                trash.make_folder(above, _PRIVATE_MODE)
            with trash.folder(above) as going:
                try:
                    with spot.folder.open_read(spot.name) as source, going.create(part) as target:
                        copy_bytes(source, target)
                        target.flush()
                    going.rename_new(part, goal.folder, goal.name)
                finally:
                    with suppress(OSError):
                        if going.stat(part) is not None:
                            going.unlink(part)
            with suppress(OSError):
                trash.remove_folder(above)

    def _begin(self) -> str:
        """Make a new batch folder. Returns its path. OSError."""
        with self._root.folder(LEFT_DIRECTORY) as left:
            if left.stat(TRASH_NAME) is None:
                left.make_folder(TRASH_NAME, _PRIVATE_MODE)
                self._made_in(LEFT_DIRECTORY, left)
        with self._root.folder(TRASH_PATH) as trash:
            while True:
                name = batch_name(self._now_ns + self._made)
                self._made += 1
                try:
                    trash.make_folder(name, _PRIVATE_MODE)
                except FileExistsError:
                    continue
                self._made_in(TRASH_PATH, trash)
                self._folders.append(join(TRASH_PATH, name))
                return join(TRASH_PATH, name)

    def _made_in(self, where: str, folder: Directory) -> None:
        self._touch(where, folder)
        self._unsettled[where] = None

    def _folder(self, top: str, below: str) -> Directory:
        try:
            return self._root.folder(join(top, below) if below else top)
        except FileNotFoundError:
            pass
        where = top
        folder = self._root.folder(top)
        for name in below.split("/") if below else ():
            with folder as above:
                if above.stat(name) is None:
                    above.make_folder(name, _PRIVATE_MODE)
                    self._made_in(where, above)
                    self._folders.append(join(where, name))
                folder = above.folder(name)
            where = join(where, name)
        return folder


def copy_bytes(source: File, target: File) -> str:
    """Copy bytes, exec, mtime and access. Returns what of the access could not be kept, in words.
    OSError; EBUSY if the source was written meanwhile."""
    before = source.stat()
    offset = 0
    while data := source.read(offset, COPY_BYTES):
        target.write(offset, data)
        offset += len(data)
    lost = keep(target, source, before.key().attributes)
    target.set_times(before.mtime_ns)
    if not source.stat().key().same_bytes(before.key()):
        raise OSError(errno.EBUSY, "it was written while it was copied")
    return lost


def _utc(now_ns: int) -> str:
    return (_EPOCH + timedelta(microseconds=now_ns // 1000)).strftime("%Y%m%d-%H%M%S")
