"""What a watcher reports faster than the loop takes it is left out, and that is said."""

from __future__ import annotations

import pytest

from leftzmq.disk.watcher import CookieReport as CookieReport
from leftzmq.disk.watcher import Touched
from leftzmq.disk.watcher.reports import TouchReport as Said
from leftzmq.runtime import watch_inbox
from leftzmq.runtime.watch_inbox import WatchInbox
from leftzmq.sync.facts import CookieSeen, Fact, PathsTouched, WatchLost

MOST = 100


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> WatchInbox:
    monkeypatch.setattr(watch_inbox, "REPORTS_MAX", MOST)
    monkeypatch.setattr(watch_inbox, "REPORTS_A_TURN", MOST // 4)
    return WatchInbox(lambda: None)


def taken(waiting: WatchInbox) -> list[Fact]:
    facts: list[Fact] = []
    while waiting:
        facts += waiting.facts()
    return facts


def kinds(facts: list[Fact]) -> list[type]:
    return [type(fact) for fact in facts]


def test_of_too_many_touches_some_are_left_out_and_everything_is_walked(
    waiting: WatchInbox,
) -> None:
    put = waiting.reporter("share")
    for number in range(3 * MOST):
        put(Touched(f"f{number}", Said.MADE))
    facts = taken(waiting)
    touched = sum(len(fact.touches) for fact in facts if isinstance(fact, PathsTouched))
    lost = [fact for fact in facts if isinstance(fact, WatchLost)]
    assert touched == MOST
    assert [(fact.prefix, fact.polled) for fact in lost] == [("", False)]
    assert not taken(waiting), "it is said once"


def test_it_is_said_before_what_came_behind_them(waiting: WatchInbox) -> None:
    """Who waits for his cookie is not told that all is in sync before the walk."""
    put = waiting.reporter("share")
    for number in range(MOST):
        put(Touched(f"f{number}", Said.MADE))
    put(Touched("left out", Said.MADE))
    put(CookieReport("cookie-1"))
    found = kinds(taken(waiting))
    assert found.index(WatchLost) < found.index(CookieSeen) == len(found) - 1


def test_fewer_are_all_there(waiting: WatchInbox) -> None:
    put = waiting.reporter("share")
    for number in range(MOST):
        put(Touched(f"f{number}", Said.MADE))
    assert set(kinds(taken(waiting))) == {PathsTouched}


def test_of_a_watcher_that_is_heard_no_more_nothing_is_said(waiting: WatchInbox) -> None:
    put = waiting.reporter("share")
    for number in range(2 * MOST):
        put(Touched(f"f{number}", Said.MADE))
    waiting.reporter("share")
    assert not taken(waiting)
