"""Gets of many devices: one that asks for all it may keeps nobody else waiting for long."""

from __future__ import annotations

from collections import deque

import pytest

from leftzmq.bandwidth.throttle import Throttle
from leftzmq.bandwidth.timetable import parse_timetable
from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import derive_epoch, derive_keys
from leftzmq.sync.actions import Action, Send, Work
from leftzmq.sync.facts import EpochBegan, Fact
from leftzmq.sync.jobs import ChunksRead, ReadChunks
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.upload.listener import (
    GIVEN_UP_S,
    MAX_ASKS,
    MAX_CREDIT_BYTES,
    MAX_EARLY_ASKS,
    MAX_EARLY_GETS,
    READS_AT_ONCE,
    Listener,
)
from leftzmq.wire.messages import Ask, Chunks, Get, Want

EPOCHS = Epochs(derive_keys(bytes(32)).first)
TAG = EPOCHS.tag
GREEDY, HONEST = (Link(DeviceKey(name * 32), Way.CAME) for name in (b"g", b"h"))


def want(number: int, size: int, count: int = 1) -> Want:
    ids = [(number * 1024 + at).to_bytes(32, "big") for at in range(count)]
    return Want(number.to_bytes(32, "big"), [Ask(id, at * size, size) for at, id in enumerate(ids)])


class Serving:
    """The listener with one worker, which does one job at a time in the order they came."""

    def __init__(self) -> None:
        self.throttle = Throttle()
        self.now = 0.0
        self.listener = Listener(
            lambda device, tag: "share",
            lambda device, tag: False,
            lambda folder: EPOCHS,
            lambda *more: None,
            lambda folder, device: False,
            self.throttle,
        )
        self.waiting: deque[ReadChunks] = deque()
        self.answered: list[DeviceKey] = []

    def asks(self, link: Link, *gets: Get) -> None:
        for get in gets:
            self._do(self.listener.on_get(link, get, self.now))

    def work(self) -> None:
        job = self.waiting.popleft()
        ids = tuple(ask.id for want in job.wants for ask in want.asks)
        parts, missing = (), (*job.lists, *ids)
        asked, content, asks = job.asked_bytes, job.content_bytes, job.asks
        read = ChunksRead(
            *(job.folder, job.link, job.number, job.tag, parts, missing, b"", ()),
            asked,
            content,
            asks,
            job.is_small,
        )
        self._do(self.listener.on_chunks_read(read, self.now))

    def _do(self, out: list[Action | Fact]) -> None:
        for each in out:
            if isinstance(each, Work) and isinstance(each.job, ReadChunks):
                self.waiting.append(each.job)
            elif isinstance(each, Send):
                self.answered.append(each.link.device)
            else:
                raise AssertionError(each)


FLOODS = {
    "small files": [Get(n, TAG, [], [want(n, 10)]) for n in range(2000)],
    "many of them a get": [
        Get(n, TAG, [], [want(n * 1000 + at, 10) for at in range(1000)]) for n in range(16)
    ],
    "lists": [Get(n, TAG, [n.to_bytes(32, "big")], []) for n in range(60)],
    "chunks of large files": [Get(n, TAG, [], [want(n, 1 << 16, 4)]) for n in range(100)],
    "of no bytes": [Get(n, TAG, [], [want(n, 0)]) for n in range(MAX_ASKS)],
}


@pytest.mark.parametrize("flood", FLOODS)
def test_who_asks_for_all_it_may_is_a_few_jobs_ahead_at_most(flood: str) -> None:
    serving = Serving()
    serving.asks(GREEDY, *FLOODS[flood])
    serving.asks(HONEST, Get(1, TAG, [], [want(1, 4096)]))
    for _ in range(2 * READS_AT_ONCE + 1):
        serving.work()
    assert HONEST.device in serving.answered
    while serving.waiting:
        serving.work()
    assert len(serving.answered) >= len(FLOODS[flood]) + 1, "and the flood is answered, too"


def test_a_small_file_never_waits_for_chunks_of_large_ones_of_the_same_device() -> None:
    serving = Serving()
    serving.asks(GREEDY, *FLOODS["chunks of large files"], Get(999, TAG, [], [want(1, 4096)]))
    assert any(job.number == 999 for job in serving.waiting)


# -- limits ---------------------------------------------------------------------------------------


class Limited(Serving):
    """A listener that gives 1 MB a second."""

    def __init__(self) -> None:
        super().__init__()
        self.throttle.set_timetables(parse_timetable("1 MB/s", ""), {})
        self.throttle.look(0, 0.0)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self._do(self.listener.go_on(self.now))

    def ready_at(self) -> float:
        return self.throttle.ready_at(GREEDY.device, False, self.now)


def test_behind_a_limit_what_is_read_at_once_is_short() -> None:
    serving = Limited()
    serving.asks(GREEDY, Get(1, TAG, [], [want(1, 1 << 16, 16)]))
    assert [job.content_bytes for job in serving.waiting] == [3 << 16]
    assert serving.listener.deadline(0.0) == pytest.approx((3 << 16) / 1e6)
    serving.pass_by(0.1)
    assert len(serving.waiting) == 1
    serving.pass_by(0.1)
    assert len(serving.waiting) == 2


def test_what_is_not_there_costs_nothing_of_a_limit() -> None:
    serving = Limited()
    serving.asks(GREEDY, Get(1, TAG, [], [want(1, 1 << 20)]))
    assert serving.ready_at() == pytest.approx(1.05, abs=0.01)
    serving.work()  # it is answered as missing
    assert serving.ready_at() == 0.0


