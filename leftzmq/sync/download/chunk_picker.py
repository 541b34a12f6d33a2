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
from leftzmq.sync.download.transfer import Arriving, Phase
from leftzmq.sync.link import DeviceKey

LISTS_A_GET: Final = 2
LISTS_ROOM_BYTES: Final = LISTS_A_GET * MAX_LIST_BYTES
TWICE_SHARE: Final = 50  # at most a fiftieth of a file is asked for twice


@dataclass(frozen=True, slots=True)
class Asking:
    """What to ask a device for next: lists or rows of one file."""

    arriving: Arriving
    lists: tuple[bytes, ...] = ()
    rows: tuple[int, ...] = ()


class Wants:
    """files: those on their way, smallest first."""

    def __init__(
        self, folders: Mapping[str, FolderView], files: Callable[[], list[Arriving]]
    ) -> None:
        self._folders, self._files = folders, files

    def next_for(self, device: DeviceKey, room: int, most: int, now: float) -> Iterator[Asking]:
        """What to ask a device for next: rows of at most `most` bytes, or one of any length, where
        there is room for them."""
        for arriving in self._files():
            if not arriving.lacks or arriving.lacking.get(device, 0.0) > now:
                continue
            view = self._folders[arriving.folder]
            holders = view.holders(arriving.entry)
            complete = device in holders
            if not complete and not arriving.spread.knows(device):
                continue
            if arriving.phase is Phase.LISTS:
                lists = [id for id in arriving.lists_missing if id not in arriving.lists_asked]
                if lists and room >= LISTS_ROOM_BYTES:
                    arriving.lists_asked.update(lists[:LISTS_A_GET])
                    yield Asking(arriving, lists=tuple(lists[:LISTS_A_GET]))
            else:
                arriving.spread.set_loading(frozenset(view.members).difference(holders))
                order = arriving.spread.order(device, complete, arriving.missing)
                rows = _some(arriving, order, room, most)
                if rows:
                    arriving.ask(rows)
                    yield Asking(arriving, rows=rows)

    def again_for(
        self, device: DeviceKey, arriving: Arriving, slow: Iterator[tuple[DeviceKey, int]]
    ) -> Asking | None:
        """The last of a file is asked of a second device where the first is slow."""
        assert arriving.rows is not None
        left = arriving.entry.size // TWICE_SHARE - arriving.twice_bytes
        complete = self._has_all(device, arriving)
        for first, row in slow:
            has = complete or arriving.spread.has(device, row)
            if first == device or not has or arriving.asked.get(row, 0) != 1:
                continue
            if arriving.rows.length(row) <= left:
                arriving.twice_bytes += arriving.rows.length(row)
                arriving.ask((row,))
                return Asking(arriving, rows=(row,))
        return None

    def ends(self) -> list[Arriving]:
        """Files of which nothing is left to ask for, and something to come."""
        return [a for a in self._files() if a.phase is Phase.FETCHING and not a.missing]

    def lacks(
        self, device: DeviceKey, arriving: Arriving, rows: Collection[int], until: float
    ) -> None:
        """The device did not give these rows when asked."""
        if self._has_all(device, arriving):
            arriving.lacking[device] = until
        arriving.spread.lacks(device, rows)

    def _has_all(self, device: DeviceKey, arriving: Arriving) -> bool:
        return device in self._folders[arriving.folder].holders(arriving.entry)


def _some(arriving: Arriving, order: Iterator[int], room: int, most: int) -> tuple[int, ...]:
    """The first rows of `order` that fit; of rows with the same chunk one, as an answer is known by
    its chunk's id."""
    assert arriving.rows is not None
    taken: dict[bytes, int] = {}
    size = 0
    for row in order:
        id = arriving.rows.id(row)
        if id in taken:
            break
        size += arriving.rows.length(row)
        if size > room or (size > most and taken):
            break
        taken[id] = row
    return tuple(taken.values())
