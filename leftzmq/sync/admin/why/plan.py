"""Answers what would happen in a folder now: how many paths of each kind of action, and which.

Knows who asks. Must not know what becomes of a path (index/change_plan does).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from leftzmq.index import change_plan
from leftzmq.index.change_plan import (
    ChangePlan,
    PlannedAction,
    PlannedChange,
    PlannedCount,
    PlanScope,
)
from leftzmq.index.schema import OURS
from leftzmq.sync.actions import Answer, Outputs, Work, declined
from leftzmq.sync.admin.why.here import OF_PROBLEM
from leftzmq.sync.admin.why.known import MembersOf, is_connected, names_of
from leftzmq.sync.admin.why.reasons import WhyNot
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import ChangePlanRead, ReadChangePlan
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.wire.answers.why import PlanCount, PlanItem, PlanPage
from leftzmq.wire.paging import PAGE_BYTES, PAGE_ITEMS, fitting


class _ChangesAsked(Struct, frozen=True):
    """A question whose answer is being read. peer: for whom the plan is; None: for this device."""

    asker: bytes
    folder: str
    peer: Peer | None
    scope: PlanScope


class ChangePlans:
    """One per agent. members_of: the other devices that are in a folder."""

    def __init__(self, members_of: MembersOf, our_name: str) -> None:
        self._members_of, self._our_name = members_of, our_name
        self._open: dict[int, _ChangesAsked] = {}
        self._number = 0

    def ask(self, asker: bytes, folder: Folder, name: str, after: str) -> Outputs:
        """Answer what would happen on this device, or on the one with this name, when a job has
        gone through the index. after: the path of the last item of the page before."""
        members = self._members_of(folder)
        peer = next((each for each in members if each.name == name), None)
        if name and peer is None:
            return [declined(asker, "no device in the folder has this name", name)]
        self._number += 1
        scope = for_us(folder) if peer is None else for_peer(folder, peer)
        self._open[self._number] = asked = _ChangesAsked(asker, folder.id, peer, scope)
        return [self._read(asked, change_plan.begin(after, PAGE_ITEMS))]

    def on_change_plan_read(self, folder: Folder, fact: ChangePlanRead, now: float) -> Outputs:
        asked = self._open.get(fact.number)
        if asked is None:
            return []
        if fact.plan.after is not None:
            return [self._read(asked, fact.plan, fact.number)]
        del self._open[fact.number]
        return [Answer(asked.asker, self._shown(folder, asked, fact.plan).fields())]

    def on_folder_stopped(self, folder: str, why: str) -> Outputs:
        """Answer the open questions about the folder; later results of their jobs are ignored."""
        gone = [number for number, asked in self._open.items() if asked.folder == folder]
        return [declined(self._open.pop(number).asker, why, folder) for number in gone]

    def _read(self, asked: _ChangesAsked, plan: ChangePlan, number: int = 0) -> Work:
        return Work(ReadChangePlan(asked.folder, number or self._number, plan, asked.scope))

    def _shown(self, folder: Folder, asked: _ChangesAsked, plan: ChangePlan) -> PlanPage:
        members = self._members_of(folder)
        items = (
            PlanItem(
                path=change.path,
                action=change.action.value,
                bytes=change.bytes,
                from_=self._names(folder, members, change.holders),
                why=_why(folder, asked.peer, change),
                cursor=change.path,
            )
            for change in plan.changes
        )
        page, whole = fitting(items, PAGE_ITEMS, PAGE_BYTES)
        more = page and (plan.has_more or not whole)
        return PlanPage(
            folder=folder.id,
            peer="" if asked.peer is None else asked.peer.name,
            counts=_counts(plan) if plan.counts_all else [],
            items=page,
            after=page[-1].cursor if more else "",
        )

    def _names(self, folder: Folder, members: Iterable[Peer], holders: int) -> str:
        heads = folder.store.heads
        names = [each for each in members if heads.head_of(each.key).mask & holders]
        if holders & OURS:
            return self._our_name
        return names_of(names)


def for_us(folder: Folder) -> PlanScope:
    """Return what the plan of this device goes by."""
    view = folder.index_view
    is_halted = bool(folder.hold.holds or folder.paused or not view.takes)
    return PlanScope(
        mask=OURS,
        nobody=view.readers | folder.store.heads.swept_mask,
        reach=0 if is_halted else view.reach,
        holds=folder.guard.holds_elsewhere,
        accepted=view.accepted,
    )


def for_peer(folder: Folder, peer: Peer) -> PlanScope:
    """Return what the plan of another device goes by, as far as is known here."""
    view = folder.index_view
    heard = peer.key in folder.index_client.heard
    can = is_connected(peer) and heard and not folder.paused and not folder.hold.holds
    return PlanScope(
        mask=folder.store.heads.head_of(peer.key).mask,
        nobody=view.silent | folder.store.heads.swept_mask,
        reach=-1 if can else 0,
        holds=False,
        accepted=view.accepted,
        done=folder.acknowledged.until(peer.key),
    )


def _counts(plan: ChangePlan) -> list[PlanCount]:
    """One of each kind, in the order of PlannedAction."""
    none = PlannedCount()
    found = [(each, plan.counts.get(each, none)) for each in PlannedAction]
    return [
        PlanCount(action=each.value, paths=count.paths, bytes=count.bytes) for each, count in found
    ]


def _why(folder: Folder, peer: Peer | None, change: PlannedChange) -> str:
    """The word of the reason why it does not happen, or not now; "": it does."""
    if change.action is PlannedAction.HELD:
        return WhyNot.HELD_ELSEWHERE.word
    kind = folder.problems.kind_of(change.path) if peer is None else None
    of_problem = None if kind is None else OF_PROBLEM[kind]
    if change.action is not PlannedAction.WAITS:
        return "" if of_problem is None else of_problem.word
    if folder.hold.holds:
        return WhyNot.PLAN_UNANSWERED.word
    if folder.paused:
        return WhyNot.FOLDER_PAUSED.word
    if peer is not None:
        return WhyNot.PEER_AWAY.word
    if folder.index_view.takes:
        return WhyNot.AWAY.word
    comes_back = folder.index_view.held.is_wanted_back(change.path)
    return (WhyNot.WAITS_TURN if comes_back else WhyNot.SENDS_ONLY).word
