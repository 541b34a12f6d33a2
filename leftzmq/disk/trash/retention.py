"""Deletes old batches of the trash, a little at a time.

A batch is deleted when it is older than a number of days. Batches are also deleted while the whole
trash is larger than a part of the disk: the oldest first, always a whole batch. The age of a batch
is the trash's clock minus the time in its name. That clock follows the wall clock by at most a week
a day, so a wall clock that jumps years ahead shortens the retention by a week; the trash is not
emptied.
A batch from the future has no known age, so it is never deleted for its age. If space is needed it
counts as the oldest, so that it does not displace new batches. Batches from the last hour stay,
whatever their size; while the guard holds something (docs/decisions/0003), those from the last day.
(disk/trash/make_room deletes when there is no space for a new file.)

Unlinks inside `.left/trash` alone, relative to open folders, follows no link and enters no other
file system. A batch is first renamed to a name that nobody lists. If a user rescues it by renaming
it meanwhile, it is not found when it is opened again, and so stays. Only batches, recognised by
their names, are touched.

Knows batches and sizes. Must not know what is in them, nor why it was taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from leftzmq.config import Limits
from leftzmq.disk.fs.interface import Directory, Root, Stat
from leftzmq.disk.trash.trash import GOING, TRASH_PATH, batch_name, is_batch, our_names, taken_ns
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import join, name_of, parent_of

DAY_NS: Final = 86_400_000_000_000
CLOCK_STEP_NS: Final = 7 * DAY_NS  # a device that was off for a month catches up within five days
CLOCK_DAY_NS: Final = DAY_NS - DAY_NS // 6  # a daily sweep may run a little early
SPARED_NS: Final = DAY_NS // 24
FUTURE_NS: Final = DAY_NS
"""A batch this far ahead of both clocks was made with a wrong clock."""
STEP_CALLS: Final = 400
"""File system calls of one step: 2 to 4 ms, measured on ext4."""
PART_NAMES: Final = 128  # names of one folder, stat'ed or unlinked while it is open


class TrashClock(Struct, frozen=True):
    """The trash's clock. shown_ns: its time, which batch ages are measured with; it never goes
    back. wall_ns: the wall clock at the last update of shown_ns."""

    shown_ns: int
    wall_ns: int


class TrashSize(Struct, frozen=True):
    """How much lies in the trash. bytes: what the files take up on the disk."""

    files: int = 0
    bytes: int = 0

    def plus(self, other: TrashSize) -> TrashSize:
        return TrashSize(self.files + other.files, self.bytes + other.bytes)


class Swept(Struct, frozen=True):
    """What one step did. batches, bytes: deleted. clock: to be kept for the next sweep. left: what
    the sweep left in the trash, as far as it has seen; all of it when it is done."""

    clock: TrashClock
    batches: int
    bytes: int
    left: TrashSize
    done: bool


def moved(clock: TrashClock | None, now_ns: int, newest_ns: int | None) -> TrashClock:
    """The clock at a new sweep.

    clock: the one from the last sweep; None if it is not known. newest_ns: the time of the newest
    batch up to now; without a known clock, time has reached at least that.
    """
    if clock is None:
        return TrashClock(now_ns if newest_ns is None else min(newest_ns, now_ns), now_ns)
    since_ns = max(0, now_ns - clock.wall_ns)
    step_ns = CLOCK_STEP_NS if since_ns >= CLOCK_DAY_NS else since_ns
    shown_ns = max(clock.shown_ns, min(now_ns, clock.shown_ns + step_ns))
    return TrashClock(shown_ns, now_ns)


class TrashLooks:
    """Reads the trash, and counts its file system calls. What cannot be read is skipped."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._device = 0
        self._calls = 0

    def _names(self, where: str) -> list[str]:
        """The names in a folder, if it is on the trash's own file system."""
        self._calls += 2
        try:
            with self._root.folder(where) as folder:
                if folder.own_stat().device != self._device:
                    return []
                return our_names(folder)
        except OSError:
            return []

    def _stats(self, where: str, names: list[str]) -> list[tuple[str, Stat]]:
        try:
            with self._root.folder(where) as folder:
                return self._stats_in(folder, names)
        except OSError:
            return []

    def _stats_in(self, folder: Directory, names: list[str]) -> list[tuple[str, Stat]]:
        self._calls += 1 + len(names)
        found = ((name, folder.stat(name)) for name in names)
        return [(name, stat) for name, stat in found if stat is not None]


