"""What to ask a device for next, of the large files that are on their way.

Knows who has what, and phases and rows. Must not know credit (it is told how much there is room
for) or links: the downloader asks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from leftzmq.content.lists import MAX_LIST_BYTES
from leftzmq.sync.download.folder_view import FolderView
from leftzmq.sync.download.transfer import Transfer, TransferPhase
from leftzmq.sync.link import DeviceKey

LISTS_A_GET: Final = 2
LISTS_ROOM_BYTES: Final = LISTS_A_GET * MAX_LIST_BYTES
TWICE_SHARE: Final = 50  # at most a fiftieth of a file is asked for twice


@dataclass(frozen=True, slots=True)
class Asking:
    """What to ask a device for next: lists or rows of one file."""

    transfer: Transfer
    lists: tuple[bytes, ...] = ()
    rows: tuple[int, ...] = ()


class ChunkPicker:
    """files: those on their way, smallest first."""

    def __init__(
        self, folders: Mapping[str, FolderView], files: Callable[[], list[Transfer]]
    ) -> None:
        self._folders, self._files = folders, files

    def next_for(self, device: DeviceKey, room: int, most: int, now: float) -> Iterator[Asking]:
        """What to ask a device for next: rows of at most `most` bytes, or one of any length, where
        there is room for them."""
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
        """The last of a file is asked of a second device where the first is slow."""
        assert transfer.rows is not None
        left = transfer.entry.size // TWICE_SHARE - transfer.twice_bytes
        complete = self._has_all(device, transfer)
        for first, row in slow:
            has = complete or transfer.rarest_first.has(device, row)
            if first == device or not has or transfer.asked.get(row, 0) != 1:
                continue
            if transfer.rows.length(row) <= left:
                transfer.ask_twice(row)
                return Asking(transfer, rows=(row,))
        return None

    def ends(self) -> list[Transfer]:
        """Files of which nothing is left to ask for, and something to come."""
        return [a for a in self._files() if a.phase is TransferPhase.FETCHING and not a.missing]

    def lacks(
        self, device: DeviceKey, transfer: Transfer, rows: Collection[int], until: float
    ) -> None:
        """The device did not give these rows when asked."""
        if self._has_all(device, transfer):
            transfer.lacking[device] = until
        transfer.rarest_first.lacks(device, rows)

    def _has_all(self, device: DeviceKey, transfer: Transfer) -> bool:
        return device in self._folders[transfer.folder].holders(transfer.entry)


def _some(transfer: Transfer, order: Iterator[int], room: int, most: int) -> tuple[int, ...]:
    """The first rows of `order` that fit; of rows with the same chunk one, as an answer is known by
    its chunk's id."""
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
