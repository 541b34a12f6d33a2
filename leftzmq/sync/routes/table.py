"""The table that says which machine a fact goes to: one handler for each type of fact.

Knows types. Must not know what any fact means.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Protocol, TypeVar

from leftzmq.sync.actions import Outputs
from leftzmq.sync.apply.applier import Applier
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.facts import Fact
from leftzmq.sync.folder import Folder
from leftzmq.sync.link import DeviceKey, Link

Stir = Callable[[Applier | Downloader], None]
"""Marks a machine that is given many facts in a row: it goes on once, after the last of them."""


class OfFolder(Protocol):
    """A fact that names its folder."""

    @property
    def folder(self) -> str: ...


class OfLink(Protocol):
    """A fact that came over a link."""

    @property
    def link(self) -> Link: ...


F = TypeVar("F")
G = TypeVar("G", bound=OfFolder)
L = TypeVar("L", bound=OfLink)
Handler = Callable[[F, float], Outputs]
"""Every machine's method that takes a fact: on_<fact>(fact, now), now in monotonic seconds."""


class Routes:
    """The table.

    paired: the devices that may send us something.
    """

    def __init__(self, folders: Mapping[str, Folder], paired: Container[DeviceKey]) -> None:
        self._folders, self._paired = folders, paired
        self._handlers: dict[type, Callable[[Any, float], Outputs]] = {}

    def to(self, kind: type[F], handler: Handler[F]) -> None:
        assert kind not in self._handlers, f"{kind.__name__} goes somewhere already"
        self._handlers[kind] = handler

    def to_folder(self, kind: type[G], handler: Callable[[Folder], Handler[G]]) -> None:
        """Route facts of this type to a handler of the folder that the fact names. Facts of a
        stopped folder are dropped, because its jobs are no longer of use; so are those of one that
        is gone, whose watcher may have reported something a moment before."""

        def handle(fact: G, now: float) -> Outputs:
            folder = self._running(fact.folder)
            if folder is None:
                return []
            return folder.within(lambda: handler(folder)(fact, now))

        self.to(kind, handle)

    def _running(self, id: str) -> Folder | None:
        folder = self._folders.get(id)
        return None if folder is None or folder.stopped is not None else folder

    def to_shared(self, kind: type[G], handler: Handler[G]) -> None:
        """The same for a machine that all folders share. If an index fails within the handler, the
        hub handles the failure."""

        def handle(fact: G, now: float) -> Outputs:
            return [] if self._running(fact.folder) is None else handler(fact, now)

        self.to(kind, handle)

    def to_linked(self, kind: type[L], handler: Handler[L]) -> None:
        """Route facts of this type to the handler, if they come from paired devices."""
        paired = self._paired
        self.to(kind, lambda fact, now: handler(fact, now) if fact.link.device in paired else [])

    def follow(self, fact: Fact, now: float) -> Outputs:
        """Return what the fact's machine decides."""
        return self._handlers[type(fact)](fact, now)
