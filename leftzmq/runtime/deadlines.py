"""Small machines of the agent as a whole: each does one thing when its time has come.

What a signal asked for, where this device is reached, whether the door can be opened, how much
memory is used. Knows deadlines. Must not know sockets, folders or devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from leftzmq.content.memory import resident_bytes, trim
from leftzmq.errors import LeftError

NOTICED_S: Final = 1.0
DOOR_S: Final = 10.0
DOOR_AGAIN_S: Final = 0.5
LOOK_PERIOD_S: Final = 2.0
"""How often our addresses are looked at; a device that moves is met again within 5 s."""
MEMORY_CEILING_BYTES: Final = 1 << 30
"""A paired device can make libzmq hold more memory than any option limits (docs/design.md, "Who may
talk, and what a stranger can do"). Above this the server sockets are bound anew, which frees that
memory."""
MEMORY_CHECK_S: Final = 10.0


class SignalsHeard:
    """What signals asked for, until the loop comes by. Three methods may be called from a signal's
    handler or another thread: `stop`, `read_peers` and `ignored`. wake: wakes the loop."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.stopping = False
        self._ignored: set[str] = set()
        self._silent_until: dict[str, float] = {}
        self._peers_are_due = False
        self._next_read = 0.0

    def stop(self) -> None:
        self.stopping = True
        self._wake()

    def read_peers(self) -> None:
        """peer.toml is to be read again, soon."""
        self._peers_are_due = True
        self._wake()

    def ignored(self, name: str) -> None:
        """A signal of this name arrived, and changes nothing."""
        self._ignored.add(name)
        self._wake()

    def deadline(self) -> float | None:
        """Return when peer.toml is to be read (monotonic seconds)."""
        return self._next_read if self._peers_are_due else None

    def take_ignored(self, now: float) -> list[str]:
        """Return the names of ignored signals to report: each at most once in NOTICED_S."""
        found = []
        while self._ignored:
            name = self._ignored.pop()
            if now >= self._silent_until.get(name, 0.0):
                self._silent_until[name] = now + NOTICED_S
                found.append(name)
        return found

    def take_read_peers(self, now: float) -> bool:
        """Whether peer.toml is to be read now: at most once in NOTICED_S."""
        if not self._peers_are_due or now < self._next_read:
            return False
        self._peers_are_due, self._next_read = False, now + NOTICED_S
        return True


class DoorAgain:
    """Opens the door for invitations from before, once at a start. Its port may be held a moment
    longer by the agent that was here before.

    open: opens it if there are such invitations; raises LeftError
    """

    def __init__(self, open: Callable[[], None]) -> None:
        self._open = open
        self._due, self._until = -math.inf, math.inf

    def deadline(self) -> float:
        return self._due

    def tick(self, now: float) -> list[str]:
        """Try, if it is time. Return a sentence when it was given up."""
        if now < self._due:
            return []
        self._until = min(self._until, now + DOOR_S)
        try:
            self._open()
        except LeftError as error:
            if now < self._until:
                self._due = now + DOOR_AGAIN_S
                return []
            self._due = math.inf
            return [f"the invitations that are open cannot be used: {error}"]
        self._due = math.inf
        return []


class AddressLook:
    """Looks now and then where this device is reached: nobody reports that.

    addresses: returns the endpoints as text, best first
    """

    def __init__(self, addresses: Callable[[], tuple[str, ...]]) -> None:
        self._addresses = addresses
        self._next = 0.0
        self._last: tuple[str, ...] | None = None

    def deadline(self) -> float:
        return self._next

    def tick(self, now: float) -> tuple[str, ...] | None:
        """Return the endpoints if they are others now; at the first time they are."""
        if now < self._next:
            return None
        self._next = now + LOOK_PERIOD_S
        found = self._addresses()
        if found == self._last:
            return None
        self._last = found
        return found


class MemoryCheck:
    """Looks now and then how much memory is used. It has no deadline: a loop that turns every
    LOOK_PERIOD_S is often enough.

    rebind: binds the server sockets anew; used, trim: return and give back bytes of this process
    """

    def __init__(
        self,
        rebind: Callable[[], None],
        used: Callable[[], int] = resident_bytes,
        trim: Callable[[], object] = trim,
    ) -> None:
        self._rebind, self._used, self._trim = rebind, used, trim
        self._next = 0.0

    def tick(self, now: float) -> list[str]:
        """Return a sentence if the sockets were bound anew."""
        if now < self._next:
            return []
        self._next = now + MEMORY_CHECK_S
        used = self._used()
        if used > MEMORY_CEILING_BYTES:
            self._trim()
            used = self._used()
        if used <= MEMORY_CEILING_BYTES:
            return []
        self._rebind()
        return [f"{used >> 20} MiB in memory: the sockets were bound anew"]
