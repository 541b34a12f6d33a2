"""Where what the downloader wants goes, and what the listener gives.

Knows the jobs that answer them. Must not know which chunks they are about.
"""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.sync.downloader import Downloader
from leftzmq.sync.facts import FileNotWanted, FileWanted
from leftzmq.sync.jobs import (
    ChunksKept,
    ChunksRead,
    ChunksWritten,
    HomeSearched,
    ListsExpanded,
    ListsOpened,
    SmallStaged,
    StagingOpened,
)
from leftzmq.sync.listener import Listener
from leftzmq.sync.routes.table import Outputs, Routes, Stir


@dataclass(frozen=True, slots=True)
class ChunkRoutes:
    """Of the agent."""

    downloader: Downloader
    listener: Listener
    stir: Stir

    def enter(self, routes: Routes) -> None:
        to, downloader = routes.to, self.downloader
        to(FileWanted, self._wanted)
        to(FileNotWanted, downloader.not_wanted)
        to(ListsExpanded, downloader.lists_expanded)
        to(HomeSearched, downloader.home_searched)
        to(StagingOpened, downloader.staging_opened)
        to(ChunksKept, downloader.chunks_kept)
        to(ChunksWritten, downloader.chunks_written)
        to(SmallStaged, downloader.small_staged)
        to(ListsOpened, downloader.lists_opened)
        to(ChunksRead, lambda fact, now: self.listener.read(fact))

    def _wanted(self, fact: FileWanted, now: float) -> Outputs:
        self.stir(self.downloader)
        return self.downloader.wanted(fact, now)
