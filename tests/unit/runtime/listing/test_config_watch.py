"""When peer.toml is read again by itself: stamps and a clock of the test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leftzmq.runtime.listing.config_watch import (
    LOOK_PERIOD_S,
    MISSING_S,
    TAKES_AWAY_S,
    ConfigWatch,
    FileStamp,
    WatchVerdict,
    stamp_of,
)

ONE, TWO, THREE = FileStamp(1, 100, 5), FileStamp(1, 100, 6), FileStamp(2, 100, 5)
READ, TAKE, LOST = WatchVerdict.READ, WatchVerdict.TAKE_OVER, WatchVerdict.SAY_LOST


class Watched:
    """A file with a stamp, and its watch, which begins when ONE was read."""

    def __init__(self) -> None:
        self.stamp: FileStamp | None = ONE
        self.now = 100.0
        self.watch = ConfigWatch(lambda: self.stamp)
        self.read()

    def read(self) -> None:
        self.watch.about_to_read()
        self.watch.was_read()

    def becomes(self, stamp: FileStamp | None) -> WatchVerdict | None:
        """The file is this one; return the verdict of the next look."""
        self.stamp = stamp
        return self.looks()

    def looks(self, seconds: float = LOOK_PERIOD_S) -> WatchVerdict | None:
        """Return the first verdict within so many seconds."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, max(self.now, self.watch.deadline()) + LOOK_PERIOD_S / 4)
            verdict = self.watch.tick(self.now)
            if verdict is not None:
                return verdict
        return None

    def waits(self) -> float:
        """Return after how many seconds the file is to be taken over."""
        began = self.now
        assert self.looks(3 * TAKES_AWAY_S) is TAKE
        return self.now - began


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_file_that_stays_is_not_read(watched: Watched) -> None:
    assert watched.looks(50 * LOOK_PERIOD_S) is None


def test_at_the_beginning_the_file_is_read_because_it_may_have_changed() -> None:
    watch = ConfigWatch(lambda: ONE)
    assert watch.tick(100.0) is None and watch.tick(100.0 + LOOK_PERIOD_S) is READ
    watch.was_read()
    assert watch.tick(101.0 + LOOK_PERIOD_S) is None


@pytest.mark.parametrize("other", [TWO, THREE, FileStamp(1, 101, 5)])
def test_another_file_is_read_when_it_stood_still(watched: Watched, other: FileStamp) -> None:
    watched.stamp = other
    assert watched.looks(3 * LOOK_PERIOD_S) is READ
    assert watched.now >= 100.0 + LOOK_PERIOD_S
    watched.watch.was_read()
    assert watched.looks(50.0) is None


def test_a_file_that_is_written_again_and_again_is_read_once_after_the_last_time(
    watched: Watched,
) -> None:
    for number in range(20):
        assert watched.becomes(FileStamp(1, number, number)) is None
    assert watched.looks(3 * LOOK_PERIOD_S) is READ


def test_it_is_not_looked_at_more_often_than_needed(watched: Watched) -> None:
    watched.watch.tick(watched.now)
    watched.stamp = TWO
    assert watched.watch.tick(watched.now + LOOK_PERIOD_S / 2) is None
    assert watched.watch.deadline() == watched.now + LOOK_PERIOD_S


def test_a_file_that_changed_while_it_was_read_is_read_once_more(watched: Watched) -> None:
    watched.stamp = TWO
    assert watched.looks(3.0) is READ
    watched.stamp = THREE
    watched.watch.was_read()
    assert watched.looks(3.0) is READ


def test_a_file_that_is_as_it_was_needs_no_reading(watched: Watched) -> None:
    watched.becomes(TWO)
    watched.becomes(ONE)
    assert watched.looks(50.0) is None


def test_a_file_that_is_not_there_is_being_written_and_after_a_while_that_is_said_once(
    watched: Watched,
) -> None:
    watched.stamp = None
    assert watched.looks(MISSING_S - LOOK_PERIOD_S) is None
    assert watched.looks(3 * LOOK_PERIOD_S) is LOST
    assert watched.looks(100.0) is None
    assert watched.becomes(ONE) is None and watched.looks(50.0) is None, "it is as it was"
    watched.stamp = None
    assert watched.looks(2 * MISSING_S) is LOST


def test_a_file_that_is_replaced_is_read_when_the_new_one_stood_still(watched: Watched) -> None:
    assert watched.becomes(None) is None
    watched.stamp = THREE
    assert watched.looks(3 * LOOK_PERIOD_S) is READ


def test_what_takes_something_away_waits_and_is_then_taken_over_once(watched: Watched) -> None:
    watched.stamp = TWO
    assert watched.looks(3.0) is READ
    watched.watch.takes_away(watched.now)
    assert TAKES_AWAY_S <= watched.waits() < TAKES_AWAY_S + 3 * LOOK_PERIOD_S
    watched.watch.was_read()
    assert watched.looks(50.0) is None


def test_a_change_meanwhile_begins_anew_and_the_old_file_ends_it(watched: Watched) -> None:
    for _ in range(2):
        watched.stamp = TWO
        assert watched.looks(3.0) is READ
        watched.watch.takes_away(watched.now)
        assert watched.looks(TAKES_AWAY_S / 2) is None
        watched.stamp = THREE
        assert watched.looks(3.0) is READ
        watched.watch.takes_away(watched.now)
        assert watched.becomes(ONE) is None and watched.looks(50.0) is None


def test_a_file_that_goes_while_it_waits_is_read_anew_when_it_is_back(watched: Watched) -> None:
    watched.stamp = TWO
    assert watched.looks(3.0) is READ
    watched.watch.takes_away(watched.now)
    assert watched.becomes(None) is None
    watched.stamp = TWO
    assert watched.looks(3.0) is READ
    watched.watch.takes_away(watched.now)
    watched.stamp = None
    assert watched.looks(MISSING_S + TAKES_AWAY_S) is LOST


def test_a_user_who_asks_meanwhile_ends_the_waiting(watched: Watched) -> None:
    watched.stamp = TWO
    assert watched.looks(3.0) is READ
    watched.watch.takes_away(watched.now)
    watched.read()
    assert watched.looks(50.0) is None


def test_a_watch_that_begins_again_reads(watched: Watched) -> None:
    watched.watch.rest()
    assert watched.looks(3.0) is READ


def test_a_stamp_differs_by_what_an_editor_does(tmp_path: Path) -> None:
    file, link, other = tmp_path / "peer.toml", tmp_path / "link", tmp_path / "other"
    assert stamp_of(file) is None
    file.write_text("a")
    link.symlink_to(file)
    stamps = {stamp_of(link)}
    file.write_text("ab")
    stamps.add(stamp_of(link))
    os.utime(file, ns=(1, 1))
    stamps.add(stamp_of(link))
    other.write_text("ab")
    os.utime(other, ns=(1, 1))
    other.replace(file)
    stamps.add(stamp_of(link))
    assert len(stamps) == 4 and None not in stamps
    file.unlink()
    assert stamp_of(link) is None
