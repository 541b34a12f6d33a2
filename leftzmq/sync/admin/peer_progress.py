"""How far each device is with us, in each folder and in total, as words, counts and reasons.

Computed on request, from what peers, index_client and the indexes know. Must not know questions or
the form of answers (status and wait do).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from msgspec import Struct

from leftzmq.sync.folder import Folder
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import halted_there
from leftzmq.sync.peers.peer_state import Peer, PeerPhase
from leftzmq.sync.versions.peer_counts import Lack


class MemberState(Enum):
    """The state of one device in one folder. The value is the word in `status --json`."""

    IN_SYNC = "in sync"
    BEHIND = "behind"  # it lacks something that we have
    SYNCING = "syncing"  # we lack something that it has, or its index is arriving
    READING = "reading"  # it has read a part of its files since its start, and that is in sync
    TWO_OF_KEY = "two of that key"  # two agents have its key: nothing that it says is reliable
    SILENT = "silent"  # it holds the secret, and has said nothing of the folder yet
    STOPPED_HERE = "stopped here"
    PAUSED_HERE = "paused here"
    STOPPED_THERE = "stopped there"
    OTHER_ID = "other id"
    NOT_THERE = "not there"  # it has no folder besides those that we share
    OTHER_SECRET = "other secret"  # it has folders with secrets that we do not have
    NOT_SHARED = "not shared"  # NOT_THERE or OTHER_SECRET: it never said how many folders it has
    AWAY = "not connected"


class PeerState(Enum):
    """The state of one device. The value is the word in `status --json`."""

    IN_SYNC = "in sync"  # in each folder that it shares with us
    BEHIND = "behind"
    SYNCING = "syncing"
    TWO_OF_KEY = "two of that key"
    APART = "apart"  # connected, and in none of our folders
    CONNECTING = "connecting"
    AWAY = "not connected"
    NO_KEY = "no key"


IN_FOLDER: Final = {
    MemberState.IN_SYNC: PeerState.IN_SYNC,
    MemberState.BEHIND: PeerState.BEHIND,
    MemberState.SYNCING: PeerState.SYNCING,
    MemberState.SILENT: PeerState.SYNCING,
    MemberState.READING: PeerState.SYNCING,
    MemberState.TWO_OF_KEY: PeerState.TWO_OF_KEY,
}
"""The state of a connected device for each of its states in a folder that it shares with us."""
ACCEPTED_LOOKED_AT: Final = 256
"""About 2 ms of the loop for each question."""
_WORST: Final = (PeerState.TWO_OF_KEY, PeerState.BEHIND, PeerState.SYNCING, PeerState.IN_SYNC)


NOTHING_PASSED: Final = Lack()


class Member(Struct, frozen=True):
    """One device in one folder.

    why: the present reason as a sentence, if there is one to report
    behind: what the device lacks of ours, as far as we know; None: we know nothing of it
    ahead: what the device has and we lack, likewise
    passed: what the device lacks of ours because it does not keep it; it is not in `behind`
    since: since when the device lacks something (monotonic seconds); None: it lacks nothing
    """

    peer: Peer
    state: MemberState
    why: str = ""
    behind: Lack | None = None
    ahead: Lack | None = None
    since: float | None = None
    passed: Lack = NOTHING_PASSED


def member(folder: Folder, peer: Peer) -> Member:
    """Return how far this device is in this folder."""
    if folder.stopped is not None:
        return Member(peer, MemberState.STOPPED_HERE)
    mask = folder.store.heads.head_of(peer.key).mask
    is_member = peer.key in folder.members
    if folder.paused:
        return Member(peer, MemberState.PAUSED_HERE)
    if not mask and not is_member:
        behind, ahead = None, None
    else:
        behind, ahead = (
            folder.index_view.peer_counts.lacking(mask),
            folder.index_view.to_come(mask),
        )
    passed = folder.acknowledged.passed_over(peer.key) if is_member else NOTHING_PASSED
    if behind is not None and passed.paths:
        behind = Lack()
    since = folder.peer_lag.since(peer.key) if behind is not None and behind.paths else None
    if is_member:
        state = _of_member(folder, peer, behind, ahead)
        why = _TWO if state is MemberState.TWO_OF_KEY else ""
        return Member(peer, state, why, behind, ahead, since, passed)
    state, why = _apart(folder, peer)
    return Member(peer, state, why, behind, ahead, since)


def _of_member(folder: Folder, peer: Peer, behind: Lack | None, ahead: Lack | None) -> MemberState:
    if peer.key not in folder.index_client.heard:
        return MemberState.SILENT
    if folder.index_client.cloned_devices.are_there(peer.key):
        return MemberState.TWO_OF_KEY
    if folder.index_client.receives(peer.key):
        return MemberState.SYNCING
    if behind is not None and behind.paths:
        return MemberState.BEHIND
    if ahead is not None and ahead.paths:
        return MemberState.SYNCING
    is_reading = folder.first_reading.is_reading(peer.key)
    return MemberState.READING if is_reading else MemberState.IN_SYNC


def _apart(folder: Folder, peer: Peer) -> tuple[MemberState, str]:
    """Return the state of a device that is not in the folder now, and the reason."""
    if peer.state is not PeerPhase.CONNECTED:
        return MemberState.AWAY, ""
    if folder.id in peer.halted:
        return MemberState.STOPPED_THERE, halted_there(peer.halted[folder.id])
    if folder.id in peer.other_ids:
        theirs, _ = peer.other_ids[folder.id]
        return MemberState.OTHER_ID, f"it calls this folder {theirs!r}: give both the same id"
    if peer.others is None:
        return MemberState.NOT_SHARED, "it has another secret for it, or no such folder"
    if peer.others == 0:
        return MemberState.NOT_THERE, "it has no such folder"
    return (
        MemberState.OTHER_SECRET,
        "it has a folder with another secret than ours: if that is this one, copy the secret file",
    )


def members(folder: Folder, peers: Iterable[Peer]) -> list[Member]:
    return [member(folder, peer) for peer in peers]


def accepted_left(folder: Folder, found: Iterable[Member]) -> dict[DeviceKey, int]:
    """Return the number of versions that each device lacks, of those that a user let pass the
    guard, within our last ACCEPTED_LOOKED_AT changes. Only devices that lack some are included.
    Such a device withholds them, or has not received them yet."""
    behind = [each for each in found if each.behind is not None and each.behind.paths]
    accepted = folder.index_view.accepted
    if not accepted or not behind:
        return {}
    rows = [row for row in folder.store.newest(ACCEPTED_LOOKED_AT) if accepted.covers(row.entry)]
    heads = folder.store.heads
    left = {
        each.peer.key: sum(not row.holders & heads.head_of(each.peer.key).mask for row in rows)
        for each in behind
    }
    return {key: count for key, count in left.items() if count}


def peer_state(peer: Peer, found: Iterable[Member]) -> PeerState:
    """Return the state of the device over all folders. found: the device in each of our folders."""
    if peer.state is not PeerPhase.CONNECTED:
        return PeerState.CONNECTING if peer.away is None else PeerState.AWAY
    states = {IN_FOLDER[each.state] for each in found if each.state in IN_FOLDER}
    return next((state for state in _WORST if state in states), PeerState.APART)


def alone_because(found: Iterable[Member]) -> str:
    """Return the reason why no other device is in a folder, as a sentence."""
    found = list(found)
    if not found:
        return "this device knows no other one: `leftzmq share` shows what to type there"
    near = [each for each in found if each.state is not MemberState.AWAY]
    if not near:
        return "no other device is connected"
    said = [f"{each.peer.name}: {each.why or each.state.value}" for each in near[:_NAMED]]
    more = len(near) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more else "")


_NAMED: Final = 3
_TWO: Final = "two agents that have its key are running"
