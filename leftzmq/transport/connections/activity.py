"""Tells over which watched connections bytes arrived since the last check.

Knows descriptors, and one epoll set of them: while nothing arrives, the loop is not woken and
nothing is checked. Must not know whose descriptors they are, nor what follows. Linux only. On other
systems no activity is ever reported; there the system cannot tell what libzmq holds, either
(transport/connections/limits).
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import Final

_ONCE: Final = select.EPOLLIN | select.EPOLLONESHOT if hasattr(select, "epoll") else 0


class Activity:
    """`fd` is readable when bytes arrived over a watched descriptor. None: not supported here.

    A descriptor is reported once, and again only after it is watched again: bulk would otherwise
    wake the loop a thousand times a second. The kernel removes a descriptor from the set when it is
    closed.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll() if _ONCE else None
        self._seen: set[int] = set()

    @property
    def fd(self) -> int | None:
        return None if self._epoll is None else self._epoll.fileno()

    def watch(self, descriptor: int) -> None:
        """Watch a descriptor from now on. Bytes that libzmq has not read yet count. Does nothing if
        it is closed."""
        if self._epoll is None:
            return
        with suppress(OSError):
            try:
                self._epoll.register(descriptor, _ONCE)
            except FileExistsError:
                self._epoll.modify(descriptor, _ONCE)

    def take_note(self) -> tuple[()]:
        """Collect the ready descriptors. To be called when `fd` is readable."""
        if self._epoll is not None:
            self._seen.update(descriptor for descriptor, _ in self._epoll.poll(0))
        return ()

    @property
    def is_seen(self) -> bool:
        """Whether there is activity that `take` has not returned."""
        return bool(self._seen)

    def active(self) -> set[int]:
        """Return the descriptors with activity. They are not watched until the next call of
        `watch`."""
        found, self._seen = self._seen, set()
        return found

    def close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
