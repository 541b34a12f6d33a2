"""Knows which folders inside a share are mounts, and whether each is still the same mount (I11).

If a mount is away, or another file system is mounted in its place, its folder may be empty only for
that reason. Nothing below it counts as changed until files of our index are found there again.
Knows paths and device numbers. Must not know what an index says, except at which paths.

Device numbers are compared only within one run. The paths are kept beyond it. So a mount that is
missing at a start is noticed, and another disk in its place is not taken for it.

The first walk, look or operation below a mount not yet seen in this run compares the mount with our
index. This happens before anything is believed or written there: otherwise a file written there
could later be taken as proof that it is the same mount.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from leftzmq.disk.fs.errno_meaning import is_gone, raise_if_short
from leftzmq.disk.fs.interface import Root
from leftzmq.disk.scan.index_cursor import Ours
from leftzmq.tree.entry import Kind, ScanKey
from leftzmq.tree.path import name_of, parent_of, path_of_key, sort_key

SAMPLE: Final = 64  # how many index entries below a mount are checked


class CannotTell(Exception):
    """It cannot be told now whether a mount is there. path: the mount, or the path that was asked
    about if no mount is known there."""

    def __init__(self, path: str, error: OSError) -> None:
        self.path, self.why = path, error.strerror or str(error)
        super().__init__(f"{path}: {self.why}")


class Mounts:
    """The mounts of one share in one run: path -> device number (None: not seen in this run yet).
    Several threads use it, each call for one path."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._devices: dict[str, int | None] = dict.fromkeys(paths)
        self._gone: set[str] = set()
        self._new: set[str] = set()  # not found by a walk, and not passed by one since
        self._top: int | None = None  # the share's own device

    @classmethod
    def unpack(cls, packed: bytes | None) -> Mounts:
        return cls(packed.decode().split("\0") if packed else ())

    def pack(self) -> bytes:
        return "\0".join(sorted(self._devices)).encode()

    def __bool__(self) -> bool:
        return bool(self._devices)

    def __contains__(self, path: str) -> bool:
        return path in self._devices

    def in_doubt(
        self, path: str, device: int, above: int, root: Root, ours: Ours, came: list[str]
    ) -> bool:
        """Whether the folder at `path` may be empty only because its mount is missing or replaced.
        Called when a walk passes the folder. device: of the folder; above: of its parent folder.

        came: `path` is added to it if the folder became a mount, or is no mount any more, and has
        entries of ours. A mount that was known at the start and is there is not added.
        """
        known = path in self._devices
        if not known and device == above:
            return False
        if known and path not in self._gone and self._is_it(path, device, above):
            if path in self._new:
                self._new.discard(path)
                came.append(path)
            return False
        seen_before = path in self._gone or self._devices.get(path, device) is not None
        if not _holds(root, ours, sort_key(path) + b"\0"):
            self.mount_lost(path)
            return True
        if device != above:
            self._devices[path] = device
            root.met(device)
        else:
            self._devices.pop(path, None)
        self._gone.discard(path)
        self._new.discard(path)
        if seen_before or device == above:
            came.append(path)
        return False

    def mount_lost(self, path: str) -> None:
        """The mount is not there: nothing below it is scanned until a walk finds it again."""
        self._devices.setdefault(path, None)
        self._gone.add(path)

    def gone_above(self, root: Root, path: str, ours: Ours) -> str | None:
        """The mount at or above `path` that is missing now, or that may be another one than our
        index knows; None if there is no such mount. Only a walk finds that a missing mount is back.
        Raises CannotTell; OSError that says nothing about the path."""
        for mount in self._over(path):
            if mount not in self._gone and not self._is_there(root, mount, ours):
                self._gone.add(mount)
            if mount in self._gone:
                return mount
        try:
            return self._new_above(root, parent_of(path), ours)
        except OSError as error:
            raise_if_short(error)
            raise CannotTell(path, error) from error

    def _over(self, path: str) -> Iterator[str]:
        if not self._devices:
            return
        at = path.find("/")
        while at >= 0:
            if path[:at] in self._devices:
                yield path[:at]
            at = path.find("/", at + 1)
        if path in self._devices:
            yield path

    def _is_there(self, root: Root, mount: str, ours: Ours) -> bool:
        try:
            with root.folder(parent_of(mount)) as folder:
                found, above = folder.stat(name_of(mount)), folder.own_stat()
        except OSError as error:
            if is_gone(error):
                return False
            raise_if_short(error)
            raise CannotTell(mount, error) from error
        if found is None or found.kind is not Kind.DIRECTORY:
            return False
        if self._devices.get(mount) is None and found.device != above.device:
            if not _holds(root, ours, sort_key(mount) + b"\0"):
                return False
            self._devices[mount] = found.device
            root.met(found.device)
        return self._is_it(mount, found.device, above.device)

    def _is_it(self, path: str, device: int, above: int) -> bool:
        return device != above and self._devices.get(path) == device

    # ---- mounts not known yet -----------------------------------------------------------------

    def _new_above(self, root: Root, folder: str, ours: Ours) -> str | None:
        """As `gone_above`, for mounts at or above `folder` that no walk has passed. OSError."""
        *_, known = ("", *self._over(folder))
        above = self._devices.get(known) if known else self._device_of_top(root)
        found = _device_of_nearest(root, folder)
        if above is None or found == above:
            return None
        for at in _below(known, folder):
            device = _device_of(root, at)
            if device is None:
                break  # nothing is there, nor below it
            if device == above:
                continue
            if not _holds(root, ours, sort_key(at) + b"\0"):
                self.mount_lost(at)
                return at
            self._devices[at] = above = device
            root.met(device)
            self._new.add(at)
        return None

    def _device_of_top(self, root: Root) -> int:
        if self._top is None:
            self._top = _device_of_nearest(root, "")
        return self._top


