"""The door at which devices knock that were invited: when it opens and closes, by which key.

Knows that the key pair and the port stay the same while any invitation is known. Must not know
sockets, nor who is let in.
"""

from __future__ import annotations

from typing import Final, Protocol

from leftzmq.pairing.invitations import Invitations
from leftzmq.pairing.learnt import DoorKept
from leftzmq.runtime.pairing.host import KnowsConfig
from leftzmq.runtime.pairing.learnt_file import LearntFile
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.device_key import DeviceKeyPair

DOOR_ABOVE: Final = 10
"""The door's port is so far above that of control, if it is free: 7710 for 7700."""
MOST_PORT: Final = 65_535


class DoorHost(KnowsConfig, Protocol):
    def open_door(self, keys: DeviceKeyPair | None, port: int) -> DoorKept:
        """Open the door unless it is open. keys: None: new ones. Raises PortTaken."""

    def close_door(self) -> None: ...


class InvitationDoor:
    """One per agent."""

    def __init__(self, host: DoorHost, file: LearntFile, invitations: Invitations) -> None:
        self._host, self._file, self._invitations = host, file, invitations

    def start(self) -> None:
        """Open the door again, if an invitation is left from before. Raises PortTaken."""
        if self._invitations.kept:
            self.open()

    def open(self) -> DoorKept:
        """Open the door unless it is open. Raises PortTaken."""
        kept = self._file.learnt.door
        if kept is None:
            listen = self._host.config.device.listen.port
            port = listen + DOOR_ABOVE if 0 < listen <= MOST_PORT - DOOR_ABOVE else 0
            door = self._host.open_door(None, port)
        else:
            keys = DeviceKeyPair(DeviceKey(kept.public), kept.secret)
            door = self._host.open_door(keys, kept.port)
        self._file.door_opened(door)
        return door

    def close_if_unused(self) -> None:
        """Close the door if no invitation leads to it. The next one has another key."""
        if not self._invitations.kept:
            self._file.door_closed()
            self._host.close_door()
