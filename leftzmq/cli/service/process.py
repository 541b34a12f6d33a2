"""The process of an agent that runs: what it is, which port it has, and its orderly end.

Knows /proc and the signal that ends an agent. Must not know how the process was started.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from leftzmq.errors import LeftError
from leftzmq.statedir import lock_holder

MODULE: Final = "leftzmq.cli.agent"
STOP_S: Final = 10.0
"""For an agent to end after SIGTERM; it takes less than 2 s where the disk is not stuck."""
_SCRIPT: Final = b"leftzmq-agent"
_LISTENS: Final = "0A"  # TCP_LISTEN in /proc/net/tcp


def stop(state: Path, timeout_s: float = STOP_S) -> int | None:
    """End the agent of a state directory, and return its process id. None: none runs that can be
    seen. LeftError: what holds the lock is no agent of ours, or does not end."""
    pid = lock_holder(state)
    if pid is None:
        return None
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        # Asked again, now that the handle keeps the number from meaning another process.
        if lock_holder(state) != pid:
            return None
        if not is_agent(pid):
            what = f"process {pid} holds the lock, and is no leftzmq-agent of this user's"
            raise LeftError(what, str(state), "look what it is, and end it yourself")
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        ended = select.poll()
        ended.register(handle, select.POLLIN)
        if not ended.poll(timeout_s * 1000):
            what = f"the agent (process {pid}) did not end within {timeout_s:.0f} s"
            do = f"kill -9 {pid} ends it at once: no file is left half-written"
            raise LeftError(what, str(state), do)
    finally:
        os.close(handle)
    return pid


def is_agent(pid: int) -> bool:
    """Return whether this process is a leftzmq-agent, and of this user."""
    process = Path(f"/proc/{pid}")
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        is_ours = process.stat().st_uid == os.geteuid()
    except OSError:
        return False
    return is_ours and (
        MODULE.encode() in words or any(os.path.basename(word) == _SCRIPT for word in words)
    )


def listens(pid: int, port: int) -> bool:
    """Return whether this process listens on a TCP port of this number."""
    process = Path(f"/proc/{pid}")
    sockets = set()
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                sockets.add(os.readlink(descriptor))
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            # sl, local address, remote address, state, 5 more, inode
            for line in (process / "net" / table).read_text().splitlines()[1:]:
                words = line.split()
                is_there = words[3] == _LISTENS and words[1].endswith(f":{port:04X}")
                if is_there and f"socket:[{words[9]}]" in sockets:
                    return True
    return False
