"""What was taken from the sockets and is not handed out yet: of each device one thing in its turn.

A device that sends much keeps what others send waiting for one of its messages, not for all of
them. Knows whose a message is and how long. Must not know what is in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from leftzmq.sync.facts import BulkRestored, DialFailed, LinkClosed, LinkOpened, StrangerRefused
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.frames import Raw, RawFrame

TAKE_BELOW: Final = 256
"""Where more waits, nothing is taken from the sockets: what is there costs its sender a connection
that does not take any more, and us no memory."""
TAKE_BELOW_BYTES: Final = 4 << 20


class FrameQueue:
    """In the order in which each device's came."""

    def __init__(self) -> None:
        self._of: dict[DeviceKey | None, deque[Raw]] = {}  # first that of whose turn it is
        self._count = self._bytes = 0

    def __len__(self) -> int:
        return self._count

    @property
    def has_room(self) -> bool:
        return self._count < TAKE_BELOW and self._bytes < TAKE_BELOW_BYTES

    def extend(self, some: Iterable[Raw]) -> None:
        for raw in some:
            self._of.setdefault(_device_of(raw), deque()).append(raw)
            self._count += 1
            self._bytes += _length(raw)

    def pop(self) -> Raw:
        """The next one. There is one."""
        device = next(iter(self._of))
        waiting = self._of.pop(device)
        raw = waiting.popleft()
        if waiting:
            self._of[device] = waiting
        self._count -= 1
        self._bytes -= _length(raw)
        return raw

    def forget(self, device: DeviceKey) -> None:
        """What is of this device is not handed out any more."""
        for raw in self._of.pop(device, ()):
            self._count -= 1
            self._bytes -= _length(raw)


def _device_of(raw: Raw) -> DeviceKey | None:
    """None: of nobody."""
    match raw:
        case RawFrame(link) | LinkOpened(link) | LinkClosed(link):
            return link.device
        case StrangerRefused(of) | DialFailed(of) | BulkRestored(of):
            return of
    return None


def _length(raw: Raw) -> int:
    return sum(map(len, raw.frames)) if isinstance(raw, RawFrame) else 0
