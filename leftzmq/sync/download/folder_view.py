"""What the downloader sees of a folder: which device holds what, and where the index is.

Knows interfaces only. sync/folder implements this one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from leftzmq.index.store import Store
from leftzmq.sync.link import DeviceKey
from leftzmq.tree.entry import Entry

NAMED: Final = 8


class FolderView(Protocol):
    """What the downloader needs to know of a folder."""

    device: DeviceKey  # ours
    store: Store

    @property
    def tag(self) -> bytes:
        """Return the tag that our messages name."""

    @property
    def members(self) -> Iterable[DeviceKey]:
        """Return the reachable devices that have the folder, too."""

    def holders(self, entry: Entry) -> list[DeviceKey]:
        """Return the reachable devices that say they have this version."""

    def name_of(self, device: DeviceKey | None) -> str:
        """Return the name that a user gives this device."""

    def received(self, device: DeviceKey, count: int) -> None:
        """Count `count` sealed bytes that arrived from this device."""

    def found_at_home(self, count: int) -> None:
        """Count `count` bytes that were copied from other files of the share."""


def asked_of(view: FolderView, holders: Iterable[DeviceKey]) -> str:
    """Return the names of the first few devices that were asked, for the Problem of a file that
    none of them sends."""
    names = sorted(map(view.name_of, holders))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"asked: {', '.join(names[:NAMED])}{more}"
