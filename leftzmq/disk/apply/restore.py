"""Lists the versions in the trash, and puts them back.

One rename moves a version from the trash to a free name (write order, step 3); then the folders are
flushed. From then on the version is like any file that a user puts into the share.

Knows batches and paths. Must not know index versions: the next scan makes one for what it finds.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from msgspec import Struct

from leftzmq.disk.apply.flush import ALONE, GROUP_FROM, Beside, Flushes
from leftzmq.disk.fs.errno_meaning import is_full, raise_if_short
from leftzmq.disk.fs.interface import Directory, OtherSpelling, Root, Stat
from leftzmq.disk.fs.permissions import make_folder
from leftzmq.disk.staging.lefting import create_lefting, throw_away
from leftzmq.disk.trash.trash import TRASH_PATH, copy_bytes, is_batch, our_names
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import is_below, join, name_of, parent_of, sort_key
from leftzmq.tree.rules import check_path

STEP_CALLS: Final = 400  # as in a sweep of the trash (disk/trash/retention)
PART_NAMES: Final = 128  # names of one folder, all stat'ed while it is open

Between = tuple[str, str]
"""Names of batches: the first one, and the end (not included). "" is no limit."""


class Trashed(Struct, frozen=True):
    """One version in the trash. `batch` moved it there from `path`; its name is the time (UTC).

    size: bytes of a file. mtime_ns: of the version itself.
    """

    batch: str
    path: str
    kind: Kind
    size: int
    mtime_ns: int


class Listing(Struct, frozen=True):
    """A part of the listing. done: it is the last part."""

    found: tuple[Trashed, ...]
    done: bool


class Restored(Enum):
    """How a restore ended. The value is the sentence that the user reads."""

    DONE = "is back"
    TAKEN = "something has that name already: rename it, or restore under another one with --to"
    GONE = "is not in the trash any more"
    NO_FOLDER = "a file or a link is in the place of its folder"
    DISK_FULL = "the disk is full"
    FAILED = "could not be put back"


class PutBack(Struct, frozen=True):
    """A version in the trash, and `target`, the path that it is to have in the share."""

    batch: str
    path: str
    target: str


class Return(Struct, frozen=True):
    """The result of one restore. made: folders that were made for it, the outermost first."""

    wanted: PutBack
    ending: Restored
    made: tuple[str, ...] = ()
    why: str = ""


@dataclass(slots=True)
class _Level:
    """A folder of the walk. names: its names that are still to be listed, the next one last."""

    where: str
    names: list[str]


class TrashListing:
    """Lists the versions of `path` and of all paths below it ("": everything). The newest batch
    comes first; the versions of one batch are in the order of a sorted walk.

    between: which batches. after: (batch, path); the listing starts behind this version, which need
    not exist
    """

    def __init__(
        self,
        root: Root,
        path: str,
        between: Between = ("", ""),
        after: tuple[str, str] = ("", ""),
    ) -> None:
        self._root, self._path, self._between = root, path, between
        self._first, self._after = after
        self._calls = 0
        self._going = self._run()

    def step(self) -> Listing:
        self._calls = 0
        found: list[Trashed] = []
        done = False
        while not done and self._calls < STEP_CALLS:
            part = next(self._going, None)
            done = part is None
            found += part or ()
        return Listing(tuple(found), done)

    def _run(self) -> Iterator[list[Trashed]]:
        try:
            with self._root.folder(TRASH_PATH) as trash:
                names = our_names(trash)
        except OSError as error:
            raise_if_short(error)
            return
        yield []
        for batch in sorted(filter(is_batch, names), reverse=True):
            since, before = self._between
            if batch < since or (before and batch >= before):
                continue
            if not self._first or batch <= self._first:
                yield from self._batch(batch, self._after if batch == self._first else "")

    def _batch(self, batch: str, after: str) -> Iterator[list[Trashed]]:
        """after: the versions up to this path are skipped."""
        top = _Level(parent_of(self._path), [name_of(self._path)])
        way = [top if self._path else self._level(batch, "", after)]
        while way:
            if not way[-1].names:
                way.pop()
                continue
            found, inner = self._part(batch, way[-1])
            yield [one for one in found if not after or sort_key(one.path) > sort_key(after)]
            if inner:
                way.append(self._level(batch, inner, after))

    def _level(self, batch: str, where: str, after: str) -> _Level:
        """The names in a folder; none if the folder does not exist."""
        self._calls += 3
        try:
            with self._root.folder(_in_trash(batch, where)) as folder:
                names = sorted(our_names(folder), reverse=True)
        except OSError as error:
            raise_if_short(error)
            return _Level(where, [])
        if after and is_below(after, where):
            first = after.removeprefix(f"{where}/" if where else "").partition("/")[0]
            while names and names[-1] < first:
                names.pop()
        return _Level(where, names)

    def _part(self, batch: str, level: _Level) -> tuple[list[Trashed], str]:
        """The versions among the next names, up to the first folder; and the path of that folder,
        or ""."""
        self._calls += 3
        found: list[Trashed] = []
        try:
            with self._root.folder(_in_trash(batch, level.where)) as folder:
                for _ in range(min(PART_NAMES, len(level.names))):
                    name = level.names.pop()
                    path = join(level.where, name)
                    self._calls += 1
                    stat = folder.stat(name)
                    if stat is None or stat.kind is None:
                        continue
                    if stat.kind is Kind.DIRECTORY:
                        return found, path
                    size = stat.size if stat.kind is Kind.FILE else 0
                    found.append(Trashed(batch, path, stat.kind, size, stat.mtime_ns))
        except OSError as error:
            raise_if_short(error)
            level.names.clear()
        return found, ""


def newest_trashed(root: Root, path: str) -> Trashed | None:
    """Return the newest version of `path` itself in the STEP_CALLS newest batches of the trash.
    None: there is none. Raises OSError if the error says nothing about the trash."""
    try:
        with root.folder(TRASH_PATH) as trash:
            names = our_names(trash)
    except OSError as error:
        raise_if_short(error)
        return None
    for batch in sorted(filter(is_batch, names), reverse=True)[:STEP_CALLS]:
        try:
            with root.folder(_in_trash(batch, parent_of(path))) as folder:
                stat = folder.stat(name_of(path))
        except OSError as error:
            raise_if_short(error)
            continue
        if stat is not None and stat.kind is not None:
            size = stat.size if stat.kind is Kind.FILE else 0
            return Trashed(batch, path, stat.kind, size, stat.mtime_ns)
    return None


def restore(root: Root, wanted: Sequence[PutBack], beside: Beside = ALONE) -> list[Return]:
    """Put the `wanted` versions back. Returns one Return each, in the same order. Nothing is ever
    overwritten.

    beside: the other batches of the share.

    Raises OSError only if the root itself cannot be opened, and Refused for a path that may not be
    synced; then nothing was done.
    """
    for one in wanted:
        check_path(one.path)
        check_path(one.target)
        assert is_batch(one.batch)
    flushes = Flushes(root, GROUP_FROM, beside)
    returns = []
    for at, one in enumerate(wanted):
        flushes.at = at
        made: list[str] = []
        try:
            ending, why = _restore(root, one, flushes, made), ""
        except OSError as error:
            ending = Restored.DISK_FULL if is_full(error) else Restored.FAILED
            why = error.strerror or str(error)
        if ending is not Restored.DONE:
            _unmake(root, made)
        returns.append(Return(one, ending, tuple(made), why))
    for at, why in flushes.finish().items():
        if returns[at].ending is Restored.DONE:  # it is back, but a power cut may undo that
            returns[at] = Return(wanted[at], Restored.DONE, returns[at].made, why)
    return returns


def _restore(root: Root, wanted: PutBack, flushes: Flushes, made: list[str]) -> Restored:
    at = join(join(TRASH_PATH, wanted.batch), wanted.path)
    try:
        source = root.folder(parent_of(at))
    except (FileNotFoundError, NotADirectoryError):
        return Restored.GONE
    with source:
        found = source.stat(name_of(at))
        if found is None or found.kind is None or found.kind is Kind.DIRECTORY:
            return Restored.GONE
        try:
            goal = _folder(root, parent_of(wanted.target), flushes, made)
        except (NotADirectoryError, FileExistsError):
            return Restored.NO_FOLDER
        with goal:
            try:
                flushes.settle_way(parent_of(wanted.target), at_once=True)
                _move(source, name_of(at), goal, wanted.target, found)
            except FileExistsError:
                return Restored.TAKEN
            except FileNotFoundError:
                return Restored.GONE
            flushes.touch(parent_of(at), source)
            flushes.touch(parent_of(wanted.target), goal)
    return Restored.DONE


def _move(source: Directory, name: str, goal: Directory, target: str, found: Stat) -> None:
    try:
        source.rename_new(name, goal, name_of(target))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    # The target lies on a file system that is mounted inside the share.
    if found.kind is Kind.SYMLINK:
        goal.make_link(name_of(target), source.read_link(name))
    else:
        _copy(source, name, goal, target)
    goal.flush()
    source.unlink(name)


def _copy(source: Directory, name: str, goal: Directory, target: str) -> None:
    """Copy the file; the copy is complete and flushed before it gets its name, as in a download."""
    file, staged = create_lefting(goal, target)
    with file, source.open_read(name) as old:
        try:
            copy_bytes(old, file)
            file.flush()
            goal.rename_new(name_of(staged.path), goal, name_of(target))
        except OSError:
            throw_away(goal, staged)
            raise


def _folder(root: Root, path: str, flushes: Flushes, made: list[str]) -> Directory:
    """The folder at `path`, opened. Missing folders are made and added to `made`. OSError."""
    try:
        return root.folder(path)
    except FileNotFoundError:
        pass
    where = parent_of(path)
    with _folder(root, where, flushes, made) as above:
        try:
            make_folder(above, name_of(path))
        except OtherSpelling:
            raise
        except FileExistsError:
            return above.folder(name_of(path))  # a user was quicker
        made.append(path)
        flushes.made(where, above)
        return above.folder(name_of(path))


def _unmake(root: Root, made: list[str]) -> None:
    """Remove the folders that a failed restore made, if they are still empty."""
    while made:
        path = made.pop()
        try:
            with root.folder(parent_of(path)) as above:
                above.remove_folder(name_of(path))
        except OSError:
            return


def _in_trash(batch: str, where: str) -> str:
    top = join(TRASH_PATH, batch)
    return join(top, where) if where else top
