"""Takes over what changed in peer.toml, in what was learnt, or in who is a member or near.

Devices are listed, dialed, cut off; folders come and go. Knows the order of these steps, and what
waits for a new start of the agent. Must not know sockets, nor how a folder is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import Struct

from leftzmq.bandwidth.timetable import NO_LIMITS
from leftzmq.config import (
    MAX_PEERS,
    Config,
    Endpoint,
    FolderConfig,
    PeerConfig,
    UnusableFolder,
    load,
)
from leftzmq.content.key_text import key_text
from leftzmq.errors import ConfigError, LeftError
from leftzmq.pairing.learnt import Learnt
from leftzmq.runtime.event_log import Teller
from leftzmq.runtime.listing.config_changes import ConfigChanges, changes
from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.sync.actions import Tell
from leftzmq.sync.facts import Fact, LimitsSet, LinkClosed, PeerListed, PeerUnlisted
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.wire.local import EventKind
from leftzmq.wire.replies import FolderUnusable, Reloaded

AS_THEY_ARE: Final = "the peers and folders stay as they are"


class ChangesFolders(Protocol):
    """What opens and stops folders."""

    def add(self, config: FolderConfig) -> None:
        """A folder comes. It is opened when those that were removed before are closed."""

    def remove(self, id: str) -> None:
        """The folder was taken off this device."""

    def tune(self, config: FolderConfig) -> None:
        """A folder goes on, with other values of what can change while it runs."""


class Lines(Protocol):
    """What is used of the bus."""

    def dial(self, device: DeviceKey, *endpoints: Endpoint) -> None:
        """Dial the device at these addresses from now on, best first. A connection stays."""

    def undial(self, device: DeviceKey) -> None:
        """End the connections that were dialed, and dial the device no more."""


class ConfigPlan(Struct, frozen=True):
    """What follows from peer.toml and from what was learnt, and is not done yet."""

    written: Config
    learnt: Learnt
    config: Config
    found: ConfigChanges

    @property
    def takes_away(self) -> bool:
        """Whether a device may not connect any more, or a folder is closed."""
        return bool(self.found.lost_peers or self.found.gone)

    def reply(self, unusable: Iterable[UnusableFolder]) -> Reloaded:
        """Return the answer to `reload`, when the plan was carried out. unusable: the folders that
        cannot be used."""
        found, wrong = self.found, {one.id: one.why for one in unusable}
        come = [one.id for one in found.folders if one.id not in wrong]
        stay = {*come, *wrong}
        return Reloaded(
            file=str(self.written.file),
            peers_added=[peer.name for peer in found.added],
            peers_removed=[peer.name for peer in found.removed],
            peers_moved=[peer.name for peer in found.moved],
            folders_added=[id for id in come if id not in found.gone],
            folders_removed=[id for id in found.gone if id not in stay],
            folders_changed=[id for id in come if id in found.gone],
            unusable=[FolderUnusable(folder=id, why=why) for id, why in wrong.items()],
            used=list(found.used),
            need_a_start=list(found.need_a_start),
        )


class ConfigFollower:
    """One per agent.

    learnt: returns what was learnt, as it is now
    cut_off: ends all connections of a device, and drops what it sent
    handle: hands a fact to the machines; what follows from it is done when it returns
    announce: announces this device in the local network, or ends that, as [discovery] says now
    """

    def __init__(
        self,
        in_use: ConfigInUse,
        learnt: Callable[[], Learnt],
        lines: Lines,
        folders: ChangesFolders,
        cut_off: Callable[[DeviceKey], None],
        handle: Callable[[Fact], None],
        announce: Callable[[], None],
        teller: Teller,
    ) -> None:
        self._in_use, self._learnt, self._lines = in_use, learnt, lines
        self._folders, self._cut_off = folders, cut_off
        self._handle, self._announce, self._teller = handle, announce, teller
        self._left_out = frozenset[bytes | None]()  # as it was told last

    def begin(self) -> None:
        """Dial all peers, at a start of the agent."""
        for peer in self._in_use.config.peers:
            self._dial(peer)
        if self._in_use.limits() != LimitsSet(NO_LIMITS, {}):
            self._handle(self._in_use.limits())
        self._tell_left_out(self._learnt())

    def read_again(self) -> None:
        """Take over what changed in peer.toml. A file that is wrong changes nothing."""
        try:
            plan = self.plan()
            written = plan.written
            if self._in_use.written.folders and not (written.folders or written.unusable):
                # It may be half of a file that is being written.
                do = "`leftzmq reload` takes all of them off, if that is meant"
                raise ConfigError("has no [[folder]] any more", str(written.file), do)
            before = self._in_use.config
            self.carry_out(plan)
            if self._in_use.config == before:
                nothing = {"added": "", "removed": "", "moved": ""}
                self._teller.tell(Tell(EventKind.PEER_LIST, dict(nothing)))
        except LeftError as error:
            self._teller.say("", f"{AS_THEY_ARE}: {error}")

    def reload(self) -> Reloaded:
        """The same for a user who asks, and is told. Raises LeftError; then nothing changed."""
        plan = self.plan()
        self.carry_out(plan)
        return plan.reply(self._in_use.unusable)

    def plan(self) -> ConfigPlan:
        """Read peer.toml, and return what would follow. Raises LeftError."""
        return self._plan(load(self._in_use.config.file), self._learnt())

    def carry_out(self, plan: ConfigPlan) -> None:
        """Do what follows. The plan was made a moment ago: nothing changed since."""
        self._use(plan)
        for key in plan.found.need_a_start:
            text = f"{key} changed in peer.toml: start the agent again to use that"
            self._teller.say("", text)
        if plan.found.folders:  # what is kept of their rosters names members
            self.look_again()

    def look_again(self) -> None:
        """Who is a member or near has changed."""
        try:
            self._use(self._plan(self._in_use.written, self._learnt()))
        except LeftError as error:
            self._teller.say("", f"the members of the folders are not all listed: {error}")

    def pause(self, devices: frozenset[bytes]) -> None:
        """These devices are neither dialed nor let in from now on; who was paused before and is
        not any more, is."""
        before = [peer for peer in self._in_use.config.peers if self._is_paused(peer)]
        self._in_use.pause(devices)
        for peer in self._in_use.config.peers:
            if peer not in before and self._is_paused(peer):
                self._lines.undial(_key_of(peer))
                self._cut_off(_key_of(peer))
        for peer in before:
            if not self._is_paused(peer):
                self._dial(peer)

    def _is_paused(self, peer: PeerConfig) -> bool:
        return peer.key is not None and self._in_use.is_paused(peer.key)

    def check_learnt(self, learnt: Learnt) -> None:
        """Raise LeftError if `use_learnt` could not use this, or not beside what is in use."""
        found = self._in_use.merged(self._in_use.written, learnt)
        for one in found.unusable:
            if one not in self._in_use.unusable:
                raise ConfigError(one.why)

    def use_learnt(self, learnt: Learnt) -> None:
        """Raises LeftError if a folder could not come."""
        for error in self._use(self._plan(self._in_use.written, learnt)):
            raise error

    def _plan(self, written: Config, learnt: Learnt) -> ConfigPlan:
        """Raises LeftError; then all is as before."""
        config = self._in_use.merged(written, learnt)
        return ConfigPlan(written, learnt, config, changes(self._in_use.config, config))

    def _use(self, plan: ConfigPlan) -> list[LeftError]:
        """List, dial and open what is new in peer.toml or was learnt; cut off and stop what is not
        there any more. Return why folders could not come."""
        in_use, found = self._in_use, plan.found
        known, limits = tuple(in_use.unusable), in_use.limits()
        for peer in found.removed:
            self._unlist(_key_of(peer))
        first = {peer.key: peer.address for peer in in_use.config.peers}
        moved = tuple(peer for peer in found.moved if peer.address != first[peer.key])
        for peer in found.moved:
            self._move(peer, is_elsewhere=peer in moved)
        is_announced_anew = in_use.config.discovery != plan.config.discovery
        in_use.take_over(plan.written, plan.config)
        for peer in (*moved, *found.added):
            self._list(peer)
        if in_use.limits() != limits:
            self._handle(in_use.limits())
            self._teller.say("", "the limits of peer.toml are others now, and hold")
        names = {
            "added": ", ".join(peer.name for peer in found.added),
            "removed": ", ".join(peer.name for peer in found.removed),
            "moved": ", ".join(peer.name for peer in moved),
        }
        if any(names.values()):
            self._teller.tell(Tell(EventKind.PEER_LIST, dict(names)))
        for id in found.gone:
            self._folders.remove(id)
        errors = [error for folder in found.folders if (error := self._added(folder))]
        for folder in found.tuned:
            self._folders.tune(folder)
        if is_announced_anew:
            self._announce()
        self._tell_left_out(plan.learnt)
        for one in in_use.unusable:
            if one not in known:
                self._teller.say(one.id, one.why)
        return errors

    def _added(self, folder: FolderConfig) -> LeftError | None:
        """Return why the folder could not come."""
        try:
            self._folders.add(folder)
        except LeftError as error:
            self._in_use.cannot_use(folder, error)
            return error
        return None

    def _tell_left_out(self, learnt: Learnt) -> None:
        """Say which devices are not listed, whenever these are others than before."""
        left_out = self._in_use.left_out(learnt)
        keys = frozenset(peer.key for peer in left_out)
        if left_out and keys != self._left_out:
            names = ", ".join(peer.name for peer in left_out)
            what = f"this device has {MAX_PEERS} peers, and can have no more"
            do = "leftzmq peers remove makes room"
            self._teller.say("", f"{what}: {names} may not connect; {do}")
        self._left_out = keys

    def _move(self, peer: PeerConfig, is_elsewhere: bool) -> None:
        """A peer has other addresses. is_elsewhere: its first one is another, so it is to be listed
        anew."""
        key = _key_of(peer)
        if is_elsewhere:
            self._lines.undial(key)
            self._handle(LinkClosed(Link(key, Way.DIALED), "it has another address now"))
        else:
            self._dial(peer)

    def _dial(self, peer: PeerConfig) -> None:
        """Dial a peer wherever it may be. One that is paused, or has no key or no address, is not
        dialed."""
        if peer.key and peer.addresses and not self._is_paused(peer):
            self._lines.dial(_key_of(peer), *peer.addresses)

    def _list(self, peer: PeerConfig) -> None:
        """The peer may connect, and is dialed, from now on."""
        key = _key_of(peer)
        self._in_use.list_device(key)
        self._handle(PeerListed(key, peer.name, peer.address is not None, key_text(key)))
        self._dial(peer)

    def _unlist(self, device: DeviceKey) -> None:
        """The gate refuses the device, and all its connections end."""
        self._in_use.unlist_device(device)
        self._cut_off(device)
        self._handle(PeerUnlisted(device))


def _key_of(peer: PeerConfig) -> DeviceKey:
    assert peer.key is not None, "peers without a key are not listed"
    return DeviceKey(peer.key)
