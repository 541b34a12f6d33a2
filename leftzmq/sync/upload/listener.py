"""Answers get messages: what to read for which device, how much at a time.

Knows what each device has requested and not received yet. Must not know where chunks lie (the
reading job finds them in the index) or how they are sealed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from leftzmq.content.epochs import Epochs
from leftzmq.content.lists import MAX_LIST_BYTES
from leftzmq.content.seal import MAC_BYTES
from leftzmq.errors import Refusal
from leftzmq.sync.actions import Drop, Outputs, Send, Work
from leftzmq.sync.facts import BytesDoubted, EpochBegan, RescanWanted
from leftzmq.sync.jobs import ChunksRead, Lane, ReadChunks, lane_of
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.wire.messages import Ask, Chunks, Get, Part, Want

MAX_CREDIT_BYTES: Final = 32 << 20
"""Bytes that a device may have requested and not received; sent in welcome."""
MAX_ASKS: Final = 16 << 10
"""Lists and chunks that a device may have requested and not received. Those of no bytes count,
too."""
READ_BYTES: Final = 1 << 20
MAX_EARLY_GETS: Final = 12
MAX_EARLY_ASKS: Final = 4096
"""Gets of one device, and chunks in them, under a tag that is not known yet: the secret of a new
epoch comes over another socket than the first get that names it."""
READS_AT_ONCE: Final = 4
"""Running jobs of one device in each lane. The others get their turn in between, however much one
device requests."""


@dataclass(slots=True)
class Asker:
    """A device that sends gets.

    owed: bytes requested and not answered; asks: the number of those lists and chunks
    reading: running jobs; queue: jobs that wait; both for each lane
    early: gets under a tag that is not known yet
    """

    owed: int = 0
    asks: int = 0
    reading: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    queue: dict[Lane, deque[ReadChunks]] = field(
        default_factory=lambda: {lane: deque() for lane in Lane}
    )
    early: list[tuple[Link, Get]] = field(default_factory=list)


class Listener:
    """One per agent.

    folder_of: returns the folder of a tag, if that device shares it with us
    may_come: whether a tag that nobody knows may be that of an epoch that this device is about to
        tell us
    epochs_of: returns the epochs of a folder
    excludes: whether a device was removed from a folder
    """

    def __init__(
        self,
        folder_of: Callable[[DeviceKey, bytes], str | None],
        may_come: Callable[[DeviceKey, bytes], bool],
        epochs_of: Callable[[str], Epochs],
        sent: Callable[[str, int], None],
        excludes: Callable[[str, DeviceKey], bool],
    ) -> None:
        self._folder_of, self._may_come, self._sent = folder_of, may_come, sent
        self._epochs_of, self._excludes = epochs_of, excludes
        self._askers: dict[DeviceKey, Asker] = {}

    def on_get(self, link: Link, get: Get) -> Outputs:
        device = link.device
        folder = self._folder_of(device, get.tag)
        if folder is None:
            # The folder is stopped, or not shared with this device: no response.
            if self._may_come(device, get.tag):
                _keep_early(self._askers.setdefault(device, Asker()), link, get)
            return []
        asker = self._askers.setdefault(device, Asker())
        size = len(get.lists) * MAX_LIST_BYTES
        size += sum(ask.length for want in get.wants for ask in want.asks)
        if asker.owed + size > MAX_CREDIT_BYTES:
            detail = f"{asker.owed + size} bytes, {MAX_CREDIT_BYTES} allowed"
            return [Drop(device, Refusal.TOO_GREEDY, detail)]
        jobs = _jobs(folder, link, get)
        asks = sum(job.asks for job in jobs)
        if asker.asks + asks > MAX_ASKS:
            return [Drop(device, Refusal.TOO_GREEDY, f"over {MAX_ASKS} chunks at once")]
        asker.owed += size
        asker.asks += asks
        for job in jobs:
            asker.queue[lane_of(job)].append(job)
        return self._go_on(asker)

    def on_chunks_read(self, fact: ChunksRead, now: float) -> Outputs:
        """Send what a job read, unless a device was removed meanwhile: this one, or another one
        that has the secret of this epoch. Files that the job found changed are scanned again."""
        out: Outputs = []
        epochs = self._epochs_of(fact.folder)
        if self._excludes(fact.folder, fact.link.device):
            pass
        elif not epochs.may_seal(fact.tag):
            ids = (*(id for id, _ in fact.parts), *fact.missing)
            out.append(_stale(fact.link, fact.number, epochs, ids))
        else:
            header = Chunks(
                fact.number,
                fact.tag,
                [Part(id, length) for id, length in fact.parts],
                list(fact.missing),
            )
            out.append(Send(fact.link, header, fact.body))
            self._sent(fact.folder, sum(length + MAC_BYTES for _, length in fact.parts))
        if fact.stale:
            paths = tuple(dict.fromkeys(doubt.path for doubt in fact.stale))
            out += [RescanWanted(fact.folder, paths), BytesDoubted(fact.folder, fact.stale)]
        asker = self._askers.get(fact.link.device)
        if asker is not None:
            asker.owed = max(0, asker.owed - fact.asked_bytes)
            asker.asks = max(0, asker.asks - fact.asks)
            lane = Lane.SMALL if fact.is_small else Lane.BULK
            asker.reading[lane] = max(0, asker.reading[lane] - 1)
            out += self._go_on(asker)
        return out

    def on_chunks_not_read(self, job: ReadChunks) -> Outputs:
        """The job failed, and its get is not answered."""
        asker = self._askers.get(job.link.device)
        if asker is None:
            return []
        _let_go(asker, job)
        lane = lane_of(job)
        asker.reading[lane] = max(0, asker.reading[lane] - 1)
        return self._go_on(asker)

    def on_epoch_began(self, fact: EpochBegan, now: float) -> Outputs:
        """Another epoch can be opened: answer gets that came before its secret, and say of those
        under a tag that may not be used any more that they are to be sent again."""
        out: Outputs = []
        for asker in self._askers.values():
            early, asker.early = asker.early, []
            for link, get in early:
                out += self.on_get(link, get)
            out += self._go_on(asker)
        return out

    def on_folder_stopped(self, folder: str) -> None:
        """Drop the waiting jobs of this folder. The devices send their gets again, or ask
        elsewhere."""
        for asker in self._askers.values():
            _drop_jobs(asker, folder)

    def on_member_excluded(self, device: DeviceKey, folder: str) -> None:
        """The device was removed from the folder: what it asked for is not read any more."""
        asker = self._askers.get(device)
        if asker is not None:
            _drop_jobs(asker, folder)

    def on_device_lost(self, device: DeviceKey) -> None:
        """Nobody waits for these responses any more."""
        self._askers.pop(device, None)

    def _go_on(self, asker: Asker) -> Outputs:
        """Start the jobs that may run. Each lane is separate, so a small read never waits behind a
        gigabyte."""
        out: Outputs = []
        for lane, queue in asker.queue.items():
            while queue and asker.reading[lane] < READS_AT_ONCE:
                job = queue.popleft()
                epochs = self._epochs_of(job.folder)
                if epochs.may_seal(job.tag):
                    asker.reading[lane] += 1
                    out.append(Work(job))
                else:
                    _let_go(asker, job)
                    wants = (ask.id for want in job.wants for ask in want.asks)
                    out.append(_stale(job.link, job.number, epochs, (*job.lists, *wants)))
        return out


def _stale(link: Link, number: int, epochs: Epochs, ids: Iterable[bytes]) -> Send:
    """Return the answer to (a part of) a get under a tag with which nothing is sealed any more: it
    names another tag, and the asker asks again when it has that epoch."""
    return Send(link, Chunks(number, epochs.stale_tag, [], list(ids)), b"")


def _keep_early(asker: Asker, link: Link, get: Get) -> None:
    asks = len(get.lists) + sum(len(want.asks) for want in get.wants)
    for _, early in asker.early:
        asks += len(early.lists) + sum(len(want.asks) for want in early.wants)
    if len(asker.early) < MAX_EARLY_GETS and asks <= MAX_EARLY_ASKS:
        asker.early.append((link, get))


def _drop_jobs(asker: Asker, folder: str) -> None:
    for queue in asker.queue.values():
        for job in [job for job in queue if job.folder == folder]:
            queue.remove(job)
            _let_go(asker, job)


def _let_go(asker: Asker, job: ReadChunks) -> None:
    asker.owed = max(0, asker.owed - job.asked_bytes)
    asker.asks = max(0, asker.asks - job.asks)


def _jobs(folder: str, link: Link, get: Get) -> list[ReadChunks]:
    """Split a get into reading jobs of at most READ_BYTES: each becomes one frame."""
    number, tag = get.number, get.tag
    jobs = [ReadChunks(folder, link, number, tag, (id,), (), MAX_LIST_BYTES) for id in get.lists]
    wants: list[Want] = []
    size = 0

    def close() -> None:
        nonlocal wants, size
        if wants:
            jobs.append(ReadChunks(folder, link, number, tag, (), tuple(wants), size))
        wants, size = [], 0

    for want in get.wants:
        begun: list[Ask] = []
        for ask in want.asks:
            if size + ask.length > READ_BYTES and (begun or wants):
                if begun:
                    wants.append(Want(want.content, begun))
                close()
                begun = []
            begun.append(ask)
            size += ask.length
        if begun:
            wants.append(Want(want.content, begun))
    close()
    return jobs
