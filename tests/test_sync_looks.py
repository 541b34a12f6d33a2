"""Which paths are looked at, when, and once more: sync/scan/look_queue alone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from leftzmq.sync.scan.look_queue import LOOK_PATHS, LOOKS_AT_ONCE, SETTLE_S, Looks
from leftzmq.sync.scan.touched_paths import WaitingPaths
from leftzmq.sync.versions.path_locks import Claimant, Claims
from leftzmq.tree.entry import Kind, ScanKey


def over(looks: Looks, path: str, now: float) -> None:
    """The look at this path was answered, and nothing more is to be seen of it."""
    looks.answered()
    looks.left(path)
    waiting = looks.waiting.pop(path)
    assert waiting is not None
    looks.finish(path, waiting, now)


def test_a_touch_during_a_look_counts_anew() -> None:
    claims = Claims()
    looks = Looks(claims)
    looks.wait("f", 1.0, closed=True, rest_s=0.0)
    assert looks.begin(1.0) == [("f",)]
    looks.wait("f", 1.01, closed=True)
    assert looks.begin(2.0) == [], "one look at a path at a time"
    over(looks, "f", 2.0)
    assert looks.first_due() == 2.0 + SETTLE_S and looks.begin(2.0) == []
    assert looks.begin(2.0 + SETTLE_S) == [("f",)]
    over(looks, "f", 3.0)
    assert not looks and claims.take("f", Claimant.APPLIER)


def test_what_the_applier_works_at_is_looked_at_afterwards() -> None:
    claims = Claims()
    looks = Looks(claims)
    assert claims.take("f", Claimant.APPLIER)
    looks.wait("f", 1.0, closed=True, rest_s=0.0)
    assert looks.begin(1.0) == [] and looks and not looks.reading
    claims.release(("f",), Claimant.APPLIER)
    assert looks.begin(1.0 + SETTLE_S) == [("f",)]


def test_what_went_with_its_folder_while_it_was_looked_at_is_looked_at_again() -> None:
    looks = Looks(Claims())
    for path in ("d/f", "dd"):
        looks.wait(path, 1.0, closed=True, rest_s=0.0)
    assert looks.begin(1.0) == [("d/f", "dd")]
    looks.look_again_below("d")
    looks.left("dd")
    over(looks, "d/f", 2.0)
    assert looks.begin(2.0 + SETTLE_S) == [("d/f",)]


def test_so_many_looks_at_once_and_so_many_paths_a_look() -> None:
    looks = Looks(Claims())
    for number in range(LOOK_PATHS * LOOKS_AT_ONCE + 1):
        looks.wait(f"{number:04}", 1.0, closed=True, rest_s=0.0)
    begun = looks.begin(1.0)
    assert [len(paths) for paths in begun] == [LOOK_PATHS] * LOOKS_AT_ONCE
    assert looks.first_due() is None, "until one of them is answered"
    looks.answered()
    assert [len(paths) for paths in looks.begin(1.0)] == [1]


def test_a_file_that_is_written_all_the_time_is_come_back_to_once_a_second() -> None:
    looks = Looks(Claims(), patience_s=60.0)
    turns, now = 0, 0.0
    while now < 58.0:
        looks.wait("f", now, closed=False, rest_s=1.0)
        now += 0.005
        due = looks.first_due()
        assert due is not None
        if due <= now:
            turns += 1
            assert looks.begin(now) == []
    assert turns <= 61
    begun = [looks.begin(now + at) for at in (0.5, 0.99, 0.996, 2.0)]
    assert begun == [[], [], [("f",)], []], "a second after the last write"


@pytest.mark.parametrize("every_s", [0.005, 0.4, 0.9])
@pytest.mark.parametrize("closed", [False, True])
def test_whatever_is_touched_again_and_again_is_looked_at_right_after_a_touch_when_patience_is_over(
    every_s: float, closed: bool
) -> None:
    """Also names that are closed, deleted and made anew every few milliseconds."""
    looks = Looks(Claims(), patience_s=10.0)
    last = now = 0.0
    while not (begun := looks.begin(now)) or (closed and now < 8.0):
        if begun:
            over(looks, "f", now)
        if now >= last + every_s or now == 0.0:
            last = now
            looks.wait("f", now, closed=closed, rest_s=SETTLE_S if closed else 1.0)
        now += 0.001
        assert now < 11.0
    if not closed or every_s < SETTLE_S:
        assert 8.9 < now <= 10.0
        waiting = looks.waiting.get("f")
        assert waiting is not None and waiting.is_overdue(now)
    assert now - last < 2 * SETTLE_S or every_s < SETTLE_S


def test_what_is_written_for_long_keeps_nobody_waiting() -> None:
    looks, now = Looks(Claims()), 0.0
    while now < 3.0:
        looks.wait("f", now, closed=False, rest_s=1.0)
        now += 0.4
    assert looks and not looks.busy
    looks.wait("g", now, closed=True)
    assert looks.busy and looks.waiting.first_eager("") == "g"


def test_another_touch_brings_a_look_nearer_that_was_far_off() -> None:
    looks = Looks(Claims())
    looks.wait("f", 0.0, closed=False, rest_s=1.0)
    assert looks.begin(1.0) == [("f",)]
    looks.answered()
    looks.left("f")
    waiting = looks.waiting.get("f")
    assert waiting is not None
    waiting.rest_s = 8.0
    looks.look_at("f", waiting, waiting.rested(1.0))
    assert looks.first_due() == 9.0
    looks.wait("f", 2.0, closed=False)
    assert looks.first_due() == 2.0 + SETTLE_S


def test_a_close_brings_a_look_forward_and_what_was_put_off_comes_once() -> None:
    looks = Looks(Claims())
    looks.wait("f", 0.0, closed=False, rest_s=1.0)
    looks.wait("f", 0.5, closed=False, rest_s=1.0)
    looks.wait("f", 0.6, closed=True, rest_s=0.0)
    assert looks.first_due() == 0.6 and looks.begin(0.6) == [("f",)]
    over(looks, "f", 0.7)
    looks.wait("f", 2.0, closed=False, rest_s=1.0)
    assert looks.begin(2.0) == [], "what was its place before leads nowhere"
    assert looks.begin(3.0) == [("f",)]
    assert looks.first_due() is None


def test_another_file_under_the_name_is_waited_for_as_if_it_were_the_first() -> None:
    now, patience_s = 100.0, 10.0
    waiting = WaitingPaths(patience_s).new(now, closed=False)
    one = ScanKey(Kind.FILE, 1, 1, 1, 7, False, 1)
    assert not waiting.saw(one, patience_s, now)
    for size in (2, 3, 4):
        assert waiting.saw(replace(one, size=size), patience_s, now)
    assert waiting.rest_s == 8.0 and waiting.slow
    waiting.taken(one, now + 10.0)
    assert waiting.bound == now + 30.0, "doubled"
    assert not waiting.saw(replace(one, inode=8), patience_s, now + 11.0)
    assert waiting.rest_s == 1.0 and waiting.bound == now + 21.0
