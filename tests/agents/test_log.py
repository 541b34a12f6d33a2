"""An agent whose log or output stalls, is full or closed goes on, and stops when it is told to;
signals that mean nothing to it are a line in the log."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.errors import AgentAway
from leftzmq.transport.ipc.client import ask
from tests.helpers import processes

DEADLINE_S = 30.0
STOP_S = 2.0
PIPE_BYTES = 4096
FILES = 300


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        yield stage


def defaults() -> None:
    """What the shell that runs the tests ignores is no affair of theirs."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def agent(actor: Actor, redirection: str = "", **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The agent of an actor, started by a shell."""
    command = [sys.executable, "-m", "leftzmq.cli.agent", "-v", "-c", f"{actor.home}/peer.toml"]
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command], preexec_fn=defaults, **streams
    )
    try:
        assert wait_until(lambda: status(actor), DEADLINE_S), "it does not answer"
        yield process
    finally:
        process.kill()
        process.wait()


def status(actor: Actor) -> dict[str, Any]:
    with suppress(AgentAway):
        return ask(actor.state, "status", timeout_s=2.0)["folders"][0]  # type: ignore[no-any-return]
    return {}


def write(actor: Actor, name: str, count: int) -> None:
    for number in range(count):
        (actor.share / f"{name}-{number}-{'x' * 200}").write_bytes(b"x")


def serves(actor: Actor, name: str, count: int = FILES) -> None:
    """Whatever its log does: it scans, answers, and stops in time."""
    before = status(actor)["files"]
    write(actor, name, count)
    assert wait_until(lambda: status(actor).get("files") == before + count, DEADLINE_S)