def test_what_was_asked_for_so_long_ago_that_it_is_asked_for_again_is_not_read() -> None:
    serving = Limited()
    serving.asks(GREEDY, *(Get(n, TAG, [], [want(n, 1 << 20, 2)]) for n in range(4)))
    late_s = GIVEN_UP_S + (4 << 21) / 1e6
    assert len(serving.waiting) == 1
    serving.pass_by(late_s)
    assert len(serving.waiting) == 2, "not given up yet"
    serving.pass_by(60.0)
    assert len(serving.waiting) == 2
    assert serving.listener.deadline(serving.now) is None, "nothing is left"
    serving.asks(GREEDY, Get(9, TAG, [], [want(9, 1 << 20)]))
    assert serving.waiting[-1].number == 9


def test_what_waits_too_long_is_not_counted_when_more_is_asked_for() -> None:
    serving = Limited()
    many = MAX_CREDIT_BYTES >> 20
    serving.asks(GREEDY, *(Get(n, TAG, [], [want(n, 1 << 19, 2)]) for n in range(many)))
    serving.now = GIVEN_UP_S + (many + 1) * 1.05
    serving.asks(GREEDY, Get(99, TAG, [], [want(99, 1 << 19, 2)]))  # else TOO_GREEDY


def test_who_waits_for_a_limit_may_change_places_while_an_epoch_begins() -> None:
    serving = Limited()
    for link in (GREEDY, HONEST):
        serving.asks(link, Get(1, TAG, [], [want(1, 1 << 16, 16)]))
    serving.now += 1.0
    serving._do(serving.listener.on_epoch_began(EpochBegan("share"), serving.now))
    assert {job.link.device for job in serving.waiting} == {GREEDY.device, HONEST.device}


def test_a_folder_waits_for_a_limit_while_something_of_it_is_held_back() -> None:
    serving = Limited()
    serving.asks(GREEDY, Get(1, TAG, [], [want(1, 1 << 20, 2)]))
    assert serving.listener.waits_for_limit("share", 0.5)
    assert not serving.listener.waits_for_limit("other", 0.5)
    assert not serving.listener.waits_for_limit("share", 1.1)


# -- epochs ---------------------------------------------------------------------------------------


class Renewed(Serving):
    """A listener of a folder with another epoch; the first one may not be used any more."""

    def __init__(self) -> None:
        super().__init__()
        self.throttle = Throttle()
        self.now = 0.0
        self.epochs = Epochs(derive_keys(bytes(32)).first)
        self.keys = derive_epoch(b"e" * 32)
        self.sent: list[Chunks] = []
        self.listener = Listener(
            lambda device, tag: "share" if self.epochs.keys(tag) else None,
            lambda device, tag: device == HONEST.device and self.epochs.keys(tag) is None,
            lambda folder: self.epochs,
            lambda *more: None,
            lambda folder, device: False,
            Throttle(),
        )

    def begins(self) -> None:
        self.epochs.hold(b"e" * 32)
        self.epochs.use(frozenset((self.keys.tag,)), self.keys.tag)
        self._do(self.listener.on_epoch_began(EpochBegan("share"), 0.0))

    def _do(self, out: list[Action | Fact]) -> None:
        self.sent += [
            each.message
            for each in out
            if isinstance(each, Send) and isinstance(each.message, Chunks)
        ]
        super()._do(out)


def test_what_was_asked_under_an_old_tag_is_asked_anew_whatever_was_done_for_it() -> None:
    """Queued, being read, and after the new epoch began: nothing is sealed for it any more."""
    serving = Renewed()
    many = [Get(n, TAG, [bytes([n]) * 32], [want(n, 1 << 16, 4)]) for n in range(12)]
    serving.asks(HONEST, *many)
    read = len(serving.waiting)
    assert 0 < read < 24
    serving.begins()
    while serving.waiting:
        serving.work()
    serving.asks(HONEST, Get(99, TAG, [], [want(99, 10)]))
    assert all(sent.tag == serving.keys.tag and not sent.parts for sent in serving.sent)
    ids = [id for sent in serving.sent for id in sent.missing]
    asked = [id for get in many for id in get.lists]
    asked += [ask.id for get in many for each in get.wants for ask in each.asks]
    asked += [ask.id for ask in want(99, 10).asks]
    assert sorted(ids) == sorted(asked), "each once"
    (asker,) = serving.listener._askers.values()
    assert (asker.owed, asker.asks) == (0, 0) and not any(asker.reading.values())


def test_a_get_that_came_before_the_secret_of_its_tag_is_kept_up_to_a_bound() -> None:
    serving = Renewed()
    few = [Get(n, serving.keys.tag, [], [want(n, 10)]) for n in range(MAX_EARLY_GETS + 5)]
    serving.asks(HONEST, *few)
    serving.asks(GREEDY, *few)
    assert not serving.waiting and not serving.sent
    serving.begins()
    while serving.waiting:
        serving.work()
    assert {sent.tag for sent in serving.sent} == {serving.keys.tag}
    assert serving.answered == [HONEST.device] * MAX_EARLY_GETS


def test_early_gets_are_bounded_by_their_chunks_too_and_go_with_their_device() -> None:
    serving = Renewed()
    large = [Get(n, serving.keys.tag, [], [want(n, 0, 1024)]) for n in range(6)]
    serving.asks(HONEST, *large)
    (asker,) = serving.listener._askers.values()
    assert len(asker.early) == MAX_EARLY_ASKS // 1024
    serving.listener.on_device_lost(HONEST.device)
    serving.begins()
    assert not serving.waiting and not serving.sent
