"""Answers what a yes to a join would do, while the folder is held.

Knows who asks, and what is not read yet. Must not know what becomes of a path (index/join_plan
does), nor what a yes or a no leads to.
"""

from __future__ import annotations

from msgspec import Struct

from leftzmq.errors import counted
from leftzmq.index.join_plan import JoinPlan, PathFate, PlanPart
from leftzmq.sync.actions import Answer, Outputs, Work, declined
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import JoinPlanRead, ReadJoinPlan
from leftzmq.wire.replies import JoinPlanShown, PlannedConflicts, PlannedCopy, PlannedPaths


class _PlanAsked(Struct, frozen=True):
    """A question whose answer is being read."""

    asker: bytes
    folder: str
    swept: int
    doomed: frozenset[str]


class JoinPlans:
    """One per agent."""

    def __init__(self) -> None:
        self._open: dict[int, _PlanAsked] = {}
        self._number = 0

    def ask(self, asker: bytes, folder: Folder, peer: str) -> Outputs:
        """Answer at once what is not read yet, or when a job has gone through the index. peer: the
        name of the device whose index must be complete; "": of those that are connected."""
        if not folder.held_why:
            return [
                declined(asker, "the folder is not held: no plan waits for an answer", folder.id)
            ]
        why = unread(folder, peer)
        if why:
            return [Answer(asker, _shown(folder.id, JoinPlan(), why).fields())]
        self._number += 1
        doomed = frozenset(folder.index_view.unsure)
        asked = _PlanAsked(asker, folder.id, folder.store.heads.swept_mask, doomed)
        self._open[self._number] = asked
        return [self._read(self._number, asked, JoinPlan())]

    def on_join_plan_read(self, fact: JoinPlanRead, now: float) -> Outputs:
        asked = self._open.get(fact.number)
        if asked is None:
            return []
        if fact.plan.after is not None:
            return [self._read(fact.number, asked, fact.plan)]
        del self._open[fact.number]
        return [Answer(asked.asker, _shown(asked.folder, fact.plan, "").fields())]

    def on_folder_stopped(self, folder: str, why: str) -> Outputs:
        """Answer the open questions about the folder; later results of their jobs are ignored."""
        gone = [number for number, asked in self._open.items() if asked.folder == folder]
        return [declined(self._open.pop(number).asker, why, folder) for number in gone]

    def _read(self, number: int, asked: _PlanAsked, plan: JoinPlan) -> Work:
        return Work(ReadJoinPlan(asked.folder, number, plan, asked.swept, asked.doomed))


def unread(folder: Folder, peer: str) -> str:
    """Return what is to be read before a plan can be told, as a sentence; "": nothing."""
    client = folder.index_client
    if not (folder.is_read or folder.guard.holds):
        files = counted(folder.index_view.counters.files, "file")
        return f"this device reads what is here: {files} so far"
    named = [device for device in client.members if not peer or folder.name_of(device) == peer]
    if not named:
        return f"{peer or 'another device that has it'} is not connected"
    for device in named:
        name = folder.name_of(device)
        if device not in client.heard:
            return f"{name} has said nothing of it yet"
        if client.receives(device) or not client.settled:
            return f"the index of {name} is on its way"
        if folder.first_reading.is_reading(device):
            return f"{name} is still reading its files"
    return ""


def _shown(folder: str, plan: JoinPlan, why: str) -> JoinPlanShown:
    parts = plan.parts
    conflicts = parts[PathFate.CONFLICT]
    copies = [
        PlannedCopy(path=path, copy=copy)
        for path, copy in zip(conflicts.first, plan.copies, strict=True)
    ]
    return JoinPlanShown(
        folder=folder,
        is_read=not why,
        why=why,
        comes=_paths(parts[PathFate.COMES]),
        same=_paths(parts[PathFate.SAME]),
        replaced=_paths(parts[PathFate.REPLACED]),
        removed=_paths(parts[PathFate.REMOVED]),
        conflicts=PlannedConflicts(paths=conflicts.paths, bytes=conflicts.bytes, first=copies),
        goes=_paths(parts[PathFate.GOES]),
    )


def _paths(part: PlanPart) -> PlannedPaths:
    return PlannedPaths(paths=part.paths, bytes=part.bytes, first=list(part.first))
