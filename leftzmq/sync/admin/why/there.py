"""Why another member of a folder has something else at a path than it is to have, as seen from
here.

Knows what a device said of itself. Must not know what it did not say: only it knows its own reason.
"""

from __future__ import annotations

from typing import Final

from leftzmq.bandwidth.timetable import OFF
from leftzmq.errors import Away, StopCause
from leftzmq.index.rows import Row
from leftzmq.sync.admin.peer_progress import MemberState, member
from leftzmq.sync.admin.why.known import PathKnown, is_connected
from leftzmq.sync.admin.why.reasons import Because, WhyNot, because
from leftzmq.sync.peers.greeting import halted_there
from leftzmq.sync.peers.peer_state import Peer

_REFUSING: Final = (Away.REFUSES, Away.OTHER_VERSION, Away.REFUSED_OUR_KEY)
_NOT_IN_FOLDER: Final = (
    MemberState.OTHER_ID,
    MemberState.NOT_THERE,
    MemberState.OTHER_SECRET,
    MemberState.NOT_SHARED,
)


def there(known: PathKnown, peer: Peer) -> Because:
    """Return the reason of one member."""
    target, mask = _target(known), known.mask_of(peer.key)
    changed = _changed_by_reader(known, peer, target)
    if changed is not None:
        return changed
    if target is None:
        return _nothing(peer)
    if _has(known, target, mask):
        return because(WhyNot.SAME, peer=peer.name, where="there")
    if target.entry.deleted and not any(
        row.holders & mask and not row.entry.deleted for row in known.all_rows
    ):
        return _nothing(peer)
    return gone_or_away(known, peer, WhyNot.PEER_AWAY) or _late(known, peer, target)


def _target(known: PathKnown) -> Row | None:
    """The version that all are to have."""
    view = known.view
    rows = [row for row in known.all_rows if row.holders & ~view.silent]
    told = (row for row in rows if not row.entry.is_private)
    return max(told, key=lambda row: row.entry.rank, default=None)


def _has(known: PathKnown, target: Row, mask: int) -> bool:
    rows = [row for row in known.all_rows if row.holders & mask]
    return any(
        row is target
        or (
            row.entry.same_content(target.entry) and row.entry.attributes == target.entry.attributes
        )
        for row in rows
    )


def _nothing(peer: Peer) -> Because:
    return because(WhyNot.NOTHING_THERE, peer=peer.name)


def _changed_by_reader(known: PathKnown, peer: Peer, target: Row | None) -> Because | None:
    """A member that may only read has a version of its own."""
    mask = known.mask_of(peer.key)
    if not mask & known.view.readers:
        return None
    own = [row for row in known.all_rows if row.holders & mask]
    others = ~known.view.readers
    if any(not row.holders & others and row is not target for row in own):
        return because(WhyNot.READS_ONLY, path=known.path, peer=peer.name)
    return None


def gone_or_away(known: PathKnown, peer: Peer, away: WhyNot) -> Because | None:
    """Return why nothing passes between a member and this device now; None: it can pass. away: the
    reason where it is not connected."""
    folder, times = known.folder, known.times
    name, since = peer.name, times.unix_of(peer.since)
    if folder.paused:
        return because(WhyNot.FOLDER_PAUSED)
    if peer.away is Away.PAUSED:
        return because(WhyNot.PEER_PAUSED, peer=name, since=since)
    if peer.away is Away.SHUT_OUT:
        return because(WhyNot.SHUT_OUT, peer=name, since=since, detail=peer.away_why)
    if peer.away in _REFUSING:
        detail = peer.away_why or peer.away.value
        return because(WhyNot.REFUSES, peer=name, since=since, detail=detail)
    if not is_connected(peer):
        why = peer.away_why or (peer.away.value if peer.away else "")
        return because(away, peer=name, since=since, detail=f": {why}" if why else "")
    if peer.refusal_told:
        return because(WhyNot.REFUSES, peer=name, detail=peer.refusal_told)
    if folder.id in peer.halted:
        cause = peer.halted[folder.id]
        if cause is StopCause.PAUSED:
            return because(WhyNot.PAUSED_THERE, peer=name)
        return because(WhyNot.STOPPED_THERE, peer=name, detail=halted_there(cause))
    found = member(folder, peer)
    if found.state in _NOT_IN_FOLDER:
        detail = found.why or found.state.value
        return because(WhyNot.NOT_SHARED, peer=name, detail=detail)
    if found.state is MemberState.TWO_OF_KEY:
        return because(WhyNot.TWO_OF_KEY, peer=name)
    if (problem := folder.problems.problem_with(name)) is not None:
        return because(WhyNot.INDEX_WAITS, peer=name, detail=problem.kind.value)
    if found.state is MemberState.SILENT or folder.index_client.receives(peer.key):
        return because(WhyNot.INDEX_ARRIVES, peer=name)
    return None


def _late(known: PathKnown, peer: Peer, target: Row) -> Because:
    """A member that is connected and in the folder does not have what it is to have."""
    folder, name = known.folder, peer.name
    if not target.is_ours:
        return because(WhyNot.BEHIND, peer=name)
    seq = target.seq
    if folder.hold.holds:
        return because(WhyNot.PLAN_UNANSWERED, peer=name)
    if seq is not None and not folder.announcer.has_told(seq):
        return because(WhyNot.NOT_TOLD_YET, peer=name)
    if seq is not None and folder.acknowledged.until(peer.key) >= seq:
        return because(WhyNot.PASSED_OVER, peer=name)
    if known.throttles.up.rate(peer.key) == OFF:
        return because(WhyNot.LIMIT_OFF, peer=name, whose="this device")
    return because(
        WhyNot.BEHIND, peer=name, since=known.times.unix_of(folder.peer_lag.since(peer.key))
    )
