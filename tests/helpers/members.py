"""A mesh of devices whose folder has a roster: they have keys, and all that was sent is noted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from leftzmq.sync import actions
from leftzmq.sync.facts import LinkClosed, LinkOpened, RosterGrew, TimePassed
from leftzmq.sync.link import Link, Way
from leftzmq.sync.peers.roster.making import Newcomer
from leftzmq.sync.peers.roster.roster import Mode, Roster
from leftzmq.wire.messages import Message
from tests.helpers.mesh import Device, Mesh
from tests.sim import node
from tests.sim.node import FOLDER


@dataclass(frozen=True)
class Sent:
    """knew: the names of those of whose removal the sender knew then."""

    sender: str
    to: str
    message: Message
    body: bytes
    knew: str


class Members(Mesh):
    """A mesh of devices with keys of their own."""

    def __init__(self, base: Path, names: str = "ABC") -> None:
        super().__init__(base, names)
        for device in self.devices.values():
            device.gets_keys()
        self.sent: list[Sent] = []
        self.loses: Callable[[str, Message], bool] = lambda to, message: False
        self.delays: Callable[[str, Message], bool] = lambda to, message: False
        self.delayed: list[Callable[[], None]] = []

    def send(self, device: node.Device, link: Link, message: Message, body: object) -> None:
        assert isinstance(device, Device)
        to = next(each.name for each in self.devices.values() if each.key == link.device)
        self._note(device, to, message, b"" if body is None else bytes(body))  # type: ignore[call-overload]
        if self.delays(to, message):
            self.delayed.append(partial(super().send, device, link, message, body))
        elif not self.loses(to, message):
            super().send(device, link, message, body)

    def release(self) -> None:
        """Deliver what was delayed, and delay nothing any more."""
        self.delays = lambda to, message: False
        delayed, self.delayed = self.delayed, []
        for deliver in delayed:
            deliver()

    def publish(self, device: node.Device, publish: actions.Publish) -> None:
        assert isinstance(device, Device)
        news = device.sealed(publish)
        for other in self.others(device):
            self._note(device, other.name, news, b"")
            if not (self.drop_news or self.loses(other.name, news)):
                self._take(other, node.arrival(other, Link(device.key, Way.DIALED), news, None))

    def _note(self, device: Device, to: str, message: Message, body: bytes) -> None:
        roster = device.rosters.folders[FOLDER].roster
        gone = [one.name for one in self.devices.values() if roster.removals_of(one.key)]
        self.sent.append(Sent(device.name, to, message, body, "".join(gone)))

    def start(self, names: str) -> None:
        for name in names:
            self.devices[name].start()
        self.settle()

    def __getitem__(self, name: str) -> Device:
        return self.devices[name]

    def roster(self, name: str) -> Roster:
        return self[name].rosters.folders[FOLDER].roster

    def invites(self, name: str, guest: str, mode: Mode = "full") -> None:
        """What the door does: the guest is let in, and is told where the roster begins."""
        device = self[name]
        device.rosters.found(FOLDER)
        known = device.rosters.folders[FOLDER].last_number
        device.rosters.let_in(FOLDER, Newcomer(self[guest].key, guest, mode), known)
        if not self[guest].alive:
            self[guest].roster_keeper.keep(device.keys.tag, [], device.rosters.pins(FOLDER))
        device.take(RosterGrew(FOLDER))
        self.settle()

    def removes(self, name: str, other: str, keep_invited: bool = False) -> None:
        device = self[name]
        assert device.rosters.removable(self[other].key) == [FOLDER]
        device.rosters.remove(FOLDER, self[other].key, keep_invited)
        device.take(RosterGrew(FOLDER))
        self.settle()

    def begins(self, names: str) -> None:
        """Start them all; the first one begins the roster."""
        self.start(names)
        self[names[0]].rosters.found(FOLDER)
        self[names[0]].take(RosterGrew(FOLDER))
        self.settle()

    def joins_again(self, one: str, other: str) -> None:
        """The links between two devices break, and come back."""
        for name, there in ((one, other), (other, one)):
            self[name].take(LinkClosed(Link(self[there].key, Way.DIALED), "gone"))
        self.settle(0.1)
        for name, there in ((one, other), (other, one)):
            self[name].take(LinkOpened(Link(self[there].key, Way.DIALED)))

    def used(self, name: str) -> bytes | None:
        """The tag of the epoch that a device uses."""
        epoch = self[name].epochs.in_use
        return None if epoch is None else epoch.tag

    def lets_in(self, name: str, guest: str, mode: Mode) -> None:
        device = self[name]
        device.rosters.let_in(FOLDER, Newcomer(self[guest].key, guest, mode), 0)
        device.take(RosterGrew(FOLDER))
        self.settle()

    def live(self, name: str) -> str:
        """The members by the roster of a device."""
        keys = {device.key: device.name for device in self.devices.values()}
        return "".join(sorted(keys[key] for key in self.roster(name).live()))

    def shares_with(self, name: str) -> str:
        """Those from whom a device takes the folder now."""
        keys = {device.key: device.name for device in self.devices.values()}
        return "".join(sorted(keys[key] for key in self[name].folder.members))

    def until(self, happened: Callable[[], bool]) -> None:
        """Run until something happened."""
        for _ in range(100_000):
            if happened():
                return
            if not self.step():
                self.now += 0.01
                for device in self.devices.values():
                    device.take(TimePassed())
        raise AssertionError("it does not happen")

    def said(self, name: str) -> str:
        texts = (str(event.fields.get("text", "")) for event in self[name].events)
        return "\n".join(texts)
