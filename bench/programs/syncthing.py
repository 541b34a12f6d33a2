"""Syncthing beside leftzmq: the same files, the same file system, the same way to look; two of them
as a pair.

Knows how a Syncthing of its own is set up and run so that it talks only to the other devices: no
discovery, relays, NAT, upgrades, reports, and no web page (its API answers on a Unix socket). All
else is its default, except its low priority, which would slow it down beside other processes. Must
not know what is measured.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from leftzmq.cli.demo.stage import free_ports, wait_until
from programs.pair import Failed, Indexing, Scan, longest_s, require

PROGRAM: Final = "syncthing"
WATCHER_DELAY_S: Final = 10
"""Syncthing's default: a change is taken when the watcher saw nothing more for so many seconds."""
SHORTEST_DELAY_S: Final = 1
"""The least that its watcher can be set to."""
_API_KEY: Final = "bench"
_STOP_S: Final = 10.0
_LOOK_S: Final = 0.01
_REST_S: Final = 0.5
_LOG_FLAGS: Final = 2 | 4
"""Each line of the log begins with the time of day, in microseconds."""
_BEGUN: Final = re.compile(r"([\d:.]+) INFO: Ready to synchronize")
_SCANNED: Final = re.compile(r"([\d:.]+) INFO: Completed initial scan")
_HASHING: Final = re.compile(r"Hashing performance is ([\d.]+) MB/s")
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
                    f"--logflags={_LOG_FLAGS}",
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

    def log(self) -> str:
        with suppress(OSError):
            return (self.home / "log").read_text()
        return ""

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def answers(self) -> bool:
        return bool(self._ask("/rest/system/ping"))

    def status(self) -> dict[str, Any]:
        """Returns what it says of the folder; {} while it does not answer."""
        return self._ask("/rest/db/status?folder=share")

    def completion(self, other: Syncthing) -> float:
        """Returns how much of the folder the other device has, as far as this one knows, in
        percent."""
        found = self._ask(f"/rest/db/completion?folder=share&device={other.key}")
        return float(found.get("completion", 0.0))

    def index_files(self) -> list[Path]:
        return [file for index in self._state.glob("index*") for file in index.rglob("*")]

    def files(self) -> int:
        """Returns the number of files in its index; 0 while it scans or does not answer."""
        status = self.status()
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


class Syncthings(Indexing):
    def __init__(self, a: Syncthing, b: Syncthing) -> None:
        super().__init__([a, b])
        self.devices = (a, b)

    def scan(self, files: int, size: int) -> Scan:
        """Its log says when its scan began and ended."""
        a = self.devices[0]
        before = len(a.log())
        began = time.monotonic()
        a.start()
        if not wait_until(a.answers, longest_s(files), period_s=_LOOK_S):
            raise Failed(f"A does not answer: {a.log_tail()}")
        ready_s = time.monotonic() - began

        def over() -> bool:
            return _SCANNED.search(a.log(), before) is not None

        if not wait_until(over, longest_s(files), period_s=_LOOK_S):
            raise Failed(f"A has not scanned {files} files: {a.log_tail()}")
        over_s = time.monotonic() - began
        if not wait_until(lambda: a.files() == files, longest_s(0), period_s=_LOOK_S):
            raise Failed(f"A has {a.files()} instead of {files} files: {a.log_tail()}")
        return Scan(ready_s, over_s, _scan_s(a.log()[before:]))

    def hashing_MB_s(self) -> float:
        """Returns what A's own benchmark found when A started."""
        found = _HASHING.search(self.devices[0].log())
        return float(found[1]) if found else 0.0

    def met(self) -> bool:
        return all(device.connected() for device in self.devices)

    def settled(self) -> bool:
        a, b = self.devices
        statuses = [device.status() for device in self.devices]
        if any(each.get("state") != "idle" or each["needTotalItems"] for each in statuses):
            return False
        same = statuses[0]["localFiles"] == statuses[1]["localFiles"]
        return same and a.completion(b) == b.completion(a) == 100.0

    def rest(self) -> None:
        time.sleep(_REST_S)

    def ask_status(self) -> None:
        self.devices[0].status()

    def is_under_way(self) -> bool:
        return bool(self.devices[1].status().get("needBytes"))

    def received_bytes(self) -> int:
        return self.devices[1].moved()[1]

    def index_files(self) -> list[Path]:
        return self.devices[0].index_files()


def _scan_s(log: str) -> float:
    """Returns the seconds between the two lines of the log that begin and end the first scan."""
    begun, ended = _BEGUN.search(log), _SCANNED.search(log)
    if begun is None or ended is None:
        raise Failed("its log does not say when the scan began and ended")
    times = [datetime.strptime(found[1], "%H:%M:%S.%f") for found in (begun, ended)]
    return ((times[1] - times[0]) % timedelta(days=1)).total_seconds()


@contextmanager
def opened(home: Path | None = None, delay_s: int = SHORTEST_DELAY_S) -> Iterator[Syncthings]:
    """Yields two devices in this new folder (None: one of their own, which is removed afterwards),
    not started; their processes are ended afterwards."""
    require(PROGRAM)
    if home is None:
        with (
            TemporaryDirectory(prefix="leftzmq-rival-") as made,
            opened(Path(made) / "x", delay_s) as pair,
        ):
            yield pair
        return
    home.mkdir()
    ports = free_ports(2)
    a, b = (Syncthing(name, home / name, port) for name, port in zip("AB", ports, strict=True))
    a.configure([b], delay_s)
    b.configure([a], delay_s)
    found = Syncthings(a, b)
    try:
        yield found
    finally:
        found.stop()


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self._path)
