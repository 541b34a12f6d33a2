"""Where tickets go, and what the applier makes of them.

Knows which machines wait for the same paths. Must not know what is done to the share.
"""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.sync.facts import (
    FileHeldUp,
    FileLeft,
    FileStaged,
    FoundDeletedBytes,
    PathsReconsidered,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import Applied, Discarded, RoomMade, RoomSeen, StagingCleared
from leftzmq.sync.routes.table import Outputs, Routes, Stir


@dataclass(frozen=True, slots=True)
class TicketRoutes:
    """Of every folder."""

    stir: Stir

    def enter(self, routes: Routes) -> None:
        to = routes.to_folder
        to(PathsReconsidered, lambda folder, fact, now: folder.applier.reconsider(fact, now))
        to(FoundDeletedBytes, lambda folder, fact, now: folder.applier.found_deleted(fact, now))
        to(FileStaged, self._staged)
        to(FileLeft, lambda folder, fact, now: folder.applier.left(fact))
        to(FileHeldUp, lambda folder, fact, now: folder.applier.held_up(fact, now))
        to(Applied, self._applied)
        to(RoomSeen, lambda folder, fact, now: folder.applier.room_seen(fact, now))
        to(RoomMade, lambda folder, fact, now: folder.applier.room_made(fact, now))
        to(Discarded, lambda folder, fact, now: folder.applier.discarded(fact, now))
        to(StagingCleared, self._staging_cleared)

    def _staged(self, folder: Folder, fact: FileStaged, now: float) -> Outputs:
        self.stir(folder.applier)
        return folder.applier.staged(fact, now)

    def _applied(self, folder: Folder, fact: Applied, now: float) -> Outputs:
        return folder.applier.applied(fact, now) + folder.settler.go_on(now)

    def _staging_cleared(self, folder: Folder, fact: StagingCleared, now: float) -> Outputs:
        return folder.applier.staging_cleared(fact, now) + folder.settler.go_on(now)
