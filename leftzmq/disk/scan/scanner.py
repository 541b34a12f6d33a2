"""Scans single paths (a "look"). A file is read only if it may have changed.

Knows stats, contents and ids. Must not know why it looks, nor what the index makes of it.

A file that changed while it was read is not believed: the stat must be the same before and after.
A stat alone cannot tell two writes in one tick of the kernel's clock apart. So a file that changed
less than RACY_NS before the look is not believed either. Both are RESTLESS: look again.

Where each change after a stat shows another time, a file that a user saved a moment ago is read and
told at once. But the kernel sets the time of a write before it copies the bytes: in between, the
stat is the new one and the bytes are the old ones. So such a file is young, and is read once more.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from leftzmq.content.cut import MAX_CHUNK_BYTES, ONE_CHUNK_MAX_BYTES, Cutter
from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import FolderKeys
from leftzmq.content.lists import pack_row
from leftzmq.content.noise import SAMPLE_BYTES, is_known, is_noise, looks_random, places
from leftzmq.disk.fs.errno_meaning import is_gone, raise_if_short
from leftzmq.disk.fs.interface import Directory, LastFolder, Root, Stat
from leftzmq.disk.scan.rules import KnownRules, read_rules
from leftzmq.disk.scan.sighting import RulesRead, Sight, Sighting, SliceSighting
from leftzmq.errors import Problem, ProblemKind, Refusal, Refused
from leftzmq.tree.entry import MAX_LINK_BYTES, ContentId, Kind, Observed, ScanKey
from leftzmq.tree.ignoring.rule_file import LEFTIGNORE
from leftzmq.tree.ignoring.share_rules import is_rule_file
from leftzmq.tree.path import join, name_of, parent_of
from leftzmq.tree.rules import check_path

RACY_NS: Final = 20_000_000  # a tick is 10 ms if HZ is 100, and times are rounded down to a tick
LOOK_BYTES: Final = 1 << 20
LOOK_PATHS: Final = 128
WINDOW_BYTES: Final = 4 << 20
"""Bytes that one slice reads, cuts and hashes. Measured: 1.5 GB/s with 2 and 4 MiB, 1.0 GB/s with
16 MiB, which is more than the CPU caches hold. With 4 MiB a job takes 3 ms."""

_ANOTHER_KIND: Final = frozenset((errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.ENXIO))
"""Errors of opening a file that was replaced since its stat by a folder, special file or link."""


def look(
    root: Root,
    folder_id: str,
    paths: Sequence[str],
    known: Callable[[str], ScanKey | None],
    keys: FolderKeys,
    *,
    now_ns: Callable[[], int],
    rules: KnownRules | None = None,
    edits: Collection[str] = (),
    exact_device: int | None = None,
    budget_bytes: int = LOOK_BYTES,
    budget_paths: int = LOOK_PATHS,
) -> tuple[list[Sighting], tuple[str, ...]]:
    """Look at `paths`. Returns one Sighting each, in the order given, and the paths that are left
    because a budget was used up.

    known:  the ScanKey in our index of the live entry at a path, if there is one
    now_ns: the wall clock, in ns since the epoch
    rules:  by which paths are ignored; such a path is not looked at
    edits:  those of the paths at which a small file is read even if it changed a moment ago, as
            long as it is on `exact_device`, the file system that tells each change apart
    At least one path is looked at. The look ends after the path that used up a budget. Consecutive
    paths of one folder are cheaper. Raises OSError if the error says nothing about the path.
    """
    sightings: list[Sighting] = []
    with LastFolder(root) as near:
        ruled = rules or KnownRules()
        scanner = _Scanner(near, root, folder_id, known, keys, now_ns, ruled, edits, exact_device)
        for path in paths:
            full = len(sightings) >= budget_paths or scanner.read_bytes >= budget_bytes
            if sightings and full:
                break
            sightings.append(scanner.sight(path))
    return sightings, tuple(paths[len(sightings) :])


def cut_slice(
    root: Root,
    path: str,
    key: ScanKey,
    offset: int,
    keys: FolderKeys,
    cutter: Cutter,
    *,
    grows_at_ns: int | None = None,
    window_bytes: int = WINDOW_BYTES,
) -> SliceSighting:
    """Read [offset, offset + window_bytes) of a file, cut and hash it. A file of at most
    ONE_CHUNK_MAX_BYTES is one chunk.

    grows_at_ns: the wall clock now, if the file may be longer than `key` says. Such a part is read
    all the same, and `grew` says so, but only if no later write can have the times of `key`.
    `end` is the offset after the last cut that is certain: the next slice begins there, or it is
    the size of the file. If the bytes are not those of `key` (changed, deleted, truncated), `still`
    is False and there are no rows: a look will find the reason. If the file could not be read,
    `why` is set, too. Raises OSError if the error says nothing about the path.
    """
    assert 0 <= offset < key.size and window_bytes >= MAX_CHUNK_BYTES
    moved = SliceSighting(path, key, offset, offset, b"", False)
    may_grow = grows_at_ns is not None and not _is_racy(key, grows_at_ns)

    def still(now: ScanKey) -> bool:
        return now == key or (may_grow and key.has_grown(now))

    length = min(window_bytes, key.size - offset)
    try:
        with root.folder(parent_of(path)) as folder, folder.open_read(name_of(path)) as file:
            before = file.stat().key()
            if not still(before):
                return moved
            data = file.read(offset, length)
            after = file.stat().key()
            if len(data) != length or not still(after):
                return moved
    except OSError as error:
        raise_if_short(error)
        if is_gone(error) or error.errno in _ANOTHER_KIND:
            return moved
        return replace(moved, why=error.strerror or str(error))
    grew = before != key or after != key
    if key.size <= ONE_CHUNK_MAX_BYTES:
        row = pack_row(chunk_id(keys, data), length)
        noise = is_noise(data)
        found = SliceSighting(path, key, offset, length, row, True, noise=noise, grew=grew)
        return replace(found, before=before, after=after)
    known = offset == 0 and is_known(data[:SAMPLE_BYTES])
    noise = any(looks_random(part) for part in _samples(key.size, offset, data))
    rows, at = [], 0
    with memoryview(data) as window:
        for size in cutter.cut(window, last=offset + length == key.size):
            rows.append(pack_row(chunk_id(keys, window[at : at + size]), size))
            at += size
    packed = b"".join(rows)
    found = SliceSighting(path, key, offset, offset + at, packed, True, known, noise, grew=grew)
    return replace(found, before=before, after=after)


def _samples(size: int, offset: int, data: bytes) -> Iterator[bytes]:
    """The samples of a file that begin in this part of it. A sample that the end of the part would
    cut off is taken from an earlier offset."""
    for place in places(size):
        if offset <= place < offset + len(data):
            at = max(0, min(place - offset, len(data) - SAMPLE_BYTES))
            yield data[at : at + SAMPLE_BYTES]


class _Scanner:
    """One look."""

    def __init__(
        self,
        near: LastFolder,
        root: Root,
        folder_id: str,
        known: Callable[[str], ScanKey | None],
        keys: FolderKeys,
        now_ns: Callable[[], int],
        rules: KnownRules,
        edits: Collection[str],
        exact_device: int | None,
    ) -> None:
        self._near, self._root, self._folder_id, self._known = near, root, folder_id, known
        self._keys, self._now_ns, self._rules = keys, now_ns, rules
        self._edits, self._exact_device = edits, exact_device
        self._fully_ruled: dict[str, bool] = {}
        self.read_bytes = 0

    def sight(self, path: str) -> Sighting:
        if not path:
            return Sighting(path, Sight.SAME)  # the share's root is a folder without an entry
        seen = self._sight_at(path)
        return self._with_rules(seen) if is_rule_file(path) else seen

    def _sight_at(self, path: str) -> Sighting:
        try:
            check_path(path)
            return self._sight(self._near.at(parent_of(path)), path)
        except Refused as refused:
            if self._is_ignored(path, None):
                return Sighting(path, Sight.IGNORED)
            return self._problem(path, ProblemKind.BAD_NAME, refused.refusal.value)
        except (FileNotFoundError, NotADirectoryError):
            # Also if a folder above is now a link: the files behind a link are not ours.
            return self._gone(path)
        except OSError as error:
            if error.errno in _ANOTHER_KIND:
                return Sighting(path, Sight.RESTLESS)
            raise_if_short(error)
            if self._is_ignored(path, None):
                return Sighting(path, Sight.IGNORED)
            return self._problem(path, ProblemKind.UNREADABLE, error.strerror or str(error))

    # -- rules ---------------------------------------------------------------------------------

    def _is_ignored(self, path: str, kind: Kind | None) -> bool:
        return self._rules.rules.verdict(path, kind) is not None

    def _knows_rules_of(self, folder: str) -> bool:
        """Whether the rules of a folder and of those above it are known, as far as our index has
        not these folders yet. A file in a folder that was just moved here may be seen before the
        rules that came with it."""
        known = self._fully_ruled.get(folder)
        if known is None:
            known = not folder or self._known(folder) is not None
            if not known:
                known = self._knows_rules_of(parent_of(folder)) and self._has_no_news(folder)
            self._fully_ruled[folder] = known
        return known

    def _has_no_news(self, folder: str) -> bool:
        path = join(folder, LEFTIGNORE)
        if self._rules.rules.file(path) is not None:
            return True
        with self._root.folder(folder) as opened:
            return opened.stat(LEFTIGNORE) is None

    def _with_rules(self, seen: Sighting) -> Sighting:
        """With what a file of rules says, if it was not read as it is now."""
        path = seen.path
        if seen.sight is Sight.IGNORED:
            return seen
        if seen.sight is Sight.GONE:
            return replace(seen, rules=RulesRead(path, None, b"", None))
        if seen.key is not None and self._rules.was_read(path, seen.key):
            return seen
        try:
            folder = self._near.at(parent_of(path))
            return replace(seen, rules=read_rules(folder, path, folder.stat(name_of(path))))
        except (FileNotFoundError, NotADirectoryError):
            return seen  # a look will tell
        except OSError as error:
            raise_if_short(error)
            return seen

    def _sight(self, folder: Directory, path: str) -> Sighting:
        now_ns = self._now_ns()
        stat = folder.stat(name_of(path))
        if stat is None:
            other = folder.spelled(name_of(path))
            return self._gone(path, join(parent_of(path), other) if other else "")
        if self._is_ignored(path, stat.kind):
            return self._ignored(path, stat)
        if stat.kind is None:
            return self._problem(path, ProblemKind.SPECIAL)
        if not is_rule_file(path) and not self._knows_rules_of(parent_of(path)):
            return Sighting(path, Sight.RESTLESS)
        key = stat.key()
        if key == self._known(path):
            return Sighting(path, Sight.SAME, key, empty=_is_empty(folder, path, stat))
        age_ns = now_ns - max(stat.mtime_ns, stat.ctime_ns)
        if stat.kind is Kind.DIRECTORY:
            found = Observed(path, Kind.DIRECTORY, mode=key.mode)
            empty = _is_empty(folder, path, stat)
            return Sighting(path, Sight.FOUND, key, found, age_ns=age_ns, empty=empty)
        if _is_racy(stat, now_ns):
            if stat.kind is Kind.FILE and self._reads_at_once(path, stat):
                return _young(self._small(folder, path, key, age_ns))
            return Sighting(path, Sight.RESTLESS, key, age_ns=age_ns)
        if stat.kind is Kind.SYMLINK:
            return self._link(folder, path, key, age_ns)
        if stat.size > ONE_CHUNK_MAX_BYTES:
            return Sighting(path, Sight.LARGE, key, age_ns=age_ns)
        return self._small(folder, path, key, age_ns)

    def _reads_at_once(self, path: str, stat: Stat) -> bool:
        is_exact = self._exact_device is not None and stat.device == self._exact_device
        return is_exact and path in self._edits and stat.size <= ONE_CHUNK_MAX_BYTES

    def _small(self, folder: Directory, path: str, key: ScanKey, age_ns: int) -> Sighting:
        with folder.open_read(name_of(path)) as file:
            before = file.stat().key()
            if before != key:
                return Sighting(path, Sight.RESTLESS, before)
            data = file.read(0, key.size)
            after = file.stat().key()
        self.read_bytes += len(data)
        if after != key or len(data) != key.size:
            return Sighting(path, Sight.RESTLESS, after)
        content = ContentId(chunk_id(self._keys, data))
        noise = is_noise(data)
        shown = (key.size, key.mtime_ns, key.exec)
        found = Observed(path, Kind.FILE, *shown, content, noise=noise, mode=key.mode)
        return Sighting(path, Sight.FOUND, key, found, age_ns=age_ns)

    def _link(self, folder: Directory, path: str, key: ScanKey, age_ns: int) -> Sighting:
        target = folder.read_link(name_of(path))
        stat = folder.stat(name_of(path))
        if stat is None:
            return self._gone(path)
        if stat.kind is None or stat.key() != key:
            return Sighting(path, Sight.RESTLESS)
        if not target or len(target) > MAX_LINK_BYTES or not _is_utf8(target):
            return self._problem(path, ProblemKind.BAD_NAME, Refusal.BAD_LINK.value)
        found = Observed(path, Kind.SYMLINK, mtime_ns=key.mtime_ns, content=ContentId(target))
        return Sighting(path, Sight.FOUND, key, found, age_ns=age_ns)

    def _ignored(self, path: str, stat: Stat) -> Sighting:
        """What is at the path is ignored. If our index has something of a kind there that is kept,
        that is gone."""
        key = self._known(path)
        if key is None or self._is_ignored(path, key.kind):
            return Sighting(path, Sight.IGNORED, None if stat.kind is None else stat.key())
        return Sighting(path, Sight.GONE, key)

    def _gone(self, path: str, other: str = "") -> Sighting:
        key = self._known(path)
        kinds = (None, Kind.DIRECTORY) if key is None else (key.kind,)
        if all(self._is_ignored(path, kind) for kind in kinds):
            return Sighting(path, Sight.IGNORED)
        return Sighting(path, Sight.GONE, key, other=other)

    def _problem(self, path: str, kind: ProblemKind, detail: str = "") -> Sighting:
        problem = Problem(self._folder_id, path, kind, detail)
        return Sighting(path, Sight.PROBLEM, problem=problem)


def _young(seen: Sighting) -> Sighting:
    """The file that was read a moment after it changed. No file has this ctime."""
    if seen.sight is not Sight.FOUND or seen.key is None:
        return seen
    return replace(seen, key=seen.key.as_young(), young=True)


def _is_empty(above: Directory, path: str, stat: Stat) -> bool:
    """Whether this is an empty folder on the same file system as its parent. False also if that
    cannot be told: then a walk enters the folder and reports the error."""
    if stat.kind is not Kind.DIRECTORY or stat.device != above.own_stat().device:
        return False
    try:
        with above.folder(name_of(path)) as folder:
            inside = folder.own_stat()
            is_it = (inside.device, inside.inode) == (stat.device, stat.inode)
            return is_it and not folder.names()
    except OSError as error:
        raise_if_short(error)
        return False


def _is_racy(stat: Stat | ScanKey, now_ns: int) -> bool:
    """Whether another write could still get the same times.

    Times in the future are not racy: a write would set them to now.
    """
    return any(abs(now_ns - time_ns) < RACY_NS for time_ns in (stat.mtime_ns, stat.ctime_ns))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
