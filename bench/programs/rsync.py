"""rsync as a pair: a daemon that has B's share, and a client that brings A's files there, once each
time. It seals nothing, watches nothing and remembers nothing: a floor for the others.

Knows how the two are run. Must not know what is measured.
"""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Final

from processes import cpu_s, has_children

from leftzmq.cli.demo.stage import free_ports, wait_until
from programs.pair import Failed, Pair, opened_with

PROGRAM: Final = "rsync"
_START_S: Final = 10.0
_LOOK_S: Final = 0.01
_CONFIG: Final = """\
address = 127.0.0.1
use chroot = no
[share]
path = {share}
read only = no
uid = {uid}
gid = {gid}
"""


def version() -> str:
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    return " ".join(said.stdout.split()[:3])


class Rsync(Pair):
    def __init__(self, home: Path) -> None:
        self.home = home
        self.a, self.b = home / "A", home / "B"
        (self._port,) = free_ports(1)
        self._daemon: subprocess.Popen[bytes] | None = None
        self._client: subprocess.Popen[bytes] | None = None
        self._used_s = 0.0
        for share in (self.a, self.b):
            share.mkdir()

    def begin(self, files: int, size: int) -> None:
        config = self.home / "rsyncd.conf"
        config.write_text(_CONFIG.format(share=self.b, uid=os.getuid(), gid=os.getgid()))
        port = f"--port={self._port}"
        self._daemon = self._run("--daemon", "--no-detach", f"--config={config}", port)
        if not wait_until(self._listens, _START_S):
            raise Failed(f"rsync's daemon does not listen: {self.log_tail()}")

    def join(self) -> None:
        self._end_client()
        url = f"rsync://127.0.0.1:{self._port}/share/"
        self._client = self._run("-a", "--delete", f"{self.a}/", url)

    def nudge(self) -> None:
        self.join()

    def met(self) -> bool:
        return True

    def settled(self) -> bool:
        if self._client is not None and self._client.poll() is None:
            return False
        self._end_client()
        return True

    def rest(self) -> None:
        self._end_client()

    def cpu_s(self) -> list[float]:
        self._end_client()
        assert self._daemon is not None
        daemon = self._daemon.pid
        # What a child of the daemon used is known when the child has ended.
        wait_until(lambda: not has_children(daemon), _START_S, period_s=_LOOK_S)
        return [self._used_s, cpu_s(daemon, with_children=True)]

    def stop(self) -> None:
        for process in (self._client, self._daemon):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait()
        self._client = self._daemon = None

    def log_tail(self) -> str:
        with suppress(OSError):
            return "\n".join((self.home / "log").read_text().splitlines()[-15:])
        return ""

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                [PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end_client(self) -> None:
        """Wait for the client, and count its CPU seconds."""
        client, self._client = self._client, None
        if client is None:
            return
        if client.returncode is None:
            _, status, used = os.wait4(client.pid, 0)
            client.returncode = os.waitstatus_to_exitcode(status)
            self._used_s += used.ru_utime + used.ru_stime
        if client.returncode:
            raise Failed(f"rsync ended with {client.returncode}: {self.log_tail()}")

    def _listens(self) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self._port), timeout=1)):
                return True
        except OSError:
            return False


def opened(home: Path) -> AbstractContextManager[Rsync]:
    """Yield a pair in this new folder, not started; its processes are ended afterwards."""
    return opened_with(PROGRAM, Rsync, home)
