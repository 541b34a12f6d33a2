"""What several modules of this package use of the agent. Each names what else it uses itself."""

from __future__ import annotations

from typing import Protocol

from leftzmq.config import Config


class KnowsConfig(Protocol):
    """config: peer.toml together with what was learnt, as it is in use."""

    @property
    def config(self) -> Config: ...


class TellsRoster(Protocol):
    def tell_roster(self, folder: str) -> None:
        """Something was said in the roster of a folder: act on it, and tell the members."""
