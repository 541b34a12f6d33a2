"""No command needs -c: the user's own peer.toml is found, also one without a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import free_ports, wait_until
from leftzmq.config import config_file, load_device, make_config
from leftzmq.errors import AgentAway
from leftzmq.transport.ipc.client import ask
from tests.helpers import processes

DEADLINE_S = 30.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LEFTZMQ_CONFIG", raising=False)
    for name in ("config", "state"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    return tmp_path


@pytest.fixture
def agent(home: Path) -> Iterator[processes.Process[str]]:
    """One whose peer.toml is the first one, as it was made."""
    (port,) = free_ports(1)
    make_config(config_file(None), "alpha", f"tcp://127.0.0.1:{port}")
    command = [sys.executable, "-m", "leftzmq.cli.agent"]
    with (home / "log").open("w") as log:
        process = processes.start(command, stdout=log, stderr=log, text=True)
    yield process
    process.terminate()
    process.wait()


def answers() -> bool:
    try:
        return bool(ask(load_device(config_file(None)).state, "status"))
    except AgentAway:
        return False


def run(module: str, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", f"leftzmq.cli.{module}", *words]
    ran = processes.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
    return ran.returncode, ran.stdout + ran.stderr


def test_an_agent_without_a_folder_runs_and_every_command_says_so(
    home: Path, agent: processes.Process[str]
) -> None:
    assert wait_until(answers, DEADLINE_S), (home / "log").read_text()
    log = (home / "log").read_text()
    assert "there is no folder here yet: `leftzmq share DIR` begins one" in log
    for words in (["trash", "list"], ["conflicts", "list"], ["accept"], ["problems"], ["wait"]):
        code, said = run("admin", *words)
        assert code == 1 and "no folder here yet (`leftzmq share DIR`" in said, said
    code, said = run("admin", "status")
    assert code == 0 and "alpha" in said
    code, said = run("admin", "status", "--folder", "x")
    assert code == 1 and "there is none yet" in said
    code, said = run("monitor", "--folder", "x")
    assert code == 2 and "there is none yet" in said
    code, said = run("admin", "id")
    assert code == 0
    agent.terminate()
    assert agent.wait(DEADLINE_S) == 0
    assert "Traceback" not in (home / "log").read_text()


@pytest.mark.parametrize(
    "command", [("agent",), ("monitor",), ("admin", "status"), ("admin", "id"), ("admin", "wait")]
)
def test_where_there_is_none_the_place_is_named(home: Path, command: tuple[str, ...]) -> None:
    code, said = run(*command)
    assert code == 2
    assert f"{home}/config/leftzmq/peer.toml: there is no such file (`leftzmq share DIR`" in said
    assert not os.listdir(home)
