"""The answers to `leftzmq status` and `leftzmq problems`.

Knows where each value is found. Must not know how an answer is printed. Others can make some lists
long: of these the answer holds the first items, and beside them the total number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from leftzmq.bandwidth.throttle import Throttles
from leftzmq.config import UnusableFolder
from leftzmq.errors import Problem
from leftzmq.sync.admin.peer_progress import (
    IN_FOLDER,
    Member,
    PeerState,
    accepted_left,
    alone_because,
    members,
    peer_state,
)
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.folder import Folder, FolderState
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.peer_state import Peer, PeerPhase
from leftzmq.sync.peers.refused_keys import Visit
from leftzmq.tree.mode import FolderMode
from leftzmq.wire.paging import PAGE_BYTES, PAGE_ITEMS, fitting
from leftzmq.wire.replies import (
    FolderStatus,
    HeldBack,
    LimitsShown,
    MemberStatus,
    NumberedProblem,
    PeerStatus,
    ProblemPage,
    ShownProblem,
    Source,
    Status,
    StrangerShown,
    UnderWay,
)

SHOWN: Final = 100
SHOWN_BYTES: Final = 6 << 20
"""Of all lists of all folders: a reply holds 16 MiB."""
_LISTS: Final = 3  # of a folder


class Times(Struct, frozen=True):
    """Now, by both clocks: monotonic, and unix seconds."""

    now: float
    unix: float

    def unix_of(self, at: float | None) -> float | None:
        """Return the unix time of a monotonic time."""
        return None if at is None else round(self.unix - (self.now - at), 3)

    def age_of(self, since: float | None) -> float:
        """Return the seconds since a monotonic time; 0 if there is none."""
        return 0.0 if since is None else round(max(0.0, self.now - since), 3)


def status(
    name: str,
    key: str,
    keyless: Iterable[str],
    peers: Peers,
    folders: Iterable[Folder],
    unusable: Iterable[UnusableFolder],
    downloader: Downloader,
    throttles: Throttles,
    times: Times,
    by: Callable[[str], str],
    removed_from: Callable[[str], list[str]],
) -> Status:
    """Return the whole answer. keyless: peers in peer.toml that have no key and are never
    connected. unusable: folders that could not even be made. by: returns the name of the device
    that wrote a conflict copy, from the copy's path. removed_from: returns the folders from which
    the device of a key was removed."""
    shares = list(folders)
    devices = list(peers.by_key.values())
    found = {folder.id: members(folder, devices) for folder in shares}
    shown = [
        _peer(
            peer,
            [of_folder[at] for of_folder in found.values()],
            _limits(throttles, peer.key),
            downloader.given_by(peer.key),
            times,
        )
        for at, peer in enumerate(devices)
    ]
    shown += [
        PeerStatus(name=other, key="", connected=False, state=PeerState.NO_KEY.value)
        for other in keyless
    ]
    room = SHOWN_BYTES // (_LISTS * max(1, len(shares)))
    return Status(
        device=name,
        key=key,
        limits=_limits(throttles),
        peers=shown,
        strangers=[
            _stranger(visit, times, removed_from(visit.stranger.key))
            for visit in peers.refused_keys.lately(times.now)
        ],
        folders=[
            _folder(folder, downloader, peers, found[folder.id], times, by, room)
            for folder in shares
        ]
        + [_nothing_of(folder) for folder in unusable],
    )


def _nothing_of(folder: UnusableFolder) -> FolderStatus:
    return FolderStatus(
        id=folder.id,
        state=FolderState.STOPPED.value,
        shared_with=[],
        members=[],
        why=folder.why,
        files=0,
        bytes=0,
        tickets=0,
        need_bytes=0,
        not_kept=0,
        not_kept_bytes=0,
        mode=FolderMode.BOTH.value,
        differs=0,
        differ_list=[],
        waits_for="",
        problems=0,
        conflicts=0,
        sent_bytes=0,
        received_bytes=0,
        held=HeldBack(),
        rate=0,
        arriving=0,
        under_way=[],
        problem_list=[],
        conflict_list=[],
        conflict_devices=[],
    )


def _limits(throttles: Throttles, device: DeviceKey | None = None) -> LimitsShown:
    return LimitsShown(up=throttles.up.rate(device), down=throttles.down.rate(device))


def _peer(
    peer: Peer, found: list[Member], limits: LimitsShown, gives: int | None, times: Times
) -> PeerStatus:
    """found: the device in each of our folders. gives: its own limit."""
    state = peer_state(peer, found)
    near = [each for each in found if each.state in IN_FOLDER]
    behind = [each.behind for each in near if each.behind is not None]
    lags = [each.since for each in near if each.since is not None]
    return PeerStatus(
        name=peer.name,
        key=peer.text,
        connected=peer.state is PeerPhase.CONNECTED,
        state=state.value,
        reason=peer.away.value if peer.away and state is PeerState.AWAY else "",
        note=peer.away_why if state is PeerState.AWAY else peer.refusal_told,
        since=times.unix_of(peer.since),
        behind_paths=sum(lack.paths for lack in behind),
        behind_bytes=sum(lack.bytes for lack in behind),
        behind_since=times.unix_of(min(lags, default=None)),
        limits=limits,
        gives=gives,
    )


def _stranger(visit: Visit, times: Times, removed_from: list[str]) -> StrangerShown:
    return StrangerShown(
        key=visit.stranger.key,
        address=visit.stranger.address,
        first=times.unix_of(visit.first),
        last=times.unix_of(visit.last),
        removed_from=removed_from,
    )


def _member(found: Member, accepted: int, times: Times) -> MemberStatus:
    """accepted: at least so many of the versions that the device lacks were let pass the guard by a
    user. behind_..., ahead_...: None where nothing is known of the device."""
    behind, ahead = found.behind, found.ahead
    return MemberStatus(
        name=found.peer.name,
        state=found.state.value,
        why=found.why,
        behind_paths=None if behind is None else behind.paths,
        behind_bytes=None if behind is None else behind.bytes,
        behind_since=times.unix_of(found.since),
        accepted_left=accepted,
        ahead_paths=None if ahead is None else ahead.paths,
        ahead_bytes=None if ahead is None else ahead.bytes,
        passed_paths=found.passed.paths,
    )


def problems(folder: Folder, after: int) -> ProblemPage:
    """Return a page of the problems that came after the one with this number, oldest first."""
    found = (
        NumberedProblem(
            path=problem.path, problem=problem.kind.name, text=str(problem), cursor=str(number)
        )
        for number, problem in folder.problems.after(after)
    )
    page, whole = fitting(found, PAGE_ITEMS, PAGE_BYTES)
    return ProblemPage(
        folder=folder.id,
        problems=page,
        hidden=folder.problems.hidden,
        after="" if whole else page[-1].cursor,
    )


def _problem(problem: Problem) -> ShownProblem:
    return ShownProblem(path=problem.path, problem=problem.kind.name, text=str(problem))


def _folder(
    folder: Folder,
    downloader: Downloader,
    peers: Peers,
    found: list[Member],
    times: Times,
    by: Callable[[str], str],
    most_bytes: int,
) -> FolderStatus:
    """found: each device in the folder. most_bytes: the limit of each list."""
    counters = folder.index_view.counters
    runs = folder.stopped is None
    copies = folder.store.conflict_copies(limit=SHOWN) if runs and counters.conflicts else []
    differing = folder.store.private_after(b"", SHOWN) if runs and counters.differs else []
    shown_copies = fitting((row.entry.path for row in copies), SHOWN, most_bytes)[0]
    transfer = [a for a in downloader.under_way() if a.folder == folder.id]
    under_way = (
        UnderWay(
            path=a.entry.path,
            size=a.entry.size,
            have=a.have_bytes,
            phase=a.phase.name,
            sources=[
                Source(name=peers.by_key[device].name, rate=int(rate))
                for device, rate in sorted(downloader.sources(a).items())
            ],
        )
        for a in transfer
    )
    accepted = accepted_left(folder, found)
    is_alone = folder.state is FolderState.ALONE
    why = folder.stopped_why or folder.paused_why or folder.held_why
    troubles = (_problem(problem) for _, problem in folder.problems.after(0))
    return FolderStatus(
        id=folder.id,
        state=folder.state.value,
        shared_with=sorted(peers.name(device) for device in folder.members),
        members=[_member(m, accepted.get(m.peer.key, 0), times) for m in found],
        why=why or (alone_because(found) if is_alone else ""),
        files=counters.files,
        bytes=counters.bytes,
        tickets=folder.index_view.tickets,
        need_bytes=counters.need_bytes if folder.index_view.takes else 0,
        not_kept=counters.not_kept,
        not_kept_bytes=counters.not_kept_bytes,
        mode=folder.mode.value,
        differs=folder.index_view.differs,
        differ_list=fitting((path for _, path in differing), SHOWN, most_bytes)[0],
        waits_for="limit" if runs and downloader.limited_by(folder.id) else "",
        problems=len(folder.problems),
        conflicts=counters.conflicts,
        sent_bytes=folder.sent_bytes,
        received_bytes=folder.received_bytes,
        held=folder.guard.held_back(),
        rate=int(downloader.rate_bytes_s()),
        arriving=len(transfer),
        under_way=fitting(under_way, SHOWN, most_bytes)[0],
        problem_list=fitting(troubles, SHOWN, most_bytes)[0],
        conflict_list=shown_copies,
        conflict_devices=[by(path) for path in shown_copies],
    )
