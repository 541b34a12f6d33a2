"""The answers to `why` and `plan` as typed values. docs/admin.md says what each field means.

Must not know how a reason is found, nor how it is printed.
"""

from __future__ import annotations

from leftzmq.wire.replies import Reply


class PeerWhy(Reply, frozen=True, kw_only=True):
    """One member of the folder, as seen from here. reason: of a WhyNot, its word. since: unix
    seconds."""

    name: str
    reason: str
    text: str
    cure: str
    since: float | None


class WhyShown(Reply, frozen=True, kw_only=True):
    """Why a path is not the same everywhere. reason: of a WhyNot, its word. text, cure: a sentence
    each; cure is "" where nothing is to be done. peer: whom it concerns; "": this device. since:
    unix seconds. bytes: the size of the version that all are to have; have: how much of it is here;
    rate: bytes a second. by: who changed the path last. copies: its conflict copies, by path."""

    folder: str
    path: str
    reason: str
    text: str
    cure: str
    peer: str
    since: float | None
    bytes: int | None
    have: int | None
    rate: int | None
    by: str
    copies: list[str]
    peers: list[PeerWhy]


class PlanCount(Reply, frozen=True, kw_only=True):
    """action: of a PlannedAction, its value. bytes: the sizes of the files that would come."""

    action: str
    paths: int
    bytes: int


class PlanItem(Reply, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What would happen at one path. from_: the devices that have the version. why: of a WhyNot,
    its word, where it does not happen now; else "". cursor: where the next page begins, if this
    is the last item of a page."""

    path: str
    action: str
    bytes: int
    from_: str
    why: str
    cursor: str


class PlanPage(Reply, frozen=True, kw_only=True):
    """What would happen now. peer: on this device; "": on ours. counts: of all paths; none on pages
    after the first one. after: the cursor of the last item, if more follow; else ""."""

    folder: str
    peer: str
    counts: list[PlanCount]
    items: list[PlanItem]
    after: str
