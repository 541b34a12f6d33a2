"""Random histories of three devices, of which one only sends: it stays as its user has it, the
others are equal, and an override makes all three equal."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from leftzmq.tree.mode import FolderMode
from leftzmq.tree.path import folders_above
from tests.helpers.mesh import Device, Mesh

pytestmark = pytest.mark.slow

NAMES = ("a", "b", "d", "d/x", "d/y", "d/e", "d/e/z")
MTIMES = (None, None, 1_700_000_000, 2_000_000_000)
SEEDS, AT_ONCE = range(60, 70), 10


class History:
    """One history. A only sends."""

    def __init__(self, base: Path, seed: int) -> None:
        self.random = Random(seed)
        self.mesh = Mesh(base, "ABC", seed)
        self.a, self.b, self.c = self.mesh.devices.values()
        self.a.mode = FolderMode.SEND
        self.mesh.begin()
        self.wrote = 0
        self.of_a = self.a.tree()

    def live(self) -> None:
        for _ in range(self.random.randrange(3, 14)):
            for _ in range(self.random.randrange(1, 4)):
                device = self.random.choice([self.a, self.b, self.c])
                with suppress(OSError):
                    self.use(device)
                if device is self.a:
                    self.of_a = device.tree()
            if self.random.random() < 0.2:
                device = self.random.choice([self.a, self.b, self.c])
                device.kill()
                device.start()
            if self.random.random() < 0.6:
                self.mesh.scan_all()
                self.mesh.settle(self.random.choice([0.5, 3, 30]))
            assert self.a.tree() == self.of_a

    def use(self, device: Device) -> None:
        path = self.random.choice(NAMES)
        at, other = device.share / path, device.share / self.random.choice(NAMES)
        match self.random.choice(["write", "write", "remove", "folder", "rename"]):
            case "write":
                if at.is_dir():
                    shutil.rmtree(at)
                for folder in folders_above(path):
                    if (device.share / folder).is_file():
                        (device.share / folder).unlink()
                self.wrote += 1  # each content has a length of its own
                mtime = self.random.choice(MTIMES)
                device.write(path, device.name.encode() * self.wrote, mtime=mtime)
            case "remove":
                shutil.rmtree(at) if at.is_dir() else at.unlink()
            case "folder":
                at.mkdir(parents=True)
            case _ if not other.exists():
                at.rename(other)

    def rest(self) -> None:
        for _ in range(2):
            self.mesh.scan_all()
            self.mesh.settle(120)
        assert self.a.tree() == self.of_a and self.b.tree() == self.c.tree()
        for device in self.mesh.devices.values():
            assert device.folder.state.value == "idle" and not device.folder.problems.all()

    def override(self) -> int:
        """Returns at how many paths A differed."""
        count = self.a.folder.index_view.differs
        assert (count == 0) is (self.a.tree() == self.b.tree())
        if count:
            listed = self.mesh.ask(self.a, "override")
            assert listed["paths"] == count
            self.mesh.ask(self.a, "override", listed=listed["listed"])
            self.rest()
            assert self.a.tree() == self.b.tree()
        return count


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_who_only_sends_stays_as_it_is_and_an_override_makes_all_equal(
    tmp_path: Path, first: int
) -> None:
    differed = 0
    for seed in range(first, first + AT_ONCE):
        history = History(tmp_path / str(seed), seed)
        history.live()
        history.rest()
        differed += history.override() > 0
    assert differed > AT_ONCE / 2, "else it says nothing"
