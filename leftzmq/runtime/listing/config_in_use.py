"""The config that is in use: peer.toml, what was learnt, what rosters say and who is near, as one.

Knows where each part comes from, and whose key the gate lets in. Must not know what follows from a
change: `config_follower` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from leftzmq.bandwidth.timetable import NO_LIMITS
from leftzmq.config import (
    MAX_PEERS,
    Config,
    Endpoint,
    FolderConfig,
    PeerConfig,
    UnusableFolder,
    nobody_has_our_key,
)
from leftzmq.errors import LeftError
from leftzmq.pairing.learnt import FromRosters, Learnt, ListedMember, all_peers, merged
from leftzmq.sync.facts import LimitsSet
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
    check_secret: checks that a folder's secret can be used or made; raises LeftError
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
        check_secret: Callable[[FolderConfig], None],
        require: Callable[[Iterable[int]], None] = platform.require,
    ) -> None:
        self._written = self._config = written
        self._device, self._secret_file = device, secret_file
        self._rosters, self._heard, self._require = rosters, heard, require
        self._check_secret, self._opens = check_secret, frozenset[FolderConfig]()
        self._listed: set[bytes] = set()
        self._paused: frozenset[bytes] = frozenset()
        self._keyless: list[str] = []
        self._unusable: list[UnusableFolder] = []

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

    @property
    def unusable(self) -> Sequence[UnusableFolder]:
        """The folders that cannot be used, as they are at any time."""
        return self._unusable

    def label(self, device: DeviceKey) -> str:
        """Return how this device calls another one; "": it has no name for it."""
        return next((peer.name for peer in self._config.peers if peer.key == device), "")

    def is_written(self, device: DeviceKey) -> bool:
        return any(peer.key == device for peer in self._written.peers)

    def limits(self) -> LimitsSet:
        """Return the limits of bandwidth, of all and of single devices."""
        peers = (peer for peer in self._config.peers if peer.key and peer.limits != NO_LIMITS)
        of = {peer.key: peer.limits for peer in peers if peer.key}
        return LimitsSet(self._config.limits, of)

    def merged(self, written: Config, learnt: Learnt) -> Config:
        """Return what would be in use with these. Raises LeftError if that cannot be. A folder that
        cannot be used is no reason for that."""
        said = self._said_by_rosters()
        # The state directory that is in use stays until the next start.
        here = replace(written, device=self._config.device)
        config = merged(here, learnt, self._secret_file, said, self._heard)
        config = self._with_secrets(replace(config, device=written.device))
        nobody_has_our_key(config, self._device)
        self._require(len(peer.addresses) for peer in config.peers)
        return config

    def _with_secrets(self, config: Config) -> Config:
        """Return the config without folders whose secrets cannot be used; one that is open goes on
        with what it has."""
        for folder in config.folders:
            if any(_is_same_place(folder, one) for one in self._opens):
                continue
            try:
                self._check_secret(folder)
            except LeftError as error:
                config = _without(config, folder, error)
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
        self.take_over(self._written, self.merged(self._written, learnt))
        for peer in self._config.peers:
            if peer.key:
                self.list_device(DeviceKey(peer.key))

    def take_over(self, written: Config, config: Config) -> None:
        """Use all of `config`. Of [device] all but `watch_config` stays until the next start."""
        self._written = written
        device = replace(self._config.device, watch_config=written.device.watch_config)
        self._config = replace(config, device=device)
        self._note()

    def cannot_use(self, folder: FolderConfig, error: LeftError) -> None:
        """A folder could not be opened. It is tried again when the config is read again."""
        self._config = _without(self._config, folder, error)
        self._note()

    def list_device(self, device: DeviceKey) -> None:
        """From now on the gate lets it in, unless it is paused."""
        if device not in self._paused:
            self._listed.add(bytes(device))

    def pause(self, devices: frozenset[bytes]) -> None:
        """The gate refuses these, and no others that are peers."""
        self._paused = devices
        self._listed.difference_update(devices)
        for peer in self._config.peers:
            if peer.key:
                self.list_device(DeviceKey(peer.key))

    def is_paused(self, device: bytes) -> bool:
        return device in self._paused

    def unlist_device(self, device: DeviceKey) -> None:
        self._listed.discard(bytes(device))

    def _note(self) -> None:
        config = self._config
        self._opens = frozenset(config.folders)
        self._keyless[:] = [peer.name for peer in config.peers if not peer.key]
        self._unusable[:] = config.unusable


def _is_same_place(one: FolderConfig, other: FolderConfig) -> bool:
    return (one.id, one.path, one.secret) == (other.id, other.path, other.secret)


def _without(config: Config, folder: FolderConfig, error: LeftError) -> Config:
    one = UnusableFolder(folder.id, str(folder.path), str(error))
    others = tuple(each for each in config.folders if each.id != folder.id)
    return replace(config, folders=others, unusable=(*config.unusable, one))
