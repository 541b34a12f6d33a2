"""Questions about the other devices: list them, remove one, call one otherwise or elsewhere.

Knows whose word lists a device: peer.toml, an invitation, or a member of a folder. Must not know
how a device is connected, nor what a removal does in a roster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec.structs import replace

from leftzmq.config import Config, Endpoint, PeerConfig
from leftzmq.config.values import MAX_NAME_CHARS, is_name
from leftzmq.errors import UsageError
from leftzmq.pairing.learnt import LearntDevice, Origin
from leftzmq.runtime.pairing.asked_fields import AskedFields
from leftzmq.runtime.pairing.host import KnowsConfig, TellsRoster
from leftzmq.runtime.pairing.learnt_file import LearntFile
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.transport.device_key import public_text
from leftzmq.wire.replies import ListedPeer, PeerList, PeerNamed, PeerRemovedReply


class PeerHost(KnowsConfig, TellsRoster, Protocol):
    @property
    def written(self) -> Config:
        """peer.toml alone."""

    def peers_shown(self) -> Mapping[str, tuple[bool, float | None]]:
        """Of each peer's name: whether it is connected, and since when (unix seconds)."""


class PeerVerbs:
    """Each method that takes a question answers one verb. wall: returns unix seconds"""

    def __init__(
        self, host: PeerHost, file: LearntFile, rosters: Rosters, wall: Callable[[], float]
    ) -> None:
        self._host, self._file, self._rosters, self._wall = host, file, rosters, wall

    def list_all(self, asked: AskedFields) -> PeerList:
        shown = self._host.peers_shown()
        learnt = {one.key: one for one in self._file.learnt.devices}
        written = {peer.key for peer in self._host.written.peers}
        members = {one.device: one for one in self._rosters.members()}
        found: list[ListedPeer] = []
        for peer in self._host.config.peers:
            device = learnt.get(peer.key) if peer.key else None
            addresses = [str(one) for one in peer.addresses]
            origin = Origin.MEMBER if device is None else device.origin
            key = DeviceKey(peer.key) if peer.key else None
            connected, since = shown.get(peer.name, (False, None))
            found.append(
                ListedPeer(
                    name=peer.name,
                    key=public_text(peer.key) if peer.key else "",
                    addresses=addresses,
                    connected=connected,
                    since=since,
                    origin=(
                        Origin.FILE if peer.key is None or peer.key in written else origin
                    ).value,
                    folders=list(members[key].folders) if key in members else [],
                    mode=(self._rosters.mode(key) if key else None) or "",
                    let_in=[
                        name
                        for names in (self._rosters.let_in_by(key) if key else {}).values()
                        for name in names
                    ],
                )
            )
        return PeerList(peers=found)

    def remove(self, asked: AskedFields) -> PeerRemovedReply:
        """Remove a device from all folders here, on every member. A [[peer]] may still connect."""
        keep_invited = asked.flag("keep_invited")
        peer = self._peer_named(asked.text("name"))
        learnt = self._file.learnt.device(peer.key) if peer.key else None
        is_written = any(one.key == peer.key for one in self._host.written.peers)
        ids = self._rosters.removable(DeviceKey(peer.key)) if peer.key else []
        for id in ids:
            assert peer.key is not None
            self._rosters.remove(id, DeviceKey(peer.key), keep_invited)
            self._host.tell_roster(id)  # also if the next folder cannot be written
        if learnt is not None:
            self._file.save(self._file.learnt.without_device(learnt.key))
        elif not ids:
            self._learnt_device(peer.name)  # it is written, which is said
            do = "have it removed on a member that may write"
            raise UsageError("cannot be removed by this device, which may only read", peer.name, do)
        return PeerRemovedReply(name=peer.name, folders=ids, is_written=is_written)

    def rename(self, asked: AskedFields) -> PeerNamed:
        device, new = self._learnt_device(asked.text("name")), asked.text("new")
        config = self._host.config
        if not is_name(new):
            what = f"is no name: 1 to {MAX_NAME_CHARS} printable characters are wanted"
            raise UsageError(what, new[:MAX_NAME_CHARS], "name it otherwise")
        if new in (config.device.name, *(peer.name for peer in config.peers)):
            raise UsageError("is the name of another device", new, "name it otherwise")
        self._file.save(self._file.learnt.with_changed(replace(device, name=new)))
        return PeerNamed(name=new)

    def move(self, asked: AskedFields) -> PeerNamed:
        device = self._learnt_device(asked.text("name"))
        address = Endpoint.parse(asked.text("address"), "the address")
        others = tuple(one for one in device.addresses if one != address)
        self._file.save(
            self._file.learnt.with_changed(replace(device, addresses=(address, *others)))
        )
        return PeerNamed(name=asked.text("name"))

    def _learnt_device(self, name: str) -> LearntDevice:
        """Return the device that this one calls so. Raises UsageError if it is none, or if it is
        written in peer.toml."""
        peer = self._peer_named(name)
        if peer.key is None or any(one.key == peer.key for one in self._host.written.peers):
            do = "change its [[peer]] there, and `leftzmq reload`"
            raise UsageError(f"is written in {self._host.written.file}", peer.name, do)
        found = self._file.learnt.device(peer.key)
        if found is None:
            found = LearntDevice(peer.name, peer.key, (), Origin.MEMBER, self._wall())
        return found

    def _peer_named(self, name: str) -> PeerConfig:
        """Return the device that this one calls so, or whose key begins so. Raises UsageError."""
        peers = self._host.config.peers
        named = [one for one in peers if one.name == name]
        if not named:
            named = [one for one in peers if one.key and public_text(one.key).startswith(name)]
        if len(named) == 1:
            return named[0]
        if named:
            names = ", ".join(one.name for one in named)
            raise UsageError("is the beginning of several keys", name, f"it may be {names}")
        names = ", ".join(one.name for one in peers) or "nobody"
        raise UsageError("is no peer of this device", name, f"it has {names}")
