"""Where what the settler finds in the share goes, and what the replica tells.

Knows which machines hear of it, in which order. Must not know what counts as a change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leftzmq.sync.admin.wait import Barrier
from leftzmq.sync.facts import (
    BytesDoubted,
    MountChanged,
    PathsCleared,
    PathsSettled,
    PathsTouched,
    RescanWanted,
    WalkEnded,
    WatchLost,
    WatchRegained,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import (
    BytesChecked,
    Flushed,
    IndexRoomSeen,
    Looked,
    LossesCounted,
    PageRead,
    SliceCut,
    Walked,
)
from leftzmq.sync.routes.table import Outputs, Routes


@dataclass(frozen=True, slots=True)
class ShareRoutes:
    """wall_ns: the unix time of the fact that is handled."""

    barrier: Barrier
    wall_ns: Callable[[], int]

    def enter(self, routes: Routes) -> None:
        to = routes.to_folder
        to(PathsTouched, lambda folder, fact, now: folder.settler.touched(fact, now))
        to(WatchLost, lambda folder, fact, now: folder.settler.lost(fact, now))
        to(WatchRegained, lambda folder, fact, now: folder.settler.regained(fact, now))
        to(MountChanged, lambda folder, fact, now: folder.settler.mount_changed(fact, now))
        to(RescanWanted, lambda folder, fact, now: folder.settler.rescan(fact, now))
        to(BytesDoubted, lambda folder, fact, now: folder.rot.doubted(fact, now))
        to(BytesChecked, lambda folder, fact, now: folder.rot.checked(fact, now))
        to(Walked, lambda folder, fact, now: folder.settler.walked(fact, now))
        to(Looked, self._looked)
        to(SliceCut, lambda folder, fact, now: folder.settler.slice_cut(fact, now))
        to(WalkEnded, self._walk_ended)
        to(PathsSettled, self._settled)
        to(PathsCleared, self._cleared)
        to(LossesCounted, lambda folder, fact, now: folder.guard.counted(fact))
        to(IndexRoomSeen, lambda folder, fact, now: folder.hearing.room_seen(fact, now))
        to(Flushed, lambda folder, fact, now: folder.replica.was_flushed(fact))
        to(PageRead, lambda folder, fact, now: folder.replica.page_read(fact))

    def _looked(self, folder: Folder, fact: Looked, now: float) -> Outputs:
        return folder.settler.looked(fact, now) + folder.applier.go_on(now)

    def _walk_ended(self, folder: Folder, fact: WalkEnded, now: float) -> Outputs:
        self.barrier.walk_ended(fact)
        return folder.guard.walk_ended(fact, now) + folder.applier.walk_ended(fact, now)

    def _settled(self, folder: Folder, fact: PathsSettled, now: float) -> Outputs:
        cleared, out = folder.guard.settled(fact, now)
        return (self._cleared(folder, cleared, now) if cleared else []) + out

    def _cleared(self, folder: Folder, fact: PathsCleared, now: float) -> Outputs:
        before = folder.store.heads.sequence
        out = folder.replica.settled_paths(fact, self.wall_ns())
        folder.settler.told(fact, now)
        if folder.store.heads.sequence != before:  # not what the applier itself took away
            folder.applier.user_changed(fact, now)
        return out + folder.guard.cleared()
