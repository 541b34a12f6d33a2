"""Three agents in a temporary folder, for the demo.

Knows how to set agents up, start, ask, kill and clean up. Must not know the story.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol

from leftzmq.cli.demo.keeper import AGENT, Keeper, clear
from leftzmq.errors import AgentAway, LeftError, NotStarted
from leftzmq.statedir import device_key_file, make_secret, make_state_dir
from leftzmq.transport import device_key
from leftzmq.transport.ipc.client import ask

STOP_S: Final = 5.0
CLEAR_S: Final = 10.0
PORTS = range(20_000, 32_000)
PORTS_APART: Final = 20
"""The door of an agent that was given a port may be at the tenth one after it."""

_CONFIG: Final = """\
[device]
name   = "{name}"
state  = "state"
listen = "tcp://{host}:{port}"

[[folder]]
id     = "share"
path   = "share"
secret = "../share.secret"
"""
_PEER: Final = """
[[peer]]
name    = "{name}"
address = "tcp://{host}:{port}"
key     = "{key}"
"""


class Process(Protocol):
    """An agent's process: what a stage uses of subprocess.Popen."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> IO[str] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


start_process: Callable[..., Process] = subprocess.Popen
"""How the process of an agent is started. Tests have another way, which takes the same words."""


class Actor:
    """One device of the story. within: the command that starts its agent, if any."""

    def __init__(
        self,
        name: str,
        home: Path,
        port: int,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        self.name, self.home, self.port, self.host = name, home, port, host
        self._within = within
        self.share = home / "share"
        self.state = home / "state"
        self._process: Process | None = None
        home.mkdir()
        make_state_dir(self.state)
        pair = device_key.load_or_make(device_key_file(self.state))
        self.key = device_key.public_text(pair.public)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def configure(self, others: list[Actor]) -> None:
        text = _CONFIG.format(name=self.name, host=self.host, port=self.port)
        for other in others:
            text += _PEER.format(name=other.name, host=other.host, port=other.port, key=other.key)
        (self.home / "peer.toml").write_text(text)

    def start(self) -> None:
        """Start the agent and wait for its `ready`."""
        with (self.home / "log").open("a") as log:
            config = str(self.home / "peer.toml")
            self._process = start_process(
                [*self._within, sys.executable, "-m", AGENT, "-c", config],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C is for us: we end them in order
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("ready "):
            raise NotStarted(f"the agent of {self.name} did not start", "", self.log_tail())

    def kill(self) -> None:
        """SIGKILL: like a power cut for the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def exit_code(self, timeout_s: float) -> int:
        """Return the exit code of the agent, after its end. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def status(self) -> dict[str, Any]:
        """Return the folder's part of `status`; {} while the agent does not answer."""
        with suppress(AgentAway, IndexError):
            answer = ask(self.state, "status", timeout_s=2.0)
            folder: dict[str, Any] = answer["folders"][0]
            return folder | {"peers": answer["peers"]}
        return {}

    def digest(self, path: str) -> str:
        """Return the SHA-256 of the file at this path now, or ""."""
        try:
            with (self.share / path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""

    def look(self, path: str) -> tuple[int, int] | None:
        """Return size and mtime of the file at this path now."""
        try:
            found = (self.share / path).stat()
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns

    def log_tail(self, lines: int = 15) -> str:
        with suppress(OSError):
            return "\n".join((self.home / "log").read_text().splitlines()[-lines:])
        return ""


class Stage:
    """All devices of the story. Everything is removed at the end, also after Ctrl-C and SIGKILL."""

    def __init__(self, names: str = "ABC", home: Path | None = None) -> None:
        self.home = home or Path(tempfile.gettempdir()) / f"leftzmq-demo-{os.urandom(6).hex()}"
        self.actors: list[Actor] = []
        self._keeper: Keeper | None = None
        try:
            # First the keeper, then the folder: the demo may be ended in between.
            self._keeper = Keeper(self.home)
            self.home.mkdir(0o700, exist_ok=home is not None)
            self._furnish(names)
        except BaseException:  # Ctrl-C too: __exit__ is not called if __init__ fails
            self.__exit__()
            raise

    def _furnish(self, names: str) -> None:
        """Fill `actors`, each with its config."""
        make_secret(self.home / "share.secret")
        ports = free_ports(len(names))
        self.actors += [
            Actor(name, self.home / name, port) for name, port in zip(names, ports, strict=True)
        ]
        for actor in self.actors:
            actor.configure([other for other in self.actors if other is not actor])

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self.actors:
            actor.stop()
        # Ctrl-C may have come before Actor.start knew the process that it had started.
        gone = clear(self.home, CLEAR_S)
        if self._keeper is not None:
            self._keeper.dismiss() if gone else self._keeper.leave_it()


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens, also minutes later. They are below the range that
    systems use for outgoing connections (from 32768 on, Linux; from 49152 on, macOS), as such a
    connection could take one meanwhile. None is returned twice before all others were: who was
    given one may listen there much later."""
    ports: list[int] = []
    order = _ports_in_turn(PORTS)
    for port in itertools.islice(order, len(PORTS) // PORTS_APART):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise LeftError("no port is free on this machine", "127.0.0.1", f"free some of {PORTS}")


@functools.cache
def _ports_in_turn(among: range) -> Iterator[int]:
    chance = random.SystemRandom()
    some = among[chance.randrange(PORTS_APART) :: PORTS_APART]
    return itertools.cycle(chance.sample(some, len(some)))


def wait_until(
    condition: Callable[[], object],
    timeout_s: float,
    each: Callable[[], None] | None = None,
    period_s: float = 0.05,
) -> bool:
    """Poll until the condition holds; `each` is called in between. Return False after
    `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        if each is not None:
            each()
        time.sleep(period_s)
    return True
