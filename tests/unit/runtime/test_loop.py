"""The loop: sources of facts and their fairness, with made-up sources and a made-up clock."""

from __future__ import annotations

from collections import deque

import pytest

from leftzmq.disk.watcher import CookieReport as CookieReport
from leftzmq.disk.watcher import Lost, Touched, TouchReport
from leftzmq.errors import Away, Refusal
from leftzmq.runtime.frame_queue import TAKE_BELOW
from leftzmq.runtime.loop import TURN_S, Loop
from leftzmq.runtime.watch_inbox import WatchInbox
from leftzmq.sync import facts
from leftzmq.sync.facts import (
    CookieSeen,
    DialFailed,
    LinkClosed,
    LinkOpened,
    PathsTouched,
    StrangerRefused,
    TimePassed,
    WatchLost,
)
from leftzmq.sync.jobs import Flushed
from leftzmq.sync.link import DeviceKey, Link, Way

A, B = DeviceKey(b"A" * 32), DeviceKey(b"B" * 32)


class Sources:
    """All that the loop takes facts from; handling a fact takes `cost_s`."""

    def __init__(self) -> None:
        self.now, self.due, self.cost_s = 100.0, 200.0, 0.0
        self.lookups = 0
        self.frames: deque[object] = deque()
        self.answers: list[object] = []
        self.handled: list[object] = []
        self.polled_ms: list[int] = []
        self.redialed: list[DeviceKey] = []
        self.watch_inbox = WatchInbox(lambda: None)
        self.loop = Loop(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self.watch_inbox,
            self,  # type: ignore[arg-type]
            lambda raw: raw,  # type: ignore[arg-type,return-value]
            self.handle,
            self.deadline,
            lambda: self.now,
        )

    def deadline(self, now: float) -> float:
        self.lookups += 1
        return self.due

    def handle(self, fact: object) -> None:
        self.handled.append(fact)
        self.now += self.cost_s
        if isinstance(fact, TimePassed):
            self.due = self.now + 100.0

    def poll(self, timeout_ms: int) -> list[object]:
        self.polled_ms.append(timeout_ms)
        found = list(self.frames)
        self.frames.clear()
        return found

    def done(self) -> list[object]:
        answers, self.answers = self.answers, []
        return answers

    def clear(self) -> None:
        pass

    def redial(self, device: DeviceKey) -> None:
        self.redialed.append(device)

    def turn(self) -> list[object]:
        self.handled = []
        self.loop.turn()
        return self.handled


@pytest.fixture
def sources() -> Sources:
    return Sources()


def opened(device: DeviceKey, n: int = 0) -> LinkOpened:
    return LinkOpened(Link(device, Way.CAME, b"\0%4d" % n))


def test_it_waits_until_something_is_due_and_a_minute_at_most(sources: Sources) -> None:
    sources.due = sources.now + 2.5
    sources.turn()
    sources.due = sources.now + 1000.0
    sources.turn()
    sources.due = sources.now - 1.0
    sources.turn()
    assert sources.polled_ms == [2500, 60_000, 0]


def test_what_is_due_is_looked_up_once_a_turn_while_nothing_is(sources: Sources) -> None:
    sources.frames.append(opened(A))
    sources.turn()
    assert sources.lookups == 1
    sources.due = sources.now
    assert TimePassed() in sources.turn()
    assert sources.lookups == 3, "what was handled meanwhile may have put it off"


def test_every_source_is_heard_in_one_turn(sources: Sources) -> None:
    sources.answers = [Flushed("share", 1)]
    sources.frames.append(opened(A))
    sources.watch_inbox.reporter("share")(Touched("a", TouchReport.CLOSED))
    sources.loop.send_failed(Link(B, Way.DIALED))
    sources.due = sources.now
    kinds = [type(fact) for fact in sources.turn()]
    assert kinds == [Flushed, LinkOpened, PathsTouched, LinkClosed, TimePassed]
    assert sources.redialed == [B]


