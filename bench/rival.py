"""Syncthing beside leftzmq: the same files, the same file system, the same way to look.

Knows how a Syncthing of its own is set up and run so that it talks only to the other devices: no
discovery, relays, NAT, upgrades, reports, and no web page (its API answers on a Unix socket). All
else is its default, except its low priority, which would slow it down beside other processes. Must
not know what is measured.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from xml.sax.saxutils import quoteattr

PROGRAM: Final = "syncthing"
WATCHER_DELAY_S: Final = 10
"""Syncthing's default: a change is taken when the watcher saw nothing more for so many seconds."""
_API_KEY: Final = "bench"
_STOP_S: Final = 10.0
_QUIET: Final = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "stunKeepaliveStartS": "0",
    "urAccepted": "-1",
    "autoUpgradeIntervalH": "0",
    "crashReportingEnabled": "false",
    "startBrowser": "false",
    "setLowPriority": "false",
}


def missing() -> str:
    """Returns why Syncthing cannot run here, or ""."""
    return "" if shutil.which(PROGRAM) else f"{PROGRAM} is not installed"


def version() -> str:
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    return " ".join(said.stdout.split()[:2])


class Syncthing:
    """One device, as Actor in cli/demo/stage. within: the command that starts it, if any."""

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
        self._state = home / "state"
        self._api = home / "api"
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir()
        self.share.mkdir()
        subprocess.run(
            [PROGRAM, "generate", f"--home={self._state}", "--no-default-folder"],
            capture_output=True,
            check=True,
        )
        made = (self._state / "config.xml").read_text()
        self.key = made.split('<device id="', 1)[1].split('"', 1)[0]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def configure(self, others: Sequence[Syncthing], delay_s: int = WATCHER_DELAY_S) -> None:
        """Write its config: one folder, shared with the others."""
        members = (self, *others)
        ids = "".join(f"<device id={quoteattr(each.key)}/>" for each in members)
        devices = "".join(
            f'<device id="{each.key}" name={quoteattr(each.name)}>'
            f"<address>tcp://{each.host}:{each.port}</address></device>"
            for each in members
        )
        options = "".join(f"<{name}>{value}</{name}>" for name, value in _QUIET.items())
        (self._state / "config.xml").write_text(
            f'<configuration version="36">'
            f'<folder id="share" path={quoteattr(str(self.share))} type="sendreceive"'
            f' fsWatcherEnabled="true" fsWatcherDelayS="{delay_s}">{ids}</folder>{devices}'
            f'<gui enabled="true"><address>{self._api}</address><apikey>{_API_KEY}</apikey></gui>'
            f"<options><listenAddress>tcp://{self.host}:{self.port}</listenAddress>{options}"
            f"</options></configuration>"
        )

    def start(self) -> None:
        # STMONITORED: only one process, which is measured, and no second process that watches it.
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._within,
                    PROGRAM,
                    "serve",
                    f"--home={self._state}",
                    "--no-browser",
                    "--no-restart",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"STNOUPGRADE": "1", "STMONITORED": "yes"},
                start_new_session=True,
            )

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines: int = 15) -> str:
        with suppress(OSError):
            return "\n".join((self.home / "log").read_text().splitlines()[-lines:])
        return ""

    def files(self) -> int:
        """Returns the number of files in its index; 0 while it scans or does not answer."""
        status = self._ask("/rest/db/status?folder=share")
        return int(status["localFiles"]) if status.get("state") == "idle" else 0

    def connected(self) -> int:
        found: dict[str, dict[str, Any]] = self._ask("/rest/system/connections")
        return sum(each["connected"] for each in found.get("connections", {}).values())

    def moved(self) -> tuple[int, int]:
        """Returns the bytes sent and received since its start, over all connections."""
        total = self._ask("/rest/system/connections").get("total", {})
        return total.get("outBytesTotal", 0), total.get("inBytesTotal", 0)

    def _ask(self, path: str) -> dict[str, Any]:
        """Returns the answer of its API; {} while it does not answer."""
        connection = _OverUnix(str(self._api))
        try:
            connection.request("GET", path, headers={"X-API-Key": _API_KEY})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        finally:
            connection.close()
        return answer


@contextmanager
def pair(ports: Sequence[int], delay_s: int = WATCHER_DELAY_S) -> Iterator[list[Syncthing]]:
    """Yields A and B on these ports of this machine, not started; both are removed afterwards."""
    with TemporaryDirectory(prefix="leftzmq-rival-") as home:
        both = [
            Syncthing(name, Path(home) / name, port) for name, port in zip("AB", ports, strict=True)
        ]
        for device, other in zip(both, both[::-1], strict=True):
            device.configure([other], delay_s)
        try:
            yield both
        finally:
            for device in both:
                device.stop()


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self._path)
