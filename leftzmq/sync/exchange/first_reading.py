"""Tells the members of a folder while this device reads it for the first time since its start, and
keeps which of them say so.

Until then a device says that it has what it has read so far, and who takes that for all of it would
call a sync complete that has only begun. Knows one folder's members and sequences. Must not know
what is read, nor what anybody does with the answer.
"""

from __future__ import annotations

from collections.abc import Callable

from leftzmq.content.epochs import Epochs
from leftzmq.sync.actions import Outputs, Send
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.wire.messages import Reading


class FirstReading:
    """One per folder.

    read_until: returns our next sequence when the folder has been read and all of it is announced;
        0: not yet. It is not asked again after that
    heard_until: returns up to which sequence of a device we hold its index
    link_for: returns the link to a device that understands Reading; None: there is none
    """

    def __init__(
        self,
        epochs: Epochs,
        read_until: Callable[[], int],
        heard_until: Callable[[DeviceKey], int],
        link_for: Callable[[DeviceKey], Link | None],
    ) -> None:
        self._epochs, self._link_for = epochs, link_for
        self._read_until, self._heard_until = read_until, heard_until
        self._until = 0
        self._told: dict[DeviceKey, None] = {}
        self._of_others: dict[DeviceKey, int] = {}  # Reading.until

    def is_reading(self, device: DeviceKey) -> bool:
        """Whether the device said that it reads, or has said more since than we have heard."""
        until = self._of_others.get(device)
        return until is not None and (until == 0 or self._heard_until(device) + 1 < until)

    def on_peer_greeted(self, device: DeviceKey) -> Outputs:
        """Its earlier word counts no more: it says so again."""
        self._of_others.pop(device, None)
        if self._is_over():
            return []
        link = self._link_for(device)
        if link is None:
            return []
        self._told[device] = None
        return [Send(link, Reading(self._epochs.tag, 0))]

    def on_reading(self, device: DeviceKey, reading: Reading) -> Outputs:
        self._of_others[device] = reading.until
        return []

    def on_device_lost(self, device: DeviceKey) -> None:
        self._told.pop(device, None)
        self._of_others.pop(device, None)

    def look(self) -> Outputs:
        """Tell those who wait for it that all has been read. Called when all that follows from a
        fact is done."""
        if not self._told or not self._is_over():
            return []
        told, self._told = list(self._told), {}
        links = [link for device in told if (link := self._link_for(device)) is not None]
        return [Send(link, Reading(self._epochs.tag, self._until)) for link in links]

    def _is_over(self) -> bool:
        if not self._until:
            self._until = self._read_until()
        return self._until != 0
