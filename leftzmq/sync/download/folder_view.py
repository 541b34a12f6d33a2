"""What the downloader sees of a folder: who holds what, and where the index is.

Knows shapes only. The folder (sync/folder) is one.
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
    tag: bytes
    store: Store

    @property
    def members(self) -> Iterable[DeviceKey]:
        """Reachable devices that have the folder, too."""

    def holders(self, entry: Entry) -> list[DeviceKey]:
        """Reachable devices that say they have this version."""

    def name_of(self, device: DeviceKey | None) -> str:
        """How a person calls it."""

    def received(self, count: int) -> None:
        """So many sealed bytes arrived."""


def asked_of(view: FolderView, holders: Iterable[DeviceKey]) -> str:
    """Who was asked, for the Problem of a file that none of them gives: the first few by name."""
    names = sorted(map(view.name_of, holders))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"asked: {', '.join(names[:NAMED])}{more}"
