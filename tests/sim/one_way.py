"""The folder of a device that syncs in one direction, and now and then in both for a while.

Knows the mode of a device. Must not know what its user does, nor what follows.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from leftzmq.tree.mode import FolderMode

from .world import SimDevice, World


class OneWay:
    """mode: in which direction; device: whose folder, once that was chosen. turned: is called when
    the folder is to be opened with another mode."""

    def __init__(
        self,
        world: World,
        mode: FolderMode,
        turned: Callable[[SimDevice], None] = lambda device: None,
    ) -> None:
        self._world, self._mode, self._turned = world, mode, turned
        self._over = False
        self.device: SimDevice | None = None

    def begin(self, device: SimDevice) -> None:
        """From its first start on."""
        self.device, device.mode = device, self._mode

    def end(self) -> None:
        """It syncs in its one direction, whatever its user had set for a while."""
        self._over = True
        device = self.device
        if device is not None and device.mode is FolderMode.BOTH:
            self._open_with(device, self._mode, device.stop)
            device.start()

    def open_both_ways(self) -> None:
        """From now on it syncs in both directions."""
        if self.device is not None:
            self._open_with(self.device, FolderMode.BOTH, self.device.stop)
            self.device.start()

    def both_ways_for_a_while(self, device: SimDevice, chance: random.Random) -> None:
        """The folder syncs in both directions, and later only in its one again."""
        if self._over or device.mode is FolderMode.BOTH:
            return
        self._open_with(device, FolderMode.BOTH, chance.choice((device.kill, device.stop)))
        self._world.after(chance.choice((0.01, 1.0, 6.0)), device.start)
        self._world.after(chance.choice((2.0, 8.0, 20.0)), partial(self._back, device, chance))

    def _back(self, device: SimDevice, chance: random.Random) -> None:
        if not self._over:
            self._open_with(device, self._mode, chance.choice((device.kill, device.stop)))
            self._world.after(chance.choice((0.01, 1.0, 6.0)), device.start)

    def _open_with(self, device: SimDevice, mode: FolderMode, ends: Callable[[], None]) -> None:
        ends()
        device.mode = mode
        self._turned(device)
