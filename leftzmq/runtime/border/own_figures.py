"""What the agent knows of itself and no machine does, for the answer to `metrics`: its loop, its
threads, its descriptors, the files of its indexes.

Knows which part counts what. Must not know what a figure is called, nor what the machines count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from leftzmq import __version__
from leftzmq.index.flush import index_bytes, log_bytes
from leftzmq.sync.admin.metrics import AgentFigures
from leftzmq.sync.folder import Folder
from leftzmq.sync.jobs import CutSlice, Job, Look
from leftzmq.transport.platform import descriptors, open_descriptors

_HASHING: Final = (Look, CutSlice)
"""The jobs that read what may have changed."""


class CountsTurns(Protocol):
    """What is used of the loop."""

    @property
    def turns(self) -> int: ...

    @property
    def longest_turn_s(self) -> float: ...


class CountsJobs(Protocol):
    """What is used of the threads."""

    @property
    def busy_s(self) -> Mapping[type[Job], float]: ...


class CountsStrangers(Protocol):
    """What is used of the bus."""

    @property
    def strangers_refused(self) -> int: ...


class OwnFigures:
    """One per agent. began: when it was started (unix seconds). folders: as they are at any
    time."""

    def __init__(
        self,
        began: float,
        loop: CountsTurns,
        workers: CountsJobs,
        bus: CountsStrangers,
        folders: Mapping[str, Folder],
        count_open: Callable[[], int | None] = open_descriptors,
    ) -> None:
        self._began, self._loop, self._workers, self._bus = began, loop, workers, bus
        self._folders, self._count_open = folders, count_open

    def now(self) -> AgentFigures:
        return AgentFigures(
            version=__version__,
            began=self._began,
            turns=self._loop.turns,
            longest_turn_s=self._loop.longest_turn_s,
            hash_s=sum(self._workers.busy_s.get(kind, 0.0) for kind in _HASHING),
            strangers_refused=self._bus.strangers_refused,
            open_descriptors=self._count_open(),
            max_descriptors=descriptors(),
            index_bytes=dict(self._index_bytes()),
        )

    def _index_bytes(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Nothing of a folder whose index could not be opened."""
        for folder in self._folders.values():
            size = index_bytes(folder.store.file)
            if size is not None:
                yield folder.id, (size, log_bytes(folder.store.file))
