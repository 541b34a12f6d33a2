"""Routes the jobs and facts of the downloader and of the listener.

Knows which jobs answer them. Must not know which chunks they are about.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from leftzmq.sync.actions import Outputs
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.facts import (
    BytesDoubted,
    FileNotWanted,
    FileWanted,
    FolderStopped,
    HoldersChanged,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import (
    ChunksKept,
    ChunksRead,
    ChunksWritten,
    HomeSearched,
    ListsExpanded,
    ListsOpened,
    Sampled,
    SmallStaged,
    StagingOpened,
)
from leftzmq.sync.routes.table import Routes, Stir
from leftzmq.sync.upload.listener import Listener
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged


class ChunkRoutes(Struct, frozen=True):
    """One per agent."""

    folders: Mapping[str, Folder]
    downloader: Downloader
    listener: Listener
    stir: Stir

    def enter(self, routes: Routes) -> None:
        to, downloader = routes.to_shared, self.downloader
        to(FileWanted, self._on_file_wanted)
        to(FileNotWanted, downloader.on_file_not_wanted)
        to(HoldersChanged, self._on_holders_changed)
        to(ListsExpanded, downloader.on_lists_expanded)
        to(HomeSearched, downloader.on_home_searched)
        to(ChunksKept, self._on_chunks_kept)
        to(Sampled, downloader.on_sampled)
        to(ListsOpened, downloader.on_lists_opened)
        # A device's held bytes are released even if the folder was stopped meanwhile. The files
        # that were made there stay recorded as ours.
        routes.to(StagingOpened, self._on_staging_opened)
        routes.to(ChunksWritten, self._on_chunks_written)
        routes.to(SmallStaged, self._on_small_staged)
        routes.to(ChunksRead, self.listener.on_chunks_read)

    def _on_chunks_kept(self, fact: ChunksKept, now: float) -> Outputs:
        return self.downloader.on_chunks_kept(fact, now) + _doubted(fact)

    def _on_chunks_written(self, fact: ChunksWritten, now: float) -> Outputs:
        if self.folders[fact.folder].stopped is None:
            return self.downloader.on_chunks_written(fact, now)
        self.downloader.not_written(fact.device, fact.body_bytes)
        return []

    def _on_small_staged(self, fact: SmallStaged, now: float) -> Outputs:
        if self.folders[fact.folder].stopped is None and fact.stop is None:
            return self.downloader.on_small_staged(fact, now) + _doubted(fact)
        self.downloader.not_written(fact.device, fact.body_bytes)
        for entry, staged in (*fact.staged, *fact.left):
            self._made(fact.folder, entry, staged)
        return [] if fact.stop is None else [FolderStopped(fact.folder, fact.stop)]

    def _on_staging_opened(self, fact: StagingOpened, now: float) -> Outputs:
        if self.folders[fact.folder].stopped is None:
            return self.downloader.on_staging_opened(fact, now)
        if fact.staged is not None:
            self._made(fact.folder, fact.entry, fact.staged)
        return []

    def _made(self, folder: str, entry: Entry, staged: Staged) -> None:
        self.folders[folder].applier.leftings.made_by_job(entry.path, staged, bytes(entry.content))

    def _on_file_wanted(self, fact: FileWanted, now: float) -> Outputs:
        self.stir(self.downloader)
        return self.downloader.on_file_wanted(fact, now)

    def _on_holders_changed(self, fact: HoldersChanged, now: float) -> Outputs:
        self.stir(self.downloader)
        return self.downloader.on_holders_changed(fact, now)


def _doubted(fact: ChunksKept | SmallStaged) -> Outputs:
    """Return the fact about local files that differ from our index, if there are any."""
    return [BytesDoubted(fact.folder, fact.doubts)] if fact.doubts else []
