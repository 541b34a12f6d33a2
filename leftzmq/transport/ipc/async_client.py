"""The client side of the agent's local sockets, for a process that has an event loop: many
questions may be open at once, and nobody's wait is another one's.

Knows the ipc endpoints of one state directory. Must not know what questions or events mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import zmq
import zmq.asyncio

from leftzmq.errors import AgentAway, Refused
from leftzmq.statedir import ipc_endpoints, is_there
from leftzmq.transport.ipc.client import ANSWER_S, is_served
from leftzmq.wire.local import (
    MAX_EVENT_BYTES,
    MAX_REPLY_BYTES,
    Event,
    EventKind,
    Scalar,
    decode_event,
    decode_reply,
    encode_ask,
)

MOST_QUESTIONS: Final = 8
"""Open at once, each with a connection of its own; further ones wait. An agent takes 32
connections, and other tools want some of them."""
EVENTS_HWM: Final = 2_000


class AgentLine:
    """Questions to one agent, and its events. For one event loop."""

    def __init__(self, state: Path) -> None:
        self._directory = state
        self._context = zmq.asyncio.Context()
        self._turns = asyncio.Semaphore(MOST_QUESTIONS)

    def close(self) -> None:
        self._context.destroy(linger=0)

    async def ask(
        self, verb: str, fields: Mapping[str, Scalar] | None = None, timeout_s: float = ANSWER_S
    ) -> dict[str, Any]:
        """Return the reply to one question as it came, also `declined` and `error`. Raises
        AgentAway, and ConfigError if it is another user's agent."""
        async with self._turns:
            return await self._ask(verb, fields or {}, timeout_s)

    async def _ask(
        self, verb: str, fields: Mapping[str, Scalar], timeout_s: float
    ) -> dict[str, Any]:
        _, admin = ipc_endpoints(self._directory)
        if not (is_there(admin, self._directory) and is_served(self._directory)):
            raise self._away("no agent runs on this state directory")
        with closing(self._context.socket(zmq.DEALER)) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY_BYTES)
            socket.setsockopt(zmq.IMMEDIATE, 1)
            socket.connect(admin)
            try:
                async with asyncio.timeout(ANSWER_S):
                    await socket.send(encode_ask(verb, fields))
            except TimeoutError:
                raise self._away("no agent runs on this state directory") from None
            try:
                async with asyncio.timeout(timeout_s):
                    frame = await socket.recv()
            except TimeoutError:
                raise self._away(f"the agent did not answer within {timeout_s:.0f} s") from None
        try:
            return decode_reply(frame)
        except Refused as refused:
            raise self._away(f"what answers there is no agent: {refused}") from None

    def _away(self, what: str) -> AgentAway:
        return AgentAway(what, str(self._directory), "start it: leftzmq up")

    async def listen(self, kinds: tuple[EventKind, ...]) -> AsyncIterator[Event]:
        """Yield the events of these kinds as they happen, without end. An agent that is started
        again is found without a new call. Raises ConfigError if it is another user's."""
        events, _ = ipc_endpoints(self._directory)
        with closing(self._context.socket(zmq.SUB)) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVHWM, EVENTS_HWM)
            socket.setsockopt(zmq.MAXMSGSIZE, MAX_EVENT_BYTES)
            for kind in kinds:
                socket.setsockopt(zmq.SUBSCRIBE, kind.value.encode())
            socket.connect(events)
            while True:
                try:
                    yield decode_event(await socket.recv_multipart())
                except Refused:
                    continue  # an agent of another version sends an event that we do not know
