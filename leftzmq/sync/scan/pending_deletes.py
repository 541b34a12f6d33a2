"""Paths that were found gone. Their deletes are held for a moment before they are reported.

A file may only have another name now. Other devices rename their copy only if both names are
announced together. So a delete is reported right before the same inode is reported under another
name, or when nothing else is being looked at any more, or after HOLD_S. A directory is reported as
gone, or as replaced, after everything below it: a device that received the directory's delete first
would think that the rest is to stay, and keep it.

What is held is true of the moment in which it was seen: it may have been put back since, together
with a directory above it, and nothing tells of that. So it is looked at once more before it is
reported, and a directory also where it waits in vain for what is below it.

Knows sightings and time; pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from math import inf
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.sync.versions.held_sightings import HeldSightings
from leftzmq.tree.entry import Kind
from leftzmq.tree.path import parent_of

HOLD_S: Final = 10.0  # 10,000 renamed files take 3 s to be read again
FOLDER_HOLD_S: Final = 60.0
"""If something below a deleted directory is not found to be gone within this time, nothing is
reported, and the next walk looks again."""
FOLDER_DOUBT_S: Final = 1.0
"""A directory that is held for this time while nothing is being looked at is looked at once more,
and then after times that double: a walk of it may have to find what is below it."""
FOLDER_RETRY_S: Final = 0.05
FOLDERS_A_TURN: Final = 128
"""The number of directories that are checked at once (15 us each): those below which a delete was
reported, and a few of the others in turn. So the cost of a tree of directories grows with their
number alone."""
OTHERS_A_TURN: Final = 32


class _Held(Struct, frozen=True):
    sighting: Sighting
    since: float  # monotonic
    until: float
    doubt_at: float = inf  # of a directory that is gone: when it is looked at once more


class PendingDeletes:
    """The pending deletes of one folder of the config."""

    def __init__(self) -> None:
        self._files: HeldSightings[_Held] = HeldSightings()
        self._folders: dict[str, _Held] = {}  # the one that was checked longest ago is first
        self._likely: dict[str, None] = {}  # those of them that may be empty now
        self._next_try = 0.0
        self._doubted: set[str] = set()  # looked at once more, and not held again
        self._doubted_folders: set[str] = set()  # looked at once more, and still held

    def __bool__(self) -> bool:
        return bool(self._files or self._folders)

    def __contains__(self, path: str) -> bool:
        return path in self._files or path in self._folders

    def hold_delete(self, sighting: Sighting, now: float) -> bool:
        """Returns whether the delete is held: deletes of files and directories are, if our index
        knows what they were."""
        if sighting.path in self._doubted:
            self._doubted.discard(sighting.path)
            return False
        key = sighting.key
        if key is not None and key.kind is Kind.FILE:
            self._files.hold(_Held(sighting, now, now + HOLD_S))
            return True
        if key is not None and key.kind is Kind.DIRECTORY:
            self._hold_folder(sighting, now, now + FOLDER_DOUBT_S)
            return True
        return False

    def hold_replacement(self, sighting: Sighting, now: float) -> None:
        """A file or link is in the place of a directory. It, too, is reported after everything
        below the directory."""
        self._hold_folder(sighting, now)

    def _hold_folder(self, sighting: Sighting, now: float, doubt_at: float = inf) -> None:
        self._folders[sighting.path] = _Held(sighting, now, now + FOLDER_HOLD_S, doubt_at)
        self._likely[sighting.path] = None
        self._next_try = now

    def told(self, paths: Iterable[str], now: float) -> None:
        """Our index now has these paths as gone: their directories may be empty."""
        for path in paths:
            folder = parent_of(path)
            if folder in self._folders:
                self._likely[folder] = None
                self._next_try = now

    def was_doubted(self, path: str) -> bool:
        """Whether this look is the one that the held directory was waiting for. It is gone still,
        or anew: what the walk for its first look found below it may have been back meanwhile."""
        is_doubted = path in self._doubted_folders
        self._doubted_folders.discard(path)
        return is_doubted

    def doubt_anew(self, paths: Iterable[str]) -> None:
        """The looks that are under way at these paths may be out of date when they are answered: if
        they were to tell whether something is still gone, one more is to."""
        self._doubted.difference_update(paths)

    def is_replaced(self, path: str) -> bool:
        """Whether the sighting held for `path` is of something that took the directory's place."""
        held = self._folders.get(path)
        return held is not None and held.sighting.sight is Sight.FOUND

    def seen_again(self, path: str) -> None:
        """Something has been seen at this path since."""
        self._doubted.discard(path)
        self._doubted_folders.discard(path)
        self._folders.pop(path, None)
        self._likely.pop(path, None)
        self._files.release(path)

    def has_origin(self, found: Sighting) -> bool:
        """Whether the delete of the path that this file had before is held."""
        return self._files.origin_of(found) is not None

    def with_origins(self, found: Iterable[Sighting], now: float) -> list[Sighting]:
        """These sightings. If the delete of the path that a file had before is held, it comes right
        before the sighting of that file. A file with several names may be at that path again, put
        back together with a directory above it: then only a look in the same turn counts."""
        together: list[Sighting] = []
        for sighting in found:
            origin = self._files.origin_of(sighting)
            if origin is not None and _is_certain(origin, sighting, now):
                together.append(origin.sighting)
                self.seen_again(origin.sighting.path)
            together.append(sighting)
        return together

    def deadline(self) -> float | None:
        """When `to_report` may have something (monotonic)."""
        times = [held.until for held in islice(self._files, 1)]
        if self._folders:
            times.append(self._next_try)
        return min(times, default=None)

    def to_report(
        self, now: float, is_empty: Callable[[str], bool], *, quiet: bool
    ) -> tuple[list[Sighting], list[str]]:
        """Returns the paths that are gone, as far as anyone can tell, and the paths to be looked at
        once more first. While those were held, a directory above them may have been put back
        together with them. The walk of that directory found nothing new, because the held deletes
        are not reported yet.

        quiet: nothing else is being looked at. is_empty: whether everything below a directory has
        been reported as gone
        """
        gone = [held for held in self._files if quiet or held.until <= now]
        stuck: list[_Held] = []
        if not gone and self._folders and now >= self._next_try:
            gone, stuck = self._empty_folders(now, is_empty)
            self._next_try = now if gone or self._likely else now + FOLDER_RETRY_S
        for held in gone:
            self.seen_again(held.sighting.path)
        doubted = [held.sighting.path for held in gone if held.since < now]
        self._doubted.update(doubted)
        if quiet and not gone:
            doubted = [self._doubt(held, now) for held in stuck]
        return [held.sighting for held in gone if held.since >= now], doubted

    def _doubt(self, held: _Held, now: float) -> str:
        path = held.sighting.path
        self._folders[path] = replace(held, doubt_at=now + (now - held.since))
        self._doubted_folders.add(path)
        return path

    def _empty_folders(
        self, now: float, is_empty: Callable[[str], bool]
    ) -> tuple[list[_Held], list[_Held]]:
        """The empty ones of the directories that are checked now, and those of the others that may
        be looked at once more. A directory and the one that it is in are never returned together,
        because the index still has the inner one, and the look at the outer one tells of both."""
        asked = [*islice(self._likely, FOLDERS_A_TURN - OTHERS_A_TURN)]
        asked += [path for path in islice(self._folders, OTHERS_A_TURN) if path not in self._likely]
        gone: list[_Held] = []
        stuck: list[_Held] = []
        for path in asked:
            self._likely.pop(path, None)
            held = self._folders.pop(path)
            if is_empty(path):
                gone.append(held)
            elif held.doubt_at <= now < held.until and parent_of(path) not in self._folders:
                stuck.append(held)
            if held.until > now:
                self._folders[path] = held  # behind the others
            else:
                self._doubted_folders.discard(path)
        return gone, stuck


def _is_certain(origin: _Held, found: Sighting, now: float) -> bool:
    """Whether the name of the origin is still gone, as the file was found under another name. If it
    has several names, that says so only where both were seen in the same turn."""
    return origin.since >= now or found.key is None or found.key.links == 1