def test_what_a_turn_has_no_time_for_waits_for_the_next_one(sources: Sources) -> None:
    sources.cost_s = 0.6 * TURN_S
    sources.frames.extend(opened(A, n) for n in range(5))
    assert [sources.turn() for _ in range(3)] == [
        [opened(A, 0), opened(A, 1)],
        [opened(A, 2), opened(A, 3)],
        [opened(A, 4)],
    ]
    assert sources.polled_ms[1:] == [0, 0], "others may have come meanwhile, and have their turns"


def test_who_sends_much_keeps_another_one_waiting_for_one_message(sources: Sources) -> None:
    sources.cost_s = 0.6 * TURN_S
    sources.frames.extend(opened(A, n) for n in range(9))
    assert sources.turn() == [opened(A, 0), opened(A, 1)]
    sources.frames.append(opened(B))
    assert sources.turn() == [opened(A, 2), opened(B)]
    assert sources.turn() == [opened(A, 3), opened(A, 4)]


def test_nothing_more_is_taken_from_the_sockets_while_much_waits(sources: Sources) -> None:
    sources.cost_s = TURN_S
    sources.frames.extend(opened(A, n) for n in range(TAKE_BELOW + 2))
    for _ in range(3):
        sources.turn()
    assert len(sources.polled_ms) == 1
    for _ in range(3):
        sources.turn()
    assert len(sources.polled_ms) > 1


def test_a_frame_gets_its_turn_however_many_answers_there_are(sources: Sources) -> None:
    sources.cost_s = TURN_S
    sources.answers = [Flushed("share", n) for n in range(3)]
    sources.frames.extend([opened(A, 0), opened(A, 1)])
    assert sources.turn() == [Flushed("share", 0), opened(A, 0)]
    assert sources.turn() == [Flushed("share", 1), opened(A, 1)]
    assert sources.turn() == [Flushed("share", 2)]
    assert sources.polled_ms[-1] == 0, "an answer waited, and so did the loop"


def test_time_passes_at_the_latest_one_turn_late(sources: Sources) -> None:
    sources.cost_s = TURN_S
    sources.due = sources.now
    sources.frames.extend(opened(A, n) for n in range(3))
    assert sources.turn() == [opened(A, 0)]
    assert sources.turn() == [opened(A, 1), TimePassed()]


def test_what_was_read_of_a_device_is_forgotten_with_it(sources: Sources) -> None:
    sources.cost_s = TURN_S
    refused = StrangerRefused(A, Refusal.WRONG_SHAPE, "")
    sources.frames.extend(
        [opened(B), opened(A), refused, DialFailed(A, "", Away.NOBODY_ANSWERS), opened(B, 1)]
    )
    assert sources.turn() == [opened(B)]
    sources.loop.drop_device(A)
    assert sources.turn() == [opened(B, 1)]


def test_a_link_that_came_is_not_dialed_when_a_send_fails(sources: Sources) -> None:
    sources.loop.send_failed(Link(A, Way.CAME, b"\0abcd"))
    assert [type(fact) for fact in sources.turn()] == [LinkClosed]
    assert sources.redialed == []


def test_the_longest_turn_is_known(sources: Sources) -> None:
    sources.cost_s = 0.5
    sources.frames.append(opened(A))
    sources.turn()
    sources.turn()
    assert sources.loop.longest_turn_s == pytest.approx(0.5)


def test_touches_come_together_and_before_the_cookie_that_follows_them(sources: Sources) -> None:
    put = sources.watch_inbox.reporter("share")
    for report in (
        Touched("a", TouchReport.CLOSED),
        Touched("b", TouchReport.GONE),
        CookieReport("cookie-1"),
        Touched("c", TouchReport.MADE),
        Lost("sub", True, "why"),
    ):
        put(report)
    assert sources.turn() == [
        PathsTouched("share", (("a", facts.Touch.CLOSED), ("b", facts.Touch.GONE))),
        CookieSeen("share", "cookie-1"),
        WatchLost("share", "sub", True, "why"),
        PathsTouched("share", (("c", facts.Touch.MADE),)),
    ]
