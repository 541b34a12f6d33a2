"""Where what the downloader wants goes, and what the listener gives.

Knows the jobs that answer them. Must not know which chunks they are about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.facts import BytesDoubted, FileNotWanted, FileWanted, HoldersChanged
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
from leftzmq.sync.routes.table import Outputs, Routes, Stir
from leftzmq.sync.upload.listener import Listener
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Staged


@dataclass(frozen=True, slots=True)
class ChunkRoutes:
    """Of the agent."""

    folders: Mapping[str, Folder]
    downloader: Downloader
    listener: Listener
    stir: Stir

    def enter(self, routes: Routes) -> None:
        to, downloader = routes.to_shared, self.downloader
        to(FileWanted, lambda folder, fact, now: self._wanted(fact, now))
        to(FileNotWanted, lambda folder, fact, now: downloader.not_wanted(fact, now))
        to(HoldersChanged, lambda folder, fact, now: self._holders_changed(fact, now))
        to(ListsExpanded, lambda folder, fact, now: downloader.lists_expanded(fact, now))
        to(HomeSearched, lambda folder, fact, now: downloader.home_searched(fact, now))
        to(ChunksKept, lambda f, fact, now: downloader.chunks_kept(fact, now) + _doubted(fact))
        to(Sampled, lambda folder, fact, now: downloader.sampled(fact, now))
        to(ListsOpened, lambda folder, fact, now: downloader.lists_opened(fact, now))
        # A device's bytes are let go of also where their folder was stopped meanwhile, and what was
        # made there is ours.
        routes.to(StagingOpened, self._opened)
        routes.to(ChunksWritten, self._written)
        routes.to(SmallStaged, self._staged)
        routes.to(ChunksRead, lambda fact, now: self.listener.read(fact))

    def _written(self, fact: ChunksWritten, now: float) -> Outputs:
        if self.folders[fact.folder].stopped is None:
            return self.downloader.chunks_written(fact, now)
        self.downloader.let_go(fact.device, fact.body_bytes)
        return []

    def _staged(self, fact: SmallStaged, now: float) -> Outputs:
        if self.folders[fact.folder].stopped is None:
            return self.downloader.small_staged(fact, now) + _doubted(fact)
        self.downloader.let_go(fact.device, fact.body_bytes)
        for entry, staged in (*fact.staged, *fact.left):
            self._made(fact.folder, entry, staged)
        return []

    def _opened(self, fact: StagingOpened, now: float) -> Outputs:
        if self.folders[fact.folder].stopped is None:
            return self.downloader.staging_opened(fact, now)
        if fact.staged is not None:
            self._made(fact.folder, fact.entry, fact.staged)
        return []

    def _made(self, folder: str, entry: Entry, staged: Staged) -> None:
        self.folders[folder].applier.leftings.made(entry.path, staged, bytes(entry.content))

    def _wanted(self, fact: FileWanted, now: float) -> Outputs:
        self.stir(self.downloader)
        return self.downloader.wanted(fact, now)

    def _holders_changed(self, fact: HoldersChanged, now: float) -> Outputs:
        self.stir(self.downloader)
        return self.downloader.holders_changed(fact, now)


def _doubted(fact: ChunksKept | SmallStaged) -> Outputs:
    """What lay at home and was not what our index says."""
    return [BytesDoubted(fact.folder, fact.doubts)] if fact.doubts else []
