"""Two lanes of threads, and the wake-up that makes the loop look at their answers."""

from __future__ import annotations

import select
import threading
import time

import pytest

from leftzmq.runtime.wake import Wake
from leftzmq.sync.jobs import Flush, Flushed, JobBroke, Lane, Walk, Walked
from leftzmq.work.threads import Workers

DEADLINE_S = 5.0


def small(n: int) -> Flush:
    return Flush("share", n)


def bulk(n: int) -> Walk:
    return Walk("share", n, "")


def answer_to(job):
    if isinstance(job, Flush):
        return Flushed(job.folder, job.head)
    return Walked(job.folder, job.walk, "", (), 0, (), (), True)


def is_readable(descriptor: int, wait_ms: int = 0) -> bool:
    """By poll: select takes no descriptor above 1023."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(wait_ms))


class Yard:
    """Workers whose bulk jobs wait until they are let go, and their answers so far."""

    def __init__(self) -> None:
        self.go, self.wake, self.answers, self.began = threading.Event(), Wake(), [], []
        self.workers = Workers(self.run, self.wake.signal)

    def run(self, job):
        self.began.append(job)
        if isinstance(job, Walk):
            assert self.go.wait(DEADLINE_S)
        if job == small(666):
            raise ValueError("a number that we do not like")
        return answer_to(job)

    def gather(self, count: int) -> list:
        deadline = time.monotonic() + DEADLINE_S
        while len(self.answers) < count:
            assert time.monotonic() < deadline, f"{len(self.answers)} of {count} answers came"
            is_readable(self.wake.fd, 100)
            self.wake.clear()
            self.answers += self.workers.done()
        return self.answers


@pytest.fixture
def yard():
    yard = Yard()
    yield yard
    yard.go.set()
    assert yard.workers.stop(DEADLINE_S)
    yard.wake.close()


def test_every_job_has_one_answer_in_the_order_of_its_lane(yard):
    for n in range(100):
        yard.workers.submit(small(n))
    assert yard.gather(100) == [Flushed("share", n) for n in range(100)]
    assert yard.workers.done() == []


def test_how_long_threads_were_busy_with_each_kind_of_job():
    now, wake = [0.0], Wake()
    took_s = {small(1): 2.0, small(2): 3.0, small(666): 5.0, bulk(1): 7.0}

    def run(job):
        now[0] += took_s[job]
        if job == small(666):
            raise ValueError("a job that breaks takes its time, too")
        return answer_to(job)

    workers = Workers(run, wake.signal, clock=lambda: now[0])
    assert workers.busy_s == {}
    for job in took_s:  # one after the other, as they have one clock
        workers.submit(job)
        assert is_readable(wake.fd, 5_000)
        wake.clear()
        assert len(workers.done()) == 1
    assert workers.busy_s == {Flush: 10.0, Walk: 7.0}
    assert workers.stop(DEADLINE_S)
    wake.close()


def test_an_edit_is_not_behind_blocked_bulk(yard):
    for n in range(5):
        yard.workers.submit(bulk(n))
    yard.workers.submit(small(1))
    assert yard.gather(1) == [Flushed("share", 1)]
    assert yard.workers.pending == {Lane.SMALL: 0, Lane.BULK: 5}
    yard.go.set()
    yard.gather(6)
    assert yard.workers.pending == {Lane.SMALL: 0, Lane.BULK: 0}


def test_a_job_that_raises_is_answered_and_the_next_one_runs(yard):
    yard.workers.submit(small(666))
    yard.workers.submit(small(1))
    broke, fine = yard.gather(2)
    assert isinstance(broke, JobBroke) and broke.job == small(666)
    assert broke.why.startswith("ValueError: a number that we do not like (")
    assert __file__ in broke.why and broke.why.endswith("in run)")
    assert broke.trace.startswith("Traceback") and broke.trace.count(" line ") >= 2
    assert fine == Flushed("share", 1)


def test_stop_lets_running_jobs_end_and_drops_those_that_wait(yard):
    for n in range(5):
        yard.workers.submit(bulk(n))
    deadline = time.monotonic() + DEADLINE_S
    while len(yard.began) < 2:
        assert time.monotonic() < deadline
    assert not yard.workers.stop(0.05)
    yard.go.set()
    assert yard.workers.stop(DEADLINE_S)
    assert sorted(job.walk for job in yard.began) == [0, 1]
    assert sorted(done.walk for done in yard.workers.done()) == [0, 1]
    assert yard.workers.pending == {Lane.SMALL: 0, Lane.BULK: 0}


def test_signals_that_come_together_are_one_and_none_is_lost():
    wake = Wake()
    for _ in range(3):
        for _ in range(100_000):
            wake.signal()
        assert is_readable(wake.fd)
        wake.clear()
        assert not is_readable(wake.fd)
    wake.close()
    wake.signal()


def test_no_answer_is_missed_under_load(yard):
    yard.go.set()
    for n in range(2000):
        yard.workers.submit(small(n) if n % 2 else bulk(n))
    assert len(yard.gather(2000)) == 2000
