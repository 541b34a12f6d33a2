"""Rosters under random facts: people invite and remove, links break, agents are killed, and disks
take nothing for a while. When all that may meet have met, they agree, and who is out gets nothing.

The nodes are joined by the mesh, on real shares. What the rules say is tried in `model`; here it is
tried that what is said reaches everybody, once it is durable, and what follows from it.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from leftzmq.errors import LeftError
from leftzmq.sync.facts import LinkClosed, LinkOpened, OurAddressesFound, RosterGrew
from leftzmq.sync.link import Link, Way
from leftzmq.sync.peers.roster.making import Newcomer
from leftzmq.sync.peers.roster.rosters import Rosters
from tests.sim.node import FOLDER
from tests.unit.sync.peers.roster.test_exchange import Members

pytestmark = pytest.mark.slow

NAMES = "ABCD"
STEPS = 14


class Story:
    """Random facts on one mesh."""

    def __init__(self, mesh: Members, chance: random.Random) -> None:
        self.mesh, self.chance = mesh, chance
        self.files = 0

    def step(self) -> None:
        alive = [name for name in NAMES if self.mesh[name].alive]
        dead = [name for name in NAMES if not self.mesh[name].alive]
        what = self.chance.choice(
            (self._invites, self._removes, self._breaks, self._kills, self._writes, self._moves)
        )
        if dead and self.chance.random() < 0.5:
            self.mesh[self.chance.choice(dead)].start()
        elif alive:
            what(self.chance.choice(alive))
        if any(device.alive for device in self.mesh.devices.values()):
            self.mesh.settle(self.chance.choice((0.0, 0.1, 3.0)))

    def _other(self, name: str) -> str:
        return self.chance.choice([other for other in NAMES if other != name])

    def _invites(self, name: str) -> None:
        device, guest = self.mesh[name], self._other(name)
        if device.rosters.put_out(FOLDER) is not None:
            return
        device.roster_keeper.fails = self.chance.random() < 0.2
        with suppress(LeftError):
            device.rosters.found(FOLDER)
            known = device.rosters.folders[FOLDER].last_number
            device.rosters.let_in(FOLDER, Newcomer(self.mesh[guest].key, guest), known)
        device.roster_keeper.fails = False
        device.take(RosterGrew(FOLDER))

    def _removes(self, name: str) -> None:
        device = self.mesh[name]
        device.roster_keeper.fails = self.chance.random() < 0.2
        was_in = name in self.mesh.live(name)
        with suppress(LeftError):
            other = self.mesh[self._other(name)].key
            keep_invited = self.chance.random() < 0.5
            for id in device.rosters.removable(other):
                device.rosters.remove(id, other, keep_invited)
        assert name in self.mesh.live(name) or not was_in, "it removed itself"
        device.roster_keeper.fails = False
        device.take(RosterGrew(FOLDER))

    def _moves(self, name: str) -> None:
        self.mesh[name].take(OurAddressesFound((f"tcp://10.0.0.{self.chance.randrange(99)}:1",)))

    def _breaks(self, name: str) -> None:
        other = self.mesh[self._other(name)]
        self.mesh[name].take(LinkClosed(Link(other.key, Way.DIALED), "it broke"))

    def _kills(self, name: str) -> None:
        self.mesh[name].kill()

    def _writes(self, name: str) -> None:
        self.files += 1
        self.mesh[name].write(f"f{self.files}", f"by {name}".encode())
        self.mesh[name].scan()

    def all_meet(self) -> None:
        """Everybody runs and dials everybody."""
        for device in self.mesh.devices.values():
            if not device.alive:
                device.start()
        self.mesh.settle(70.0)
        for device in self.mesh.devices.values():
            for other in self.mesh.devices.values():
                if other is not device:
                    device.take(LinkClosed(Link(other.key, Way.DIALED), "again"))
                    device.take(LinkOpened(Link(other.key, Way.DIALED)))
        self.mesh.settle(70.0)


@pytest.mark.parametrize("seed", range(12))
def test_all_that_meet_agree_and_who_is_out_gets_nothing(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:  # who is put out goes on as if it had not heard of it
        monkeypatch.setattr(Rosters, "put_out", lambda self, id: None)
    chance = random.Random(seed)
    mesh = Members(tmp_path, NAMES)
    for name in NAMES:
        mesh[name].start()
    mesh.settle()
    story = Story(mesh, chance)
    for _ in range(STEPS):
        story.step()
    story.all_meet()

    started = [name for name in NAMES if mesh.roster(name).pins]
    views = {name: mesh.live(name) for name in started}
    members = [name for name in started if name in views[name]]
    for name in members:
        # Two who take each other for members agree on all of them. Who was put out while it was
        # away is not told by those who put it out: they do not talk to it.
        for other in views[name]:
            if name in views[other]:
                assert views[other] == views[name], views
    for name in members:
        kept = mesh[name].roster_keeper.load(mesh[name].keys.tag)
        ids = {signed.id for _, signed in kept.statements}
        assert {signed.id for signed in mesh.roster(name).after()} <= ids

    # What a member writes now reaches all members, and nobody else who ever was put out.
    for name in members[:1]:
        mesh[name].write("last", name.encode())
        mesh[name].scan()
        mesh.settle(70.0)
        for other in NAMES:
            has = "last" in mesh[other].tree()
            if other in views[name]:
                assert has, (name, other, views)
            elif mesh.roster(name).removals_of(mesh[other].key):
                assert not has, (name, other, views)
