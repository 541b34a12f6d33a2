"""The problems of one folder as they stand, and telling each once.

A Problem concerns one path, or one device's index, and stays shown until that is well again.
"""

from __future__ import annotations

from typing import Final

from leftzmq.errors import Problem, ProblemKind
from leftzmq.sync.actions import Action, Tell
from leftzmq.sync.facts import Fact
from leftzmq.wire.local import EventKind, Scalar

MAX_SHOWN: Final = 10_000
"""A tree of a million bad names must not fill the memory; the rest is counted."""

_OF_WALKS: Final = {
    ProblemKind.BAD_NAME,
    ProblemKind.SPECIAL,
    ProblemKind.FOREIGN_LEFTING,
    ProblemKind.UNREADABLE,
    ProblemKind.MOUNT_GONE,
}


class Problems:
    """path, or name of a device -> Problem, of one folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._by_path: dict[str, Problem] = {}  # of a device: see _key
        self._in_walk: set[str] = set()

    def __len__(self) -> int:
        return len(self._by_path)

    def all(self) -> list[Problem]:
        return list(self._by_path.values())

    def of(self, path: str) -> Problem | None:
        return self._by_path.get(path)

    def show(self, problem: Problem) -> list[Action | Fact]:
        """A problem as it is now; told only when it is new or has become another one."""
        key = _key(problem.path, problem.device)
        self._in_walk.add(key)
        before = self._by_path.get(key)
        if before is None and len(self._by_path) >= MAX_SHOWN:
            return []
        self._by_path[key] = problem
        if before is not None and before.kind is problem.kind:
            return []
        return [_told(problem, problem.kind.name, str(problem))]

    def clear(self, path: str, device: str = "") -> list[Action | Fact]:
        """The path, or (path "") the index of a device, is well again."""
        problem = self._by_path.pop(_key(path, device), None)
        if problem is None:
            return []
        what = f"the index of {device}" if device else path
        return [_told(problem, "SOLVED", f"{what}: solved")]

    def walk_begins(self) -> None:
        """A walk of everything: what it does not show again by its end is solved."""
        self._in_walk.clear()

    def settled_by_walk(self) -> list[Action | Fact]:
        """A walk of everything ended: what walks find and this one did not is solved."""
        out: list[Action | Fact] = []
        for path, problem in list(self._by_path.items()):
            if problem.kind in _OF_WALKS and path not in self._in_walk:
                out += self.clear(path)
        self._in_walk.clear()
        return out


def _key(path: str, device: str) -> str:
    return f"\0{device}" if device else path  # no path has a NUL


def _told(problem: Problem, kind: str, text: str) -> Tell:
    fields: dict[str, Scalar] = {"folder": problem.folder, "path": problem.path}
    if problem.device:
        fields["device"] = problem.device
    return Tell(EventKind.PROBLEM, fields | {"problem": kind, "text": text})