class TrashSweep(TrashLooks):
    """One sweep of one share's trash; call `step` until it is done. spared_ns: batches younger than
    this are not deleted."""

    def __init__(
        self,
        root: Root,
        limits: Limits,
        clock: TrashClock | None,
        now_ns: int,
        spared_ns: int = SPARED_NS,
    ) -> None:
        super().__init__(root)
        self._limits, self._now_ns = limits, now_ns
        self._spared_ns = spared_ns
        self._clock = clock or TrashClock(0, 0)
        self._first = clock is None
        self._batches = self._bytes = 0
        self._left = TrashSize()
        self._going = self._run()

    def step(self) -> Swept:
        """Do the work of one job. What cannot be read or removed is skipped."""
        self._calls = self._batches = self._bytes = 0
        done = False
        while not done and self._calls < STEP_CALLS:
            done = next(self._going, None) is None
        return Swept(self._clock, self._batches, self._bytes, self._left, done)

    # -- which -------------------------------------------------------------------------------------

    def _run(self) -> Iterator[bool]:
        """Yields True after each bit of work."""
        try:
            with self._root.folder(TRASH_PATH) as trash:
                names = sorted(our_names(trash))
                self._device = trash.own_stat().device
                limit = int(trash.total_bytes() * self._limits.trash_percent / 100)
        except OSError:
            return  # a missing trash, or a link in its place, has no files of ours
        yield True
        for name in names:
            if name.startswith(GOING) and is_batch(name.removeprefix(GOING)):
                yield from self._remove(join(TRASH_PATH, name))
        batches = [name for name in names if is_batch(name)]
        self._move_clock(batches)
        kept_ns = int(self._limits.trash_days * DAY_NS)
        kept_ns = max(kept_ns, self._spared_ns)
        old = batch_name(max(0, self._clock.shown_ns - kept_ns))
        kept = []
        for batch in batches:
            if batch < old:
                yield from self._let_go(batch)
            else:
                kept.append(batch)
        yield from self._down_to(limit, kept)

    def _move_clock(self, batches: list[str]) -> None:
        now = batch_name(self._now_ns)
        newest = max((batch for batch in batches if batch <= now), default=None)
        newest_ns = None if newest is None else taken_ns(newest)
        self._clock = moved(None if self._first else self._clock, self._now_ns, newest_ns)

    def _down_to(self, limit: int, batches: list[str]) -> Iterator[bool]:
        """Delete the oldest of `batches` until all of them together have at most `limit` bytes."""
        sizes: list[tuple[str, TrashSize]] = []
        for batch in batches:
            size = TrashSize()
            for part in self._sizes(batch):
                size = size.plus(part)
                yield True
            sizes.append((batch, size))
            self._left = self._left.plus(size)
        future = batch_name(max(self._now_ns, self._clock.shown_ns) + FUTURE_NS)
        spared = batch_name(self._now_ns - self._spared_ns)
        over = self._left.bytes - limit
        for batch, size in sorted(sizes, key=lambda one: (one[0] < future, one[0])):
            if over <= 0:
                return
            if spared < batch < future:
                continue
            yield from self._let_go(batch)
            over -= size.bytes
            self._left = self._left.plus(TrashSize(-size.files, -size.bytes))

    def _sizes(self, batch: str) -> Iterator[TrashSize]:
        """Yields the sizes of the files in a batch, part by part."""
        way = [join(TRASH_PATH, batch)]
        while way:
            where = way.pop()
            names = self._names(where)
            yield TrashSize()
            for at in range(0, len(names), PART_NAMES):
                files = size = 0
                for name, found in self._stats(where, names[at : at + PART_NAMES]):
                    if found.kind is Kind.DIRECTORY:
                        way.append(join(where, name))
                    else:
                        files += 1
                        size += found.allocated
                yield TrashSize(files, size)

    # -- deleting ----------------------------------------------------------------------------------

    def _let_go(self, batch: str) -> Iterator[bool]:
        """Rename a batch so that it is not listed, then delete it. After a crash in between the
        next sweep deletes it."""
        try:
            with self._root.folder(TRASH_PATH) as trash:
                trash.rename_new(batch, trash, GOING + batch)
        except OSError:
            return  # a user has removed it already
        self._batches += 1
        yield from self._remove(join(TRASH_PATH, GOING + batch))

    def _remove(self, top: str) -> Iterator[bool]:
        """Remove `top` and everything below it, innermost first. What cannot be removed stays."""
        way = [(top, self._names(top))]
        while way:
            where, names = way[-1]
            if not names:
                self._remove_folder(where)
                way.pop()
            else:
                part, names[:] = names[:PART_NAMES], names[PART_NAMES:]
                inner = self._unlink(where, part)
                way += [(join(where, name), self._names(join(where, name))) for name in inner]
            yield True

    def _unlink(self, where: str, names: list[str]) -> list[str]:
        """Unlink those of `names` that are not folders. Returns the names of the folders."""
        inner = []
        try:
            with self._root.folder(where) as folder:
                for name, found in self._stats_in(folder, names):
                    if found.kind is Kind.DIRECTORY:
                        inner.append(name)
                        continue
                    self._calls += 1
                    folder.unlink(name)
                    self._bytes += found.allocated
        except OSError:
            return inner  # read-only, or deleted: the rest stays for the next sweep
        return inner

    def _remove_folder(self, where: str) -> None:
        self._calls += 2
        try:
            with self._root.folder(parent_of(where)) as folder:
                folder.remove_folder(name_of(where))
        except OSError:
            return  # it is not empty
