"""A real agent under attack by paired devices for some seconds: it serves, and names them.

The same attacks as bench/siege.py, which measures them for a minute each.
"""

from __future__ import annotations

import pytest

from leftzmq.cli.demo.stage import wait_until
from tests.helpers.besieged import (
    FLOOD_S,
    Fortress,
    attacked,
    flooded,
    grew_mib,
    run_status,
    serves,
)

BRIEFLY_S = 2.0
"""As long as a flood of what is counted or dropped by the second has to last: three edits of users
come in it, and bounds of memory are those of two seconds."""
PAIRED_MIB = 64
LINES_A_S = 4.0
"""One a second of each kind of line, of the few kinds that there are."""


@pytest.mark.parametrize("how", ["hello-bye", "hello", "refusing", "any-order", "any-order-dialed"])
def test_who_greets_and_leaves_without_end_fills_no_log(how: str) -> None:
    with Fortress(1) as stage:
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders, BRIEFLY_S)
        # The honest edits of the measurement write a line each, at both ends of a transfer.
        quiet = 2 * sum(edits["edits"] for edits in figures["edits"].values())
        lines = figures["log_lines_s"] * figures["seconds"] - quiet
        assert lines < LINES_A_S * figures["seconds"] + 10, figures["log"]
        serves(stage, figures)


@pytest.mark.parametrize("how", ["subscriptions", "other-topics", "welcome", "reports"])
def test_who_says_the_same_thing_without_end_is_dropped_by_name(how: str) -> None:
    with Fortress(1) as stage:
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders, BRIEFLY_S)
        assert any("M0: dropped" in line for line in figures["log"]), figures["log"]
        assert grew_mib(figures) < PAIRED_MIB / 2, figures
        serves(stage, figures)


@pytest.mark.parametrize("how", ["index-since", "haves"])
def test_many_questions_of_one_device_do_not_delay_the_others(how: str) -> None:
    with Fortress(1) as stage:
        stage.fill(500, 100, "small ")
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders, BRIEFLY_S)
        assert grew_mib(figures) < PAIRED_MIB, figures
        serves(stage, figures)


def test_sixteen_devices_begin_their_indexes_and_never_end_them() -> None:
    with Fortress(16) as stage:
        stage.begin()
        figures, _ = attacked(stage, "begun-indexes", stage.raiders, BRIEFLY_S)
        serves(stage, figures)


def test_connections_that_hang_up_when_they_are_full_abort_nobody() -> None:
    """libzmq pings a connection that is gone and not read to its end yet, and aborts."""
    with Fortress(1) as stage:
        stage.begin()
        figures, did = attacked(stage, "hang-up-full", stage.raiders, 3 * FLOOD_S)
        assert did["let in"] > 0
        serves(stage, figures)


def test_files_of_four_tebibytes_take_little_memory() -> None:
    with Fortress(1) as stage:
        stage.begin()
        figures, _ = attacked(stage, "huge-files", stage.raiders, BRIEFLY_S)
        assert grew_mib(figures) < PAIRED_MIB, figures
        serves(stage, figures)


@pytest.mark.parametrize(
    "how", ["announced-files", pytest.param("announced-lists", marks=pytest.mark.long)]
)
def test_files_that_are_announced_and_never_given_hold_up_nobody(how: str) -> None:
    with Fortress(1) as stage:
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders, 2 * FLOOD_S, large=True)
        assert figures["edits"]["large, B to A"]["worst_ms"] < 1000 * FLOOD_S, figures["edits"]
        serves(stage, figures)


def test_ten_thousand_problems_do_not_end_it_when_it_is_asked() -> None:
    with Fortress(1) as stage:
        stage.begin()
        attacked(stage, "problems", stage.raiders, 2 * FLOOD_S)
        said = run_status(stage.a)
        assert stage.a.runs, stage.a.log_tail(3)
        assert said.startswith("rc 0, "), said


def test_who_is_in_none_of_our_folders_learns_nothing_of_them() -> None:
    with Fortress(0) as stage:
        stage.begin()
        with flooded(stage, "outsider", [stage.x], 2 * FLOOD_S) as flood:
            for length in range(1, 200, 20):
                (stage.a.share / ("n" * length)).write_bytes(b"")
                waited = stage.b.share / ("n" * length)
                assert wait_until(waited.exists, 10.0)
            wait_until(lambda: not flood.goes_on, 20.0)
            did = flood.end()
        assert not did["told the folder's id"]
        # The tag stands on every sealed page, which goes to all who subscribe: it opens nothing.
        assert len(did["sizes of news"]) <= 2, "the size of news says nothing of the names in it"
