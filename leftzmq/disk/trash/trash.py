"""The trash: `.left/trash/<YYYYMMDD-HHMMSS>-<8 hex>/<the path it had>`, one folder per batch.

The name is the time of the batch, UTC; the hex digits are its nanoseconds, so that names sort as
the batches were made. What a delete or a newer version takes away lies there under its own path, so
it can be put back by hand. Nothing in it is ever overwritten. Knows where things go. Must not know
why, nor whether what lies at a path may be taken (disk/apply looks), nor when it may go for good
(disk/trash/retention).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from leftzmq.disk.fs.interface import Directory, File, Root, is_free
from leftzmq.disk.fs.permissions import keep
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import LEFT_DIRECTORY, join, name_of, parent_of

TRASH_NAME: Final = "trash"
TRASH_PATH: Final = f"{LEFT_DIRECTORY}/{TRASH_NAME}"

GOING: Final = "going-"
"""Begins the name of a batch that is on its way out (disk/trash/retention)."""

COPY_BYTES: Final = 1 << 20
"""Read and written at once where bytes must be copied."""

_PRIVATE_MODE: Final = 0o700
_TRIES: Final = 16  # a batch meets a taken name once or twice; more is a loop of ours
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
    """The time in a batch's name (unix time); None: it is not the name of a batch."""
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
    """The names in a folder of the trash; one that is not UTF-8 was not put there by us."""
    names = []
    for raw in folder.names():
        try:
            names.append(raw.decode())
        except UnicodeDecodeError:
            continue
    return names


@dataclass(frozen=True, slots=True)
class Spot:
    """A name in an open folder. where: the folder's path. in_trash: what lies there is settled.

    Leaving the `with` closes the folder; a spot in somebody else's folder is not used in one.
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
    """The trash of one batch. `touch` is told each folder whose names change."""

    def __init__(self, root: Root, now_ns: int, touch: Callable[[str], None]) -> None:
        self._root, self._now_ns, self._touch = root, now_ns, touch
        self._top = ""
        self._made = self._copied = 0
        self._folders: list[str] = []  # that this made, parents first

    def spot(self, path: str) -> Spot:
        """A free name for what lies at `path`; whoever takes it closes it. OSError."""
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
            name = name_of(path)
            if is_free(folder, name):
                self._touch(where)
                return Spot(folder, name, where, in_trash=True)
            folder.close()
            self._top = ""
        raise OSError(errno.EEXIST, "no free name in the trash", path)

    def take(self, spot: Spot, path: str) -> None:
        """Move what lies at `spot`, and was at `path`, into the trash; from another file system
        it is copied, flushed, looked at again and only then unlinked."""
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
        self._touch(spot.where)

    def remove_empty(self) -> None:
        """Those of its folders in which nothing stayed. One that will not go stays empty."""
        while self._folders:
            path = self._folders.pop()
            with suppress(OSError), self._root.folder(parent_of(path)) as above:
                above.remove_folder(name_of(path))

    def _copy_whole(self, spot: Spot, goal: Spot) -> None:
        """All of it, flushed, or nothing: half a file in the trash would pass for a user's."""
        found = spot.folder.stat(spot.name)
        if found is not None and found.kind is Kind.SYMLINK:
            goal.folder.make_link(goal.name, spot.folder.read_link(spot.name))
        else:
            self._copy_file(spot, goal)
        goal.folder.flush()

    def _copy_file(self, spot: Spot, goal: Spot) -> None:
        """By way of what a sweep throws away: where even the half of it could not be removed, it
        goes with that."""
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
        """The next folder of the trash that nobody had before."""
        with self._root.folder(LEFT_DIRECTORY) as left:
            if left.stat(TRASH_NAME) is None:
                left.make_folder(TRASH_NAME, _PRIVATE_MODE)
                self._touch(LEFT_DIRECTORY)
        with self._root.folder(TRASH_PATH) as trash:
            while True:
                name = batch_name(self._now_ns + self._made)
                self._made += 1
                try:
                    trash.make_folder(name, _PRIVATE_MODE)
                except FileExistsError:
                    continue
                self._touch(TRASH_PATH)
                self._folders.append(join(TRASH_PATH, name))
                return join(TRASH_PATH, name)

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
                    self._touch(where)
                    self._folders.append(join(where, name))
                folder = above.folder(name)
            where = join(where, name)
        return folder


def copy_bytes(source: File, target: File) -> str:
    """Bytes, exec, mtime and who may read; what of that last could not be kept, in words. OSError;
    EBUSY: the source was written meanwhile."""
    before = source.stat()
    offset = 0
    while data := source.read(offset, COPY_BYTES):
        target.write(offset, data)
        offset += len(data)
    lost = keep(target, source, before.exec)
    target.set_times(before.mtime_ns)
    if not source.stat().key().same_bytes(before.key()):
        raise OSError(errno.EBUSY, "it was written while it was copied")
    return lost


def _utc(now_ns: int) -> str:
    return (_EPOCH + timedelta(microseconds=now_ns // 1000)).strftime("%Y%m%d-%H%M%S")
