"""Deletes of this device on their way into its index: a flood of them is held back.

Knows sightings and counts. Must not know pages or tickets. What is held is not kept: the index
still has it, and a walk finds it gone again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from leftzmq.disk.sighting import Sight, Sighting
from leftzmq.sync.claims import Claims
from leftzmq.sync.indexes import Indexes
from leftzmq.sync.wave import QUIET_S, Side, State, Wave, goes_at_once, is_flood
from leftzmq.tree.entry import Kind

GATHER_MAX_S: Final = 60.0
"""So long a rename of a large tree may be read anew before what is missing counts as deleted."""
JUDGED_A_TURN: Final = 64  # paths (about 50 us each)
TWINS_LOOKED_AT: Final = 8


class Vanished(Side):
    """Of one folder. quiet: whether the settler has read all that it knows of."""

    def __init__(
        self, indexes: Indexes, claims: Claims, wave: Wave, quiet: Callable[[], bool]
    ) -> None:
        super().__init__(wave)
        self._indexes, self._claims, self._quiet = indexes, claims, quiet
        self._to_look_at: list[str] = []
        self._pending: dict[str, Sighting] = {}
        self._by_inode: dict[int, str] = {}
        self._began = self._due = 0.0
        self._unjudged: list[str] = []
        self._deleted = 0
        self._went: list[bytes] = []  # contents of what went on since the wave was counted
        self._seen_gone = 0  # while held, since the last walk of everything
        self._walks = 0  # of everything, that ended while held

    def deadline(self) -> float | None:
        return self._due if self.state in (State.GATHERING, State.JUDGING) else None

    def hold(self, deletes: int, files: int, went: int) -> None:
        super().hold(deletes, files, went)
        self._seen_gone, self._walks = 0, 0
        self._forget_all()

    def open(self) -> None:
        self.state = State.OPEN

    def restarted(self) -> None:
        """The next walk of everything begins after it was held."""
        self._walks = 1

    # -- sightings -------------------------------------------------------------------------------

    def pass_on(self, sightings: tuple[Sighting, ...], now: float, wall_ns: int) -> list[Sighting]:
        """Those that may go on to the replica now."""
        passed: list[Sighting] = []
        suspects: list[Sighting] = []
        for at, sighting in enumerate(sightings):
            if sighting.sight is not Sight.GONE:
                passed += self._with_origin(sighting)
            elif not _is_suspect(sighting) or _moved(sightings, at):
                passed.append(sighting)
            else:
                suspects.append(sighting)
        return passed + self._sort_out(suspects, now, wall_ns)

    def _sort_out(self, suspects: list[Sighting], now: float, wall_ns: int) -> list[Sighting]:
        if not suspects:
            return []
        match self.state:
            case State.ACCEPTING:
                return suspects
            case State.HELD:
                self._seen_gone += _files(suspects)
                return []
            case State.OPEN:
                wave = self.wave.count(wall_ns)
                files = self._indexes.tally.files + wave
                if goes_at_once(wave + _files(suspects), files):
                    self._note(suspects)
                    return suspects
                self.state, self._began = State.GATHERING, now
        if any(sighting.path not in self._pending for sighting in suspects):
            # Not for one that is only seen again: what waits for it to go looks every two seconds.
            self._due = min(now + QUIET_S, max(now, self._began + GATHER_MAX_S))
        for sighting in suspects:
            self._pending[sighting.path] = sighting
            if sighting.key is not None:
                self._by_inode[sighting.key.inode] = sighting.path
        return []

    def _with_origin(self, found: Sighting) -> list[Sighting]:
        """What was found, behind what it was called before if that waits here."""
        self._forget(found.path)
        key = found.key
        path = self._by_inode.get(key.inode) if key is not None else None
        if path is None or key is None or key.kind is Kind.DIRECTORY:
            return [found]
        origin = self._pending[path]
        self._forget(path)
        return [*self._still_so([origin]), found]

    def _forget(self, path: str) -> None:
        sighting = self._pending.pop(path, None)
        if sighting is not None and sighting.key is not None:
            self._by_inode.pop(sighting.key.inode, None)

    def _forget_all(self) -> None:
        self._pending.clear()
        self._by_inode.clear()
        self._unjudged.clear()

    # -- judging ---------------------------------------------------------------------------------

    def judge(self, now: float, wall_ns: int) -> list[Sighting] | None:
        """What goes on after all; None: nothing is decided yet, or it is held now."""
        if now < self._due:
            return None
        if self.state is State.GATHERING:
            if not self._quiet() and now < self._began + GATHER_MAX_S:
                self._due = now + QUIET_S / 4
                return None
            wave = self.wave.count(wall_ns)
            count = _files(self._pending.values())
            if not is_flood(wave + count, self._indexes.tally.files + wave):
                return self._let_go()
            self.state, self._deleted = State.JUDGING, 0
            self._unjudged = list(self._pending)
        if self.state is not State.JUDGING:
            return None
        for _ in range(min(JUDGED_A_TURN, len(self._unjudged))):
            path = self._unjudged.pop()
            if path in self._pending and not self._lives_on(path):
                self._deleted += _files((self._pending[path],))
        if self._unjudged:
            return None
        wave = self.wave.count(wall_ns)
        files = self._indexes.tally.files + wave
        if not is_flood(wave + self._deleted, files):
            return self._let_go()
        self.hold(wave + self._deleted, files, wave)
        return None

    def _let_go(self) -> list[Sighting]:
        gone = self._still_so(list(self._pending.values()))
        self._forget_all()
        self.state = State.OPEN
        self._note(gone)
        return gone

    def _still_so(self, waited: list[Sighting]) -> list[Sighting]:
        """Without those at whose paths the applier has come to work meanwhile: what it did, or
        does, there is not what was seen."""
        self._indexes.recall(sighting.path for sighting in waited)
        still: list[Sighting] = []
        for sighting in waited:
            ours = self._indexes.ours(sighting.path)
            taken = self._claims.is_changing(sighting.path)
            if taken or (ours.scan if ours else None) != sighting.key:
                self._to_look_at.append(sighting.path)
            else:
                still.append(sighting)
        return still

    def look_again(self) -> list[str]:
        """Paths at which something happened while they waited here."""
        paths, self._to_look_at = self._to_look_at, []
        return paths

    def _note(self, gone: list[Sighting]) -> None:
        """These go on, as deletes; whether they are any is seen when the replica has them."""
        self._indexes.recall(sighting.path for sighting in gone)
        for sighting in gone:
            ours = self._indexes.ours(sighting.path)
            if ours is not None and not ours.entry.deleted and ours.entry.kind is Kind.FILE:
                self._went.append(bytes(ours.entry.content))

    def count_went(self, wall_ns: int) -> None:
        """The replica has what went on. A content that another file of ours has was only moved."""
        if self._went:
            self.wave.went(self._indexes.deleted(self._went), wall_ns)
            self._went.clear()

    def _lives_on(self, path: str) -> bool:
        """Whether another file of ours, that is there, has its content."""
        ours = self._indexes.ours(path)
        if ours is None or ours.entry.deleted or ours.entry.kind is not Kind.FILE:
            return True
        twins = self._indexes.store.twins(ours.entry.content, TWINS_LOOKED_AT)
        return any(row.entry.path != path and row.entry.path not in self._pending for row in twins)

    # -- walks -----------------------------------------------------------------------------------

    def walk_ended(self) -> bool:
        """A walk of everything is over. Whether what was held is not a flood any more."""
        if self.state is not State.HELD:
            return False
        self._walks, seen, self._seen_gone = self._walks + 1, self._seen_gone, 0
        # The first one may have begun before it was held, and so have missed most of it.
        return self._walks > 1 and not self.still_flood(seen, self._indexes.tally.files)


def _is_suspect(sighting: Sighting) -> bool:
    """A folder is said to be gone only after what was in it (sync/departed)."""
    return sighting.key is None or sighting.key.kind is not Kind.DIRECTORY


def _moved(sightings: tuple[Sighting, ...], at: int) -> bool:
    """Whether the next sighting found the same file under another name."""
    gone, found = sightings[at].key, sightings[at + 1] if at + 1 < len(sightings) else None
    if gone is None or found is None or found.sight is not Sight.FOUND or found.key is None:
        return False
    return found.key.inode == gone.inode


def _files(sightings: Iterable[Sighting]) -> int:
    return sum(s.key is not None and s.key.kind is Kind.FILE for s in sightings)
