"""Measures how long a first sync takes, from the first command to the files: `leftzmq share DIR` on
one home, `leftzmq join CODE` on another one, on loopback, both without config, key and agent.

usage: python bench/first_sync.py [--megabytes N] [--runs N]
Prints one JSON line, seconds, medians: `code` (the first command until its code is shown), `joined`
(the second command until the folder is joined), `first` (until the first file has its name),
`complete` (until the second command ends), `python` (a Python that imports the command line and
does nothing; two of these are in `code` and two in `complete`: the command, and the agent that it
starts).
Nobody types in between: `code` and `complete` added up are what a user waits.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from leftzmq.cli.demo.stage import free_ports

FILES = 20
COMMAND = (sys.executable, "-m", "leftzmq.cli.admin")


class Home:
    """No agent, no key; a config that listens at loopback, as a bench may talk nowhere else."""

    def __init__(self, home: Path, name: str) -> None:
        self.home = home
        home.mkdir()
        (port,) = free_ports(1)
        listen = f'listen = "tcp://127.0.0.1:{port}"'
        text = f'[device]\nname = "{name}"\nstate = "state"\n{listen}\n'
        (home / "peer.toml").write_text(text)
        (home / "systemctl").write_text("#!/bin/sh\nexit 1\n")
        (home / "systemctl").chmod(0o755)
        path = f"{home}:{os.environ['PATH']}"
        self._env = os.environ | {"LEFTZMQ_CONFIG": str(home / "peer.toml"), "PATH": path}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.home,
            env=self._env,
        )

    def run(self, *words: str) -> str:
        process = self.start(*words)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said


def once(base: Path, megabytes: int) -> dict[str, float]:
    a, b = Home(base / "a", "alpha"), Home(base / "b", "beta")
    (a.home / "docs").mkdir()
    for number in range(FILES):
        (a.home / "docs" / f"f{number}").write_bytes(os.urandom(megabytes * 1_000_000 // FILES))
    try:
        began = time.monotonic()
        shared = a.run("share", "docs", "--address", "localhost", "--json")
        code = time.monotonic() - began
        began = time.monotonic()
        joining = b.start("join", json.loads(shared)["code"], "here")
        there, first, joined = b.home / "here", 0.0, 0.0
        while joining.poll() is None:
            if not joined and there.is_dir():
                joined = time.monotonic() - began
            if not first and any(there.glob("f*[0-9]")):
                first = time.monotonic() - began
            time.sleep(0.002)
        complete = time.monotonic() - began
        assert joining.returncode == 0
        assert len(list(there.glob("f*"))) == FILES
    finally:
        for home in (a, b):
            home.run("down")
    return {"code": code, "joined": joined, "first": first or complete, "complete": complete}


def python_s() -> float:
    began = time.monotonic()
    subprocess.run([*COMMAND, "--version"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    found: list[dict[str, float]] = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as base:
            found.append(once(Path(base), options.megabytes) | {"python": python_s()})
    medians = {key: round(statistics.median(one[key] for one in found), 2) for key in found[0]}
    print(json.dumps({"megabytes": options.megabytes, "runs": options.runs} | medians))


if __name__ == "__main__":
    main()
