"""Frames that were taken from the sockets and are not handled yet, one per device in turn.

A device that sends much delays another device's message by one of its own messages, not by all of
them. Knows the device and the length of a message. Must not know what is in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from leftzmq.sync.facts import (
    BulkRestored,
    ConnectionsGone,
    DialFailed,
    LinkClosed,
    LinkOpened,
    StrangerRefused,
)
from leftzmq.sync.link import DeviceKey
from leftzmq.transport.frames import Raw, RawFrame

TAKE_BELOW: Final = 256
"""At or above this, nothing is taken from the sockets. The frames stay in the sender's connection,
which then accepts no more, and take no memory here."""
TAKE_BELOW_BYTES: Final = 4 << 20


class FrameQueue:
    """Keeps the order of the frames of each device."""

    def __init__(self) -> None:
        self._of: dict[DeviceKey | None, deque[Raw]] = {}  # the device whose turn it is comes first
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
        """Return the next frame. The queue must not be empty."""
        device = next(iter(self._of))
        waiting = self._of.pop(device)
        raw = waiting.popleft()
        if waiting:
            self._of[device] = waiting
        self._count -= 1
        self._bytes -= _length(raw)
        return raw

    def drop_device(self, device: DeviceKey) -> None:
        """Drop the frames of this device."""
        for raw in self._of.pop(device, ()):
            self._count -= 1
            self._bytes -= _length(raw)


def _device_of(raw: Raw) -> DeviceKey | None:
    """Return the device; None if the event belongs to no device."""
    match raw:
        case RawFrame(link) | LinkOpened(link) | LinkClosed(link):
            return link.device
        case StrangerRefused(of) | DialFailed(of) | BulkRestored(of) | ConnectionsGone(of):
            return of
    return None


def _length(raw: Raw) -> int:
    return sum(map(len, raw.frames)) if isinstance(raw, RawFrame) else 0
