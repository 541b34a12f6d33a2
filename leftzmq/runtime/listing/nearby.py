"""Which devices are near: what agents in the local network announce, as long as it is remembered.

Knows announcements, and forgets the oldest beyond a bound. Must not know which devices are ours
until it is asked, nor what is done with an address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from leftzmq.config import Endpoint
from leftzmq.transport.local_network.neighbours import HeardAgent

MOST_AROUND: Final = 64
MOST_HEARD: Final = 4


class Announced(Protocol):
    """This agent as it is announced in the network, until it is closed."""

    def close(self) -> None: ...


class Nearby:
    """One per agent.

    announce: announces this agent, and calls what it is given in a thread of its own for each agent
        that is heard of; returns None if nothing is to be announced
    wake: wakes the loop
    """

    def __init__(
        self,
        announce: Callable[[Callable[[HeardAgent], None]], Announced | None],
        wake: Callable[[], None],
    ) -> None:
        self._announce, self._wake = announce, wake
        self._announced: Announced | None = None
        self._heard: deque[HeardAgent] = deque()
        self._around: dict[str, HeardAgent] = {}  # by its random name

    def meet(self) -> None:
        """Announce this agent in the network in which it is now, under another random name."""
        self.close()
        self._announced = self._announce(self._on_heard)

    def close(self) -> None:
        """Announce this agent no more."""
        if self._announced is not None:
            self._announced.close()
            self._announced = None

    def take(self) -> bool:
        """Take in what was heard since the last time. Return whether there was anything."""
        if not self._heard:
            return False
        while self._heard:
            agent = self._heard.popleft()
            self._around.pop(agent.name, None)
            self._around[agent.name] = agent
            if len(self._around) > MOST_AROUND:
                del self._around[next(iter(self._around))]
        return True

    def places_of(self, device: bytes) -> tuple[Endpoint, ...]:
        """Return where a device was heard of, latest last: the last MOST_HEARD places. So what is
        known of it does not change when it announces itself once more. device: its key, 32
        bytes."""
        found = [
            endpoint
            for agent in self._around.values()
            if agent.is_of(device)
            for endpoint in agent.endpoints
        ]
        return tuple(dict.fromkeys(found))[-MOST_HEARD:]

    def _on_heard(self, agent: HeardAgent) -> None:
        """Called in the thread of the announcement."""
        self._heard.append(agent)
        self._wake()
