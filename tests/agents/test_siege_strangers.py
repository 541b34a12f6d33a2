"""A real agent under attack by strangers for some seconds: it serves meanwhile, and stays small.

The same attacks as bench/siege.py, which measures them for a minute each.
"""

from __future__ import annotations

import re
import sys

import pytest

from leftzmq.cli.demo.keeper import AGENT
from leftzmq.cli.demo.stage import wait_until
from tests.helpers.besieged import (
    FLOOD_S,
    Fortress,
    attacked,
    descriptors,
    ended,
    flooded,
    grew_mib,
    limited,
    listening,
    measured,
    run_status,
    serves,
    until_connected,
)

UNAUTHENTICATED_MIB = 128


def under_way(stage: Fortress) -> None:
    """Until the flood has taken what it can get, or a moment has passed."""
    wait_until(lambda: descriptors(stage.a) > 1000, 1.5)


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
