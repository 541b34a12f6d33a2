"""What the pairing desk uses of the agent (`Host` of runtime/pairing_desk), part by part.

Knows which part does what the desk asks for. Must not know what was learnt, nor who is let in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from leftzmq.config import Config, Endpoint
from leftzmq.errors import PortTaken
from leftzmq.pairing.learnt import DoorKept, Learnt
from leftzmq.runtime.event_log import Teller
from leftzmq.runtime.folders import Folders
from leftzmq.runtime.listing.config_follower import ConfigFollower
from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.sync.actions import Tell
from leftzmq.sync.facts import Fact, HoldEnded, RosterGrew
from leftzmq.transport.device_key import DeviceKeyPair, fresh_pair
from leftzmq.transport.door.own_addresses import Reachable, reachable
from leftzmq.wire.door import Admitted, NotAdmitted
from leftzmq.wire.local import EventKind


class DoorSockets(Protocol):
    """What this host uses of the bus."""

    @property
    def control(self) -> Endpoint: ...

    def open_door(self, keys: DeviceKeyPair, port: int) -> int:
        """Return the port of the door. Raises PortTaken."""

    def close_door(self) -> None: ...

    def answer_at_door(self, caller: bytes, message: Admitted | NotAdmitted) -> bool: ...


class DeskHost:
    """One per agent. handle: hands a fact to the machines; status: returns the answer to
    `status`."""

    def __init__(
        self,
        in_use: ConfigInUse,
        follower: ConfigFollower,
        folders: Folders,
        bus: DoorSockets,
        handle: Callable[[Fact], None],
        status: Callable[[], Mapping[str, Any]],
        teller: Teller,
    ) -> None:
        self._in_use, self._follower, self._folders = in_use, follower, folders
        self._bus, self._handle, self._status, self._teller = bus, handle, status, teller

    @property
    def config(self) -> Config:
        return self._in_use.config

    @property
    def written(self) -> Config:
        return self._in_use.written

    # -- the door ----------------------------------------------------------------------------------

    @property
    def control_port(self) -> int:
        return self._bus.control.port

    def reachable(self) -> Reachable:
        return reachable(self.config.device.listen)

    def open_door(self, keys: DeviceKeyPair | None, port: int) -> DoorKept:
        """A new door takes any port if another program has `port`."""
        pair = keys or fresh_pair()
        try:
            port = self._bus.open_door(pair, port)
        except PortTaken:
            if keys is not None:
                raise
            port = self._bus.open_door(pair, 0)
        return DoorKept(bytes(pair.public), pair.secret, port)

    def close_door(self) -> None:
        self._bus.close_door()

    def answer_at_door(self, caller: bytes, message: Admitted | NotAdmitted) -> None:
        self._bus.answer_at_door(caller, message)

    # -- what was learnt ---------------------------------------------------------------------------

    def check_learnt(self, learnt: Learnt) -> None:
        self._follower.check_learnt(learnt)

    def use_learnt(self, learnt: Learnt) -> None:
        self._follower.use_learnt(learnt)

    def tell_roster(self, folder: str) -> None:
        self._handle(RosterGrew(folder))

    def end_hold(self, folder: str) -> None:
        self._handle(HoldEnded(folder))

    def close_share(self, folder: str) -> None:
        self._folders.close_share(folder)

    # -- what is shown -----------------------------------------------------------------------------

    def tell_joined(self, name: str, folder: str, address: str) -> None:
        fields = {"device": name, "folder": folder, "address": address}
        self._teller.tell(Tell(EventKind.JOINED, dict(fields)))

    def peers_shown(self) -> Mapping[str, tuple[bool, float | None]]:
        return {
            peer["name"]: (peer["connected"], peer["since"]) for peer in self._status()["peers"]
        }

    def folder_state(self, id: str) -> str:
        return self._folders.state(id).value
