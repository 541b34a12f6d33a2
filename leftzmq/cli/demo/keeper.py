"""Who cleans up after a demo that was killed: a small process that outlives it.

It holds one end of a pipe. When the other end is gone, and nobody dismissed it, it kills the agents
whose config lies below the demo's folder, and removes the folder. Must not know the story.
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
"""One that was just being started when the demo was killed is not seen at the first look."""


class Keeper:
    """The demo's end of it."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "leftzmq.cli.demo.keeper", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # neither Ctrl-C nor a closed terminal is for it
        )

    def leave_it(self) -> None:
        """The demo could not clean up: from now on it is the keeper's."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def dismiss(self) -> None:
        """The demo has cleaned up itself."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def agents(home: Path) -> list[int]:
    """The agents whose config lies below it: /proc says so, which only Linux has."""
    below = os.fsencode(home) + b"/"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if AGENT.encode() in words and any(word.startswith(below) for word in words):
                found.append(int(process.name))
    return found


def kill_agents(home: Path) -> bool:
    """Whether there were any. What they have is thrown away in any case: no need to be gentle."""
    pids = agents(home)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)


def throw_away(home: Path) -> None:
    """The demo's folder, and what its agents put elsewhere."""
    for state in home.glob("*/state"):
        forget_short_ways(state)
    shutil.rmtree(home, ignore_errors=True)


def clear(home: Path, timeout_s: float, looks: int = 1) -> bool:
    """Kill who works below it and throw it away, until nobody and nothing is there. False: not in
    that time.

    looks: how often nothing is to be found there, one after the other
    """
    end = time.monotonic() + timeout_s
    nothing = 0
    while nothing < looks and time.monotonic() < end:
        if nothing:
            time.sleep(_AGAIN_S)
        found = kill_agents(home)  # and until they are dead they may make files and folders anew
        throw_away(home)
        nothing = 0 if found or home.exists() else nothing + 1
        if found:
            time.sleep(_DYING_S)
    return nothing >= looks


if __name__ == "__main__":
    sys.stdin.buffer.read()
    clear(Path(sys.argv[1]), CLEAR_S, looks=2)
