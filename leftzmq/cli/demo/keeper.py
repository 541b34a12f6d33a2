"""Cleans up after a demo that was killed: a small process that outlives the demo.

It holds one end of a pipe. When the other end is closed and nobody dismissed the keeper, it kills
the agents whose config lies below the demo's folder, and removes the folder. Knows that folder.
Must not know the story.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from leftzmq.statedir import forget_short_ways

AGENT: Final = "leftzmq.cli.agent"
CLEAR_S: Final = 600.0
_DYING_S: Final = 0.01
_AGAIN_S: Final = 0.2
"""An agent that was just being started when the demo was killed is not found by the first
search."""


class Keeper:
    """The demo's end of the pipe, and the keeper's process."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "leftzmq.cli.demo.keeper", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so neither Ctrl-C nor a closed terminal ends it
        )

    def leave_it(self) -> None:
        """The demo could not clean up: let the keeper do it."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def dismiss(self) -> None:
        """The demo has cleaned up itself: end the keeper."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def agents(home: Path) -> list[int]:
    """Return the process ids of agents whose config lies below `home`: from /proc, which only Linux
    has."""
    below = os.fsencode(home) + b"/"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if AGENT.encode() in words and any(word.startswith(below) for word in words):
                found.append(int(process.name))
    return found


def kill_agents(home: Path) -> bool:
    """Kill these agents. Return whether there were any. Their data is deleted in any case, so
    SIGKILL is safe."""
    pids = agents(home)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)


def throw_away(home: Path) -> None:
    """Delete the demo's folder, and the short links that its agents made elsewhere."""
    for state in home.glob("*/state"):
        forget_short_ways(state)
    shutil.rmtree(home, ignore_errors=True)


def clear(home: Path, timeout_s: float, looks: int = 1) -> bool:
    """Kill the agents below `home` and delete it, until neither is found. Return False if that took
    longer than `timeout_s`.

    looks: how many searches in a row must find nothing.
    """
    end = time.monotonic() + timeout_s
    nothing = 0
    while nothing < looks and time.monotonic() < end:
        if nothing:
            time.sleep(_AGAIN_S)
        found = kill_agents(home)  # until they are dead they may make new files and folders
        throw_away(home)
        nothing = 0 if found or home.exists() else nothing + 1
        if found:
            time.sleep(_DYING_S)
    return nothing >= looks


if __name__ == "__main__":
    sys.stdin.buffer.read()
    clear(Path(sys.argv[1]), CLEAR_S, looks=2)
