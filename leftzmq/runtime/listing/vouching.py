"""Whom a person at this device trusts: written into peer.toml, let in here, or joined.

Knows where each device comes from. Must not know rosters: they ask.
"""

from __future__ import annotations

from collections.abc import Callable

from leftzmq.pairing.learnt import Learnt, Origin
from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.sync.link import DeviceKey


class Vouching:
    """One per agent. learnt: returns what was learnt, as it is now."""

    def __init__(self, in_use: ConfigInUse, learnt: Callable[[], Learnt]) -> None:
        self._in_use, self._learnt = in_use, learnt

    def is_vouched(self, device: DeviceKey) -> bool:
        """Whether a person here wrote this device into peer.toml, let it in by an invitation, or
        joined by one of its."""
        return self._origin(device) in (Origin.INVITED, Origin.JOINED) or self.may_found(device)

    def may_found(self, device: DeviceKey) -> bool:
        """The same, but for those who were let in here: perhaps they may only read."""
        return self._origin(device) is Origin.JOINED or self._in_use.is_written(device)

    def _origin(self, device: DeviceKey) -> Origin | None:
        learnt = self._learnt().device(device)
        return None if learnt is None else learnt.origin
