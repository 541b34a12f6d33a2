"""A real agent under attack for some seconds: it serves meanwhile, names who attacks, stays small.

The same attacks as bench/siege.py, which measures them for a minute each.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from besieged import (
    Fortress,
    afterwards,
    descriptors,
    ended,
    flooded,
    limited,
    listening,
    measured,
    run_status,
    until_connected,
)

from leftzmq.cli.keeper import AGENT
from leftzmq.cli.story import Actor, wait_until

FLOOD_S = 5.0
AFTERWARDS_S = 20.0
UNAUTHENTICATED_MIB = 128
PAIRED_MIB = 128
LINES_A_S = 4.0
"""One a second of each kind of line, of the few kinds that there are."""


def under_way(stage: Fortress) -> None:
    """Until the flood has taken what it can get, or a moment has passed."""
    wait_until(lambda: descriptors(stage.a) > 1000, 1.5)


def attacked(
    stage: Fortress,
    name: str,
    by: Sequence[Actor] = (),
    seconds: float = FLOOD_S,
    *,
    large: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of A under a flood, and what the attacker did."""
    with (
        flooded(stage, name, by, seconds) as flood,
        measured(stage, flood, large=large) as figures,
    ):
        wait_until(lambda: not flood.goes_on, seconds + 20.0)
    return figures, flood.end()


def serves(stage: Fortress, figures: dict[str, Any]) -> None:
    """It lived through it, its folder runs, and edits get through both ways, then and now."""
    assert figures["ended_after_s"] is None, figures["last_words"]
    assert not any("--adopt" in line for line in figures["log"]), figures["log"]
    after = afterwards(stage, AFTERWARDS_S)
    assert after["lives"] and after["state"] not in ("stopped", "no answer"), after
    assert after["B to A, s"] is not None and after["A to B, s"] is not None, after
    for way, edits in figures["edits"].items():
        assert edits["missed"] == 0, (way, edits)


def grew_mib(figures: dict[str, Any]) -> float:
    return float(figures["memory_mib"] - figures["memory_before_mib"])


# -- strangers -----------------------------------------------------------------------------------


def test_a_paired_device_gets_in_while_strangers_hold_half_handshakes() -> None:
    with Fortress(0) as stage:
        stage.begin()
        with flooded(stage, "half-handshakes", [], 6 * FLOOD_S) as flood:
            with measured(stage, flood) as figures:
                under_way(stage)
                # 0.03 to 0.15 s where nothing else runs (bench/siege.py): here it is a deadline.
                took = until_connected(stage.c, "A", 4 * FLOOD_S)
            assert flood.goes_on, "it was connected while the flood went on"
        serves(stage, figures)
        assert took is not None


def test_a_user_asks_for_the_status_while_strangers_hold_half_handshakes() -> None:
    with Fortress(0) as stage:
        stage.begin()
        with (
            flooded(stage, "half-handshakes", [], 2 * FLOOD_S) as flood,
            measured(stage, flood) as figures,
            listening(stage.a, 3),
        ):
            under_way(stage)
            said = run_status(stage.a)
        assert said.startswith("rc 0, ") or "leftzmq: " in said, said
        assert "Traceback" not in said
        serves(stage, figures)


@pytest.mark.parametrize("limit", [16, 32, 48, 64, 96, 256])
def test_with_few_descriptors_it_says_how_many_it_needs_or_lives_with_them(limit: int) -> None:
    """More monitors than there are descriptors, and a stranger's flood."""
    with Fortress(0, limit) as stage:
        config = str(stage.a.home / "peer.toml")
        if not stage.starts_again(stage.a, 20.0):
            said = ended([*limited(limit), sys.executable, "-m", AGENT, "-c", config])
            assert said.startswith("rc 1, ") and "leftzmq-agent: " in said, said
            needed = [int(number) for number in re.findall(r"\d+", said.partition("agent: ")[2])]
            assert "descriptors" in said and any(number > limit for number in needed), said
            return
        with listening(stage.a, limit + 10):
            wait_until(lambda: not stage.a.runs, 1.5)
            assert stage.a.runs, stage.a.log_tail(3)
            run_status(stage.a)
            assert stage.a.runs, stage.a.log_tail(3)
        stage.b.start()
        figures, _ = attacked(stage, "half-handshakes", seconds=2.0)
        serves(stage, figures)


@pytest.mark.parametrize("how", ["unfinished-frames", "unfinished-frames-everywhere"])
def test_what_strangers_begin_to_say_takes_little_memory(how: str) -> None:
    with Fortress(0) as stage:
        stage.begin()
        figures, did = attacked(stage, how)
        assert did["opened"] > 500
        assert grew_mib(figures) < UNAUTHENTICATED_MIB, figures
        serves(stage, figures)


# -- paired devices ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hello-bye", "hello", "refusing", "any-order", "any-order-dialed"])
def test_who_greets_and_leaves_without_end_fills_no_log(how: str) -> None:
    with Fortress(1) as stage:
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders)
        # The honest edits of the measurement write a line each, at both ends of a transfer.
        quiet = 2 * sum(edits["edits"] for edits in figures["edits"].values())
        lines = figures["log_lines_s"] * figures["seconds"] - quiet
        assert lines < LINES_A_S * figures["seconds"] + 20, figures["log"]
        serves(stage, figures)


@pytest.mark.parametrize("how", ["subscriptions", "other-topics", "welcome"])
def test_who_says_the_same_thing_without_end_is_dropped_by_name(how: str) -> None:
    with Fortress(1) as stage:
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders)
        assert any("M0: dropped" in line for line in figures["log"]), figures["log"]
        assert grew_mib(figures) < 64, figures
        serves(stage, figures)


@pytest.mark.parametrize("how", ["index-since", "haves"])
def test_many_questions_of_one_device_do_not_delay_the_others(how: str) -> None:
    with Fortress(1) as stage:
        stage.fill(500, 100, "small ")
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders)
        assert grew_mib(figures) < PAIRED_MIB, figures
        serves(stage, figures)


def test_sixteen_devices_begin_their_indexes_and_never_end_them() -> None:
    with Fortress(16) as stage:
        stage.begin()
        figures, _ = attacked(stage, "begun-indexes", stage.raiders)
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
        figures, _ = attacked(stage, "huge-files", stage.raiders)
        assert grew_mib(figures) < PAIRED_MIB, figures
        serves(stage, figures)


@pytest.mark.parametrize("how", ["announced-files", "announced-lists"])
def test_files_that_are_announced_and_never_given_hold_up_nobody(how: str) -> None:
    with Fortress(1) as stage:
        stage.begin()
        figures, _ = attacked(stage, how, stage.raiders, 3 * FLOOD_S, large=True)
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