def stops(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(DEADLINE_S) == 0
    assert time.monotonic() - began < STOP_S


def unread() -> tuple[int, int]:
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reads, writes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_log_that_nobody_reads_does_not_stop_it(stage: Stage, number: int) -> None:
    a = stage.actors[0]
    reads, writes = unread()
    with agent(a, stdout=subprocess.DEVNULL, stderr=writes) as process:
        os.close(writes)
        serves(a, "one")
        stops(process, number)
    os.close(reads)


def test_two_of_them_stay_in_sync_and_what_is_missing_is_counted(stage: Stage) -> None:
    """When the log is read again there are its first lines, a count, and the last ones."""
    a, b = stage.actors
    reads, writes = unread()
    b.start()
    with agent(a, stdout=subprocess.DEVNULL, stderr=writes) as process:
        os.close(writes)
        for number in range(3):
            write(b, f"{number}", 1000)
            count = (number + 1) * 1000
            assert wait_until(lambda count=count: status(a).get("files") == count, 2 * DEADLINE_S)
        lines: list[bytes] = []
        log = os.fdopen(reads, "rb")
        reader = threading.Thread(target=lambda: lines.extend(log))
        reader.start()
        (a.share / "last").write_bytes(b"x")
        assert wait_until(lambda: status(a).get("files") == count + 1, DEADLINE_S)
        stops(process)
    reader.join(DEADLINE_S)
    log.close()
    missing = [line for line in lines if b"lines are missing here" in line]
    assert b"ready" in lines[0] and b"the agent stops" in lines[-1]
    assert 1 <= len(missing) <= 3, "one for each time that the queue was full"


@pytest.mark.parametrize(
    "redirection",
    ["2>&-", "2>/dev/full", ">&-", ">/dev/full", ">&- 2>&-", ">/dev/full 2>&1", "<&- >&- 2>&-"],
)
def test_where_nothing_can_be_written_it_serves(stage: Stage, redirection: str) -> None:
    a = stage.actors[0]
    with agent(a, redirection, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        serves(a, "one", 20)
        stops(process)
    assert process.stdout is not None and process.stderr is not None
    assert not [line for line in process.stderr if b"Traceback" in line]
    process.stdout.close()
    process.stderr.close()


def test_a_ready_line_that_nobody_reads_does_not_stop_it(stage: Stage) -> None:
    a = stage.actors[0]
    reads, writes = unread()
    os.write(writes, bytes(PIPE_BYTES))
    with agent(a, stdout=writes, stderr=writes) as process:
        serves(a, "one", 20)
        stops(process)
    os.close(reads)
    os.close(writes)


@pytest.mark.parametrize("which", ["stdout", "stderr"])
def test_a_reader_that_goes_away_does_not_stop_it(stage: Stage, which: str) -> None:
    a = stage.actors[0]
    reads, writes = os.pipe()
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with agent(a, **(streams | {which: writes})) as process:
        os.close(writes)
        os.close(reads)
        serves(a, "one", 20)
        stops(process)


def test_an_error_at_the_start_is_said_where_it_can_be(stage: Stage) -> None:
    """And where it cannot, the code says it, at once."""
    a = stage.actors[0]
    command = [sys.executable, "-m", "leftzmq.cli.agent", "-c", f"{a.home}/none.toml"]
    ran = processes.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
    assert ran.returncode == 2 and ran.stderr.startswith("leftzmq-agent: ")
    reads, writes = unread()
    os.write(writes, bytes(PIPE_BYTES))
    assert processes.run(command, stderr=writes, timeout=DEADLINE_S).returncode == 2
    os.close(reads)
    os.close(writes)


# ---- signals ------------------------------------------------------------------------------------


def logged(actor: Actor) -> IO[bytes]:
    return (actor.home / "log").open("ab")


def said(actor: Actor, word: str) -> int:
    return (actor.home / "log").read_text().count(word)


def test_a_flood_of_wishes_to_read_the_config_again_is_a_few_lines(stage: Stage) -> None:
    a = stage.actors[0]
    with logged(a) as log, agent(a, stdout=log, stderr=log) as process:
        for _ in range(1000):
            process.send_signal(signal.SIGHUP)
        serves(a, "one", 20)
        assert wait_until(lambda: said(a, "peers are the same"), DEADLINE_S)
        assert said(a, "peers are the same") < 20, "not in a flood"
        stops(process)


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGUSR2"])
def test_a_signal_that_means_nothing_is_a_line(stage: Stage, name: str) -> None:
    a = stage.actors[0]
    with logged(a) as log, agent(a, stdout=log, stderr=log) as process:
        process.send_signal(signal.Signals[name])
        assert wait_until(lambda: said(a, f"{name} came and is ignored"), DEADLINE_S)
        for _ in range(1000):
            process.send_signal(signal.Signals[name])
        serves(a, "one", 20)
        assert said(a, f"{name} came") < 20, "not in a flood"
        stops(process)


@pytest.mark.parametrize("name", ["SIGPIPE", "SIGTTOU", "SIGXFSZ", "SIGWINCH", "SIGCHLD", "SIGURG"])
def test_signals_of_the_system_are_none_of_its_business(stage: Stage, name: str) -> None:
    a = stage.actors[0]
    with logged(a) as log, agent(a, stdout=log, stderr=log) as process:
        process.send_signal(signal.Signals[name])
        serves(a, "one", 5)
        stops(process)


def test_it_goes_on_after_it_was_stopped_by_the_terminal(stage: Stage) -> None:
    a = stage.actors[0]
    with logged(a) as log, agent(a, stdout=log, stderr=log) as process:
        # What Ctrl-Z comes to; SIGTSTP itself does nothing where there is no terminal.
        process.send_signal(signal.SIGSTOP)
        assert wait_until(lambda: state_of(process.pid) == "T", DEADLINE_S)
        process.send_signal(signal.SIGCONT)
        serves(a, "one", 5)
        stops(process)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def answers_or_ended(actor: Actor, process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None or bool(status(actor))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_at_any_moment_of_the_start_is_heard(stage: Stage, number: int) -> None:
    """From the import of where the commands begin on."""
    a = stage.actors[0]
    code = "import sys; from leftzmq.cli.start import agent; print('began', flush=True)"
    code += "; sys.exit(agent())"
    for after_ms in (0, 80, 200, 300, 400):
        with logged(a) as log:
            command = [sys.executable, "-c", code, "-c", f"{a.home}/peer.toml"]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, preexec_fn=defaults
            )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_ms / 1000)
        process.send_signal(number)
        if number in (signal.SIGHUP, signal.SIGUSR1):
            assert wait_until(partial(answers_or_ended, a, process), DEADLINE_S)
            process.terminate()
        # Nothing was begun yet: the line was read before the agent's first step was made.
        early = (130, -signal.SIGTERM, *((-number,) if after_ms == 0 else ()))
        assert process.wait(DEADLINE_S) in (0, *early)
        process.stdout.close()
    assert said(a, "Traceback") == 0


def test_monitors_are_told_of_a_signal(stage: Stage) -> None:
    a = stage.actors[0]
    with logged(a) as log, agent(a, stdout=log, stderr=log) as process:
        process.send_signal(signal.SIGUSR1)
        assert wait_until(lambda: said(a, "SIGUSR1"), DEADLINE_S)
        events = ask(a.state, "events", {"after": 0})["events"]
        assert "SIGUSR1" in json.dumps(events)
        stops(process)
