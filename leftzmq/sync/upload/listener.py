"""Answers get messages: what to read for which device, how much at a time.

Knows what each device has requested and not received yet. Must not know where chunks lie (the
reading job finds them in the index) or how they are sealed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from leftzmq.bandwidth.throttle import Throttle
from leftzmq.content.epochs import Epochs
from leftzmq.content.lists import MAX_LIST_BYTES
from leftzmq.content.seal import MAC_BYTES
from leftzmq.errors import Refusal
from leftzmq.sync.actions import Drop, Outputs, Send, Work
from leftzmq.sync.download.requests import SILENT_ALONE_S
from leftzmq.sync.facts import BytesDoubted, EpochBegan, RescanWanted
from leftzmq.sync.jobs import ChunksRead, Lane, ReadChunks, lane_of
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.wire.messages import MAX_CHUNK_BYTES, Ask, Chunks, Get, Part, Want

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
GIVEN_UP_S: Final = SILENT_ALONE_S - 1.0
"""A little less than an asker waits at most, so that its queue here is shorter before it asks
again."""
READS_AT_ONCE: Final = 4
"""Running jobs of one device in each lane. The others get their turn in between, however much one
device requests."""


@dataclass(slots=True)
class OpenGet:
    """jobs: those of it that have not ended. heard: when it came, or the last part of its answer
    left (monotonic seconds)."""

    jobs: int
    heard: float


@dataclass(slots=True)
class Asker:
    """A device that sends gets.

    owed: bytes requested and not answered; asks: the number of those lists and chunks
    reading: running jobs; queue: jobs that wait; both for each lane
    early: gets under a tag that is not known yet
    open: gets that are not fully answered, by number
    """

    owed: int = 0
    asks: int = 0
    reading: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    queue: dict[Lane, deque[ReadChunks]] = field(
        default_factory=lambda: {lane: deque() for lane in Lane}
    )
    early: list[tuple[Link, Get]] = field(default_factory=list)
    open: dict[int, OpenGet] = field(default_factory=dict)

    @property
    def queued(self) -> Iterator[ReadChunks]:
        return chain.from_iterable(self.queue.values())


class Listener:
    """One per agent.

    folder_of: returns the folder of a tag, if that device shares it with us
    may_come: whether a tag that nobody knows may be that of an epoch that this device is about to
        tell us
    epochs_of: returns the epochs of a folder
    sent: called with a folder, a device and how many sealed bytes it is sent
    excludes: whether a device was removed from a folder
    throttle: the limits of what is given
    """

    def __init__(
        self,
        folder_of: Callable[[DeviceKey, bytes], str | None],
        may_come: Callable[[DeviceKey, bytes], bool],
        epochs_of: Callable[[str], Epochs],
        sent: Callable[[str, DeviceKey, int], None],
        excludes: Callable[[str, DeviceKey], bool],
        throttle: Throttle,
    ) -> None:
        self._throttle = throttle
        self._folder_of, self._may_come, self._sent = folder_of, may_come, sent
        self._epochs_of, self._excludes = epochs_of, excludes
        self._askers: dict[DeviceKey, Asker] = {}

    # -- questions -----------------------------------------------------------------------------

    def deadline(self, now: float) -> float | None:
        """Return when a limit lets the next job run (monotonic seconds)."""
        if not self._throttle.limits_any:
            return None
        return min(
            (
                self._throttle.ready_at(device, lane is Lane.SMALL, now)
                for device, asker in self._askers.items()
                for lane, queue in asker.queue.items()
                if queue and asker.reading[lane] < READS_AT_ONCE
            ),
            default=None,
        )

    def waits_for_limit(self, folder: str, now: float) -> bool:
        """Return whether contents of this folder would be given now if there were no limit."""
        return any(
            job.folder == folder and not self._throttle.lets(device, job.is_small, now)
            for device, asker in self._askers.items()
            for job in asker.queued
        )

    # -- facts ---------------------------------------------------------------------------------

    def on_get(self, link: Link, get: Get, now: float) -> Outputs:
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
        self._drop_given_up(asker, now)
        if asker.owed + size > MAX_CREDIT_BYTES:
            detail = f"{asker.owed + size} bytes, {MAX_CREDIT_BYTES} allowed"
            return [Drop(device, Refusal.TOO_GREEDY, detail)]
        most = self._throttle.slice_bytes(device)
        jobs = _jobs(folder, link, get, READ_BYTES if most is None else min(most, READ_BYTES))
        asks = sum(job.asks for job in jobs)
        if asker.asks + asks > MAX_ASKS:
            return [Drop(device, Refusal.TOO_GREEDY, f"over {MAX_ASKS} chunks at once")]
        asker.owed += size
        asker.asks += asks
        for job in jobs:
            asker.open.setdefault(get.number, OpenGet(0, now)).jobs += 1
            asker.queue[lane_of(job)].append(job)
        return self._go_on(asker, now)

    def on_chunks_read(self, fact: ChunksRead, now: float) -> Outputs:
        """Send what a job read, unless a device was removed meanwhile: this one, or another one
        that has the secret of this epoch. Files that the job found changed are scanned again."""
        out: Outputs = []
        sent = 0
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
            sealed_bytes = sum(length + MAC_BYTES for _, length in fact.parts)
            self._sent(fact.folder, fact.link.device, sealed_bytes)
            sent = sum(length for _, length in fact.parts)
        self._throttle.gave_back(fact.link.device, max(0, fact.content_bytes - sent), fact.is_small)
        if fact.stale:
            paths = tuple(dict.fromkeys(doubt.path for doubt in fact.stale))
            out += [RescanWanted(fact.folder, paths), BytesDoubted(fact.folder, fact.stale)]
        asker = self._askers.get(fact.link.device)
        if asker is not None:
            asker.owed = max(0, asker.owed - fact.asked_bytes)
            asker.asks = max(0, asker.asks - fact.asks)
            lane = Lane.SMALL if fact.is_small else Lane.BULK
            asker.reading[lane] = max(0, asker.reading[lane] - 1)
            _ended(asker, fact.number, now)
            out += self._go_on(asker, now)
        return out

    def on_chunks_not_read(self, job: ReadChunks, now: float) -> Outputs:
        """The job failed, and its get is not answered."""
        self._throttle.gave_back(job.link.device, job.content_bytes, job.is_small)
        asker = self._askers.get(job.link.device)
        if asker is None:
            return []
        _let_go(asker, job)
        lane = lane_of(job)
        asker.reading[lane] = max(0, asker.reading[lane] - 1)
        return self._go_on(asker, now)

    def on_epoch_began(self, fact: EpochBegan, now: float) -> Outputs:
        """Another epoch can be opened: answer gets that came before its secret, and say of those
        under a tag that may not be used any more that they are to be sent again."""
        out: Outputs = []
        # Behind a limit they take turns, and change places meanwhile (seed 64106719).
        for asker in list(self._askers.values()):
            early, asker.early = asker.early, []
            for link, get in early:
                out += self.on_get(link, get, now)
            out += self._go_on(asker, now)
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

    def go_on(self, now: float) -> Outputs:
        """Start the jobs that the limits let run: small ones first, and one of each device in turn.
        Without a limit all that may run are running."""
        out: Outputs = []
        if not self._throttle.limits_any:
            return out
        for lane in Lane:
            turns = deque(device for device, asker in self._askers.items() if asker.queue[lane])
            while turns:
                device = turns.popleft()
                asker = self._askers[device]
                if self._may_start(device, asker, lane, now):
                    out += self._start(asker, lane, now)
                    self._askers[device] = self._askers.pop(device)  # the others come first now
                    turns.append(device)
        return out

    def _go_on(self, asker: Asker, now: float) -> Outputs:
        """Start the jobs of one device that may run. Each lane is separate, so a small read never
        waits behind a gigabyte."""
        if self._throttle.limits_any:
            return self.go_on(now)  # the device may have to wait for others
        out: Outputs = []
        for lane, queue in asker.queue.items():
            while queue and asker.reading[lane] < READS_AT_ONCE:
                out += self._start(asker, lane, now)
        return out

    def _may_start(self, device: DeviceKey, asker: Asker, lane: Lane, now: float) -> bool:
        may = bool(asker.queue[lane]) and asker.reading[lane] < READS_AT_ONCE
        return may and self._throttle.lets(device, lane is Lane.SMALL, now)

    def _start(self, asker: Asker, lane: Lane, now: float) -> Outputs:
        """Start the next job of a device, if it still waits for that."""
        job = asker.queue[lane].popleft()
        if self._is_given_up(asker, job, now):
            _let_go(asker, job)
            return []
        epochs = self._epochs_of(job.folder)
        if epochs.may_seal(job.tag):
            asker.reading[lane] += 1
            self._throttle.took(job.link.device, job.content_bytes, job.is_small, now)
            return [Work(job)]
        _let_go(asker, job)
        wants = (ask.id for want in job.wants for ask in want.asks)
        return [_stale(job.link, job.number, epochs, (*job.lists, *wants))]

    def _is_given_up(self, asker: Asker, job: ReadChunks, now: float) -> bool:
        """Whether the device has waited for this in vain so long that it asks again: else what is
        slow already would be given twice."""
        get = asker.open.get(job.number)
        rate = self._throttle.rate(job.link.device)
        expected_s = (asker.owed + MAX_CHUNK_BYTES) / rate if rate else 0.0
        return get is not None and now >= get.heard + GIVEN_UP_S + expected_s

    def _drop_given_up(self, asker: Asker, now: float) -> None:
        for queue in asker.queue.values():
            while queue and self._is_given_up(asker, queue[0], now):
                _let_go(asker, queue.popleft())


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


def _ended(asker: Asker, number: int, now: float) -> None:
    """A job of this get ended."""
    get = asker.open.get(number)
    if get is not None:
        get.jobs, get.heard = get.jobs - 1, now
        if get.jobs <= 0:
            del asker.open[number]


def _let_go(asker: Asker, job: ReadChunks) -> None:
    """The job ends without an answer."""
    get = asker.open.get(job.number)
    if get is not None:
        _ended(asker, job.number, get.heard)
    asker.owed = max(0, asker.owed - job.asked_bytes)
    asker.asks = max(0, asker.asks - job.asks)


def _jobs(folder: str, link: Link, get: Get, most: int) -> list[ReadChunks]:
    """Split a get into reading jobs of at most `most` bytes or one chunk: each becomes one
    frame."""
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
            if size + ask.length > most and (begun or wants):
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
