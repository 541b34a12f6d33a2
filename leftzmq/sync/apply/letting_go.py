"""Lets go of paths: what lies here is removed, and stays with the others (`leftzmq drop`).

Nothing of it may be the last copy. So a path is let go in this order: it is not kept from now on,
and that is said, durably (the withdrawal); then some connected device that has the same version
must have heard it (it says that it is done with our index up to there); then it is removed. Two
devices that let go of the same two last copies at once hear of each other before either may remove
its own. Where nobody confirms in time, the path is kept again.

Knows paths, devices that hold them, and time. Must not know what is wanted (sync/scan/keeping), nor
how a file is removed (disk/apply).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from leftzmq.disk.apply.outcome import Ending, Outcome
from leftzmq.index.rows import Row
from leftzmq.sync.actions import Answer, Outputs, Work
from leftzmq.sync.exchange.acknowledged import Acknowledged
from leftzmq.sync.exchange.announcer import Announcer
from leftzmq.sync.facts import FolderStopped, RescanWanted
from leftzmq.sync.jobs import LetGo, LetGone
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.versions.index_view import IndexView
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.sync.versions.resolver import Resolver
from leftzmq.tree.entry import Kind
from leftzmq.tree.plan import Held, Operation, Verb
from leftzmq.wire.replies import Dropped, Stayed

PATHS_AT_ONCE: Final = 256
PATHS_MAX: Final = 100_000  # of one question; about 100 bytes each
CONFIRM_S: Final = 20.0
"""How long a device may take to hear a withdrawal and to say so."""
SHOWN: Final = 100

_NOBODY: Final = "no connected device that may write has it as it is here"
_WANTED: Final = "it is to be kept again"
_IGNORED: Final = "it is ignored now"
_BUSY: Final = "it is being changed here now"
_UNSEEN: Final = "it was changed here and is not read yet"
_LATE: Final = "no device said in time that it keeps it"
_WHY: Final = {
    Ending.CHANGED: "it was changed here in this moment",
    Ending.NOT_EMPTY: "something in it stays",
}


@dataclass(slots=True)
class _Question:
    """paths: those to let go, children before their folders. more: there are others beyond them"""

    asker: bytes
    path: str
    paths: deque[str]
    more: bool
    gone: int = 0
    bytes: int = 0
    stayed: dict[str, str] = field(default_factory=dict)


class _Going(Struct, frozen=True):
    """A path that is withdrawn and not removed yet. row: as it was ours."""

    row: Row
    held: Held


class LettingGo:
    """One per folder. One question at a time; the others wait.

    wants: whether a path is to be kept; such a path is not let go
    heard: the devices in the folder that are connected and have said something of it
    """

    def __init__(
        self,
        folder: str,
        index_view: IndexView,
        resolver: Resolver,
        locks: PathLocks,
        announcer: Announcer,
        acknowledged: Acknowledged,
        wants: Callable[[str, Kind], bool],
        heard: Callable[[], set[DeviceKey]],
    ) -> None:
        self._folder, self._index_view, self._resolver = folder, index_view, resolver
        self._locks, self._announcer, self._acknowledged = locks, announcer, acknowledged
        self._wants, self._heard = wants, heard
        self._questions: deque[_Question] = deque()
        self._going: dict[str, _Going] = {}
        self._until, self._sequence, self._number = 0.0, 0, 0
        self._removing: frozenset[str] = frozenset()

    def deadline(self, now: float) -> float | None:
        if self._going and not self._removing:
            return self._until
        return now if self._questions and not self._going else None

    def ask(self, asker: bytes, path: str, now: float) -> Outputs:
        """Let go of all at `path` and below it that is not wanted; "": everywhere."""
        below = self._resolver.alive_below(path, PATHS_MAX + 1)
        paths = [each for each in below[-PATHS_MAX:] if self._is_unwanted(each)]
        if path and self._is_unwanted(path):
            paths.append(path)
        self._questions.append(_Question(asker, path, deque(paths), len(below) > PATHS_MAX))
        return self.go_on(now)

    def _is_unwanted(self, path: str) -> bool:
        ours = self._index_view.ours(path)
        return (
            ours is not None and not ours.entry.deleted and not self._wants(path, ours.entry.kind)
        )

    def on_time_passed(self, now: float) -> Outputs:
        return self.go_on(now)

    def go_on(self, now: float) -> Outputs:
        """Remove what may be removed now; begin with the next paths."""
        out: Outputs = []
        while self._questions and not self._removing:
            if self._going:
                waits, gave_up = self._confirmed(now)
                return [*out, *gave_up, *waits]
            question = self._questions[0]
            if not question.paths:
                self._questions.popleft()
                out.append(self._answer(question))
                continue
            self._withdraw_some(question, now)
        return out

    def _withdraw_some(self, question: _Question, now: float) -> None:
        view = self._index_view
        while question.paths and len(self._going) < PATHS_AT_ONCE:
            path = question.paths[0]
            row = view.ours(path)
            if row is not None and row.entry.kind is Kind.DIRECTORY and self._going:
                break  # what is in it goes first
            question.paths.popleft()
            if row is None or row.entry.deleted:
                continue
            if self._wants(path, row.entry.kind):
                question.stayed[path] = _WANTED
            elif not view.keeps(path, row.entry.kind):
                question.stayed[path] = _IGNORED
            elif row.scan is None:
                question.stayed[path] = _UNSEEN
            elif not self._holders(row):
                question.stayed[path] = _NOBODY
            elif not self._locks.lock(path, LockOwner.LEAVER):
                question.stayed[path] = _BUSY
            else:
                view.dropped.add(path)
                view.judge_anew(path)
                self._going[path] = _Going(row, Held(row.scan, row.entry.content))
        self._sequence, self._until = view.store.heads.sequence, now + CONFIRM_S

    def _holders(self, row: Row) -> list[DeviceKey]:
        """The connected devices that say that they have this very version, and may write: what only
        readers have does not count, and nobody could get it back."""
        heads, readers = self._index_view.store.heads, self._index_view.readers
        bits = 0
        for each in self._index_view.all_rows(row.entry.path):
            if each.entry.rank == row.entry.rank:
                bits |= each.holders & ~readers
        return [device for device in self._heard() if heads.head_of(device).mask & bits]

    def _confirmed(self, now: float) -> tuple[Outputs, Outputs]:
        """Work for the paths that others have confirmed, when that is known of all; and what
        follows for those that nobody confirmed in time."""
        kinds = {path: going.row.entry.kind for path, going in self._going.items()}
        ignored = [path for path in sorted(kinds) if not self._index_view.keeps(path, kinds[path])]
        out = [each for path in ignored for each in self._stays(path, _IGNORED)]
        is_said = self._announcer.flushed >= self._sequence
        sure = {
            path
            for path, going in self._going.items()
            if is_said
            and any(
                self._acknowledged.confirms(device, self._sequence)
                for device in self._holders(going.row)
            )
        }
        unsure = self._going.keys() - sure
        if unsure and now < self._until and any(self._holders(self._going[p].row) for p in unsure):
            return [], out
        gave_up = out + [each for path in sorted(unsure) for each in self._stays(path, _LATE)]
        if not sure:
            return [], gave_up
        self._removing, self._number = frozenset(sure), self._number + 1
        operations = tuple(
            Operation(Verb.LET_GO, self._going[path].row.entry, self._going[path].held)
            for path in self._going
            if path in sure
        )
        return [Work(LetGo(self._folder, self._number, operations))], gave_up

    def on_let_gone(self, fact: LetGone, now: float) -> Outputs:
        if fact.stop is not None:
            return [FolderStopped(self._folder, fact.stop)]
        self._removing = frozenset()
        out: Outputs = []
        for outcome in fact.outcomes:
            out += self._ended(outcome)
        return [*out, *self.go_on(now)]

    def _ended(self, outcome: Outcome) -> Outputs:
        path, question = outcome.operation.path, self._questions[0]
        if outcome.ending is not Ending.DONE:
            return self._stays(path, _WHY.get(outcome.ending, outcome.why))
        question.gone += 1
        question.bytes += self._going.pop(path).row.entry.size
        self._index_view.drop_base(path)
        self._free(path)
        return []

    def _stays(self, path: str, why: str) -> Outputs:
        """The path is kept again: a look finds it, and it goes on from its base."""
        del self._going[path]
        self._questions[0].stayed[path] = why
        self._free(path)
        return [RescanWanted(self._folder, (path,))]

    def _free(self, path: str) -> None:
        self._index_view.dropped.discard(path)
        self._locks.release((path,), LockOwner.LEAVER)

    def _answer(self, question: _Question) -> Answer:
        stayed = [Stayed(path=path, why=why) for path, why in question.stayed.items()]
        reply = Dropped(
            folder=self._folder,
            path=question.path,
            dropped=question.gone,
            bytes=question.bytes,
            stayed=len(stayed),
            stayed_list=stayed[:SHOWN],
            more=question.more,
        )
        return Answer(question.asker, reply.fields())
