"""Tells each device that shares a folder how this one is, so that people see from one place how all
their devices are.

A device hears it when it has greeted us, and then once a minute. Knows what is told, and when. Must
not know what others say of themselves: sync/peers keeps that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from leftzmq.errors import StopCause
from leftzmq.sync.actions import Outputs, Send, Work
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import MeasureShare, ShareMeasured
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import Peers
from leftzmq.wire.messages import (
    MAX_OFFSET,
    MAX_TEXT_LETTERS,
    MAX_UNIX_NS,
    Capability,
    FolderReport,
    Report,
)

REPORT_PERIOD_S: Final = 60.0
_LEFT: Final = (StopCause.REMOVED, StopCause.PUT_OUT)


class Reports:
    """One per agent.

    program: the version of this program
    unix_ns: returns our wall clock
    """

    def __init__(
        self,
        program: str,
        folders: Mapping[str, Folder],
        peers: Peers,
        unix_ns: Callable[[], int],
    ) -> None:
        self._program, self._folders, self._peers = program, folders, peers
        self._unix_ns = unix_ns
        self._next = 0.0
        self._free: dict[str, int | None] = {}
        self._measuring: set[str] = set()

    def free_bytes(self, folder: str) -> int | None:
        """Return how much is free on the disk of a share, as it was within the last minute; None:
        not known."""
        return self._free.get(folder)

    def start(self, now: float) -> Outputs:
        self._next = now + REPORT_PERIOD_S
        return self._measured(self._folders)

    def on_time_passed(self, now: float) -> Outputs:
        """Nothing wakes the agent for this: heartbeats do it every few seconds, which is often
        enough. A folder that was shared or joined meanwhile is measured then."""
        if now < self._next:
            return self._measured(id for id in self._folders if id not in self._free)
        self._next = now + REPORT_PERIOD_S
        told = [self.on_peer_greeted(device) for device in self._peers.connected()]
        return [*self._measured(self._folders), *(action for out in told for action in out)]

    def on_peer_greeted(self, device: DeviceKey) -> Outputs:
        """Tell the device, if it understands a report and shares a folder with us."""
        link = self._peers.link_for(Capability.REPORTS, device)
        if link is None:
            return []
        proved = self._peers.by_key[device].proved
        rows = [
            FolderReport(folder.epochs.first.tag, folder.state.value, self._free.get(folder.id))
            for folder in self._folders.values()
            if folder.id in proved and not _has_left(folder)
        ]
        if not rows:
            return []
        word, why = self._peers.dialing(device)
        why = why[:MAX_TEXT_LETTERS]
        unix_ns = min(max(0, self._unix_ns()), MAX_UNIX_NS)  # a clock may stand before 1970
        return [Send(link, Report(self._program, unix_ns, word, why, rows))]

    def on_share_measured(self, fact: ShareMeasured, now: float) -> Outputs:
        """The first figure of a folder is told at once to those who share it."""
        self._measuring.discard(fact.folder)
        is_first = fact.folder not in self._free
        free = fact.free_bytes  # some network file systems say more than any disk can hold
        self._free[fact.folder] = None if free is None else min(max(0, free), MAX_OFFSET)
        if not is_first:
            return []
        told = (
            self.on_peer_greeted(device)
            for device in self._peers.connected()
            if fact.folder in self._peers.by_key[device].proved
        )
        return [action for out in told for action in out]

    def on_folder_stopped(self, folder: str) -> None:
        """Its jobs are of no use any more, and nobody knows how much is free."""
        self._measuring.discard(folder)
        self._free.pop(folder, None)

    def _measured(self, folders: Iterable[str]) -> Outputs:
        """Ask how much is free where that is not being asked: a disk may not answer for long."""
        due = [
            id for id in folders if self._folders[id].stopped is None and id not in self._measuring
        ]
        self._measuring.update(due)
        return [Work(MeasureShare(id)) for id in due]


def _has_left(folder: Folder) -> bool:
    """Whether this device is no member of the folder any more: it says nothing of it."""
    return folder.stopped is not None and folder.stopped.cause in _LEFT
