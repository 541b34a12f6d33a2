"""Routes what the scheduler finds in the share, and what the announcer announces.

Knows which machines receive it, in which order. Must not know what counts as a change.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec import Struct

from leftzmq.sync.actions import Outputs
from leftzmq.sync.admin.wait import WaitQuestions
from leftzmq.sync.facts import (
    BytesDoubted,
    FoundDeletedBytes,
    LocalRulesSet,
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
from leftzmq.sync.routes.table import Routes


class ShareRoutes(Struct, frozen=True):
    """wall_ns: returns the unix time of the fact that is handled, in ns."""

    wait_questions: WaitQuestions
    wall_ns: Callable[[], int]

    def enter(self, routes: Routes) -> None:
        to = routes.to_folder
        to(PathsTouched, lambda folder: folder.scheduler.on_paths_touched)
        to(WatchLost, lambda folder: folder.scheduler.on_watch_lost)
        to(WatchRegained, lambda folder: folder.scheduler.on_watch_regained)
        to(MountChanged, lambda folder: folder.scheduler.on_mount_changed)
        to(RescanWanted, lambda folder: folder.scheduler.on_rescan_wanted)
        to(LocalRulesSet, lambda folder: folder.keeping.on_local_rules_set)
        to(BytesDoubted, lambda folder: folder.bit_rot.on_bytes_doubted)
        to(BytesChecked, lambda folder: folder.bit_rot.on_bytes_checked)
        to(Walked, lambda folder: folder.scheduler.on_walked)
        to(Looked, lambda folder: partial(self._on_looked, folder))
        to(SliceCut, lambda folder: folder.scheduler.on_slice_cut)
        to(WalkEnded, lambda folder: partial(self._on_walk_ended, folder))
        to(PathsSettled, lambda folder: partial(self._on_paths_settled, folder))
        to(PathsCleared, lambda folder: partial(self._on_paths_cleared, folder))
        to(LossesCounted, lambda folder: folder.guard.on_losses_counted)
        to(
            IndexRoomSeen,
            lambda folder: folder.index_client.on_index_room_seen,
        )
        to(Flushed, lambda folder: folder.announcer.on_flushed)
        to(PageRead, lambda folder: folder.announcer.on_page_read)

    def _on_looked(self, folder: Folder, fact: Looked, now: float) -> Outputs:
        return folder.scheduler.on_looked(fact, now) + folder.applier.on_looked(fact, now)

    def _on_walk_ended(self, folder: Folder, fact: WalkEnded, now: float) -> Outputs:
        self.wait_questions.on_walk_ended(fact, now)
        return folder.guard.on_walk_ended(fact, now) + folder.applier.on_walk_ended(fact, now)

    def _on_paths_settled(self, folder: Folder, fact: PathsSettled, now: float) -> Outputs:
        cleared, out = folder.guard.on_paths_settled(fact, now)
        return (self._on_paths_cleared(folder, cleared, now) if cleared else []) + out

    def _on_paths_cleared(self, folder: Folder, fact: PathsCleared, now: float) -> Outputs:
        before = folder.store.heads.sequence
        out = folder.announcer.on_paths_cleared(fact, now, self.wall_ns())
        folder.scheduler.on_paths_cleared(fact, now)
        if folder.store.heads.sequence != before:  # false for deletes by the applier itself
            folder.applier.on_paths_cleared(fact, now)
        out += folder.applier.on_untold(fact, now)
        # At once, because the end of a walk must come after what the walk found: a directory that
        # is not empty after its walk is kept.
        follows: Outputs = []
        for each in out:
            if isinstance(each, FoundDeletedBytes):
                follows += folder.applier.on_found_deleted_bytes(each, now)
            else:
                follows.append(each)
        return follows + folder.guard.on_paths_cleared()
