"""A wave of deletes that would take more than half of a folder is held back until a user decides
(docs/decisions/0003).

Joins the two sides: what vanished here on its way to the replica, and what others deleted on its
way to the applier. Knows their states. Must not know files or links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from leftzmq.disk.sighting import Sight, Sighting
from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.actions import Action, Answer, Tell, declined
from leftzmq.sync.claims import Claims
from leftzmq.sync.facts import (
    Fact,
    PathsCleared,
    PathsReconsidered,
    PathsSettled,
    RescanWanted,
    WalkEnded,
)
from leftzmq.sync.incoming import Incoming, Way
from leftzmq.sync.indexes import Indexes
from leftzmq.sync.jobs import DeletesCounted
from leftzmq.sync.problems import Problems
from leftzmq.sync.vanished import Vanished
from leftzmq.sync.versions import Versions
from leftzmq.sync.wave import Side, State, Wave
from leftzmq.tree.entry import Kind
from leftzmq.tree.plan import Operation, Verb
from leftzmq.wire.local import EventKind, Scalar

_META: Final = "guard"
_WHO: Final = ("here", "elsewhere")


class Guard:
    """Of one folder.

    quiet: whether the settler has read all that it knows of; walks: whether a walk of everything
    is under way or still to come; settled: whether no index is being received; considered: whether
    the applier has looked at every ticket.
    """

    def __init__(
        self,
        folder: str,
        indexes: Indexes,
        versions: Versions,
        claims: Claims,
        problems: Problems,
        quiet: Callable[[], bool],
        walks: Callable[[], bool],
        settled: Callable[[], bool],
        considered: Callable[[], bool],
    ) -> None:
        self.folder, self._indexes, self._versions = folder, indexes, versions
        self._problems, self._walks = problems, walks
        self._saved = indexes.store.meta(_META) or b""
        held, waves = _unpacked(self._saved)
        self._here = Vanished(indexes, claims, Wave(waves[0]), quiet)
        self._elsewhere = Incoming(folder, indexes, Wave(waves[1]), settled, considered)
        for side, numbers in zip(self._sides, held, strict=True):
            if numbers:
                side.hold(*numbers)
        self._here.restarted()
        self._told: list[State] = [State.OPEN, State.OPEN]
        self._wall_ns = 0

    @property
    def _sides(self) -> tuple[Side, Side]:
        """In the order of _WHO."""
        return self._here, self._elsewhere

    @property
    def busy(self) -> bool:
        """Something waits: for more to come, or for a user."""
        return any(side.busy for side in self._sides)

    def deadline(self) -> float | None:
        times = [side.deadline() for side in self._sides]
        return min((time for time in times if time is not None), default=None)

    def status(self) -> dict[str, int]:
        """How many files would be deleted, of what is held back."""
        return {
            who: side.deletes
            for who, side in zip(_WHO, self._sides, strict=True)
            if side.state is State.HELD
        }

    def now_is(self, wall_ns: int) -> None:
        """Before each fact. A wave is one across a restart: its time is the wall clock's."""
        self._wall_ns = wall_ns

    # -- deletes of this device ------------------------------------------------------------------

    def settled(
        self, fact: PathsSettled, now: float
    ) -> tuple[PathsCleared | None, list[Action | Fact]]:
        """What a scan is sure of goes on to the replica, but for a flood of deletes: at once,
        because the end of a walk must come after what it found."""
        if self._here.state is State.REVERTING:
            passed, back = self._brought_back(fact.sightings)
        else:
            passed, back = self._here.pass_on(fact.sightings, now, self._wall_ns), []
        out: list[Action | Fact] = [PathsReconsidered(self.folder, tuple(back))] if back else []
        cleared = PathsCleared(self.folder, tuple(passed)) if passed else None
        return cleared, out + self._tell()

    def cleared(self) -> list[Action | Fact]:
        """The replica has what went on: what of it was deleted belongs to the wave."""
        self._here.count_went(self._wall_ns)
        self._save()
        return []

    def walk_ended(self, fact: WalkEnded, now: float) -> list[Action | Fact]:
        if fact.prefix or self._walks():
            return []
        if self._here.state in (State.ACCEPTING, State.REVERTING):
            self._here.open()
        elif self._here.walk_ended():
            self._here.open()  # and the few that are gone are found once more
            return [*self._tell(), self._walk()]
        return self._tell()

    def _brought_back(self, sightings: tuple[Sighting, ...]) -> tuple[list[Sighting], list[str]]:
        """What is gone here is a ticket again; what nobody else has goes on, as gone."""
        passed: list[Sighting] = []
        back: list[str] = []
        for sighting in sightings:
            if sighting.sight is Sight.GONE and self._versions.unhave(sighting.path):
                back.append(sighting.path)
            else:
                passed.append(sighting)
        return passed, back

    # -- deletes of other devices ----------------------------------------------------------------

    def may_go(self, kind: Kind, now: float) -> Way:
        """About the delete of something that we have: asked by the applier."""
        return self._elsewhere.may_go(kind is Kind.FILE, now, self._wall_ns)

    def went(self, done: Iterable[Operation]) -> None:
        """These were carried out, and are in the index."""
        gone = [
            bytes(operation.entry.content)
            for operation in done
            if operation.verb is Verb.REMOVE
            and operation.old is not None
            and operation.old.key.kind is Kind.FILE
        ]
        if gone:
            self._elsewhere.wave.went(self._indexes.deleted(gone), self._wall_ns)
            self._save()

    def counted(self, fact: DeletesCounted) -> list[Action | Fact]:
        released, work = self._elsewhere.counted(fact, self._wall_ns)
        return [*work, *self._released(released), *self._tell()]

    def _released(self, released: bool) -> list[Action | Fact]:
        return [PathsReconsidered(self.folder, ())] if released else []

    # -- time and users --------------------------------------------------------------------------

    def tick(self, now: float) -> list[Action | Fact]:
        passed = self._here.judge(now, self._wall_ns)
        released, work = self._elsewhere.tick(now, self._wall_ns)
        out: list[Action | Fact] = [PathsCleared(self.folder, tuple(passed))] if passed else []
        return [*out, *work, *self._released(released), *self._tell()]

    def start(self) -> list[Action | Fact]:
        """What an earlier life held is held."""
        return self._tell()

    def decide(self, asker: bytes, state: State, now: float) -> list[Action | Fact]:
        """accept (ACCEPTING) or revert (REVERTING) what is held."""
        held: dict[str, Any] = self.status()
        if not held:
            return [declined(asker, "no deletes are held back in this folder", self.folder)]
        out: list[Action | Fact] = [Answer(asker, {"folder": self.folder, "held": held})]
        if self._here.state is State.HELD:
            self._here.state = state
            out.append(self._walk())
        if self._elsewhere.state is State.HELD:
            self._elsewhere.decide(state, now)
            out += self._released(True)
        return out + self._tell()

    def _walk(self) -> RescanWanted:
        return RescanWanted(self.folder, ("",), walk=True)

    # -- saying ----------------------------------------------------------------------------------

    def _tell(self) -> list[Action | Fact]:
        """What became of it since: an event, a Problem while it is held, the index, and paths that
        are to be looked at again."""
        out: list[Action | Fact] = []
        if again := self._here.look_again():
            out.append(RescanWanted(self.folder, tuple(again)))
        states = [side.state for side in self._sides]
        for who, side, before in zip(_WHO, self._sides, self._told, strict=True):
            if side.state is State.HELD and before is not State.HELD:
                fields: dict[str, Scalar] = {
                    "folder": self.folder,
                    "who": who,
                    "deletes": side.deletes,
                    "files": side.files,
                }
                out.append(Tell(EventKind.HELD, fields))
        if State.HELD in states:
            said = "; ".join(
                f"{side.deletes} of {side.files} files, deleted {who}"
                for who, side in zip(_WHO, self._sides, strict=True)
                if side.state is State.HELD
            )
            out += self._problems.show(Problem(self.folder, ".", ProblemKind.MANY_DELETES, said))
        elif State.HELD in self._told:
            out += self._problems.clear(".")
        self._told = states
        self._save()
        return out

    def _save(self) -> None:
        """A wave is one wave across a restart, and what is held stays held until it is decided."""
        lines = []
        for side in self._sides:
            undecided = side.state in (State.HELD, State.ACCEPTING, State.REVERTING)
            numbers = f"{side.deletes} {side.files} {side.went}"
            lines.append(numbers.encode() if undecided else b"")
            lines.append(side.wave.pack())
        packed = b"\n".join(lines)
        if packed != self._saved:
            self._indexes.store.put_meta(_META, packed)
            self._saved = packed


def _unpacked(packed: bytes) -> tuple[list[tuple[int, ...]], list[bytes]]:
    """(the numbers of what is held or (), by side; the packed waves)."""
    lines = packed.split(b"\n") if packed else [b""] * 4
    held = [tuple(map(int, line.split())) for line in (lines[0], lines[2])]
    return held, [lines[1], lines[3]]
