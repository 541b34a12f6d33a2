"""Over which connections something came since they were last looked at.

Knows descriptors, and one epoll set of them: where nothing comes, nobody is woken and nothing is
looked at. Must not know whose they are, nor what follows. Linux only; elsewhere nothing is ever
seen to come, and what libzmq holds cannot be asked for either (transport/connections/limits).
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import Final

_ONCE: Final = select.EPOLLIN | select.EPOLLONESHOT if hasattr(select, "epoll") else 0


class Activity:
    """`fd` is readable when something came over a descriptor that is watched; None: not here.

    A descriptor is told of once, and again only when it is watched again: bulk would wake us a
    thousand times a second. When it is closed the kernel forgets it by itself.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll() if _ONCE else None
        self._seen: set[int] = set()

    @property
    def fd(self) -> int | None:
        return None if self._epoll is None else self._epoll.fileno()

    def watch(self, descriptor: int) -> None:
        """From now on, what libzmq has not read yet included. Nothing happens if it is gone."""
        if self._epoll is None:
            return
        with suppress(OSError):
            try:
                self._epoll.register(descriptor, _ONCE)
            except FileExistsError:
                self._epoll.modify(descriptor, _ONCE)

    def take_note(self) -> tuple[()]:
        """To be called when `fd` is readable."""
        if self._epoll is not None:
            self._seen.update(descriptor for descriptor, _ in self._epoll.poll(0))
        return ()

    @property
    def is_seen(self) -> bool:
        """Whether something came that `take` has not told."""
        return bool(self._seen)

    def take(self) -> set[int]:
        """Those over which something came; they are not watched until `watch`."""
        found, self._seen = self._seen, set()
        return found

    def close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
