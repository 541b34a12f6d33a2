"""The present problems of one folder; reports each of them once.

A Problem concerns one path, or one device's index, and stays shown until it is solved. Another
device can cause as many problems as it has entries. So a limited number of each kind is kept, and
only the number of the rest is known; no kind hides another one. Knows problems. Must not know how
they are found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.actions import Outputs, Tell
from leftzmq.wire.local import EventKind, Scalar

MAX_OF_A_KIND: Final = 1_000
MAX_LETTERS_OF_A_KIND: Final = 256 << 10
"""Of paths and details. With 27 kinds this is less than 7 MiB for a folder."""
MAX_HIDDEN: Final = 100_000
"""About 10 MiB. Problems beyond these and the kept ones are not counted."""
MAX_DETAIL_LETTERS: Final = 512

_OF_WALKS: Final = {
    ProblemKind.BAD_NAME,
    ProblemKind.SPECIAL,
    ProblemKind.FOREIGN_LEFTING,
    ProblemKind.UNREADABLE,
    ProblemKind.MOUNT_GONE,
}
_BESIDE: Final = frozenset(
    (
        ProblemKind.READS_ONLY,
        ProblemKind.CHANGED_BY_READER,
        ProblemKind.RULES_FAULTY,
        ProblemKind.MUCH_IGNORED,
    )
)
"""These stand beside another problem of the same path: neither solves the other."""
_LASTING: Final = frozenset((ProblemKind.ACCESS_LOST,))
"""No look, no ticket and no peer says these again after a start."""


class ProblemMemory(Protocol):
    """Where the lasting problems of one folder are written down."""

    def all(self, folder: str) -> list[Problem]: ...

    def remember(self, problem: Problem) -> None: ...

    def forget(self, path: str) -> None: ...


class _Kept(Struct, frozen=True):
    """number: the position in the order of arrival."""

    number: int
    problem: Problem


@dataclass(slots=True)
class _Share:
    """The space that the kept problems of one kind take."""

    count: int = 0
    letters: int = 0

    def count_in(self, problem: Problem) -> bool:
        """Count a problem. Return False if there is no space for it."""
        letters = self.letters + len(problem.path) + len(problem.detail)
        if self.count >= MAX_OF_A_KIND or letters > MAX_LETTERS_OF_A_KIND:
            return False
        self.count, self.letters = self.count + 1, letters
        return True

    def give_back(self, problem: Problem) -> None:
        self.count -= 1
        self.letters -= len(problem.path) + len(problem.detail)


class Problems:
    """The problems of one folder, by path or by name of a device. Its length counts kept and hidden
    problems."""

    def __init__(self, folder: str, memory: ProblemMemory | None = None) -> None:
        """memory: None: none outlives the agent."""
        self.folder, self._memory = folder, memory
        self._by_path: dict[str, _Kept] = {}  # in the order of their numbers; by _key
        self._shares = {kind: _Share() for kind in ProblemKind}
        self._hidden: dict[int, ProblemKind] = {}  # by the hash of the path: 36 bytes, not 4 KiB
        self._hidden_of = dict.fromkeys(ProblemKind, 0)
        self._number = 0
        self._in_walk: set[int] = set()

    def start(self) -> Outputs:
        """Show what an earlier life wrote down, and nobody solved since."""
        if self._memory is None:
            return []
        return [it for problem in self._memory.all(self.folder) for it in self.show(problem)]

    def __len__(self) -> int:
        return len(self._by_path) + len(self._hidden)

    def after(self, number: int) -> Iterator[tuple[int, Problem]]:
        """Return the kept problems with a number above this one, each with its number (from 1)."""
        return (
            (kept.number, kept.problem) for kept in self._by_path.values() if kept.number > number
        )

    def all(self) -> list[Problem]:
        """Return the kept problems, oldest first."""
        return [kept.problem for kept in self._by_path.values()]

    def problem_of(self, path: str) -> Problem | None:
        """Return the problem of a path, if it is kept: see kind_of."""
        kept = self._by_path.get(path)
        return None if kept is None else kept.problem

    def problem_with(self, device: str) -> Problem | None:
        """Return the problem of the index of the device with this name, if it is kept."""
        kept = self._by_path.get(_key("", device))
        return None if kept is None else kept.problem

    @property
    def hidden(self) -> int:
        """The number of problems that are only counted."""
        return len(self._hidden)

    def kept_besides(self, kinds: Collection[ProblemKind]) -> int:
        """Return the number of kept problems of other kinds than these."""
        return sum(share.count for kind, share in self._shares.items() if kind not in kinds)

    def hidden_besides(self, kinds: Collection[ProblemKind]) -> int:
        """Return the number of hidden problems of other kinds than these."""
        return sum(count for kind, count in self._hidden_of.items() if kind not in kinds)

    def kind_of(self, path: str) -> ProblemKind | None:
        """Return the kind of a path's problem, kept or hidden. None: the path has no problem."""
        kept = self._by_path.get(path) if self._by_path else None
        if kept is not None:
            return kept.problem.kind
        return self._hidden.get(hash(path)) if self._hidden else None

    def show(self, problem: Problem) -> Outputs:
        """Show a problem. It is reported only if it is new, or of another kind than before."""
        if len(problem.detail) > MAX_DETAIL_LETTERS:
            problem = replace(problem, detail=problem.detail[:MAX_DETAIL_LETTERS] + "...")
        key = _key(problem.path, problem.device, problem.kind)
        mark = hash(key)
        before = self._by_path.get(key)
        if before is not None:
            self._give_back(before.problem)
        if not self._shares[problem.kind].count_in(problem):
            self._by_path.pop(key, None)
            if mark in self._hidden or len(self._hidden) < MAX_HIDDEN:
                self._unhide(mark)
                self._hidden[mark] = problem.kind
                self._hidden_of[problem.kind] += 1
                self._in_walk.add(mark)
            return []
        self._in_walk.add(mark)
        self._unhide(mark)
        if before is None:
            self._number += 1
        number = self._number if before is None else before.number
        self._by_path[key] = _Kept(number, problem)
        if problem.kind in _LASTING and self._memory is not None:
            self._memory.remember(problem)
        if before is not None and before.problem.kind is problem.kind:
            return []
        return [_told(problem, problem.kind.name, str(problem))]

    def count_of(self, kind: ProblemKind) -> int:
        """Return the number of problems of this kind, kept and hidden."""
        return self._shares[kind].count + self._hidden_of[kind]

    def by_kind(self) -> dict[ProblemKind, int]:
        """Return the number of problems of each kind, kept and hidden."""
        return {kind: self.count_of(kind) for kind in ProblemKind}

    def clear_all(self, kind: ProblemKind) -> Outputs:
        """Remove all problems of a kind."""
        found = [each.problem for each in self._by_path.values() if each.problem.kind is kind]
        for mark in [mark for mark, each in self._hidden.items() if each is kind]:
            self._unhide(mark)
        return [it for one in found for it in self.clear(one.path, one.device, kind)]

    def clear(self, path: str, device: str = "", kind: ProblemKind | None = None) -> Outputs:
        """Remove the problem of the path or (path "") of a device's index: it is solved. kind: of
        those that stand beside another one."""
        key = _key(path, device, kind)
        self._unhide(hash(key))
        kept = self._by_path.pop(key, None)
        if kept is None:
            return []  # a problem that was not reported is not reported as solved
        self._give_back(kept.problem)
        return [_told(kept.problem, "SOLVED", f"{kept.problem.subject}: solved")]

    def walk_begins(self) -> None:
        """A full walk begins: problems of walks that it does not show again are solved at its
        end."""
        self._in_walk.clear()

    def settled_by_walk(self) -> Outputs:
        """A full walk has ended: remove problems of walks that this one did not find."""
        out: Outputs = []
        for path, kept in list(self._by_path.items()):
            if kept.problem.kind in _OF_WALKS and hash(path) not in self._in_walk:
                out += self.clear(path)
        for mark, kind in list(self._hidden.items()):
            if kind in _OF_WALKS and mark not in self._in_walk:
                self._unhide(mark)
        self._in_walk.clear()
        return out

    def _give_back(self, problem: Problem) -> None:
        """It is kept no more."""
        self._shares[problem.kind].give_back(problem)
        if problem.kind in _LASTING and self._memory is not None:
            self._memory.forget(problem.path)

    def _unhide(self, mark: int) -> None:
        """The problem of this mark is hidden no more, if it was: it is kept now, or solved."""
        kind = self._hidden.pop(mark, None)
        if kind is not None:
            self._hidden_of[kind] -= 1


def _key(path: str, device: str, kind: ProblemKind | None = None) -> str:
    if kind is not None and kind in _BESIDE:
        return f"\0\0{kind.name}\0{path}"  # no device is called so
    return f"\0{device}" if device else path  # no path has a NUL


def _told(problem: Problem, kind: str, text: str) -> Tell:
    fields: dict[str, Scalar] = {"folder": problem.folder, "path": problem.path}
    if problem.device:
        fields["device"] = problem.device
    return Tell(EventKind.PROBLEM, fields | {"problem": kind, "text": text})
