"""Deletes versions from the trash when a new file needs the space, a little at a time.

Nothing is deleted for no use: if the deletable versions do not free enough space, all of them stay.
Otherwise as much is deleted as is needed, and a little more, so that not every file starts this
again. "That hour" is the last one (`spared_ns`). The order, the oldest of each group first:

1. versions from that hour between a newer and an older one of the same path that stay; versions
   from before that hour with a newer one of the same path;
2. all other versions from before that hour;
3. the remaining versions from that hour, except the newest of each path.

The newest version of a path from within that hour is never deleted, so at most one version of each
path can keep a ticket waiting. While the guard holds something, everything from the last day stays.
A version is checked again by its inode before it is deleted: a user may have put another file
there.

Unlinks inside `.left/trash` alone, like disk/trash/retention. Knows batches, paths and sizes. Must
not know what needs the space.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from leftzmq.disk.fs.interface import Root
from leftzmq.disk.trash.retention import FUTURE_NS, PART_NAMES, SPARED_NS, STEP_CALLS, TrashLooks
from leftzmq.disk.trash.trash import TRASH_PATH, batch_name, is_batch, our_names
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import join, name_of, parent_of

MAX_PATHS: Final = 200_000
"""How many paths have their newest version remembered, by hash: 15 MiB. Every version of a further
path counts as the newest of its path, and so is deleted late or not at all."""
MAX_VERSIONS: Final = 50_000
"""How many versions each of the three groups holds, the oldest ones: about 15 MiB. The other
versions are found the next time."""


class Given(Struct, frozen=True):
    """What one step deleted."""

    files: int
    bytes: int
    done: bool


class _Version(Struct, frozen=True):
    where: str
    inode: int
    bytes: int


class GiveWay(TrashLooks):
    """Frees space once on the file system of the trash; call `step` until it is done.

    need_bytes: if less than this can be freed, nothing is deleted. more_bytes: freed in addition,
    if possible. spares_all: every version from within `spared_ns` stays, not only the newest of a
    path
    """

    def __init__(
        self,
        root: Root,
        need_bytes: int,
        more_bytes: int,
        now_ns: int,
        spared_ns: int = SPARED_NS,
        *,
        spares_all: bool = False,
    ) -> None:
        super().__init__(root)
        self._need, self._more = need_bytes, more_bytes
        self._spared = batch_name(max(0, now_ns - spared_ns))
        self._future = batch_name(now_ns + FUTURE_NS)
        self._spares_all = spares_all
        self._files = self._bytes = 0
        self._newest: set[int] = set()
        # Newest first; if there are too many, the newest are dropped.
        self._middle: deque[_Version] = deque(maxlen=MAX_VERSIONS)
        self._old: deque[_Version] = deque(maxlen=MAX_VERSIONS)
        self._last: deque[_Version] = deque(maxlen=MAX_VERSIONS)
        self._of_hour: dict[int, _Version] = {}  # hash of a path -> its oldest of the hour so far
        self._going = self._run()

    def step(self) -> Given:
        """Do the work of one job. Versions that cannot be read or removed are skipped."""
        self._calls = self._files = self._bytes = 0
        done = False
        while not done and self._calls < STEP_CALLS:
            done = next(self._going, None) is None
        return Given(self._files, self._bytes, done)

    def _run(self) -> Iterator[bool]:
        """Yields True after each bit of work."""
        try:
            with self._root.folder(TRASH_PATH) as trash:
                names = our_names(trash)
                self._device = trash.own_stat().device
        except OSError:
            return  # a missing trash, or a link in its place, has no files of ours
        for batch in sorted(filter(is_batch, names), reverse=True):
            yield from self._look_at(batch)
        self._last.extend(self._of_hour.values())
        groups = (self._middle, self._old, self._last)
        ordered = [v for group in groups for v in sorted(group, key=lambda version: version.where)]
        if sum(version.bytes for version in ordered) < self._need:
            return
        wanted = self._need + self._more
        for version in ordered:
            if wanted <= 0:
                return
            wanted -= self._unlink(version)
            yield True

    def _look_at(self, batch: str) -> Iterator[bool]:
        """Sort the versions of a batch into the groups. Batches are passed newest first."""
        young = self._spared < batch < self._future
        spared = young and self._spares_all
        top = join(TRASH_PATH, batch)
        way = [top]
        while way:
            where = way.pop()
            names = self._names(where)
            for at in range(0, len(names), PART_NAMES):
                for name, found in self._stats(where, names[at : at + PART_NAMES]):
                    path = join(where, name)
                    if found.kind is Kind.DIRECTORY:
                        way.append(path)
                        continue
                    size = found.allocated if found.links == 1 else 0
                    version = _Version(path, found.inode, size)
                    self._sort(version, hash(path.removeprefix(top)), young, spared)
                yield True
            yield True

    def _sort(self, version: _Version, path: int, young: bool, spared: bool) -> None:
        is_newest = path not in self._newest
        if is_newest and len(self._newest) < MAX_PATHS:
            self._newest.add(path)
        if spared:
            return
        if not young:
            (self._old if is_newest else self._middle).append(version)
            return
        if is_newest:
            return
        newer = self._of_hour.get(path)
        if newer is not None:
            self._middle.append(newer)
        if newer is not None or len(self._of_hour) < MAX_VERSIONS:
            self._of_hour[path] = version

    def _unlink(self, version: _Version) -> int:
        """Delete a version. Returns the bytes that this freed."""
        self._calls += 3
        where, name = parent_of(version.where), name_of(version.where)
        try:
            with self._root.folder(where) as folder:
                found = folder.stat(name)
                if found is None or found.inode != version.inode or found.kind is Kind.DIRECTORY:
                    return 0
                folder.unlink(name)
        except OSError:
            return 0
        self._files += 1
        self._bytes += version.bytes
        return version.bytes
