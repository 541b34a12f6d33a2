"""Network namespaces joined by a bridge, one device in each, on lines that can be shaped and cut.

Knows ip and tc; needs root and both. Everything is removed at the end, also after Ctrl-C. Must not
know which programs talk over it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

BURST = "128kb"
"""10 ms at 100 Mbit/s, and above the largest packet (64 KiB and its headers). A packet larger than
the burst is cut into 1,500 bytes in software, at both ends of a line; a real line does this in
hardware. With nine devices on two cores a bench measured nothing but this cutting."""
LATENCY = "50ms"


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def missing() -> list[str]:
    """Returns what this machine lacks, by name."""
    lacks = [] if os.geteuid() == 0 else ["root"]
    lacks += [name for name in ("ip", "tc") if shutil.which(name) is None]
    if not lacks:
        name = f"lzq{os.getpid()}-try"
        probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
        lacks += ["network namespaces"] if probe.returncode else []
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return lacks


class Network:
    """`spaces[i]` is the namespace of device i, at `hosts[i]`. mbit: rate of every line, each way;
    0: as fast as the machine is."""

    def __init__(self, count: int, mbit: int = 0) -> None:
        mark = f"lzq{os.getpid() % 100_000}"
        self._bridge = f"{mark}-b"
        self._mbit = mbit
        self.spaces = [f"{mark}-{number}" for number in range(count)]
        self.hosts = [f"10.77.0.{number + 1}" for number in range(count)]

    def __enter__(self) -> Network:
        try:
            run("ip", "netns", "add", self._bridge)
            run("ip", "-n", self._bridge, "link", "add", "name", "hub", "type", "bridge")
            run("ip", "-n", self._bridge, "link", "set", "hub", "up")
            for number, space in enumerate(self.spaces):
                self._join(number, space)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for space in (*self.spaces, self._bridge):  # their interfaces are deleted with them
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    def within(self, number: int) -> tuple[str, ...]:
        """Returns the command that starts another command inside a device's namespace."""
        return ("ip", "netns", "exec", self.spaces[number])

    def wire_bytes(self, number: int) -> tuple[int, int]:
        """Returns the bytes that a device has sent and received so far, as the kernel counts
        them."""
        said = run("ip", "-n", self._bridge, "-s", "-j", "link", "show", f"p{number}")
        counted = json.loads(said)[0]["stats64"]
        return counted["rx"]["bytes"], counted["tx"]["bytes"]

    def unplug(self, number: int) -> None:
        """The device's own interface is set down: its system notices, and its address is gone."""
        run("ip", "-n", self.spaces[number], "link", "set", "eth", "down")

    def plug(self, number: int) -> None:
        run("ip", "-n", self.spaces[number], "link", "set", "eth", "up")

    def swallow(self, number: int) -> None:
        """Everything that the device sends, and that is sent to it, vanishes at the bridge; no end
        notices."""
        run("ip", "-n", self._bridge, "link", "set", f"p{number}", "nomaster")

    def pass_again(self, number: int) -> None:
        run("ip", "-n", self._bridge, "link", "set", f"p{number}", "master", "hub")

    def take_address(self, number: int) -> None:
        """The device loses its address; no process is told."""
        address = f"{self.hosts[number]}/24"
        run("ip", "-n", self.spaces[number], "addr", "del", address, "dev", "eth")

    def give_address(self, number: int, host: str) -> None:
        run("ip", "-n", self.spaces[number], "addr", "add", f"{host}/24", "dev", "eth")
        self.hosts[number] = host

    def move(self, number: int, host: str) -> None:
        """The device gets another address in place of its own."""
        self.take_address(number)
        self.give_address(number, host)

    def within_with_names(self, number: int, hosts: Path) -> tuple[str, ...]:
        """As `within`, with this hosts file to look names up in; the file may change meanwhile."""
        # ip gives the processes that it starts a mount namespace of their own: no other process
        # sees this mount.
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return (*self.within(number), "sh", "-c", script, str(hosts))

    def _join(self, number: int, space: str) -> None:
        run("ip", "netns", "add", space)
        port = f"p{number}"
        run(
            *("ip", "-n", self._bridge, "link", "add", "name", port, "type", "veth"),
            *("peer", "name", "eth", "netns", space),
        )
        run("ip", "-n", self._bridge, "link", "set", port, "master", "hub", "up")
        run("ip", "-n", space, "addr", "add", f"{self.hosts[number]}/24", "dev", "eth")
        run("ip", "-n", space, "link", "set", "eth", "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        self._shape(space, "eth")
        self._shape(self._bridge, port)

    def _shape(self, space: str, device: str) -> None:
        if self._mbit:
            run(
                *("tc", "-n", space, "qdisc", "add", "dev", device, "root", "tbf"),
                *("rate", f"{self._mbit}mbit", "burst", BURST, "latency", LATENCY),
            )
