"""Lines: one a second of each kind and device, then a count; the last one is never lost."""

from __future__ import annotations

from pathlib import Path

from sim.besieged import besieged, go_on

from leftzmq.cli.format.event_lines import line
from leftzmq.sync.actions import Tell
from leftzmq.sync.admin.event_batching import PERIOD_S, Lines
from leftzmq.wire.local import Event, EventKind


def up(device: str = "M") -> Tell:
    return Tell(EventKind.PEER_UP, {"device": device, "way": "came"})


def down(why: str, device: str = "M") -> Tell:
    return Tell(EventKind.PEER_DOWN, {"device": device, "why": why})


def problem(path: str, kind: str = "UNREADABLE", folder: str = "share") -> Tell:
    fields = {"folder": folder, "path": path, "problem": kind, "text": f"{path}: bad"}
    return Tell(EventKind.PROBLEM, fields)


def test_the_first_is_told_at_once_the_last_when_the_second_is_over() -> None:
    lines = Lines()
    assert lines.tell(down("0"), 10.0) == [down("0")]
    for n in range(1, 4313):
        assert lines.tell(down(str(n)), 10.5) == []
    assert lines.due(10.9) == []
    [told] = lines.due(10.0 + PERIOD_S)
    assert told == Tell(EventKind.PEER_DOWN, {"device": "M", "why": "4312", "more": 4311})
    assert "(and 4,311 more times)" in line(Event(told.kind, 1, 0.0, told.fields, 0.0))


def test_never_more_than_one_a_second_however_long_it_goes_on() -> None:
    lines, told = Lines(), 0
    for n in range(10_000):
        now = n / 1000
        told += len(lines.due(now)) + len(lines.tell(up(), now))
    assert told == 10


def test_devices_kinds_and_folders_do_not_wait_for_each_other() -> None:
    lines = Lines()
    each = [
        *(up("M"), up("N"), down("", "M"), problem("a"), problem("a", "SPECIAL")),
        *(problem("a", folder="other"), Tell(EventKind.HAVE_NEWS, {"device": "M", "paths": 3})),
    ]
    for tell in each:
        assert lines.tell(tell, 1.0) == [tell]
    for tell in each:
        assert lines.tell(tell, 1.1) == []
    assert lines.due(2.0) == each, "one that is alone is told as it was"


def test_what_was_last_is_told_last() -> None:
    lines = Lines()
    lines.tell(up(), 1.0)
    lines.tell(down(""), 1.1)
    for _ in range(5):
        lines.tell(down(""), 1.2)
        lines.tell(up(), 1.3)
    lines.tell(down(""), 1.4)
    kinds = [tell.kind for tell in lines.due(3.0)]
    assert kinds == [EventKind.PEER_UP, EventKind.PEER_DOWN]


def test_edits_and_what_concerns_a_whole_folder_are_never_held() -> None:
    lines = Lines()
    stopped = Tell(EventKind.PROBLEM, {"folder": "share", "path": "", "text": "gone"})
    scan = Tell(EventKind.SCAN, {"folder": "share", "path": "f"})
    for _ in range(3):
        assert lines.tell(stopped, 1.0) == [stopped] and lines.tell(scan, 1.0) == [scan]


def test_nothing_is_kept_of_what_is_over() -> None:
    lines = Lines()
    for n in range(1000):
        lines.tell(Tell(EventKind.REFUSED, {"device": f"{n}", "why": ""}), 1.0)
    lines.due(2.0)
    assert lines.deadline() is None


def test_what_is_held_at_the_end_is_told() -> None:
    lines = Lines()
    lines.tell(up(), 1.0)
    lines.tell(up(), 1.1)
    assert lines.rest() == [up()]


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
