"""Runs jobs in threads, in two lanes: a small edit never waits behind a large transfer.

Knows queues and threads. Must not know what a job does (work/runner), nor what follows from it.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from leftzmq.sync.jobs import Job, JobBroke, JobDone, JobStopped, Lane, lane_of

MAX_BROKEN_LETTERS: Final = 1_000
"""Of what an exception says: what a user is to do stands behind it."""

Answer = JobDone | JobStopped | JobBroke
Run = Callable[[Job], JobDone | JobStopped]


class Workers:
    """Runs every submitted job once. `done()` returns one answer for each job.

    run:   called in a worker's thread; an exception becomes a JobBroke
    wake:  called in a worker's thread after each answer
    small, bulk: number of threads of each lane. Jobs of a lane start in the order in which they
           were submitted. With one thread they also end in that order.

    clock: returns seconds

    `pending`: number of jobs of each lane that are submitted and not yet returned by `done()`.
    `busy_s`: seconds that threads spent, by type of the job, on those that `done()` returned. Only
    the thread that owns the loop may call the methods.
    """

    def __init__(
        self,
        run: Run,
        wake: Callable[[], None],
        small: int = 1,
        bulk: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._wake, self._clock = run, wake, clock
        self.busy_s: dict[type[Job], float] = {}
        self._waiting: dict[Lane, SimpleQueue[Job | None]] = {lane: SimpleQueue() for lane in Lane}
        self._answers: deque[tuple[type[Job], float, Lane, Answer]] = deque()
        self.pending = dict.fromkeys(Lane, 0)
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), name=f"{lane.name.lower()}-{n}")
            for lane, count in ((Lane.SMALL, small), (Lane.BULK, bulk))
            for n in range(count)
        ]
        for thread in self._threads:
            thread.daemon = True  # a job stuck in a dead disk must not keep the process alive
            thread.start()

    def submit(self, job: Job) -> None:
        assert not self._stopping, "a job after stop() would never be answered"
        lane = lane_of(job)
        self.pending[lane] += 1
        self._waiting[lane].put(job)

    def done(self) -> list[Answer]:
        """The answers that arrived since the last call, in their order."""
        answers = []
        while self._answers:
            kind, spent_s, lane, answer = self._answers.popleft()
            self.pending[lane] -= 1
            self.busy_s[kind] = self.busy_s.get(kind, 0.0) + spent_s
            answers.append(answer)
        return answers

    def stop(self, deadline_s: float) -> bool:
        """Let running jobs end, and drop the waiting ones. False: some still ran after
        `deadline_s` seconds."""
        self._stopping = True
        for lane, queue in self._waiting.items():
            try:
                while True:
                    # A None is from an earlier stop() that did not wait long enough.
                    self.pending[lane] -= queue.get_nowait() is not None
            except Empty:
                pass
        for queue in self._waiting.values():
            for _ in self._threads:
                queue.put(None)
        end = time.monotonic() + deadline_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, lane: Lane) -> None:
        queue = self._waiting[lane]
        while (job := queue.get()) is not None:
            began = self._clock()
            try:
                answer: Answer = self._run(job)
            except BaseException as error:  # whatever it is, the machine that asked needs an answer
                trace = "".join(traceback.format_exception(error))
                answer = JobBroke(job, broke_at(error), trace)
            self._answers.append((type(job), self._clock() - began, lane, answer))
            self._wake()
            del job, answer  # a buffer must not stay in memory until the next job


def broke_at(error: BaseException) -> str:
    """Return one line: what broke, and where."""
    text = "".join(traceback.format_exception_only(error)).strip()[:MAX_BROKEN_LETTERS]
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return text
    last = frames[-1]
    return f"{text} ({last.filename}:{last.lineno} in {last.name})"
