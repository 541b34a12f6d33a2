"""Agents with several folders each, and peers that need not be everyone: the stage of the scenes.

Knows how to set them up, hold them still, and wait until all is in sync. Must not know what a
scene tries out.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.demo.stage import Actor, Stage, free_ports, wait_until
from leftzmq.errors import AgentAway, Declined
from leftzmq.statedir import make_secret
from leftzmq.transport.ipc.client import ask

from .compare import Tree, equal, tree_of

SYNC_S: Final = 120.0
"""How long anything may take to be in sync; what takes so long on a slow machine is wrong."""
WAIT_S: Final = 5.0
LEFTING_S: Final = 10.0
SHOWN_LOG_LINES: Final = 60

_DEVICE: Final = """\
[device]
name   = {name}
state  = "state"
listen = "tcp://127.0.0.1:{port}"
"""
_FOLDER: Final = """
[[folder]]
id     = {id}
path   = {path}
secret = {secret}
"""
_PEER: Final = """
[[peer]]
name    = {name}
key     = {key}
"""


class Failed(AssertionError):
    """What a scene found wrong, with the agents' logs."""


class Skipped(Exception):
    """What a scene needs is not there."""


class Device(Actor):
    """An actor with several folders. folders: id -> share; peers: whom it knows."""

    def __init__(self, name: str, home: Path, port: int, folders: Mapping[str, str]) -> None:
        super().__init__(name, home, port)
        self.folders = {id: home / place for id, place in folders.items()}
        self.share = next(iter(self.folders.values()))
        self.peers: list[Device] = []

    def of(self, folder: str) -> Path:
        return self.folders[folder]

    def write_config(self, secrets: Mapping[str, Path], more: str = "") -> None:
        text = _DEVICE.format(name=json.dumps(self.name), port=self.port) + more
        for id, path in self.folders.items():
            places = {"path": path, "secret": secrets[id]}
            quoted = {key: json.dumps(str(place)) for key, place in places.items()}
            text += _FOLDER.format(id=json.dumps(id, ensure_ascii=False), **quoted)
        for peer in self.peers:
            text += peer_toml(peer.name, peer.key, f"tcp://127.0.0.1:{peer.port}")
        (self.home / "peer.toml").write_text(text)

    def reports(self) -> dict[str, dict[str, Any]]:
        """`status` of each folder."""
        answer = ask(self.state, "status", timeout_s=10.0)
        return {folder["id"]: folder for folder in answer["folders"]}

    def accept(self) -> int:
        """Let go what the guard against mass deletes holds back: how many folders held some."""
        accepted = 0
        for id in [id for id, report in self.reports().items() if report["held"]]:
            with suppress(Declined):  # another device's decision was heard meanwhile
                ask(self.state, "accept", {"folder": id}, timeout_s=10.0)
                accepted += 1
        return accepted

    def forget_index(self) -> None:
        """As if its database was lost; the agent must not run."""
        assert not self.runs
        for path in self.state.glob("*.sqlite*"):
            path.unlink()


def peer_toml(name: str, key: str, address: str | None) -> str:
    text = _PEER.format(name=json.dumps(name), key=json.dumps(key))
    return text + (f"address = {json.dumps(address)}\n" if address else "")


