"""An agent as a service of the user: a unit file of ours, and what systemctl is asked to do.

Knows where a user's units lie, their syntax and the words of systemctl. Must not know when an agent
is wanted, nor touch a unit that a person wrote.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from platformdirs import user_config_path

from leftzmq.cli.service.process import MODULE
from leftzmq.config.places import default_file
from leftzmq.errors import LeftError

ANSWER_S: Final = 3.0
"""For the user's manager to say that it is there. In a container, or after su, there is none."""
ORDER_S: Final = 30.0
"""For systemctl to do something; an agent that is stopped takes up to 2 s."""
LOOK_S: Final = 0.5
_MARK: Final = (
    "# Made by leftzmq (`leftzmq up`), and written anew by it: put changes into a drop-in."
)
_UNIT: Final = """\
{mark}
[Unit]
Description=leftzmq keeps folders equal on several devices

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=5
# 2: peer.toml is wrong, which another start does not change.
RestartPreventExitStatus=2

[Install]
WantedBy=default.target
"""
_ENDED: Final = frozenset(("failed", "dead", "auto-restart", "auto-restart-queued"))


def has_manager() -> bool:
    """Return whether a systemd of this user answers."""
    try:
        return _systemctl("show-environment", timeout_s=ANSWER_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class Service:
    """The agent of one peer.toml as a unit. file: peer.toml, in a directory without links."""

    pid: Final = None  # its manager knows

    def __init__(self, file: Path) -> None:
        self._file = file
        self.name = "leftzmq.service"
        default = default_file()
        if file != default.parent.resolve() / default.name:
            mark = hashlib.blake2b(os.fsencode(file), digest_size=8).hexdigest()
            self.name = f"leftzmq-{mark}.service"
        self.path = user_config_path("systemd", appauthor=False) / "user" / self.name
        self._next_look = 0.0
        self._state = ""

    @property
    def said(self) -> str:
        return (
            f"as the service {self.name}, which begins and ends with your session: "
            "`loginctl enable-linger` lets it run without one"
        )

    @property
    def is_ours(self) -> bool:
        """Whether there is a unit of this name, and leftzmq made it."""
        try:
            return self.path.read_bytes().startswith(_MARK.encode())
        except OSError:
            return False

    def start(self) -> None:
        """Write the unit and have it run, now and in each session. Raises LeftError."""
        command = " ".join(self._words())
        text = _UNIT.format(mark=_MARK, command=command)
        if os.path.lexists(self.path) and not self.is_ours:
            raise self._unusable("was not made by leftzmq, which does not touch it")
        try:
            if not self.is_ours or self.path.read_text() != text:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                new = self.path.with_name(f".{self.name}.{os.getpid()}")
                new.write_text(text)
                new.replace(self.path)
        except OSError as error:
            raise self._unusable(f"cannot be made: {error.strerror}") from None
        _order("daemon-reload")
        _order("enable", "--now", self.name)

    def runs(self) -> bool:
        """Return whether systemd keeps it running, or is about to start it again."""
        return self._look() in ("start", "running", "auto-restart", "auto-restart-queued")

    def has_ended(self) -> bool:
        now = time.monotonic()
        if now >= self._next_look:
            self._state, self._next_look = self._look(), now + LOOK_S
        return self._state in _ENDED

    def stop(self) -> None:
        """End it, also for later sessions. Raises LeftError."""
        _order("disable", "--now", self.name)

    def log_tail(self, lines: int) -> str:
        command = ["journalctl", "--user", "-u", self.name, "-n", str(lines)]
        try:
            found = subprocess.run(
                [*command, "--no-pager", "-o", "cat"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=ORDER_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return f"see {' '.join(command)}"
        return found.stdout.decode(errors="replace").strip() or f"see {' '.join(command)}"

    def _look(self) -> str:
        try:
            found = _systemctl("show", "-p", "SubState", "--value", self.name)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return found.stdout.decode(errors="replace").strip()

    def _words(self) -> Iterator[str]:
        # The program is looked up as it is: a $ in its path is no variable. systemd.service(5)
        yield _quoted(sys.executable)
        for word in ("-P", "-m", MODULE, "-c", str(self._file)):
            yield _quoted(word).replace("$", "$$")

    def _unusable(self, what: str) -> LeftError:
        do = "move it away, or start leftzmq-agent in a way of your own"
        return LeftError(what, str(self.path), do)


def _quoted(word: str) -> str:
    """Return one word of a command line in a unit: systemd.syntax(7), "Quoting"."""
    special = {"\\": "\\\\", '"': '\\"', "%": "%%"}
    return '"' + "".join(special.get(letter) or _plain(letter) for letter in word) + '"'


def _plain(letter: str) -> str:
    if letter.isprintable():
        return letter
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))


def _order(*words: str) -> None:
    command = f"systemctl --user {' '.join(words)}"
    try:
        ran = _systemctl(*words)
    except subprocess.TimeoutExpired:
        raise LeftError(f"did not end within {ORDER_S:.0f} s", command, "try it by hand") from None
    except OSError as error:
        raise LeftError(f"cannot be run: {error.strerror}", command, "try it by hand") from None
    if ran.returncode:
        said = " ".join(ran.stderr.decode(errors="replace").split())
        raise LeftError(f"failed: {said}", command, "try it by hand")


def _systemctl(*words: str, timeout_s: float = ORDER_S) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["systemctl", "--user", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
    )
