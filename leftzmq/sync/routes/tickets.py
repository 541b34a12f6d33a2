"""Routes tickets, and the applier's results for them.

Knows which machines wait for the same paths. Must not know what is done to the share.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct

from leftzmq.sync.actions import Outputs
from leftzmq.sync.facts import (
    FileHeldUp,
    FileLeft,
    FileStaged,
    FoundDeletedBytes,
    PathsReconsidered,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import Applied, Discarded, RoomMade, RoomSeen, StagingCleared
from leftzmq.sync.routes.table import Routes, Stir


class TicketRoutes(Struct, frozen=True):
    """One for all folders."""

    stir: Stir

    def enter(self, routes: Routes) -> None:
        to = routes.to_folder
        to(
            PathsReconsidered,
            lambda folder: folder.applier.on_paths_reconsidered,
        )
        to(
            FoundDeletedBytes,
            lambda folder: folder.applier.on_found_deleted_bytes,
        )
        to(FileStaged, lambda folder: partial(self._on_file_staged, folder))
        to(FileLeft, lambda folder: folder.applier.on_file_left)
        to(FileHeldUp, lambda folder: folder.applier.on_file_held_up)
        to(Applied, lambda folder: partial(self._on_applied, folder))
        to(RoomSeen, lambda folder: folder.applier.on_room_seen)
        to(RoomMade, lambda folder: folder.applier.on_room_made)
        to(Discarded, lambda folder: folder.applier.on_discarded)
        to(StagingCleared, lambda folder: partial(self._on_staging_cleared, folder))

    def _on_file_staged(self, folder: Folder, fact: FileStaged, now: float) -> Outputs:
        self.stir(folder.applier)
        return folder.applier.on_file_staged(fact, now)

    def _on_applied(self, folder: Folder, fact: Applied, now: float) -> Outputs:
        return folder.applier.on_applied(fact, now) + folder.scheduler.go_on(now)

    def _on_staging_cleared(self, folder: Folder, fact: StagingCleared, now: float) -> Outputs:
        return folder.applier.on_staging_cleared(fact, now) + folder.scheduler.go_on(now)
