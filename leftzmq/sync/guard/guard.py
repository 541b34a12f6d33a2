"""Holds back a wave of changes that would lose more than half of a folder, or turn much of it to
noise, until a user decides (docs/decisions/0003).

Joins the two sides: losses here on their way to the announcer, and losses by other devices on their
way to the applier. Knows the states of both sides, and what users let pass. Must not know files or
links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import UNSET

from leftzmq.errors import Problem, ProblemKind
from leftzmq.index.losses import Loss, loss
from leftzmq.index.rows import Row, ours_of
from leftzmq.sync.actions import Answer, Outputs, Tell, declined
from leftzmq.sync.facts import (
    PathsCleared,
    PathsReconsidered,
    PathsSettled,
    RescanWanted,
    WalkEnded,
)
from leftzmq.sync.guard.local_deletes import LocalDeletes
from leftzmq.sync.guard.remote_deletes import GuardVerdict, RemoteDeletes
from leftzmq.sync.guard.states import GuardMove, GuardState
from leftzmq.sync.guard.threshold import TURNING_WINDOW_S, Judged, Side, Wave
from leftzmq.sync.jobs import LossesCounted
from leftzmq.sync.problems import Problems
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.path_locks import PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.sync.versions.ticket import Ticket
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.loss import loses
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Operation, Verb
from leftzmq.tree.version import Life
from leftzmq.wire.local import EventKind, Scalar
from leftzmq.wire.replies import HeldBack, HeldDecided

_META: Final = "guard"
_WHO: Final = ("here", "elsewhere")
_LINES: Final = 6
"""The saved lines: what is held and the wave of each side, then the turning of each side. An older
index has only the first four lines."""


class Guard:
    """The guard of one folder.

    quiet: whether the scheduler has read all that it knows of
    walks: whether a walk of everything is under way or still to come
    settled: whether no index is being received
    considered: whether the applier has looked at every ticket
    """

    def __init__(
        self,
        folder: str,
        index_view: IndexView,
        resolver: Resolver,
        locks: PathLocks,
        problems: Problems,
        quiet: Callable[[], bool],
        walks: Callable[[], bool],
        settled: Callable[[], bool],
        considered: Callable[[], bool],
    ) -> None:
        self.folder, self._index_view = folder, index_view
        self._problems, self._walks = problems, walks
        self._saved = index_view.store.meta(_META) or b""
        held, waves, turning = _unpacked(self._saved)
        self._here = LocalDeletes(
            index_view, locks, Wave(waves[0]), turning[0], quiet, resolver.unhave
        )
        self._elsewhere = RemoteDeletes(
            folder, index_view, Wave(waves[1]), turning[1], settled, considered
        )
        for side, numbers in zip(self._sides, held, strict=True):
            if numbers:
                side.hold(Judged(*numbers))
        self._here.restarted()
        self._told: list[GuardState] = [GuardState.OPEN, GuardState.OPEN]
        self._wall_ns = 0
        self._before = 0  # our last sequence when the announcer was given what it has now
        self._decision: dict[Life, tuple[int, int]] = {}  # what the last decision let pass
        self._undeclared: list[Entry] = []  # let pass, and not yet in `accepted`
        self._lost: list[bytes] = []  # contents of files that an operation removed
        self._turned = 0

    @property
    def _sides(self) -> tuple[Side, Side]:
        """In the order of _WHO."""
        return self._here, self._elsewhere

    @property
    def busy(self) -> bool:
        """Whether something waits for further losses, or for a user."""
        return any(side.busy for side in self._sides)

    @property
    def waits_elsewhere(self) -> bool:
        """Whether the applier leaves tickets where they are."""
        return self._elsewhere.waits

    def deadline(self) -> float | None:
        times = [side.deadline() for side in self._sides]
        return min((time for time in times if time is not None), default=None)

    @property
    def holds(self) -> bool:
        """Whether changes are held back until a user decides."""
        return any(side.state is GuardState.HELD for side in self._sides)

    @property
    def holds_here(self) -> bool:
        """Whether losses of this device are held back until a user decides."""
        return self._here.state is GuardState.HELD

    @property
    def holds_elsewhere(self) -> bool:
        """Whether losses by other devices are held back until a user decides."""
        return self._elsewhere.state is GuardState.HELD

    def holds_back(self, rows: Sequence[Row], best: Row) -> bool:
        """Whether `best`, the winner among the rows of a path, is held back until a user decides.
        Changes nothing, unlike `way`."""
        ours, accepted = ours_of(rows), self._index_view.accepted
        if not self.holds_elsewhere or ours is None or ours.entry.deleted:
            return False
        if best.entry.deleted:
            return not accepted.covers(best.entry)
        return loss(rows, best, accepted) is not Loss.NONE

    def held_back(self) -> HeldBack:
        """How many files would be lost, or turn to noise, by the changes that are held back."""
        here, elsewhere = (
            side.count if side.state is GuardState.HELD else UNSET for side in self._sides
        )
        return HeldBack(here=here, elsewhere=elsewhere)

    def now_is(self, wall_ns: int) -> None:
        """Called before each fact. A wave goes on across a restart, so its time is the wall
        clock's."""
        self._wall_ns = wall_ns

    # -- what was lost here ----------------------------------------------------------------------

    def on_paths_settled(
        self, fact: PathsSettled, now: float
    ) -> tuple[PathsCleared | None, Outputs]:
        """Passes settled sightings to the announcer, except for a flood. They are passed on at
        once, because the end of a walk must come after what the walk found."""
        self._before = self._index_view.store.heads.sequence
        passed = self._here.pass_on(fact.sightings, now, self._wall_ns)
        cleared = PathsCleared(self.folder, tuple(passed)) if passed else None
        return cleared, self._tell()

    def on_paths_cleared(self) -> Outputs:
        """The announcer has what was passed on. What was lost by it belongs to the wave, or to what
        a user let pass."""
        self._here.count_went(self._wall_ns)
        last = self._index_view.store.heads.sequence
        if self._here.let_pass and last > self._before:
            self._let_pass(self._index_view.store.heads.life, self._before + 1, last)
        self._here.let_pass = False
        self._save()
        return []

    def on_walk_ended(self, fact: WalkEnded, now: float) -> Outputs:
        if fact.prefix or self._walks():
            return []
        self._here.decision_ends(now, walk_ended=True)
        if self._here.on_walk_ended():
            self._here.release()  # and the few that are lost are found once more
            return [*self._tell(), self._walk()]
        return self._tell()

    # -- what others did -------------------------------------------------------------------------

    def way(self, ticket: Ticket, now: float) -> GuardVerdict:
        """What is to become of a ticket. The applier asks before it takes up a ticket, and again
        when the ticket's bytes have arrived and are noise."""
        ours, entry = ticket.ours, ticket.entry
        if ours is None or ticket.held is None or ticket.copy:
            return GuardVerdict.GO
        if self._index_view.accepted.covers(entry):
            return GuardVerdict.GO
        is_file = ours.entry.kind is Kind.FILE
        if entry.deleted or (is_file and loses(ours.entry.size, entry.kind, entry.size)):
            way = self._elsewhere.may_go(is_file, now, self._wall_ns)
            if way is GuardVerdict.GO and entry.deleted and is_file and not ours.noise:
                pairs = self._elsewhere.swaps.file_went(parent_of(entry.path), self._wall_ns)
                self._elsewhere.turning.went(pairs, self._wall_ns)
        elif is_file and self._turns(entry, ours):
            way = self._elsewhere.may_turn(self._wall_ns)
        else:
            return GuardVerdict.GO
        if way is GuardVerdict.GO and self._elsewhere.state is GuardState.ACCEPTING:
            self._undeclared.append(entry)
        return way

    def noise_came(self, path: str) -> None:
        """Noise was staged for a path at which we have nothing."""
        pairs = self._elsewhere.swaps.noise_came(parent_of(path), self._wall_ns)
        self._elsewhere.turning.went(pairs, self._wall_ns)

    def taking(self, done: Iterable[Operation]) -> None:
        """These were carried out, and are about to be put in the index."""
        self._declare()
        for operation in done:
            old, entry = operation.old, operation.entry
            if old is None or old.key.kind is not Kind.FILE or operation.copy_to is not None:
                continue
            if not old.content or self._index_view.accepted.covers(entry):
                continue
            ours = self._index_view.ours(entry.path)
            if operation.verb is Verb.REMOVE or loses(old.key.size, entry.kind, entry.size):
                self._lost.append(bytes(old.content))
            elif ours is not None and self._turns(entry, ours):
                self._turned += 1

    def went(self) -> None:
        """The operations that `taking` was told of are in the index."""
        if self._lost or self._turned:
            self._elsewhere.wave.went(self._index_view.deleted(self._lost), self._wall_ns)
            self._elsewhere.turning.went(self._turned, self._wall_ns)
            self._lost.clear()
            self._turned = 0
            self._save()

    def on_losses_counted(self, fact: LossesCounted, now: float) -> Outputs:
        released, work = self._elsewhere.on_losses_counted(fact, now, self._wall_ns)
        return [*work, *self._released(released), *self._tell()]

    def _turns(self, entry: Entry, ours: Row) -> bool:
        if ours.noise or entry.deleted or entry.content == ours.entry.content:
            return False
        rows = self._index_view.rows(entry.path)
        return any(row.noise and row.entry.same_content(entry) for row in rows)

    def _released(self, released: bool) -> Outputs:
        return [PathsReconsidered(self.folder, ())] if released else []

    # -- time and users --------------------------------------------------------------------------

    def on_time_passed(self, now: float) -> Outputs:
        self._declare()
        self._here.decision_ends(now)
        left_over = self._here.drop_what_is_left_over()
        passed = self._here.judge(now, self._wall_ns)
        released, work = self._elsewhere.on_time_passed(now, self._wall_ns)
        out: Outputs = [PathsCleared(self.folder, tuple(passed))] if passed else []
        out += [self._walk()] if left_over else []
        return [*out, *work, *self._released(released), *self._tell()]

    def start(self) -> Outputs:
        """What an earlier life held is still held."""
        return self._tell()

    def decide(self, asker: bytes, decision: GuardMove, now: float) -> Outputs:
        """accept (ACCEPT) or revert (REVERT) what is held."""
        if not self.holds:
            return [declined(asker, "nothing is held back in this folder", self.folder)]
        decided = HeldDecided(folder=self.folder, held=self.held_back())
        out: Outputs = [Answer(asker, decided.fields())]
        self._declare()
        self._decision.clear()
        if self._here.state is GuardState.HELD:
            self._here.decide(decision)
            out.append(self._walk())
        if self._elsewhere.state is GuardState.HELD:
            self._elsewhere.decide(decision, now)
            out += self._released(True)
        return out + self._tell()

    def _walk(self) -> RescanWanted:
        return RescanWanted(self.folder, ("",), walk=True)

    def _declare(self) -> None:
        """Accepts the versions of other devices that were let pass, for all devices."""
        undeclared, self._undeclared = self._undeclared, []
        for entry in undeclared:
            self._let_pass(entry.writer, entry.counter, entry.counter, tell=False)
        if undeclared:
            self._accept()

    def _let_pass(self, life: Life, low: int, high: int, *, tell: bool = True) -> None:
        """One decision makes one range for each writer: what the writer wrote in between belongs to
        it."""
        least, most = self._decision.get(life, (low, high))
        self._decision[life] = min(low, least), max(high, most)
        if tell:
            self._accept()

    def _accept(self) -> None:
        ranges = ((life, low, high) for life, (low, high) in self._decision.items())
        self._index_view.accept(Accepted(tuple(sorted(ranges))))

    # -- reporting -----------------------------------------------------------------------------

    def _tell(self) -> Outputs:
        """Reports what changed since the last call: an event, a Problem while something is held,
        the saved state, and paths that are to be looked at again."""
        out: Outputs = []
        if again := [*self._here.look_again(), *self._index_view.held.to_look_at()]:
            out.append(RescanWanted(self.folder, tuple(again)))
        if back := self._here.brought_back():
            out.append(PathsReconsidered(self.folder, tuple(back)))
        states = [side.state for side in self._sides]
        for who, side, before in zip(_WHO, self._sides, self._told, strict=True):
            if side.state is GuardState.HELD and before is not GuardState.HELD:
                fields: dict[str, Scalar] = {
                    "folder": self.folder,
                    "who": who,
                    "deletes": side.judged.held,
                    "files": side.judged.files,
                    "noise": side.judged.turned + side.turned_pending,
                }
                out.append(Tell(EventKind.HELD, fields))
        if GuardState.HELD in states:
            said = "; ".join(
                f"{side.count} of {side.judged.files} files, {_WHAT[side.judged.noise]} {who}"
                for who, side in zip(_WHO, self._sides, strict=True)
                if side.state is GuardState.HELD
            )
            out += self._problems.show(Problem(self.folder, ".", ProblemKind.MANY_LOSSES, said))
        elif GuardState.HELD in self._told:
            out += self._problems.clear(".")
        self._told = states
        self._save()
        return out

    def _save(self) -> None:
        """Saves the state: a wave goes on across a restart, and what is held stays held until it is
        decided."""
        held: list[bytes] = []
        turning: list[bytes] = []
        for side in self._sides:
            undecided = side.state in (GuardState.HELD, GuardState.ACCEPTING, GuardState.REVERTING)
            numbers = " ".join(str(number) for number in side.judged)
            held += [numbers.encode() if undecided else b"", side.wave.pack()]
            turning.append(side.turning.pack())
        packed = b"\n".join([*held, *turning])
        if packed != self._saved:
            self._index_view.store.put_meta(_META, packed)
            self._saved = packed


_WHAT: Final = ("lost", "lost or encrypted")


def _unpacked(packed: bytes) -> tuple[list[tuple[int, ...]], list[bytes], list[Wave]]:
    """Returns (the numbers of what is held or (), by side; the packed waves;
    what turned to noise)."""
    lines = packed.split(b"\n") if packed else []
    lines += [b""] * (_LINES - len(lines))
    held = [tuple(map(int, line.split())) for line in (lines[0], lines[2])]
    turning = [Wave(line, TURNING_WINDOW_S) for line in lines[4:6]]
    return held, [lines[1], lines[3]], turning
