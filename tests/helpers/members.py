"""Nodes of the mesh whose devices have keys of their own, so that they can be in a roster.

Knows what a door does to a roster. Must not know what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from blake3 import blake3
from nacl.public import PrivateKey

from leftzmq.content.signing import sign
from leftzmq.sync.facts import RosterGrew, TimePassed
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.making import Newcomer
from leftzmq.sync.peers.roster.roster import Mode, Roster
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER


class Members(Mesh):
    """A mesh of devices with keys of their own."""

    def __init__(self, base: Path, names: str = "ABC") -> None:
        super().__init__(base, names)
        for device in self.devices.values():
            pair = PrivateKey(blake3(device.name.encode()).digest())
            device.key = DeviceKey(bytes(pair.public_key))
            device.signs = partial(sign, bytes(pair))

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
        assert device.rosters.remove(self[other].key, keep_invited) == [FOLDER]
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
