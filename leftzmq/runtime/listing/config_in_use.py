"""The config that is in use: peer.toml, what was learnt, what rosters say and who is near, as one.

Knows where each part comes from, and whose key the gate lets in. Must not know what follows from a
change: `config_follower` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from leftzmq.config import MAX_PEERS, Config, Endpoint, PeerConfig, nobody_has_our_key
from leftzmq.pairing.learnt import FromRosters, Learnt, ListedMember, all_peers, merged
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.rosters import FolderMember
from leftzmq.transport import platform


class SaysWhoIsIn(Protocol):
    """What is asked of the rosters of our folders."""

    def members(self) -> list[FolderMember]:
        """Return the devices that may connect."""

    def shut_out(self) -> frozenset[DeviceKey]:
        """Return those that were removed, and are in no folder."""


class ConfigInUse:
    """One per agent.

    device: our own key, 32 bytes; secret_file: returns the file of a folder's secret
    rosters: returns who says who is in; heard: returns where a device was heard of nearby
    require: checks that this machine has what the peers need, of which each has so many addresses;
        raises PlatformError
    """

    def __init__(
        self,
        written: Config,
        device: bytes,
        secret_file: Callable[[str], Path],
        rosters: Callable[[], SaysWhoIsIn],
        heard: Callable[[bytes], tuple[Endpoint, ...]],
        require: Callable[[Iterable[int]], None] = platform.require,
    ) -> None:
        self._written = self._config = written
        self._device, self._secret_file = device, secret_file
        self._rosters, self._heard, self._require = rosters, heard, require
        self._listed: set[bytes] = set()
        self._keyless: list[str] = []

    # -- questions ---------------------------------------------------------------------------------

    @property
    def written(self) -> Config:
        """peer.toml alone, as it was taken over last."""
        return self._written

    @property
    def config(self) -> Config:
        """All that is in use."""
        return self._config

    @property
    def listed(self) -> Collection[bytes]:
        """The keys of the devices that may connect, as they are at any time."""
        return self._listed

    @property
    def keyless(self) -> Sequence[str]:
        """The names of peers whose key is not known yet, as they are at any time."""
        return self._keyless

    def label(self, device: DeviceKey) -> str:
        """Return how this device calls another one; "": it has no name for it."""
        return next((peer.name for peer in self._config.peers if peer.key == device), "")

    def is_written(self, device: DeviceKey) -> bool:
        return any(peer.key == device for peer in self._written.peers)

    def merged(self, written: Config, learnt: Learnt) -> Config:
        """Return what would be in use with these. Raises LeftError if that cannot be."""
        said = self._said_by_rosters()
        config = merged(written, learnt, self._secret_file, said, self._heard)
        nobody_has_our_key(config, self._device)
        self._require(len(peer.addresses) for peer in config.peers)
        return config

    def left_out(self, learnt: Learnt) -> tuple[PeerConfig, ...]:
        """Return the devices that should be peers, and are not, as there are MAX_PEERS already."""
        said = self._said_by_rosters()
        return all_peers(self._written, learnt, said, self._heard)[MAX_PEERS:]

    def _said_by_rosters(self) -> FromRosters:
        who = self._rosters()
        return FromRosters(
            tuple(
                ListedMember(
                    one.device,
                    one.name,
                    tuple(Endpoint.parse(text, "a roster") for text in one.endpoints),
                )
                for one in who.members()
            ),
            who.shut_out(),
            {peer.key: peer.name for peer in self._config.peers if peer.key},
        )

    # -- changes -----------------------------------------------------------------------------------

    def begin(self, learnt: Learnt) -> None:
        """Take up all at a start of the agent. Raises LeftError."""
        self._config = self.merged(self._written, learnt)
        self._listed.update(peer.key for peer in self._config.peers if peer.key)
        self._note_keyless(self._config)

    def take_over(self, written: Config, config: Config) -> None:
        """Use all of `config` but [device], which stays until the next start."""
        self._written = written
        self._config = replace(config, device=self._config.device)
        self._note_keyless(config)

    def list_device(self, device: DeviceKey) -> None:
        """From now on the gate lets it in."""
        self._listed.add(bytes(device))

    def unlist_device(self, device: DeviceKey) -> None:
        self._listed.discard(bytes(device))

    def _note_keyless(self, config: Config) -> None:
        self._keyless[:] = [peer.name for peer in config.peers if not peer.key]
