"""What an agent sees of the machine that it runs on, when a user asks how all is.

Knows which part of the agent can say what. Must not know what a figure means.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.sync.facts import MachineSeen
from leftzmq.transport import platform
from leftzmq.work import machine


class KnowsPaths(Protocol):
    """What is used of the bus."""

    def path_mtus(self) -> Mapping[bytes, int]:
        """Return the largest packet that reaches a device whole, in bytes, by its key, where that
        is known."""


class KnowsWatches(Protocol):
    """What is used of the folders that are open."""

    def watched(self) -> Mapping[str, tuple[int, bool]]:
        """Return how many directories of each open share are watched, and whether all are."""


class MachineLook:
    """One per agent. state: its state directory."""

    def __init__(
        self, state: Path, in_use: ConfigInUse, bus: KnowsPaths, openings: KnowsWatches
    ) -> None:
        self._state, self._in_use = state, in_use
        self._bus, self._openings = bus, openings

    def seen(self) -> MachineSeen:
        """Look now."""
        config, watched = self._in_use.config, self._openings.watched()
        mode, why = machine.mode_of(self._state)
        return MachineSeen(
            str(self._state),
            mode,
            machine.open_files(self._state, (folder.secret for folder in config.folders)),
            machine.room_at(self._state),
            machine.watches_most(),
            sum(count for count, _ in watched.values()),
            tuple(id for id, (_, is_whole) in watched.items() if not is_whole),
            platform.descriptors(),
            platform.needed_descriptors(len(peer.addresses) for peer in config.peers),
            machine.descriptors_open(),
            self._bus.path_mtus(),
            why,
        )
