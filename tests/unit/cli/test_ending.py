"""Whatever moment the demo is ended at: it is heard, once, and nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo import stage as story
from leftzmq.cli.demo.ending import Interrupts
from leftzmq.cli.demo.keeper import clear
from leftzmq.cli.demo.stage import Stage, wait_until

pytestmark = pytest.mark.slow

DEADLINE_S = 20.0


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """As they are without a shell that ignores some."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in numbers[1:]:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Swallows:
    """What raises in a destructor is written to stderr and lost."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_was_lost_is_found_again() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts() as ending:
        Swallows()
        assert ending.came
        ending.look()
        raise AssertionError("it went on")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_was_lost_to_the_end_is_heard_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        Swallows()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_second_one_does_not_interrupt_the_cleaning_up(number: int) -> None:
    cleaned = False
    with pytest.raises(KeyboardInterrupt), Interrupts():
        try:
            os.kill(os.getpid(), number)
        finally:
            for _ in range(100):
                os.kill(os.getpid(), number)
            cleaned = True
    assert cleaned
    os.kill(os.getpid(), number)  # on the way out


def test_one_in_the_calm_is_heard_after_it() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), Interrupts() as ending:
        ending.calm()
        os.kill(os.getpid(), signal.SIGINT)
        ending.look()
        done = True
    assert done


def test_what_is_ignored_stays_ignored_and_what_was_there_comes_back() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as ending:
        os.kill(os.getpid(), signal.SIGHUP)
        ending.look()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


LATE = """
import builtins, os, signal, sys
from leftzmq.cli.demo.ending import Interrupts

class Late:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=int(sys.argv[1])):
        kill(pid, number)

try:
    with Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    builtins.late = Late()
    sys.exit(130)
"""
"""Ends by Ctrl-C, and gets another signal while Python puts its modules away."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_while_python_itself_ends_does_not_kill(number: int) -> None:
    assert subprocess.run([sys.executable, "-c", LATE, str(int(number))]).returncode == 130


# ---- what stays ---------------------------------------------------------------------------------


def test_who_throws_it_away_is_there_before_the_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a Ctrl-C right after it was made finds it: its name was known before."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made: list[str] = []

    class Keeper:
        def __init__(self, home: Path) -> None:
            made.append("keeper" if not home.exists() else "too late")

        def dismiss(self) -> None:
            made.append("dismissed")

    mkdir = Path.mkdir

    def interrupted(path: Path, *arguments: object, **more: object) -> None:
        mkdir(path, *arguments, **more)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(story, "Keeper", Keeper)
    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Stage()
    assert made == ["keeper", "dismissed"] and not list(tmp_path.iterdir())


RESURRECTS = """
import pathlib, sys, time
while True:
    pathlib.Path(sys.argv[-1]).parent.joinpath("state").mkdir(parents=True, exist_ok=True)
"""


def test_an_agent_that_nobody_knew_makes_nothing_anew(tmp_path: Path) -> None:
    """It was just being started: its folders come back as soon as they are gone."""
    home = tmp_path / "demo"
    command = [sys.executable, "-c", RESURRECTS, "leftzmq.cli.agent", f"{home}/A/peer.toml"]
    for _ in range(10):
        agent = subprocess.Popen(command)
        assert wait_until((home / "A/state").exists, DEADLINE_S, period_s=0.001)
        assert clear(home, DEADLINE_S)
        assert agent.wait(DEADLINE_S) == -signal.SIGKILL
        assert not home.exists()


LEAKS = """
import sys, zmq, pathlib
from leftzmq.transport.ipc.client import ask, listen
from leftzmq.errors import AgentAway
kept = zmq.Context.instance().socket(zmq.DEALER)  # as if Ctrl-C came before anybody had it
state = pathlib.Path(sys.argv[1])
(state / "admin").touch()
next(listen(state))
try:
    ask(state, "status", timeout_s=0.1)
except AgentAway:
    print("away", flush=True)
"""


def test_a_socket_that_was_just_being_made_holds_nobody_up(tmp_path: Path) -> None:
    with Stage("A", tmp_path / "s") as stage:
        command = [sys.executable, "-c", LEAKS, str(stage.actors[0].state)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
    assert (ran.returncode, ran.stdout) == (0, "away\n"), ran.stderr
