"""Sightings that are held before they are reported, and what must still be true of them then.

Two rooms hold them, for different reasons and times: the scheduler until a file that is gone was
looked for under other names (sync/scan/pending_deletes), and the guard until it knows whether they
are a flood (sync/guard/local_deletes). What holds for both is here. A file that is found has the
inode of the one that is gone, if it was only renamed. And whatever is held says what a look saw a
while ago: it is reported only if nothing was done at its path since.

Knows sightings, the index as scan keys, and locks. Must not know why something is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from leftzmq.disk.scan.sighting import Sight, Sighting
from leftzmq.index.reader import Reader
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.tree.entry import Kind


class Holds(Protocol):
    """What is held: a sighting, and what its holder has to say of it."""

    @property
    def sighting(self) -> Sighting: ...


H = TypeVar("H", bound=Holds)


class HeldSightings(Generic[H]):
    """Sightings that are held, the oldest first: one a path."""

    def __init__(self) -> None:
        self._by_path: dict[str, H] = {}
        # The paths of what is gone: several, if the file had several names.
        self._by_inode: dict[int, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._by_path)

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def __iter__(self) -> Iterator[H]:
        return iter(self._by_path.values())

    def at(self, path: str) -> H | None:
        return self._by_path.get(path)

    def hold(self, held: H) -> None:
        """Holds a sighting, in place of what was held at its path before."""
        seen = held.sighting
        self.release(seen.path)
        self._by_path[seen.path] = held
        if seen.sight is Sight.GONE and seen.key is not None:
            self._by_inode.setdefault(seen.key.inode, {})[seen.path] = None

    def release(self, path: str) -> H | None:
        """Holds what was held at this path no more, and returns it."""
        held = self._by_path.pop(path, None)
        key = held.sighting.key if held is not None else None
        if key is not None and path in (names := self._by_inode.get(key.inode, {})):
            del names[path]
            if not names:
                del self._by_inode[key.inode]
        return held

    def release_all(self) -> list[H]:
        held = list(self._by_path.values())
        self._by_path.clear()
        self._by_inode.clear()
        return held

    def origin_of(self, found: Sighting) -> H | None:
        """What is held of the path that this file had before it was renamed."""
        key = found.key
        if found.sight is not Sight.FOUND or key is None or key.kind is Kind.DIRECTORY:
            return None
        names = self._by_inode.get(key.inode)
        return self._by_path[next(reversed(names))] if names else None


def still_true(
    sightings: Iterable[Sighting],
    index: Reader,
    locks: PathLocks,
    was_in_index: Callable[[Sighting], bool],
) -> tuple[list[Sighting], list[str]]:
    """Returns the sightings that may be reported, and the paths of the others: those at which the
    applier has begun to work, or has ended its work, since they were seen. What the applier did
    there is not what was seen.

    was_in_index: whether the stat of this sighting was the one of the index when it began to be
    held
    """
    seen = list(sightings)
    compared = {each.path for each in seen if was_in_index(each)}
    keys = index.scan_keys(compared) if compared else {}
    true: list[Sighting] = []
    changed: list[str] = []
    for each in seen:
        is_other = each.path in compared and keys.get(each.path) != each.key
        if is_other or locks.is_changing(each.path):
            changed.append(each.path)
        else:
            true.append(each)
    return true, changed
