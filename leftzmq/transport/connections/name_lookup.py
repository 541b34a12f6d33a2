"""Looks up whether the host name of a dialed device has another address now, and whether the device
has left the old address.

Knows the resolver, which may take long and so has a thread of its own. Must not know what follows
from an answer. A connection over which nothing is sent does not show that the other end has left.
The device cannot tell us either if it has no address of ours.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from queue import SimpleQueue
from typing import Final

from msgspec import Struct

from leftzmq.sync.link import DeviceKey
from leftzmq.transport.connections.ends import ConnectionEnds

ANSWER_S: Final = 1.5
"""For a device at the old address to answer: several round trips, and a lost packet."""


class LookedUpName(Struct, frozen=True):
    """host: as the config has it; ends: of the connection that was made with it."""

    device: DeviceKey
    host: str
    ends: ConnectionEnds

    def leads_elsewhere(self) -> bool:
        """Return whether the name leads to another address. May take as long as the resolver, plus
        ANSWER_S. False if the old address still answers: some names have several addresses in
        turn."""
        try:
            found = socket.getaddrinfo(self.host, None, self.ends.family, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return False
        if any(address[0] == self.ends.there[0] for *_, address in found):
            return False
        try:
            with socket.socket(self.ends.family) as caller:
                caller.settimeout(ANSWER_S)
                caller.connect(self.ends.there)
        except OSError:
            return True
        return False


class NameLookup:
    """All methods but the lookup itself are for the thread that owns the sockets."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[LookedUpName | None] = SimpleQueue()
        self._answers: deque[tuple[LookedUpName, bool]] = deque()
        self._under_way: set[DeviceKey] = set()
        self._thread: threading.Thread | None = None  # made late: most configs have no names

    def ask(self, name: LookedUpName) -> None:
        """Queue a lookup. At most one lookup for each device runs at a time."""
        if name.device in self._under_way:
            return
        self._under_way.add(name.device)
        self._asked.put(name)
        if self._thread is None:
            # A resolver that does not answer must not delay the end of the agent.
            self._thread = threading.Thread(target=self._work, name="names", daemon=True)
            self._thread.start()

    def elsewhere(self) -> list[LookedUpName]:
        """Return the names that were found to lead to another address since the last call."""
        found = []
        while self._answers:
            name, elsewhere = self._answers.popleft()
            self._under_way.discard(name.device)
            if elsewhere:
                found.append(name)
        return found

    def close(self) -> None:
        self._asked.put(None)

    def _work(self) -> None:
        while (name := self._asked.get()) is not None:
            self._answers.append((name, name.leads_elsewhere()))
