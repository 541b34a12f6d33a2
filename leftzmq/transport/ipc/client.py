"""The client side of the agent's local sockets: the command line asks questions, a monitor reads
events.

Knows the ipc endpoints of one state directory. Must not know what questions or events mean.
"""

from __future__ import annotations

import socket as unix
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import zmq

from leftzmq.errors import AgentAway, Declined, Refused
from leftzmq.statedir import ipc_endpoints, is_there
from leftzmq.wire.local import (
    MAX_EVENT_BYTES,
    MAX_REPLY_BYTES,
    Event,
    Scalar,
    decode_event,
    decode_reply,
    encode_ask,
)

ANSWER_S: Final = 5.0
"""An agent answers within a turn of its loop; after this time it counts as hanging."""
EVENTS_HWM: Final = 100_000
_START: Final = "start it: leftzmq up"


def ask(
    state: Path, verb: str, fields: Mapping[str, Scalar] | None = None, timeout_s: float = ANSWER_S
) -> dict[str, Any]:
    """Return the reply of the agent of a state directory to one question. Raises AgentAway,
    Declined, and ConfigError if it is another user's agent."""
    _, admin = ipc_endpoints(state)
    _must_exist(admin, state)
    with closing(_context().socket(zmq.DEALER)) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY_BYTES)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.SNDTIMEO, int(ANSWER_S * 1000))
        socket.connect(admin)
        try:
            socket.send(encode_ask(verb, fields or {}))
        except zmq.Again as error:
            raise AgentAway("no agent runs on this state directory", str(state), _START) from error
        if not socket.poll(int(timeout_s * 1000)):
            raise AgentAway(f"the agent did not answer within {timeout_s:.0f} s", str(state))
        reply = decode_reply(socket.recv())
    if "error" in reply:
        raise AgentAway(str(reply["error"]), str(state))
    if "declined" in reply:
        raise Declined(**{key: str(value) for key, value in reply["declined"].items()})
    return reply


def is_served(state: Path) -> bool:
    """Return at once whether a process listens for questions there. What a killed agent left behind
    is no such process."""
    _, admin = ipc_endpoints(state)
    with unix.socket(unix.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(admin.removeprefix("ipc://"))
        except BlockingIOError:  # so many wait that it takes no more for the moment
            return True
        except OSError:
            return False
    return True


def listen(state: Path, topics: tuple[str, ...] = ()) -> Iterator[Event | None]:
    """Yield the events of an agent as they happen, without end; None about once a second if there
    are none.

    A restarted agent is found again without a new call. topics: kinds of events to receive; none:
    all. Raises ConfigError if the agent is another user's.
    """
    events, _ = ipc_endpoints(state)
    is_there(events, state)
    with closing(_context().socket(zmq.SUB)) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, EVENTS_HWM)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_EVENT_BYTES)
        for topic in topics or ("",):
            socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        socket.connect(events)
        while True:
            if not socket.poll(1000):
                yield None
                continue
            try:
                yield decode_event(socket.recv_multipart())
            except Refused:
                continue  # an agent of another version sends an event that we do not know


def _context() -> zmq.Context[zmq.Socket[bytes]]:
    """Return the context of this process, which is never terminated. Termination waits for all
    sockets. It would wait for ever if Ctrl-C came while a socket was being made, because nobody
    could close it."""
    return zmq.Context.instance()


def _must_exist(endpoint: str, state: Path) -> None:
    if not is_there(endpoint, state):
        raise AgentAway("no agent runs on this state directory", str(state), _START)
