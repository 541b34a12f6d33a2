"""Real agents: a folder and a device are paused, also over a restart, and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.helpers import processes

DEADLINE_S = 20.0
QUIET_S = 1.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        for actor in stage.actors:
            actor.start()
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def types(actor: Actor, *words: str) -> subprocess.CompletedProcess[str]:
    config = str(actor.home / "peer.toml")
    command = [sys.executable, "-m", "leftzmq.cli.admin"]
    return processes.run(
        [*command, words[0], "-c", config, *words[1:]], capture_output=True, text=True, timeout=60
    )


def has(actor: Actor, name: str) -> Callable[[], bool]:
    return (actor.share / name).exists


def soon(what: Callable[[], object]) -> None:
    assert wait_until(lambda: bool(what()), DEADLINE_S)


def never(what: Callable[[], object]) -> None:
    assert not wait_until(lambda: bool(what()), QUIET_S)


def peer(actor: Actor) -> dict[str, Any]:
    (found,) = actor.status()["peers"]
    return dict(found)


def test_a_paused_folder_stays_paused_over_a_restart_and_goes_on(stage: Stage) -> None:
    a, b = stage.actors
    (a.share / "first").write_bytes(b"a")
    soon(has(b, "first"))
    paused = types(b, "pause", "--json")
    assert paused.returncode == 0, paused.stderr
    assert json.loads(paused.stdout)["folders"] == [{"name": "share", "until": None}]
    for again in (False, True):
        if again:
            b.kill()
            b.start()
            soon(lambda: peer(b)["connected"])
        assert b.status()["state"] == "paused"
        (a.share / f"by a {again}").write_bytes(b"a")
        (b.share / f"by b {again}").write_bytes(b"b")
        never(has(b, f"by a {again}"))
        never(has(a, f"by b {again}"))
        waits = types(b, "wait", "--timeout", "30")
        assert waits.returncode == 3 and "is paused" in waits.stderr
    assert "nothing is paused" in types(b, "resume").stdout
    soon(lambda: all(has(b, f"by a {again}")() for again in (False, True)))
    soon(lambda: all(has(a, f"by b {again}")() for again in (False, True)))
    assert types(b, "wait", "--timeout", "20").returncode == 0


def test_a_paused_device_is_cut_off_and_meets_us_again(stage: Stage) -> None:
    a, b = stage.actors
    soon(lambda: peer(a)["connected"] and peer(b)["connected"])
    paused = types(a, "pause", "--peer", b.name, "--for", "2h")
    assert paused.returncode == 0, paused.stderr
    assert f"device {b.name} is paused until 2" in paused.stdout
    soon(lambda: not peer(b)["connected"])
    shown = peer(a)
    assert (shown["state"], shown["reason"]) == ("not connected", "paused")
    os.kill(a.pid, signal.SIGHUP)
    (b.share / "by b").write_bytes(b"b")
    never(has(a, "by b"))
    a.kill()
    a.start()
    never(lambda: peer(a)["connected"])
    assert peer(a)["reason"] == "paused"
    assert types(a, "resume", "--peer", b.name).returncode == 0
    soon(has(a, "by b"))
    assert peer(a)["reason"] == ""


def test_a_pause_ends_by_itself(stage: Stage) -> None:
    a, b = stage.actors
    soon(lambda: peer(a)["connected"])
    assert types(b, "pause", "--folder", "share", "--for", "2s").returncode == 0
    (a.share / "by a").write_bytes(b"a")
    assert b.status()["state"] == "paused"
    soon(has(b, "by a"))
