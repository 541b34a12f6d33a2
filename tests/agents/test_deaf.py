"""A monitor that subscribes to an agent's events and never reads them costs the agent nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from leftzmq.cli.demo.stage import Stage, wait_until
from leftzmq.statedir import ipc_endpoints
from leftzmq.transport.connections.activity import Activity
from leftzmq.transport.context import Context
from leftzmq.transport.door.context_end import end_context
from leftzmq.transport.ipc.server import IpcServer
from leftzmq.transport.poller import Poller
from leftzmq.transport.refusal_log import RefusalLog
from leftzmq.transport.socket_errors import SocketErrors
from tests.helpers.buses import new_keys

EVENT = [b"scan", bytes(8), bytes(60 << 10)]
EVENTS = 3000  # 180 MB
ROOM_MIB = 40
"""256 events of 60 KiB wait for it, and some are with the system."""
TELL_S = 0.005  # no turn of the loop is longer


def memory_mib(process: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def deaf(endpoint: str) -> Iterator[None]:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, 1)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(endpoint)
        yield


def test_what_waits_for_it_is_bounded_and_telling_never_waits(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    poller = Poller()
    events, admin = (f"ipc://{tmp_path}/{name}" for name in ("events", "admin"))
    allowed: set[bytes] = set()
    world = Context(
        context,
        new_keys(),
        poller,
        allowed.__contains__,
        RefusalLog(),
        time.monotonic,
        SocketErrors(),
        Activity(),
    )
    doors = IpcServer(world, events, admin)
    try:
        with deaf(events):
            end = time.monotonic() + 5
            while not doors.has_listeners and time.monotonic() < end:
                poller.poll(10)
            assert doors.has_listeners
            before, slowest = memory_mib("self"), 0.0
            for _ in range(EVENTS):
                began = time.thread_time()
                doors.tell(EVENT)
                slowest = max(slowest, time.thread_time() - began)
            assert memory_mib("self") - before < ROOM_MIB
            assert slowest < TELL_S
    finally:
        doors.close()
        assert end_context(context, 10.0)


def test_an_agent_that_nobody_listens_to_syncs_on(tmp_path: Path) -> None:
    with Stage("AB", tmp_path / "stage") as stage:
        a, b = stage.actors
        a.start()
        b.start()
        with deaf(ipc_endpoints(a.state)[0]), deaf(ipc_endpoints(b.state)[0]):
            for number in range(1500):
                (a.share / f"f{number}").write_bytes(b"x")
            assert wait_until(lambda: b.status().get("files") == 1500, 60), b.log_tail()
            (b.share / "late").write_bytes(b"x")
            assert wait_until((a.share / "late").exists, 5)
            # As large as it would be without: index and caches of 1,500 small files.
            assert max(memory_mib(str(actor.pid)) for actor in (a, b)) < 120
