"""A machine as its user has it: a home with a peer.toml, where commands are typed, and whose agent
talks over the loopback alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leftzmq.cli.demo.stage import free_ports, wait_until
from tests.helpers import processes

DEADLINE_S = 40.0
SOON_S = 20.0


class Machine:
    """A home with a peer.toml that listens at loopback, as tests may talk nowhere else."""

    def __init__(self, name: str, base: Path) -> None:
        self.name, self.home = name, base / name
        self.state = self.home / "state"
        (self.port,) = free_ports(1)
        programs = self.home / "bin"
        programs.mkdir(parents=True)
        (programs / "systemctl").write_text("#!/bin/sh\nexit 1\n")
        (programs / "systemctl").chmod(0o755)
        self.config = self.home / "peer.toml"
        self.config.write_text(
            f'[device]\nname = "{name}"\nstate = "state"\nlisten = "tcp://127.0.0.1:{self.port}"\n'
        )
        self.env = os.environ | {
            "LEFTZMQ_CONFIG": str(self.config),
            "HOME": str(self.home),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }

    def makes_config(self, name: str) -> None:
        """It has the peer.toml that leftzmq makes itself."""
        self.config.unlink()
        code = "from leftzmq.config import make_config; from pathlib import Path; import sys\n"
        code += "make_config(Path(sys.argv[1]), *sys.argv[2:])"
        words = [str(self.config), name, f"tcp://127.0.0.1:{self.port}"]
        env = self.env | {"XDG_STATE_HOME": str(self.home / "states")}
        subprocess.run([sys.executable, "-c", code, *words], env=env, check=True)
        self.state = self.home / "states" / "leftzmq"

    def start(
        self, *words: str, stdin: Any = subprocess.DEVNULL, stdout: Any = subprocess.PIPE
    ) -> processes.Process[str]:
        return processes.start(
            [sys.executable, "-m", "leftzmq.cli.admin", *words],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            env=self.env,
        )

    def run(self, *words: str, typed: str | None = None) -> tuple[int, str]:
        process = self.start(*words, stdin=subprocess.PIPE)
        said, _ = process.communicate(typed or "", timeout=DEADLINE_S)
        print(f"$ leftzmq {' '.join(words)}\n{said}", end="")
        assert "Traceback" not in said
        return process.returncode, said

    def does(self, *words: str) -> str:
        code, said = self.run(*words)
        assert code == 0, said
        return said

    def shares(self, place: str = "notes", *words: str) -> str:
        """Return the code of a new invitation."""
        options = ("--address", "localhost", "--json", *words)
        opened = json.loads(json_of(self.does("share", place, *options)))
        return str(opened["code"])

    def joins(self, code: str, place: str = "here", *words: str) -> str:
        return self.does("join", code, place, *words)

    def refused(self, *words: str, code: int = 1) -> str:
        """Return the sentence of a command that ends with this exit code."""
        found, said = self.run(*words)
        assert found == code, said
        return said.strip().split("\n")[-1]

    def json(self, *words: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(json_of(self.does(*words, "--json")))
        return answer

    def log(self) -> str:
        try:
            return (self.state / "agent.log").read_text()
        except OSError:
            return ""

    def pid(self) -> int:
        return int((self.state / "lock").read_text())

    def write(self, path: str, data: bytes) -> None:
        (self.home / path).parent.mkdir(parents=True, exist_ok=True)
        (self.home / path).write_bytes(data)

    def has(self, path: str, data: bytes) -> bool:
        try:
            return (self.home / path).read_bytes() == data
        except OSError:
            return False

    def down(self) -> None:
        self.run("down")


def json_of(said: str) -> str:
    return said[said.index("{") :]


def soon(what: Callable[[], object], within_s: float = SOON_S) -> None:
    assert wait_until(lambda: bool(what()), within_s)
