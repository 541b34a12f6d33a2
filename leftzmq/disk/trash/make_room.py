"""What of the trash goes when there is no room for what is to come, a little at a time.

Nothing goes in vain: if all that may go does not make room enough, all of it stays. Else as much
goes as is needed, and a little more, so that not every file asks anew. In this order, the oldest of
each first:

1. versions of a path of which both a newer and an older one from the same hour stay, and those
   from before that hour of which a newer one stays;
2. everything else from before that hour;
3. of a path the older versions of that hour.

The newest version of a path that was taken within the last hour (`spared_ns`: while the guard holds
something, everything from the last day) never goes: at most one version of each path keeps a
ticket waiting. What was seen is looked at again before it goes, by its inode: a user may put
something there.

Unlinks inside `.left/trash` alone, as disk/trash/retention. Knows batches, paths and sizes. Must
not know what needs the room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leftzmq.disk.fs.interface import Root
from leftzmq.disk.trash.retention import FUTURE_NS, PART_NAMES, SPARED_NS, STEP_CALLS, TrashLooks
from leftzmq.disk.trash.trash import TRASH_PATH, batch_name, is_batch, our_names
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import join, name_of, parent_of

MAX_PATHS: Final = 200_000
"""Whose newest version is known, by their hashes: 15 MiB. What lies below these counts as the
newest of its path, and so goes late or not at all."""
MAX_VERSIONS: Final = 50_000
"""Of each of the three groups, the oldest: about 15 MiB. What is left is found the next time."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one step let go of."""

    files: int
    bytes: int
    done: bool


@dataclass(frozen=True, slots=True)
class _Version:
    where: str
    inode: int
    bytes: int


class GiveWay(TrashLooks):
    """One time that room is needed on the file system of the trash; `step` until it is done.

    need_bytes: without so much more it is of no use. more_bytes: as much again, if it is there.
    spares_all: nothing that was taken within `spared_ns` goes, and not only the newest of a path
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
        # Newest first; where there are too many the newest are forgotten.
        self._middle: deque[_Version] = deque(maxlen=MAX_VERSIONS)
        self._old: deque[_Version] = deque(maxlen=MAX_VERSIONS)
        self._last: deque[_Version] = deque(maxlen=MAX_VERSIONS)
        self._of_hour: dict[int, _Version] = {}  # hash of a path -> its oldest of the hour so far
        self._going = self._run()

    def step(self) -> Given:
        """So much work as one job does. What cannot be read or removed is passed over."""
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
            return  # a trash that is not there, or a link in its place, holds nothing of ours
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
        """Sort what lies in a batch; they come from the newest to the oldest."""
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
        """Bytes that are free now."""
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
