"""An agent in the background: a process of its own session, with its log in the state directory.

Knows how it is started and where its log is. Must not know when one is wanted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from leftzmq.cli.service.process import MODULE
from leftzmq.errors import ConfigError

LOG_BYTES: Final = 1 << 20
"""What is kept of older logs at a start."""
SHOWN_BYTES: Final = 16 << 10
_PRIVATE_FILE: Final = 0o600


class Background:
    """The agent of one peer.toml as a process in the background."""

    def __init__(self, file: Path, state: Path) -> None:
        self.log = state / "agent.log"
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0  # where in the log

    @property
    def said(self) -> str:
        return f"in the background; its log is {self.log}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Raises ConfigError if the log cannot be written; OSError if no process can be made."""
        log = _open_log(self.log)
        try:
            self._began = os.lseek(log, 0, os.SEEK_END)
            # -P: whatever lies in the directory where it is started is no module.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, "-c", str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",  # so that it keeps no disk from being unmounted
                start_new_session=True,
            )
        finally:
            os.close(log)

    def has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def log_tail(self, lines: int) -> str:
        """Return the last lines that were logged since the start."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(self._began, os.fstat(log.fileno()).st_size - SHOWN_BYTES))
                text = log.read().decode(errors="replace")
        except OSError as error:
            return f"its log cannot be read: {error.strerror}"
        return "\n".join(text.splitlines()[-lines:])


def _open_log(path: Path) -> int:
    """Return a descriptor that appends to the log, cut to its last LOG_BYTES."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        log = os.open(path, flags, _PRIVATE_FILE)
        try:
            os.fchmod(log, _PRIVATE_FILE)
            size = os.fstat(log).st_size
            if size > LOG_BYTES:
                kept = os.pread(log, LOG_BYTES, size - LOG_BYTES)
                os.ftruncate(log, 0)
                os.write(log, kept[kept.find(b"\n") + 1 :])
        except BaseException:
            os.close(log)
            raise
    except OSError as error:
        do = "name a state that this user may write to, in [device]"
        raise ConfigError(f"cannot be written: {error.strerror}", str(path), do) from None
    return log
