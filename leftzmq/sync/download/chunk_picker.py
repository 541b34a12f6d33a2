"""Picks what to request next from a device, among the large files that are being downloaded.

Knows which device has which rows, and the phases of transfers. Must not know flow control (the
caller says how many bytes fit) or links: the downloader sends the requests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from msgspec import Struct

from leftzmq.content.lists import MAX_LIST_BYTES
from leftzmq.sync.download.folder_view import FolderView
from leftzmq.sync.download.transfer import Transfer, TransferPhase
from leftzmq.sync.link import DeviceKey

LISTS_A_GET: Final = 2
LISTS_ROOM_BYTES: Final = LISTS_A_GET * MAX_LIST_BYTES
TWICE_SHARE: Final = 50  # at most a fiftieth of a file is requested twice


class Asking(Struct, frozen=True):
    """What to request next from a device: lists or rows of one file."""

    transfer: Transfer
    lists: tuple[bytes, ...] = ()
    rows: tuple[int, ...] = ()


class ChunkPicker:
    """files: the files that are being downloaded, smallest first."""

    def __init__(
        self, folders: Mapping[str, FolderView], files: Callable[[], list[Transfer]]
    ) -> None:
        self._folders, self._files = folders, files

    def has_for(self, device: DeviceKey, folder: str = "") -> bool:
        """Return whether the device may have something that is not requested yet, of a large file
        of this folder or of any."""
        return any(
            transfer.lacks
            and (not folder or transfer.folder == folder)
            and (self._has_all(device, transfer) or transfer.rarest_first.knows(device))
            for transfer in self._files()
        )

    def next_for(self, device: DeviceKey, room: int, most: int, now: float) -> Iterator[Asking]:
        """Yield what to request next from a device: rows of at most `most` bytes in total, or a
        single row of any length, if `room` has space for them."""
        for transfer in self._files():
            if not transfer.lacks or transfer.lacking.get(device, 0.0) > now:
                continue
            view = self._folders[transfer.folder]
            holders = view.holders(transfer.entry)
            complete = device in holders
            if not complete and not transfer.rarest_first.knows(device):
                continue
            if transfer.phase is TransferPhase.LISTS:
                lists = [id for id in transfer.lists_missing if id not in transfer.lists_asked]
                if lists and room >= LISTS_ROOM_BYTES:
                    transfer.lists_asked.update(lists[:LISTS_A_GET])
                    yield Asking(transfer, lists=tuple(lists[:LISTS_A_GET]))
            else:
                transfer.rarest_first.set_loading(frozenset(view.members).difference(holders))
                order = transfer.rarest_first.order(device, complete, transfer.missing)
                rows = _some(transfer, order, room, most)
                if rows:
                    transfer.ask(rows)
                    yield Asking(transfer, rows=rows)

    def again_for(
        self, device: DeviceKey, transfer: Transfer, slow: Iterator[tuple[DeviceKey, int]]
    ) -> Asking | None:
        """Request the last rows of a file from a second device when the first device is slow."""
        assert transfer.rows is not None
        left = transfer.entry.size // TWICE_SHARE - transfer.twice_bytes
        complete = self._has_all(device, transfer)
        for first, row in slow:
            has = complete or transfer.rarest_first.is_at(device, row)
            if first == device or not has or transfer.asked.get(row, 0) != 1:
                continue
            if transfer.rows.length(row) <= left:
                transfer.ask_twice(row)
                return Asking(transfer, rows=(row,))
        return None

    def ends(self) -> list[Transfer]:
        """Return the files that have every row requested and some rows still outstanding."""
        return [a for a in self._files() if a.phase is TransferPhase.FETCHING and not a.missing]

    def not_sent(
        self, device: DeviceKey, transfer: Transfer, rows: Collection[int], until: float
    ) -> None:
        """The device was asked for these rows and did not send them."""
        if self._has_all(device, transfer):
            transfer.lacking[device] = until
        transfer.rarest_first.not_sent(device, rows)

    def _has_all(self, device: DeviceKey, transfer: Transfer) -> bool:
        return device in self._folders[transfer.folder].holders(transfer.entry)


def _some(transfer: Transfer, order: Iterator[int], room: int, most: int) -> tuple[int, ...]:
    """Return the first rows of `order` that fit. Of several rows with the same chunk it returns
    one, because a response names a chunk only by its id."""
    assert transfer.rows is not None
    taken: dict[bytes, int] = {}
    size = 0
    for row in order:
        id = transfer.rows.id(row)
        if id in taken:
            break
        size += transfer.rows.length(row)
        if size > room or (size > most and taken):
            break
        taken[id] = row
    return tuple(taken.values())