def _device_of_nearest(root: Root, path: str) -> int:
    """The device number of the folder at `path`, or of the nearest existing one above it.
    OSError."""
    while path:
        device = _device_of(root, path)
        if device is not None:
            return device
        path = parent_of(path)
    with root.folder("") as folder:
        return folder.own_stat().device


def _device_of(root: Root, path: str) -> int | None:
    """The device number of the folder at `path`; None: there is no folder. OSError."""
    try:
        with root.folder(path) as folder:
            return folder.own_stat().device
    except OSError as error:
        if is_gone(error):
            return None
        raise


def _below(above: str, folder: str) -> Iterator[str]:
    """The folders below `above` down to `folder`, which is the last."""
    at = len(above)
    while at < len(folder):
        end = folder.find("/", at + 1)
        at = len(folder) if end < 0 else end
        yield folder[:at]


def _holds(root: Root, ours: Ours, head: bytes) -> bool:
    """Whether at least one entry of our index below a folder is there, or the index has none there.
    Folders count only if the index has no files: many disks have folders of the same names."""
    rows = [row for row in ours(head, SAMPLE) if row[0].startswith(head)]
    files = [row for row in rows if row[1] is not None and row[1].kind is Kind.FILE]
    seen = [row for row in rows if row[1] is not None]
    look_for = files or seen or rows
    return not rows or any(_is_there(root, path_of_key(key), scan) for key, scan in look_for)


def _is_there(root: Root, path: str, ours: ScanKey | None) -> bool:
    """Whether the entry is at `path`, judged by kind, size and mtime, which do not depend on the
    file system. ours None: a folder that existed before we could make it, so that we have no key of
    it (disk/apply)."""
    try:
        with root.folder(parent_of(path)) as folder:
            stat = folder.stat(name_of(path))
    except OSError as error:
        raise_if_short(error)
        return False  # also if it cannot be read: then the mount stays in doubt
    if stat is None or stat.kind is None:
        return False
    if ours is None:
        return stat.kind is Kind.DIRECTORY
    found = stat.key()
    return (found.kind, found.size, found.mtime_ns) == (ours.kind, ours.size, ours.mtime_ns)
