"""Draws the picture of a first sync in the README: types its two commands on two machines of their
own (network namespaces with clean homes and names of their own), and draws both screens.

usage: python bench/first_sync_picture.py [--to docs/first-sync.svg]       (needs root, ip and tc)
The picture is what the two terminals show at the end; nothing is added or left out, but for the
names of the machines before the commands.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from network import Network, missing
from picture import draw

README = Path(__file__).resolve().parents[1] / "README.md"
COLUMNS, ROWS = 132, 40
FILES, FILE_BYTES = 20, 1_000_000
PACE_S = 1.5
"""A person needs a moment to see the code and to type it; nothing of the picture depends on it."""
BEGIN = """mount --bind "$0" /home && hostname "$1" && cd /home/anna && export HOME=/home/anna &&
exec sh -c "$2" """
"""ip gives what it starts in a namespace mounts of its own, so no other process sees this /home."""


class Terminal:
    """A machine with a name, where one line is typed in a terminal."""

    def __init__(self, name: str, base: Path, within: tuple[str, ...], line: str) -> None:
        self.name, self.line, self.said = name, line, b""
        programs = base / "anna" / ".local" / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for program, text in (
            ("leftzmq", f'exec {sys.executable} -m leftzmq.cli.admin "$@"'),
            ("systemctl", "exit 1"),
        ):
            (programs / program).write_text(f"#!/bin/sh\n{text}\n")
            (programs / program).chmod(0o755)
        path = f"/home/anna/.local/bin:{os.environ['PATH']}"
        uts = ("unshare", "--uts", "sh", "-c", BEGIN, str(base), name)
        self._env = {
            "PATH": path,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "COLUMNS": str(COLUMNS),
        }
        self._env["PYTHONPATH"] = str(README.parent)
        self._command = [*within, *uts]
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(self._command[0], [*self._command, line], self._env)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the terminal is closed at the end
            while data := os.read(self._terminal, 65536):
                self.said += data

    def until(self, pattern: str, within_s: float = 30.0) -> str:
        """Return what matches, as soon as it is on the screen."""
        end = time.monotonic() + within_s
        while (found := re.search(pattern, self.said.decode(errors="replace"))) is None:
            if time.monotonic() > end:
                sys.exit(f"{self.name} did not say {pattern}:\n{self.said.decode()}")
            time.sleep(0.05)
        return found[0]

    def ends(self) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._reader.join(5.0)
        if code:
            sys.exit(f"{self.line} ended with {code}:\n{self.said.decode()}")

    def down(self) -> None:
        subprocess.run([*self._command, "leftzmq down"], env=self._env, check=True)

    def screen(self) -> list[str]:
        """Return the lines that are left. A line that is begun anew (CR) was cleared before."""
        rows = self.said.decode().replace("\r\n", "\n").split("\n")
        left = [row.split("\r")[-1].rstrip() for row in rows]
        while left and not left[-1]:
            left.pop()
        return [f"anna@{self.name}:~$ {self.line}", *left]


def typed() -> tuple[str, str]:
    """Return the two commands of the README."""
    found = re.findall(r"^(leftzmq (?:share|join) .*)$", README.read_text(), re.M)
    return found[0], found[1]


def recorded(base: Path) -> list[str]:
    """Type both commands. Return both screens."""
    share, join = typed()
    docs = base / "laptop" / "anna" / "docs"
    docs.mkdir(parents=True)
    for number in range(FILES):
        (docs / f"{number}.pdf").write_bytes(os.urandom(FILE_BYTES))
    with Network(2) as network:
        first = Terminal("laptop", base / "laptop", network.within(0), share)
        code = first.until(r"lz1-[a-z0-9-]+")
        first.until("Waiting for it")
        time.sleep(PACE_S)
        line = join.replace("CODE", code)
        second = Terminal("desktop", base / "desktop", network.within(1), line)
        try:
            second.ends()
            first.ends()
        finally:
            for machine in (first, second):
                machine.down()
    return [*first.screen(), "", *second.screen()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=Path, default=Path("docs/first-sync.svg"))
    options = parser.parse_args()
    if lacks := missing():
        sys.exit(f"needs {', '.join(lacks)}")
    with TemporaryDirectory() as base:
        shown = recorded(Path(base))
    options.to.write_text(draw(shown, "a first sync between two machines", COLUMNS))
    print("\n".join(shown))
