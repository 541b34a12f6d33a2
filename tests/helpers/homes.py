"""A user on a machine of its own: a network namespace with a clean home, where lines are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

DEADLINE_S = 60.0
SHARE = "docs"  # as the README has it


class Home:
    """A user on a machine in a namespace."""

    def __init__(self, home: Path, within: tuple[str, ...]) -> None:
        self.home, self._within = home, within
        programs = home / "bin"
        programs.mkdir(parents=True)
        for name, text in (
            ("systemctl", "exit 1"),
            ("leftzmq", f'exec {sys.executable} -m leftzmq.cli.admin "$@"'),
        ):
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        kept = {key: os.environ[key] for key in ("PYTHONPATH", "LANG") if key in os.environ}
        path = f"{programs}:{os.environ['PATH']}"
        run = home / "run"
        run.mkdir()
        self._env = kept | {"HOME": str(home), "PATH": path, "XDG_RUNTIME_DIR": str(run)}

    def types(self, line: str) -> subprocess.Popen[str]:
        """A shell carries out a line in the home."""
        return subprocess.Popen(
            [*self._within, "sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            env=self._env,
        )

    def ends(self, line: str) -> str:
        said, _ = (process := self.types(line)).communicate(timeout=DEADLINE_S)
        print(f"$ {line}\n{said}")
        assert process.returncode == 0, said
        return said

    def file(self, path: str) -> bytes:
        try:
            return (self.home / SHARE / path).read_bytes()
        except OSError:
            return b""

    def shares(self, options: str = "") -> tuple[subprocess.Popen[str], str]:
        """Type the README's first command. Return it, as it goes on, and the code."""
        sharing = self.types(f"leftzmq share ~/{SHARE} {options}".rstrip())
        assert sharing.stdout is not None
        line = next(line for line in sharing.stdout if "leftzmq join lz1-" in line)
        return sharing, line.split()[-1]

    def lets_in(self, other: Home, options: str = "") -> str:
        """Both type their command, and wait for its end. Return what the other one read.

        options: of `leftzmq share`
        """
        sharing, code = self.shares(options)
        said = other.ends(f"leftzmq join {code}")
        sharing.communicate(timeout=DEADLINE_S)
        assert sharing.returncode == 0
        return said

    def json(self, line: str) -> dict[str, Any]:
        said = self.ends(f"{line} --json")
        answer: dict[str, Any] = json.loads(said[said.index("{") :])
        return answer

    def peers(self) -> dict[str, dict[str, Any]]:
        """What it says of its peers, by the beginning of their keys."""
        return {one["key"][:13]: one for one in self.json("leftzmq peers")["peers"]}

    @property
    def key(self) -> str:
        return self.ends("leftzmq id").split()[-1][:13]


class Namespaces(Protocol):
    """What is used of bench/network: one machine for each of `spaces`."""

    spaces: list[str]

    def within(self, number: int) -> tuple[str, ...]: ...


@contextmanager
def homes_in(base: Path, network: Namespaces) -> Iterator[list[Home]]:
    """Yield a home on each machine of a network; their agents are stopped at the end."""
    made = [Home(base / f"home{n}", network.within(n)) for n in range(len(network.spaces))]
    yield made
    for home in made:
        home.ends("leftzmq down")
