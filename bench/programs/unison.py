"""Unison as a pair: a server that has B's share, and a client that has A's and syncs all the time.

Knows how the two are run so that they talk over a socket of this machine, without a key and without
a question. Must not know what is measured. Without `unison-fsmonitor` Unison cannot watch: it then
looks once a second (`mode`), and whoever shows its figures says so.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Final

from processes import cpu_s

from leftzmq.cli.demo.stage import free_ports, wait_until
from programs.pair import Failed, Pair, opened_with

PROGRAM: Final = "unison"
MONITOR: Final = "unison-fsmonitor"
_PROBE: Final = "probe"
_START_S: Final = 10.0
_STOP_S: Final = 5.0
_REST_S: Final = (2.1, 3.1)
"""Unison takes two times for the same that are a second apart: of two edits of one size it may see
the first one alone. The rest varies by a second, so that edits fall into any part of the second
between two looks."""


def mode() -> str:
    """Return what Unison is told to do with `-repeat`: watch, or look once a second."""
    return "watch" if shutil.which(MONITOR) else "1"


def lacks() -> str:
    """Return what Unison lacks here, as a sentence, or ""."""
    if mode() == "watch":
        return ""
    return f"{MONITOR} is not installed, so Unison looks once a second (-repeat 1)"


def version() -> str:
    said = subprocess.run([PROGRAM, "-version"], capture_output=True, text=True, check=True)
    return said.stdout.strip()


class Unison(Pair):
    def __init__(self, home: Path) -> None:
        self.home = home
        self.a, self.b = home / "A", home / "B"
        (self._port,) = free_ports(1)
        self._processes: list[subprocess.Popen[bytes]] = []
        for share in (self.a, self.b):
            share.mkdir()

    def begin(self, files: int, size: int) -> None:
        """Start the server: the client scans both shares when it starts, in `join`."""
        self._run("server", "-socket", str(self._port))
        if not wait_until(self._listens, _START_S):
            raise Failed(f"Unison's server does not listen: {self.log_tail()}")

    def join(self) -> None:
        there = f"socket://127.0.0.1:{self._port}/{self.b}"
        words = ("-batch", "-auto", "-ui", "text", "-times", "-confirmbigdel=false", "-silent")
        self._run("client", str(self.a), there, *words, "-repeat", mode())

    def met(self) -> bool:
        return self.settled()

    def settled(self) -> bool:
        """Unison does one thing after the other: when a file of ours is at B, so is the rest."""
        if not (self.a / _PROBE).exists():
            (self.a / _PROBE).touch()
        self._must_run()
        return (self.b / _PROBE).exists()

    def rest(self) -> None:
        time.sleep(random.uniform(*_REST_S))

    def cpu_s(self) -> list[float]:
        server, client = self._processes
        return [cpu_s(client.pid), cpu_s(server.pid)]

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def log_tail(self) -> str:
        with suppress(OSError):
            return "\n".join((self.home / "log").read_text().splitlines()[-15:])
        return ""

    def _run(self, name: str, *words: str) -> None:
        state = self.home / name
        state.mkdir()
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                [PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"UNISON": str(state)},
                start_new_session=True,
            )
        self._processes.append(process)

    def _listens(self) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self._port), timeout=1)):
                return True
        except OSError:
            return False

    def _must_run(self) -> None:
        for process in self._processes:
            if process.poll() is not None:
                raise Failed(f"Unison ended with {process.returncode}: {self.log_tail()}")


def opened(home: Path) -> AbstractContextManager[Unison]:
    """Yield a pair in this new folder, not started; its processes are ended afterwards."""
    return opened_with(PROGRAM, Unison, home)
