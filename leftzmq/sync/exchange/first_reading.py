"""Tells each member of a folder whether this device has read all of it since its start, and keeps
what each member says of itself.

Until then a device says that it has what it has read so far, and who takes that for all of it would
call a sync complete that has only begun. So a device that can say it counts as reading until it has
said that it is done: no word is no promise. Knows one folder's members and sequences. Must not know
what is read, nor what anybody does with the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leftzmq.content.keys import FolderTag
from leftzmq.sync.actions import Outputs, Send
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.wire.messages import Reading


@dataclass(slots=True)
class _Said:
    """What a member says of itself. until: None: nothing yet; else Reading.until."""

    life: bytes
    until: int | None = None


class FirstReading:
    """One per folder.

    tag: the identity tag of the folder, which every member knows in whatever epoch it is
    read_until: returns our next sequence when the folder has been read and all of it is announced;
        0: not yet. It is not asked again after that
    heard_until: returns up to which sequence of a device we hold its index
    links_for: returns every link to a device that understands Reading
    """

    def __init__(
        self,
        tag: FolderTag,
        read_until: Callable[[], int],
        heard_until: Callable[[DeviceKey], int],
        links_for: Callable[[DeviceKey], tuple[Link, ...]],
    ) -> None:
        self._tag, self._links_for = tag, links_for
        self._read_until, self._heard_until = read_until, heard_until
        self._until = 0
        self._waiting: dict[DeviceKey, None] = {}  # they hear it when all has been read
        self._members: dict[DeviceKey, _Said] = {}

    def is_reading(self, device: DeviceKey) -> bool:
        """Whether the device can say that it has read all of the folder and has not said so, or has
        said more than we have heard."""
        said = self._members.get(device)
        if said is None or said.until is None:
            return bool(self._links_for(device))
        return said.until == 0 or self._heard_until(device) + 1 < said.until

    def on_peer_greeted(self, device: DeviceKey, life: bytes) -> Outputs:
        """Tell the device how far this device is. What it said of the same life counts on: its word
        may have overtaken its greeting, and a folder that begins anew here greets for it."""
        said = self._members.get(device)
        if said is None or said.life != life:
            self._members[device] = _Said(life)
        links = self._links_for(device)
        if not links:
            return []
        if not self._is_over():
            self._waiting[device] = None
        return [Send(link, Reading(self._tag, self._until)) for link in links]

    def on_reading(self, device: DeviceKey, reading: Reading) -> Outputs:
        said = self._members.get(device)
        if said is not None:
            said.until = reading.until
        return []

    def on_device_lost(self, device: DeviceKey) -> None:
        self._waiting.pop(device, None)
        self._members.pop(device, None)

    def look(self) -> Outputs:
        """Tell those who wait for it that all has been read. Called when all that follows from a
        fact is done."""
        if not self._waiting or not self._is_over():
            return []
        waiting, self._waiting = list(self._waiting), {}
        links = [link for device in waiting for link in self._links_for(device)]
        return [Send(link, Reading(self._tag, self._until)) for link in links]

    def _is_over(self) -> bool:
        if not self._until:
            self._until = self._read_until()
        return self._until != 0
