"""Checks what this machine must have before the first socket is made, and sets up the process.

Knows libzmq's build, libc and the limit on descriptors. Must not know keys, endpoints or sockets.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from typing import Final

import zmq

from leftzmq.errors import PlatformError
from leftzmq.transport.dialing.race import MOST_AT_ONCE

MIN_LIBZMQ: Final = (4, 3, 5)
"""Older versions can be attacked before the handshake (CVE-2019-13132, CVE-2020-15166)."""

MAX_DESCRIPTORS: Final = 65_536
"""A higher limit is not requested. Connections are limited where they are accepted
(transport/connections/limits, transport/ipc/server)."""
NEEDED_DESCRIPTORS: Final = 3600
"""Without peers. 3003 connections can be accepted before the loop checks one of them (1001 a
socket). 224 of those that were checked may be silent, and 80 are local. The rest is for our own
sockets, files and indexes. With fewer, a stranger could take the last descriptor, and libzmq ends
the process if it finds none for a local connection."""
NEEDED_FOR_A_PEER: Final = 24
"""For each peer: three sockets, each with a connection, two eventfds and its monitor's one; and
four connections of the peer to each of our three sockets."""

NEEDED_FOR_A_RIVAL: Final = 4
"""For each further address of a peer that is raced: a socket, as above."""


def require(addresses: Iterable[int]) -> None:
    """Check this machine and set up the process; to be called before the first ROUTER, and again
    when there are more peers. addresses: how many each peer has; 0: it dials us.

    Raises PlatformError with what to do.
    """
    _check(sys.platform, zmq.has("curve"), zmq.zmq_version_info(), zmq.zmq_version())
    _seed_routing_ids()
    _limit_descriptors(needed_descriptors(addresses))


def needed_descriptors(addresses: Iterable[int]) -> int:
    """Return how many descriptors an agent may need. addresses: how many each peer has."""
    rivals = [max(0, min(count, MOST_AT_ONCE) - 1) for count in addresses]
    needed = len(rivals) * NEEDED_FOR_A_PEER + sum(rivals) * NEEDED_FOR_A_RIVAL
    return NEEDED_DESCRIPTORS + needed


def descriptors_allowed() -> int:
    """Return how many descriptors an agent that is started now could have open."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)


def descriptors() -> int:
    """Return how many descriptors this process may have open."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, MAX_DESCRIPTORS)


def open_descriptors() -> int | None:
    """Return how many descriptors this process has open. None: this system does not tell."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # one is that of the listing
    except OSError:
        return None


def _check(platform: str, has_curve: bool, version: tuple[int, int, int], text: str) -> None:
    if platform == "win32":
        do = "run it on Linux or macOS, or in WSL"
        raise PlatformError("leftzmq needs descriptor-relative file calls", "Windows", do)
    where, do = f"libzmq {text}", "pip install --upgrade pyzmq: its wheels have both"
    if not has_curve:
        raise PlatformError("is built without CURVE, so nothing could be encrypted", where, do)
    if version < MIN_LIBZMQ:
        wanted = ".".join(map(str, MIN_LIBZMQ))
        raise PlatformError(f"is too old, at least {wanted} is needed", where, do)


def _seed_routing_ids() -> None:
    """Make the next automatic routing id unpredictable: a peer that chose the same id would abort
    us.

    libzmq takes the first one from libc's rand(), which starts the same in every process.
    """
    libc = ctypes.CDLL(None)
    libc.srand.argtypes, libc.srand.restype = [ctypes.c_uint], None
    libc.srand(int.from_bytes(os.urandom(4), "big"))


def _limit_descriptors(needed: int) -> None:
    # Not at the top: on Windows the import would fail before `_check` could say what to do.
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = descriptors_allowed()
    if soft < needed:
        what = f"this process may have {soft} file descriptors, and needs {needed}"
        do = f"raise the limit: ulimit -n {needed} as root, or LimitNOFILE={needed} in the service"
        raise PlatformError(what, "RLIMIT_NOFILE", do)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
