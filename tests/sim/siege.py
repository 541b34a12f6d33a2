"""A world with a hostile device in it: connections to it, its refused messages, and which devices
shut it out.

Its messages are given to honest devices as frames, the way transport/ does: through decode, and a
page through the folder that its tag names. A device that drops it receives nothing from it for a
while.

Knows frames and facts. Must not know what was wrong with a frame: its sender says which refusal is
due.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from leftzmq.errors import Refusal, Refused
from leftzmq.sync import actions
from leftzmq.sync.facts import (
    DeviceDropped,
    EpochKeyArrived,
    Fact,
    LinkClosed,
    LinkOpened,
    PeerListed,
    PeerUnlisted,
    RosterArrived,
    StrangerRefused,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.transport.decode import AdminAsk, EpochKeySealed, RosterSealed, SealedArrived, read
from leftzmq.transport.frames import Knocked, RawFrame
from leftzmq.transport.socket_errors import SocketTrouble
from leftzmq.wire import epoch_key, roster_part
from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import Message

from .hostile import NAME, Due, Hostile
from .laws import Broken
from .node import FOLDER, Device
from .world import Knobs, SimDevice, World

SHUT_OUT_S = 60.0
DIAL_S = 0.5


@dataclass(slots=True)
class Wire:
    """To one honest device. number: of the connection; 0: none. starts: of the agent at its end."""

    number: int = 0
    starts: int = 0
    shut_out_until: float = 0.0
    last: dict[tuple[Socket, Way], float] = field(default_factory=dict)


class Siege(World):
    """refused: (device, refusal) for each time that a device dropped the hostile one, in order."""

    def __init__(
        self, seed: object, base: Path, names: str, dials: set[tuple[str, str]], knobs: Knobs
    ) -> None:
        super().__init__(seed, base, names, dials, knobs)
        first = next(iter(self.devices.values()))
        chance = random.Random(f"{seed}/hostile")
        self.hostile = Hostile(first, chance, self._say)
        self.hostile.hang_up = self._hang_up
        self.refused: list[tuple[str, Refusal]] = []
        self.lines: dict[str, Wire] = {name: Wire() for name in names}
        self._numbers = 0
        self.here = False
        self.more_peers = self._peers
        self.cut_off = self._dropped
        self._has_rosters = False
        self.strangers: dict[DeviceKey, str] = {}  # whom it may let in, and who do not exist

    # ---- a folder with a roster ---------------------------------------------------------------

    def give_keys(self) -> None:
        super().give_keys()
        self._has_rosters = True
        self.hostile.gets_keys()

    @property
    def names(self) -> Collection[str]:
        return [*self.devices, NAME] if self._has_rosters else self.devices.keys()

    def name_of(self, key: DeviceKey) -> str:
        if key == self.hostile.key:
            return NAME
        return self.strangers[key] if key in self.strangers else super().name_of(key)

    def lists(self, device: SimDevice, name: str) -> None:
        if name != NAME:
            super().lists(device, name)
            return
        device.unlisted.discard(NAME)
        if device.alive:
            device._listed.add(self.hostile.key)
            device.take(PeerListed(self.hostile.key, NAME, dials=True))

    def unlists(self, device: SimDevice, name: str) -> None:
        if name != NAME:
            super().unlists(device, name)
            return
        device.unlisted.add(NAME)
        if device.alive:
            device._listed.discard(self.hostile.key)
            if self._is_up(device):
                self._close(device, "it is no peer any more")
            device.take(PeerUnlisted(self.hostile.key))

    def _peers(self, device: SimDevice) -> list[Peer]:
        is_listed = NAME not in device.unlisted
        return [Peer(self.hostile.key, NAME, dials=True)] if is_listed else []

    # ---- coming and going -----------------------------------------------------------------

    def arrive(self) -> None:
        self.here = True
        self._tend()

    def leave(self) -> None:
        """The hostile device leaves for good, and its data with it."""
        self.here = False
        for device in self.devices.values():
            if self._is_up(device):
                self._close(device, "the connection is gone")

    def _tend(self) -> None:
        if not self.here:
            return
        for device in self.devices.values():
            if device.alive and not self._is_up(device) and self._may_come(device):
                self._connect(device)
        self.after(DIAL_S, self._tend)

    def _may_come(self, device: SimDevice) -> bool:
        return NAME not in device.unlisted and self.now >= self.lines[device.name].shut_out_until

    def _is_up(self, device: SimDevice) -> bool:
        line = self.lines[device.name]
        return device.alive and line.number > 0 and line.starts == device.starts

    def _connect(self, device: SimDevice) -> None:
        line = self.lines[device.name]
        self._numbers += 1
        line.number, line.starts = self._numbers, device.starts
        line.last.clear()
        device.take(LinkOpened(Link(self.hostile.key, Way.DIALED)))
        if self.hostile.manner < self.random.random():
            self.hostile.greet(device)

    def _close(self, device: SimDevice, why: str) -> None:
        self.lines[device.name].number = 0
        closed = LinkClosed(Link(self.hostile.key, Way.DIALED), why)
        device.later(0.0, lambda: device.take(closed))

    def _hang_up(self, device: SimDevice) -> None:
        """The hostile device ends its connections; it will connect again."""
        if self._is_up(device):
            self._close(device, "the connection is gone")

    def _cut(self, device: SimDevice, why: str) -> None:
        """Does what Agent._drop of runtime/agent does."""
        self.lines[device.name].number = 0
        cut = DeviceDropped(self.hostile.key, why)
        device.later(0.0, lambda: device.take(cut))

    def _dropped(self, device: SimDevice, drop: actions.Drop) -> bool:
        if drop.device != self.hostile.key:
            return False
        line = self.lines[device.name]
        self.say(device, f"drops the hostile one: {drop.refusal.name} {drop.detail[:80]}")
        self.refused.append((device.name, drop.refusal))
        line.shut_out_until = self.now + SHUT_OUT_S
        if line.number:
            self._cut(device, drop.refusal.value)
        return True

    # ---- what it says -----------------------------------------------------------------------

    def _say(
        self, device: SimDevice, socket: Socket, way: Way, frames: list[bytes], due: Due
    ) -> None:
        line = self.lines[device.name]
        if not self._is_up(device):
            return
        number = line.number
        at = max(self.now + self.delays.message(), line.last.get((socket, way), 0.0))
        line.last[socket, way] = at
        self.wires.flying += 1

        def arrive() -> None:
            self.wires.flying -= 1
            if self._is_up(device) and line.number == number:
                came = self._came(line, socket, way)
                self._hand_over(device, RawFrame(came, socket, list(map(zmq.Frame, frames))), due)

        self.after(at - self.now, arrive)

    def _came(self, line: Wire, socket: Socket, way: Way) -> Link:
        route = b""
        if way is Way.CAME:
            route = b"\0" + (1 << 20 | 2 * line.number | (socket is Socket.BULK)).to_bytes(4, "big")
        return Link(self.hostile.key, way, route)

    def _hand_over(self, device: SimDevice, raw: RawFrame, due: Due) -> None:
        fact = self._fact_of(device, raw)
        if due and not (fact is None and device.folder.stopped):  # as when it was removed
            if not isinstance(fact, StrangerRefused):
                raise Broken("refusal", f"{device.name} took what is to be refused, {fact}: {due}")
            if fact.device != self.hostile.key or fact.refusal not in due:
                raise Broken("refusal", f"{device.name} said {fact.refusal}, due were {due}")
        before = len(self.refused)
        if fact is not None:
            device.take(fact)
            self._member_or_forgotten(device)
        if isinstance(fact, StrangerRefused):
            said = self.refused[before:]
            other = fact.refusal is Refusal.OTHER_VERSION
            if not other and said != [(device.name, fact.refusal)]:
                raise Broken("refusal", f"{device.name} did not name who sent it: {said}")

    def _member_or_forgotten(self, device: SimDevice) -> None:
        """Whatever it said in whichever order: either it can be asked, or the device keeps nothing
        of it."""
        key, node = self.hostile.key, device.node
        is_listed = key in node.peers.by_key
        can_be_asked = is_listed and node.peers.control_link(key) is not None
        if not can_be_asked and key in device.folder.members:
            raise Broken("member", f"{device.name} has a member that cannot be asked")

    def _fact_of(self, device: SimDevice, raw: RawFrame) -> Fact | None:
        """Does what runtime/border (Inbound.fact_of and Seals.open_page) does."""
        first = raw.frames[0].buffer
        fact = device.node.admit(raw.link.device, first, self.now) or read(raw)
        if isinstance(fact, SealedArrived):
            return device.folder.opened(fact.link, fact.tag, fact.sealed, fact.answer)
        if isinstance(fact, RosterSealed | EpochKeySealed):
            return _opened(device, fact) if self._has_rosters else None
        assert not isinstance(fact, AdminAsk | Knocked | SocketTrouble)
        return fact

    # ---- what is said to it -------------------------------------------------------------------

    def send(self, device: Device, link: Link, message: Message, body: object) -> None:
        assert isinstance(device, SimDevice)
        if link.device != self.hostile.key:
            super().send(device, link, message, body)
            return
        line = self.lines[device.name]
        self.say(device, f"sends {type(message).__name__} to the hostile one")
        self.sent(device, link.device, message)
        if not self._is_up(device):
            closed = LinkClosed(link, "the connection does not take any more")
            device.later(0.0, lambda: device.take(closed))
            return
        number = line.number

        def arrive() -> None:
            if self._is_up(device) and line.number == number:
                self.hostile.hear(device, message)

        self.after(self.delays.message(), arrive)

    def publish(self, device: Device, publish: actions.Publish) -> None:
        super().publish(device, _without(publish, self.hostile.key))
        assert isinstance(device, SimDevice)
        if self._is_up(device):
            self.hostile.hear(device, device.sealed(publish))

    def subscribe(self, device: Device, key: bytes) -> None:
        if key != self.hostile.key:
            super().subscribe(device, key)  # type: ignore[arg-type]


def _opened(device: SimDevice, sealed: RosterSealed | EpochKeySealed) -> Fact | None:
    """Does what Seals of runtime/border does."""
    came = sealed.link
    if sealed.tag != device.keys.tag:
        return None
    try:
        if isinstance(sealed, RosterSealed):
            said = roster_part.open_sealed(sealed.sealed, device.keys, came.device)
            return RosterArrived(came, FOLDER, said)
        secret = epoch_key.open_sealed(sealed.sealed, sealed.epoch, device.secret, came.device)
        return EpochKeyArrived(came, FOLDER, sealed.epoch, secret)
    except Refused as refused:
        return StrangerRefused(came.device, refused.refusal, refused.detail)


def _without(publish: actions.Publish, key: bytes) -> actions.Publish:
    links: Iterable[Link] = (link for link in publish.links if link.device != key)
    return actions.Publish(publish.folder, publish.page, tuple(links))