class Company(Stage):
    """Devices by their names; shares: device -> the folders that it has.

    apart: pairs of devices that do not know each other
    accepted: how often a wave of deletes was held back, and accepted
    last_words, ended_at: the logs of the last company, whose stage is gone already, and when
    """

    last_words = ""
    ended_at = 0.0

    def __init__(
        self,
        home: Path,
        shares: Mapping[str, Sequence[str]],
        apart: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.accepted = 0
        self.devices: dict[str, Device] = {}
        self._shares, self._apart = shares, apart
        super().__init__(names="".join(shares), home=home)

    def _furnish(self, names: str) -> None:
        shares, home = self._shares, self.home
        ids = list(dict.fromkeys(id for folders in shares.values() for id in folders))
        self.secrets = {id: home / f"folder-{at}.secret" for at, id in enumerate(ids)}
        for secret in self.secrets.values():
            make_secret(secret)
        for (name, folders), port in zip(shares.items(), free_ports(len(shares)), strict=True):
            places = {id: f"share-{ids.index(id)}" for id in folders}
            self.devices[name] = Device(name, home / name, port, places)
        self.actors += self.devices.values()
        unknown = {frozenset(pair) for pair in self._apart}
        for one in self.devices.values():
            others = [other for other in self.devices.values() if other is not one]
            one.peers = [o for o in others if frozenset((one.name, o.name)) not in unknown]
            one.write_config(self.secrets)

    def __exit__(self, *why: object) -> None:
        for actor in self.actors:
            actor.stop()
        Company.last_words, Company.ended_at = self.logs(), time.monotonic()
        super().__exit__(*why)

    # -- before they start ------------------------------------------------------------------------

    def prepare(self) -> None:
        """All share folders, empty, so that a scene may fill them before the first start."""
        for device in self.devices.values():
            for path in device.folders.values():
                path.mkdir(exist_ok=True)

    def start(self) -> list[Device]:
        for device in self.devices.values():
            if not device.runs:
                device.start()
        return list(self.devices.values())

    # -- while they run ---------------------------------------------------------------------------

    def in_sync(self, timeout_s: float = SYNC_S) -> None:
        """Until every device's `wait` says so; raises Failed when it does not in time.

        What the guard against mass deletes holds back is accepted: here users do delete so much.
        """
        end = time.monotonic() + timeout_s
        for device in self.devices.values():
            while device.runs and not (answer := self._waited(device))["in_sync"]:
                if time.monotonic() > end:
                    raise Failed(
                        f"{device.name} is not in sync after {timeout_s:g} s: {answer['why']}\n"
                        + "\n".join(told(d) for d in self.devices.values() if d.runs)
                    )
                for other in self.devices.values():
                    self.accepted += other.accept() if other.runs else 0

    def _waited(self, device: Device) -> dict[str, Any]:
        try:
            return ask(device.state, "wait", {"timeout": WAIT_S}, timeout_s=WAIT_S + 30.0)
        except AgentAway as away:
            raise Failed(f"{device.name}: {away}") from away

    def together(self, timeout_s: float = SYNC_S) -> dict[str, Tree]:
        """In sync, and all trees of each folder equal. Returns them by folder."""
        self.in_sync(timeout_s)
        # What is not wanted any more is thrown away by a job that nobody waits for.
        until(lambda: not self._leftings(), "no .lefting is left", LEFTING_S)
        trees: dict[str, Tree] = {}
        for id in self.secrets:
            seen = {d.name: tree_of(d.of(id)) for d in self.devices.values() if id in d.folders}
            equal(seen)
            trees[id] = next(iter(seen.values()))
        return trees

    def _leftings(self) -> list[Path]:
        folders = [path for device in self.devices.values() for path in device.folders.values()]
        return [path for folder in folders for path in folder.rglob("*.lefting")]

    @contextmanager
    def held(self, *devices: Device) -> Iterator[None]:
        """These agents stand still: what is written meanwhile is written at the same time."""
        for device in devices:
            os.kill(device.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for device in devices:
                os.kill(device.pid, signal.SIGCONT)

    # -- the end ----------------------------------------------------------------------------------

    def checked_stop(self) -> None:
        """Everyone ends in order, and nothing broke while they ran."""
        for device in self.devices.values():
            if device.runs:
                device.stop()
            log = device.log_tail(10_000)
            if "Traceback" in log or "AssertionError" in log:
                raise Failed(f"{device.name} broke:\n{device.log_tail(SHOWN_LOG_LINES)}")

    def logs(self) -> str:
        return "\n".join(
            f"--- log of {device.name}\n{device.log_tail(SHOWN_LOG_LINES)}"
            for device in self.devices.values()
        )


def told(device: Device) -> str:
    """What `status` says of whatever is not in order."""
    lines = []
    for id, report in device.reports().items():
        numbers = {key: report[key] for key in ("state", "files", "tickets", "problems")}
        lines.append(f"  {device.name} {id}: {numbers}")
        lines += [f"    {problem['text']}" for problem in report["problem_list"][:10]]
        lines += [f"    under way: {file}" for file in report["under_way"][:10]]
    return "\n".join(lines)


def empty(share: Path) -> None:
    """Remove everything but our own folder."""
    for path in share.iterdir():
        if path.name == ".left":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def until(holds: Any, what: str, timeout_s: float = SYNC_S) -> None:
    if not wait_until(holds, timeout_s):
        raise Failed(f"not within {timeout_s:g} s: {what}")
