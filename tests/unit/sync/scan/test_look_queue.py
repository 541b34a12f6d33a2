"""Which paths are looked at, when, and once more: sync/scan/look_queue alone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from leftzmq.sync.scan.look_queue import (
    EDITS_MAX,
    LOOK_PATHS,
    LOOKS_AT_ONCE,
    RULES_FIRST_S,
    SETTLE_S,
    LookQueue,
)
from leftzmq.sync.scan.look_times import EDIT_S, TouchedPaths
from leftzmq.sync.versions.path_locks import LockOwner, PathLocks
from leftzmq.tree.entry import Kind, ScanKey


def over(look_queue: LookQueue, path: str, now: float) -> None:
    """The look at this path was answered, and nothing more is to be seen of it."""
    look_queue.answered()
    look_queue.not_looked_at(path)
    touched = look_queue.touched.pop(path)
    assert touched is not None
    look_queue.finish(path, touched, now)


def test_a_touch_during_a_look_counts_anew() -> None:
    locks = PathLocks()
    look_queue = LookQueue(locks)
    look_queue.touch("f", 1.0, closed=True, rest_s=0.0)
    assert look_queue.next_looks(1.0) == [("f",)]
    look_queue.touch("f", 1.01, closed=True)
    assert look_queue.next_looks(2.0) == [], "one look at a path at a time"
    over(look_queue, "f", 2.0)
    assert look_queue.first_due() == 2.0 + SETTLE_S and look_queue.next_looks(2.0) == []
    assert look_queue.next_looks(2.0 + SETTLE_S) == [("f",)]
    over(look_queue, "f", 3.0)
    assert not look_queue and locks.lock("f", LockOwner.APPLIER)


def test_an_edit_is_looked_at_at_once_and_the_next_one_when_it_has_rested() -> None:
    look_queue = LookQueue(PathLocks())
    look_queue.touch("f", 1.0, closed=False, rest_s=1.0)  # it is written,
    look_queue.edited("f", 1.1)  # and closed
    assert look_queue.next_looks(1.1) == []
    assert look_queue.next_looks(1.1 + EDIT_S) == [("f",)] and look_queue.edits(("f",)) == ("f",)
    look_queue.answered()
    look_queue.not_looked_at("f")
    touched = look_queue.touched.pop("f")
    assert touched is not None
    touched.edit = False
    touched.note(ScanKey(Kind.FILE, 1, 1, 0, 1, False, 1), 1.2)  # it was young
    look_queue.look_at("f", touched, 1.2 + SETTLE_S)
    look_queue.edited("f", 1.21)
    assert look_queue.edits(("f",)) == () and look_queue.first_due() == 1.2 + SETTLE_S
    assert look_queue.next_looks(1.2 + SETTLE_S) == [], "it was touched again, and rests"
    assert look_queue.next_looks(1.21 + SETTLE_S) == [("f",)]


def test_what_is_saved_while_it_is_looked_at_rests() -> None:
    look_queue = LookQueue(PathLocks())
    look_queue.edited("f", 1.0)
    assert look_queue.next_looks(1.0 + EDIT_S) == [("f",)]
    look_queue.edited("f", 1.01)
    over(look_queue, "f", 1.02)
    assert look_queue.next_looks(1.02) == [] and look_queue.edits(("f",)) == ()
    assert look_queue.next_looks(1.02 + SETTLE_S) == [("f",)]


def test_where_many_paths_wait_nothing_is_looked_at_twice() -> None:
    look_queue = LookQueue(PathLocks())
    for number in range(EDITS_MAX):
        assert look_queue.is_calm
        look_queue.touch(f"f{number}", 1.0, closed=True)
    assert not look_queue.is_calm
    look_queue.next_looks(2.0)
    assert not look_queue.is_calm, "they are being looked at"


def test_what_the_applier_works_at_is_looked_at_afterwards() -> None:
    locks = PathLocks()
    look_queue = LookQueue(locks)
    assert locks.lock("f", LockOwner.APPLIER)
    look_queue.touch("f", 1.0, closed=True, rest_s=0.0)
    assert look_queue.next_looks(1.0) == [] and look_queue and not look_queue.reading
    locks.release(("f",), LockOwner.APPLIER)
    assert look_queue.next_looks(1.0 + SETTLE_S) == [("f",)]


def test_what_went_with_its_folder_while_it_was_looked_at_is_looked_at_again() -> None:
    look_queue = LookQueue(PathLocks())
    for path in ("d/f", "dd"):
        look_queue.touch(path, 1.0, closed=True, rest_s=0.0)
    assert look_queue.next_looks(1.0) == [("d/f", "dd")]
    look_queue.look_again_below("d")
    look_queue.not_looked_at("dd")
    over(look_queue, "d/f", 2.0)
    assert look_queue.next_looks(2.0 + SETTLE_S) == [("d/f",)]


def test_so_many_looks_at_once_and_so_many_paths_a_look() -> None:
    look_queue = LookQueue(PathLocks())
    for number in range(LOOK_PATHS * LOOKS_AT_ONCE + 1):
        look_queue.touch(f"{number:04}", 1.0, closed=True, rest_s=0.0)
    begun = look_queue.next_looks(1.0)
    assert [len(paths) for paths in begun] == [LOOK_PATHS] * LOOKS_AT_ONCE
    assert look_queue.first_due() is None, "until one of them is answered"
    look_queue.answered()
    assert [len(paths) for paths in look_queue.next_looks(1.0)] == [1]


def test_a_file_that_is_written_all_the_time_is_come_back_to_once_a_second() -> None:
    look_queue = LookQueue(PathLocks(), patience_s=60.0)
    turns, now = 0, 0.0
    while now < 58.0:
        look_queue.touch("f", now, closed=False, rest_s=1.0)
        now += 0.005
        due = look_queue.first_due()
        assert due is not None
        if due <= now:
            turns += 1
            assert look_queue.next_looks(now) == []
    assert turns <= 61
    begun = [look_queue.next_looks(now + at) for at in (0.5, 0.99, 0.996, 2.0)]
    assert begun == [[], [], [("f",)], []], "a second after the last write"


@pytest.mark.parametrize("every_s", [0.005, 0.4, 0.9])
@pytest.mark.parametrize("closed", [False, True])
def test_whatever_is_touched_again_and_again_is_looked_at_right_after_a_touch_when_patience_is_over(
    every_s: float, closed: bool
) -> None:
    """Also names that are closed, deleted and made anew every few milliseconds."""
    look_queue = LookQueue(PathLocks(), patience_s=10.0)
    last = now = 0.0
    while not (begun := look_queue.next_looks(now)) or (closed and now < 8.0):
        if begun:
            over(look_queue, "f", now)
        if now >= last + every_s or now == 0.0:
            last = now
            look_queue.touch("f", now, closed=closed, rest_s=SETTLE_S if closed else 1.0)
        now += 0.001
        assert now < 11.0
    if not closed or every_s < SETTLE_S:
        assert 8.9 < now <= 10.0
        touched = look_queue.touched.get("f")
        assert touched is not None and touched.is_overdue(now)
    assert now - last < 2 * SETTLE_S or every_s < SETTLE_S


def test_what_is_written_for_long_keeps_nobody_waiting() -> None:
    look_queue, now = LookQueue(PathLocks()), 0.0
    while now < 3.0:
        look_queue.touch("f", now, closed=False, rest_s=1.0)
        now += 0.4
    assert look_queue and not look_queue.busy
    look_queue.touch("g", now, closed=True)
    assert look_queue.busy and look_queue.touched.first_eager("") == "g"


def test_another_touch_brings_a_look_nearer_that_was_far_off() -> None:
    look_queue = LookQueue(PathLocks())
    look_queue.touch("f", 0.0, closed=False, rest_s=1.0)
    assert look_queue.next_looks(1.0) == [("f",)]
    look_queue.answered()
    look_queue.not_looked_at("f")
    touched = look_queue.touched.get("f")
    assert touched is not None
    touched.rest_s = 8.0
    look_queue.look_at("f", touched, touched.rested(1.0))
    assert look_queue.first_due() == 9.0
    look_queue.touch("f", 2.0, closed=False)
    assert look_queue.first_due() == 2.0 + SETTLE_S


def test_a_close_brings_a_look_forward_and_what_was_put_off_comes_once() -> None:
    look_queue = LookQueue(PathLocks())
    look_queue.touch("f", 0.0, closed=False, rest_s=1.0)
    look_queue.touch("f", 0.5, closed=False, rest_s=1.0)
    look_queue.touch("f", 0.6, closed=True, rest_s=0.0)
    assert look_queue.first_due() == 0.6 and look_queue.next_looks(0.6) == [("f",)]
    over(look_queue, "f", 0.7)
    look_queue.touch("f", 2.0, closed=False, rest_s=1.0)
    assert look_queue.next_looks(2.0) == [], "what was its place before leads nowhere"
    assert look_queue.next_looks(3.0) == [("f",)]
    assert look_queue.first_due() is None


def test_another_file_under_the_name_is_waited_for_as_if_it_were_the_first() -> None:
    now, patience_s = 100.0, 10.0
    touched = TouchedPaths(patience_s).new(now, closed=False)
    one = ScanKey(Kind.FILE, 1, 1, 1, 7, False, 1)
    assert not touched.saw(one, patience_s, now)
    for size in (2, 3, 4):
        assert touched.saw(replace(one, size=size), patience_s, now)
    assert touched.rest_s == 8.0 and touched.slow
    touched.state_taken(one, now + 10.0)
    assert touched.bound == now + 30.0, "doubled"
    assert not touched.saw(replace(one, inode=8), patience_s, now + 11.0)
    assert touched.rest_s == 1.0 and touched.bound == now + 21.0


def test_what_a_file_of_rules_may_ignore_is_looked_at_after_it() -> None:
    look_queue = LookQueue(PathLocks())
    for path in ("d/x", "other", "d/.leftignore", "d/e/y"):
        look_queue.touch(path, 1.0, closed=True, rest_s=0.0)
    assert look_queue.next_looks(1.0) == [("other", "d/.leftignore")]
    assert look_queue.next_looks(1.5) == []
    over(look_queue, "d/.leftignore", 2.0)
    assert look_queue.next_looks(2.0) == [("d/x", "d/e/y")]


def test_what_waits_for_rules_that_do_not_stand_still_waits_for_so_long_and_costs_no_turns() -> (
    None
):
    look_queue = LookQueue(PathLocks())
    look_queue.touch(".leftignore", 1.0, closed=False, rest_s=0.0)
    for number in range(100):
        look_queue.touch(f"{number}", 1.0, closed=True, rest_s=0.0)
    now, turns = 1.0, 0
    while (due := look_queue.first_due()) is not None and due < 1.0 + RULES_FIRST_S:
        now, turns = max(now, due), turns + 1
        for paths in look_queue.next_looks(now):
            assert paths == (".leftignore",)
            look_queue.answered()
            touched = look_queue.touched.get(".leftignore")
            assert touched is not None
            look_queue.not_looked_at(".leftignore")
            look_queue.look_at(".leftignore", touched, now + 1.0)
    assert turns < 15
    (first, second) = look_queue.next_looks(1.0 + RULES_FIRST_S)
    assert len(first) + len(second) > 100
