"""How long the trash keeps what it took, and letting go of the rest, a little at a time.

A batch goes when it is older than so many days, and while all of them take up more than so much of
the disk: the oldest first, whole. Its age is the time in its name against the trash's clock, which
follows the wall clock by at most a week a day: a clock that jumps years ahead shortens what is kept
by a week, and does not empty the trash. A batch from the future has no age that could be known:
time alone never takes it; where room is needed it counts as the oldest, so that it does not
displace what is taken from now on. What was taken in the last hour stays, however much it is; while
the guard holds something (docs/decisions/0003), what was taken in the last day. (What goes when
there is no room for a file that is to come is another matter: disk/trash/make_room.)

Unlinks inside `.left/trash` alone, relative to open folders, follows no link and enters no other
file system. What goes is first given a name that nobody lists, and what a user rescues by renaming
it meanwhile is opened anew, not found, and so left alone. Only batches by name are touched.

Knows batches and sizes. Must not know what is in them, nor why it was taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leftzmq.config import Limits
from leftzmq.disk.fs.interface import Directory, Root, Stat
from leftzmq.disk.trash.trash import GOING, TRASH_PATH, batch_name, is_batch, our_names, taken_ns
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import join, name_of, parent_of

DAY_NS: Final = 86_400_000_000_000
CLOCK_STEP_NS: Final = 7 * DAY_NS  # a device that was off for a month catches up within five days
CLOCK_DAY_NS: Final = DAY_NS - DAY_NS // 6  # a sweep that comes a little early is a day's, too
SPARED_NS: Final = DAY_NS // 24
FUTURE_NS: Final = DAY_NS
"""A batch so far ahead of both clocks was made by a wrong one."""
STEP_CALLS: Final = 400
"""File system calls of one step: 2 to 4 ms, measured on ext4."""
PART_NAMES: Final = 128  # of one folder, stat or unlinked while it is open


@dataclass(frozen=True, slots=True)
class TrashClock:
    """shown_ns: what the age of batches is measured with; it never goes back.
    wall_ns: the wall clock when it was last moved."""

    shown_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What one step did. batches, bytes: let go of. clock: to be remembered for the next sweep."""

    clock: TrashClock
    batches: int
    bytes: int
    done: bool


def moved(clock: TrashClock | None, now_ns: int, newest_ns: int | None) -> TrashClock:
    """The clock at a new sweep.

    clock: as it was left by the last one; None: nobody remembers. newest_ns: the time of the
    newest batch up to now: where nobody remembers, time is known to have reached that.
    """
    if clock is None:
        return TrashClock(now_ns if newest_ns is None else min(newest_ns, now_ns), now_ns)
    since_ns = max(0, now_ns - clock.wall_ns)
    step_ns = CLOCK_STEP_NS if since_ns >= CLOCK_DAY_NS else since_ns
    shown_ns = max(clock.shown_ns, min(now_ns, clock.shown_ns + step_ns))
    return TrashClock(shown_ns, now_ns)


class TrashLooks:
    """Looks into the trash, and counts its calls. Whatever cannot be read is passed over."""

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
    """One sweep of one share's trash; `step` until it is done. spared_ns: what was taken so long
    ago, or later, stays."""

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
        self._going = self._run()

    def step(self) -> Swept:
        """So much work as one job does. What cannot be read or removed is passed over."""
        self._calls = self._batches = self._bytes = 0
        done = False
        while not done and self._calls < STEP_CALLS:
            done = next(self._going, None) is None
        return Swept(self._clock, self._batches, self._bytes, done)

    # -- which -------------------------------------------------------------------------------------

    def _run(self) -> Iterator[bool]:
        """Yields True after each bit of work."""
        try:
            with self._root.folder(TRASH_PATH) as trash:
                names = sorted(our_names(trash))
                self._device = trash.own_stat().device
                limit = int(trash.total_bytes() * self._limits.trash_percent / 100)
        except OSError:
            return  # a trash that is not there, or a link in its place, holds nothing of ours
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
        """Let the oldest of `batches` go until all of them take up at most `limit` bytes."""
        sizes: list[tuple[str, int]] = []
        for batch in batches:
            size = 0
            for part in self._sizes(batch):
                size += part
                yield True
            sizes.append((batch, size))
        future = batch_name(max(self._now_ns, self._clock.shown_ns) + FUTURE_NS)
        spared = batch_name(self._now_ns - self._spared_ns)
        over = sum(size for _, size in sizes) - limit
        for batch, size in sorted(sizes, key=lambda one: (one[0] < future, one[0])):
            if over <= 0:
                return
            if spared < batch < future:
                continue
            yield from self._let_go(batch)
            over -= size

    def _sizes(self, batch: str) -> Iterator[int]:
        """Bytes on the disk of what lies below a batch, part by part."""
        way = [join(TRASH_PATH, batch)]
        while way:
            where = way.pop()
            names = self._names(where)
            yield 0
            for at in range(0, len(names), PART_NAMES):
                size = 0
                for name, found in self._stats(where, names[at : at + PART_NAMES]):
                    if found.kind is Kind.DIRECTORY:
                        way.append(join(where, name))
                    else:
                        size += found.allocated
                yield size

    # -- letting go --------------------------------------------------------------------------------

    def _let_go(self, batch: str) -> Iterator[bool]:
        """Take a batch out of sight, then away. A crash in between leaves it for the next sweep."""
        try:
            with self._root.folder(TRASH_PATH) as trash:
                trash.rename_new(batch, trash, GOING + batch)
        except OSError:
            return  # a user was quicker
        self._batches += 1
        yield from self._remove(join(TRASH_PATH, GOING + batch))

    def _remove(self, top: str) -> Iterator[bool]:
        """Remove `top` and what is below it, the innermost first; what does not go stays."""
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
        """Unlink what of `names` is no folder; the folders."""
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
            return inner  # read-only, or gone: the rest of these stays for the next sweep
        return inner

    def _remove_folder(self, where: str) -> None:
        self._calls += 2
        try:
            with self._root.folder(parent_of(where)) as folder:
                folder.remove_folder(name_of(where))
        except OSError:
            return  # something in it stayed
