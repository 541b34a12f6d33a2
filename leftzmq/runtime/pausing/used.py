"""What pauses use of the agent: which names there are, and what is cut off by a pause.

Knows the order of these steps. Must not know until when, nor who asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from leftzmq.runtime.listing.config_follower import ConfigFollower
from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.runtime.pausing.desk import Pauses
from leftzmq.sync.facts import Fact, PausesSet


class PausesUsed:
    """One per agent. folders: by id; handle: hands a fact to the machines."""

    def __init__(
        self,
        in_use: ConfigInUse,
        follower: ConfigFollower,
        folders: Mapping[str, object],
        handle: Callable[[Fact], None],
    ) -> None:
        self._in_use, self._follower, self._folders = in_use, follower, folders
        self._handle = handle

    def folder_ids(self) -> Iterable[str]:
        return tuple(self._folders)

    def peer_names(self) -> Mapping[str, bytes]:
        return {peer.name: peer.key for peer in self._in_use.config.peers if peer.key}

    def use_pauses(self, pauses: Pauses) -> None:
        """The machines hear it first: so nothing more is said to a device that is cut off then, and
        who goes on is a peer that is away when it is dialed."""
        devices = frozenset(pauses.devices)
        self._handle(PausesSet(frozenset(pauses.folders), devices))
        self._follower.pause(devices)
