"""Heartbeats: every device regularly receives the heads of our folders, so that it notices lost
news.

Knows when one is due. Must not know what is in a heartbeat: the announcer does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leftzmq.sync.actions import Outputs
from leftzmq.sync.facts import EpochBegan
from leftzmq.sync.folder import Folder

HEARTBEAT_PERIOD_S: Final = 10.0
SUBSCRIBED_PAUSE_S: Final = 0.1
"""A new subscriber receives the heads at once; many new subscribers receive them together."""
EPOCH_PAUSE_S: Final = 1.0
"""After another epoch was told: news in it may have come before its secret, over another socket."""


class Heartbeat:
    """One per agent."""

    def __init__(self, folders: Mapping[str, Folder]) -> None:
        self._folders = folders
        self._next = 0.0

    def deadline(self) -> float:
        return self._next

    def start(self, now: float) -> None:
        self._next = now + HEARTBEAT_PERIOD_S

    def on_subscribed(self, now: float) -> Outputs:
        self._next = min(self._next, now + SUBSCRIBED_PAUSE_S)
        return []

    def on_epoch_began(self, fact: EpochBegan, now: float) -> Outputs:
        self._next = min(self._next, now + EPOCH_PAUSE_S)
        return []

    def on_time_passed(self, now: float) -> Outputs:
        if now < self._next:
            return []
        self._next = now + HEARTBEAT_PERIOD_S
        running = (folder for folder in self._folders.values() if folder.stopped is None)
        return [folder.announcer.heartbeat() for folder in running if not folder.paused]
