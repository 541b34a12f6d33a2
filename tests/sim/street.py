"""Three devices whose users do what a test says: for tests of what a law finds.

Knows worlds and users. Must not know what is unusual about a device, nor any law: the street of a
test adds these.
"""

from __future__ import annotations

from pathlib import Path

from .ledger import Ledger
from .users import Users
from .world import Knobs, SimDevice, World


class Street:
    """A, B and C, each connected to both others. None has begun yet."""

    def __init__(self, base: Path) -> None:
        names = "ABC"
        dials = {(a, b) for a in names for b in names if a < b}
        self.world = World(1, base, names, dials, Knobs())
        self.ledger = Ledger()
        self.users = Users(self.world, self.ledger, large=False)
        self.a, self.b, self.c = self.world.devices.values()

    def begin(self) -> None:
        """All agents start, and meet."""
        for device in self.world.devices.values():
            device.start()
        self.world.run_until(self.world.now + 5.0)

    def write(self, device: SimDevice, path: str, text: str) -> None:
        device.hands.make_folders(path.rpartition("/")[0])
        assert self.users._write(device, path, text.encode())
        device.touched()

    def delete(self, device: SimDevice, path: str) -> None:
        self.users._delete(device, path)
        device.touched()

    def text(self, device: SimDevice, path: str) -> str | None:
        inode = device.hands.at(path)
        return None if inode is None else bytes(inode.data).decode()
