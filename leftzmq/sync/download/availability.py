"""`have` messages: which rows of unfinished files this device announces, and which rows others
announced.

A `have` is a hint, never the record: a device that is asked for a chunk that it does not have (any
more) answers `missing`. Knows bitmaps and when they were sent. Must not know what to request
(sync/download/rarest_first does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from leftzmq.sync.actions import Send
from leftzmq.sync.download.transfer import Transfer
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.entry import Entry
from leftzmq.wire.messages import MAX_HAVE_BYTES, Have

HAVE_MIN_BYTES: Final = 8 << 20  # of a file; a smaller one has arrived before it would be of use
HAVE_PERIOD_S: Final = 0.25
HAVE_BYTES_S: Final = 64 << 10
"""Of the `have` messages for one file, over each link. A file of 100 GB takes 48 KiB for each
message."""
HEARD_MAX: Final = 64  # files of one device; the oldest is forgotten

Key = tuple[str, bytes]  # folder, content


class Members(Protocol):
    """What this module needs to know of a folder: its tag, and which devices receive its `have`
    messages."""

    @property
    def tag(self) -> bytes: ...

    @property
    def members(self) -> Iterable[DeviceKey]: ...

    def holders(self, entry: Entry) -> list[DeviceKey]: ...


@dataclass(slots=True)
class Told:
    """What was announced last about one file, when, and to whom.

    over: the file has arrived, or nobody wants it any more; `have` is the last announcement
    """

    entry: Entry
    have: int = -1
    size: int = 0
    at: float = -HAVE_PERIOD_S
    to: set[DeviceKey] = field(default_factory=set)
    over: bool = False

    @property
    def due(self) -> float:
        return self.at + max(HAVE_PERIOD_S, self.size / HAVE_BYTES_S)


class Availability:
    """One per agent. links_to: returns every control link to a device."""

    def __init__(
        self, folders: Mapping[str, Members], links_to: Callable[[DeviceKey], tuple[Link, ...]]
    ) -> None:
        self._folders, self._links_to = folders, links_to
        self._told: dict[Key, Told] = {}
        self._ended: dict[Key, int] = {}  # not announced yet: each file's final rows
        self._heard: dict[DeviceKey, dict[Key, int]] = {}

    # -- what other devices announce -------------------------------------------------------------

    def have_came(self, device: DeviceKey, folder: str, have: Have) -> int | None:
        """Return the rows that the device has as a bit set. None: it does not download this file
        any more."""
        of_device = self._heard.setdefault(device, {})
        key = (folder, have.content)
        of_device.pop(key, None)
        if not have.bitmap:
            return None
        of_device[key] = rows = int.from_bytes(have.bitmap, "little")
        if len(of_device) > HEARD_MAX:
            del of_device[next(iter(of_device))]
        return rows

    def announced(self, folder: str, content: bytes) -> list[tuple[DeviceKey, int]]:
        """Return the devices that announced rows of this file, each with its rows."""
        key = (folder, content)
        return [(device, rows[key]) for device, rows in self._heard.items() if key in rows]

    def forget_device(self, device: DeviceKey) -> None:
        self._heard.pop(device, None)
        for told in self._told.values():
            told.to.discard(device)

    def forget_folder(self, folder: str) -> None:
        """Forget what was announced about this folder, by us and by others."""
        self._told = {key: told for key, told in self._told.items() if key[0] != folder}
        self._ended = {key: rows for key, rows in self._ended.items() if key[0] != folder}
        for device, heard in self._heard.items():
            self._heard[device] = {key: rows for key, rows in heard.items() if key[0] != folder}

    # -- what we announce ------------------------------------------------------------------------

    def deadline(self, files: Iterable[Transfer]) -> float | None:
        """Return when the next announcement is due (monotonic seconds). None: nothing changed."""
        times = [self._told[key].due for key in self._ended]
        for transfer in files:
            told = self._told.get((transfer.folder, bytes(transfer.entry.content)))
            if told is not None and told.have != transfer.here:
                times.append(told.due)
        return min(times, default=None)

    def announcements(self, files: Iterable[Transfer], now: float) -> list[Send]:
        """Return the `have` messages to the members of each folder that do not have the whole
        file."""
        out: list[Send] = []
        for transfer in files:
            if transfer.entry.size <= HAVE_MIN_BYTES or transfer.staged is None:
                continue
            key = (transfer.folder, bytes(transfer.entry.content))
            told = self._told.get(key)
            if told is None:
                assert transfer.rows is not None
                size = min((len(transfer.rows) + 7) // 8, MAX_HAVE_BYTES)
                told = self._told[key] = Told(transfer.entry, size=size)
            told.over = False
            self._ended.pop(key, None)
            out += self._say(key, told, transfer.here, now)
        for key, have in list(self._ended.items()):
            out += self._say(key, self._told[key], have, now)
            if self._told[key].have == have:
                del self._ended[key], self._told[key]
        return out

    def transfer_ended(self, transfer: Transfer) -> None:
        """The transfer is complete or not wanted any more: one last announcement follows."""
        key = (transfer.folder, bytes(transfer.entry.content))
        if key in self._told:
            self._ended[key] = transfer.here if transfer.whole else 0
            if not transfer.whole:
                self._told[key].over, self._told[key].have = True, -1

    def _say(self, key: Key, told: Told, have: int, now: float) -> list[Send]:
        folder = self._folders[key[0]]
        changed = told.have != have
        to: Iterable[DeviceKey] = folder.members
        if not changed:
            to = [device for device in to if device not in told.to]
        elif now < told.due:
            return []
        holders = folder.holders(told.entry)
        links = {device: self._links_to(device) for device in to if device not in holders}
        if changed:
            told.have, told.at = have, now
            told.to.clear()
        told.to.update(holders, (device for device, found in links.items() if found))
        bitmap = b"" if told.over else _bitmap(have, told.size)
        message = Have(folder.tag, key[1], bitmap)
        return [Send(link, message) for found in links.values() for link in found]


def _bitmap(rows: int, size: int) -> bytes:
    """Return the bitmap: bit i is row i, lowest bit of each byte first. Rows beyond `size` bytes
    are left out."""
    return (rows & (1 << 8 * size) - 1).to_bytes(size, "little")
