"""What the downloader sees of a folder: who holds what, and where the index is.

Knows shapes only. The folder (sync/folder) is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from leftzmq.index.store import Store
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.entry import Entry


class FolderView(Protocol):
    """What the downloader needs to know of a folder."""

    device: DeviceKey  # ours
    tag: bytes
    store: Store

    @property
    def members(self) -> Iterable[DeviceKey]:
        """Reachable devices that have the folder, too."""

    def holders(self, entry: Entry) -> list[DeviceKey]:
        """Reachable devices that say they have this version."""

    def received(self, count: int) -> None:
        """So many sealed bytes arrived."""
