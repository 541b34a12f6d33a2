"""`leftzmq wait` of real agents: whom it waits for, what it passes over, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.helpers import processes

DEADLINE_S = 30.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("ABC", tmp_path / "stage") as stage:
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(60)}")


def wait(actor: Actor, *words: str) -> subprocess.CompletedProcess[str]:
    config = str(actor.home / "peer.toml")
    command = [sys.executable, "-m", "leftzmq.cli.admin", "wait", "-c", config, *words]
    return processes.run(command, capture_output=True, text=True, timeout=2 * DEADLINE_S)


def test_wait_names_who_is_behind_and_passes_over_what_is_never_synced(stage: Stage) -> None:
    a, b, _ = stage.actors
    a.start()
    b.start()
    os.mkfifo(a.share / "fifo")
    (a.share / "d").mkdir()
    (a.share / "d" / "f").write_bytes(b"12345")
    done = wait(a, "--timeout", "30")
    assert done.returncode == 0, done.stderr
    assert "fifo: not a file, folder or link: not synced" in done.stderr
    assert (b.share / "d" / "f").read_bytes() == b"12345"

    for words in (("--peer", "B"), ("--path", "d"), ("--folder", "share")):
        done = wait(a, "--timeout", "30", *words)
        assert done.returncode == 0, (words, done.stderr)
    done = wait(a, "--timeout", "1", "--all", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 3 and "C is not connected: nobody answers" in answer["why"]
    assert [one["name"] for one in answer["behind"]] == ["C"]

    b.kill()
    (a.share / "d" / "g").write_bytes(b"1")
    assert wait_until(lambda: a.status()["members"][0]["behind_paths"] == 1, DEADLINE_S)
    done = wait(a, "--timeout", "1", "--peer", "B")
    assert done.returncode == 3
    said = done.stderr
    assert "not in sync within 1 s: B is not connected" in said
    assert "B is not connected" in said and "lacks 1 path (1 B)" in said and "\n  d/g\n" in said


def test_names_that_do_not_exist_are_errors(stage: Stage) -> None:
    a, _, _ = stage.actors
    a.start()
    for words, said in (
        (("--peer", "nobody"), "there is no such device in the config; there is B, C"),
        (("--folder", "nope"), "there is no such folder here; there is share"),
        (("--path", "../x"), "component"),
    ):
        done = wait(a, "--timeout", "1", *words)
        assert done.returncode in (1, 2) and said in done.stderr, done.stderr
    assert wait(a, "--peer", "B", "--all").returncode == 2


@pytest.mark.parametrize("typed", ["abc", "-1", "nan", "inf", "1e400", ""])
def test_a_timeout_that_is_none_is_a_usage_error(typed: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "leftzmq.cli.admin", "wait", "-c", str(tmp_path / "peer.toml")]
    refused = processes.run(
        [*command, f"--timeout={typed}"], capture_output=True, text=True, timeout=20, check=False
    )
    assert refused.returncode == 2
    assert "is no number of seconds from 0 to 1,000,000,000" in refused.stderr
