"""Lines: one a second of each kind and device, then a count; the last one is never lost."""

from __future__ import annotations

from pathlib import Path

from leftzmq.cli.format.event_lines import line
from leftzmq.sync.actions import Tell
from leftzmq.sync.admin.event_batching import PERIOD_S, EventBatching
from leftzmq.wire.local import Event, EventKind
from tests.sim.besieged import besieged, go_on


def up(device: str = "M") -> Tell:
    return Tell(EventKind.PEER_UP, {"device": device, "way": "came"})


def down(why: str, device: str = "M") -> Tell:
    return Tell(EventKind.PEER_DOWN, {"device": device, "why": why})


def problem(path: str, kind: str = "UNREADABLE", folder: str = "share") -> Tell:
    fields = {"folder": folder, "path": path, "problem": kind, "text": f"{path}: bad"}
    return Tell(EventKind.PROBLEM, fields)


def test_the_first_is_told_at_once_the_last_when_the_second_is_over() -> None:
    event_batching = EventBatching()
    assert event_batching.tell(down("0"), 10.0) == [down("0")]
    for n in range(1, 4313):
        assert event_batching.tell(down(str(n)), 10.5) == []
    assert event_batching.due(10.9) == []
    [told] = event_batching.due(10.0 + PERIOD_S)
    assert told == Tell(EventKind.PEER_DOWN, {"device": "M", "why": "4312", "more": 4311})
    assert "(and 4,311 more times)" in line(Event(told.kind, 1, 0.0, told.fields, 0.0))


def test_never_more_than_one_a_second_however_long_it_goes_on() -> None:
    event_batching, told = EventBatching(), 0
    for n in range(10_000):
        now = n / 1000
        told += len(event_batching.due(now)) + len(event_batching.tell(up(), now))
    assert told == 10


def test_devices_kinds_and_folders_do_not_wait_for_each_other() -> None:
    event_batching = EventBatching()
    each = [
        *(up("M"), up("N"), down("", "M"), problem("a"), problem("a", "SPECIAL")),
        *(problem("a", folder="other"), Tell(EventKind.HAVE_NEWS, {"device": "M", "paths": 3})),
    ]
    for tell in each:
        assert event_batching.tell(tell, 1.0) == [tell]
    for tell in each:
        assert event_batching.tell(tell, 1.1) == []
    assert event_batching.due(2.0) == each, "one that is alone is told as it was"


def test_what_was_last_is_told_last() -> None:
    event_batching = EventBatching()
    event_batching.tell(up(), 1.0)
    event_batching.tell(down(""), 1.1)
    for _ in range(5):
        event_batching.tell(down(""), 1.2)
        event_batching.tell(up(), 1.3)
    event_batching.tell(down(""), 1.4)
    kinds = [tell.kind for tell in event_batching.due(3.0)]
    assert kinds == [EventKind.PEER_UP, EventKind.PEER_DOWN]


def test_edits_and_what_concerns_a_whole_folder_are_never_held() -> None:
    event_batching = EventBatching()
    stopped = Tell(EventKind.PROBLEM, {"folder": "share", "path": "", "text": "gone"})
    scan = Tell(EventKind.SCAN, {"folder": "share", "path": "f"})
    for _ in range(3):
        assert event_batching.tell(stopped, 1.0) == [stopped] and event_batching.tell(
            scan, 1.0
        ) == [scan]


def test_nothing_is_kept_of_what_is_over() -> None:
    event_batching = EventBatching()
    for n in range(1000):
        event_batching.tell(Tell(EventKind.REFUSED, {"device": f"{n}", "why": ""}), 1.0)
    event_batching.due(2.0)
    assert event_batching.deadline() is None


def test_what_is_held_at_the_end_is_told() -> None:
    event_batching = EventBatching()
    event_batching.tell(up(), 1.0)
    event_batching.tell(up(), 1.1)
    assert event_batching.rest() == [up()]


def test_hello_and_bye_as_fast_as_they_come_are_two_lines_a_second(tmp_path: Path) -> None:
    with besieged(tmp_path) as world:
        world.arrive()
        go_on(world)
        a = world.devices["A"]
        a.events.clear()
        began = world.now
        for n in range(40):
            world.after(n * 0.1, lambda: world.hostile.greet(a))
            world.after(n * 0.1 + 0.05, lambda: world.hostile.hang_up(a))
        go_on(world, 6.0)
        kinds = (EventKind.PEER_UP, EventKind.PEER_DOWN, EventKind.REFUSED)
        told = [tell for tell in a.events if tell.kind in kinds]
        assert 2 <= len(told) <= 3 * (world.now - began + 1)
        assert a.node.status()["peers"][-1]["name"] == "M"
