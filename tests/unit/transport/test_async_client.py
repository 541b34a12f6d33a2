"""Questions to an agent from an event loop: who is away, who is silent, and how many are open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import zmq
import zmq.asyncio

from leftzmq.errors import AgentAway
from leftzmq.statedir import ipc_endpoints
from leftzmq.transport.ipc.async_client import MOST_QUESTIONS, AgentLine
from leftzmq.wire.local import encode_reply

Story = Callable[[AgentLine, zmq.asyncio.Socket], Awaitable[None]]


def play(state: Path, story: Story) -> None:
    """Beside a socket that does what the story has it do."""

    async def played() -> None:
        os.chmod(state, 0o700)
        line, context = AgentLine(state), zmq.asyncio.Context()
        socket = context.socket(zmq.ROUTER)
        socket.bind(ipc_endpoints(state)[1])
        try:
            async with asyncio.timeout(15):
                await story(line, socket)
        finally:
            line.close()
            context.destroy(linger=0)

    asyncio.run(played())


def test_without_an_agent_it_is_said_at_once(tmp_path: Path) -> None:
    """Also where a killed one left its sockets behind."""

    async def played() -> None:
        line = AgentLine(tmp_path)
        for _ in range(2):
            async with asyncio.timeout(1):
                with pytest.raises(AgentAway, match="no agent runs"):
                    await line.ask("status")
            events, admin = (Path(each.removeprefix("ipc://")) for each in ipc_endpoints(tmp_path))
            for each in (events, admin):
                each.touch()
        line.close()

    asyncio.run(played())


def test_an_agent_that_does_not_answer_is_away(tmp_path: Path) -> None:
    async def story(line: AgentLine, socket: zmq.asyncio.Socket) -> None:
        with pytest.raises(AgentAway, match=r"did not answer within 0 s"):
            await line.ask("status", timeout_s=0.2)

    play(tmp_path, story)


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x01", b"\x91\x01", b"\x81\xa1a\xc4\x00"])
def test_what_is_no_answer_is_said(tmp_path: Path, frame: bytes) -> None:
    async def story(line: AgentLine, socket: zmq.asyncio.Socket) -> None:
        asked = asyncio.create_task(line.ask("status"))
        asker, _ = await socket.recv_multipart()
        await socket.send_multipart([asker, frame])
        with pytest.raises(AgentAway, match="is no agent"):
            await asked

    play(tmp_path, story)


def test_so_many_questions_are_open_at_once_and_the_others_wait(tmp_path: Path) -> None:
    async def story(line: AgentLine, socket: zmq.asyncio.Socket) -> None:
        asked = [asyncio.create_task(line.ask("status")) for _ in range(MOST_QUESTIONS + 3)]
        askers = [(await socket.recv_multipart())[0] for _ in range(MOST_QUESTIONS)]
        assert not await socket.poll(200)
        for asker in askers:
            await socket.send_multipart([asker, encode_reply({"n": 1})])
        for _ in range(3):
            asker, _ = await socket.recv_multipart()
            await socket.send_multipart([asker, encode_reply({"n": 1})])
        assert await asyncio.gather(*asked) == [{"n": 1}] * len(asked)

    play(tmp_path, story)


def test_a_question_that_is_given_up_leaves_its_place(tmp_path: Path) -> None:
    async def story(line: AgentLine, socket: zmq.asyncio.Socket) -> None:
        asked = [asyncio.create_task(line.ask("wait", timeout_s=60)) for _ in range(MOST_QUESTIONS)]
        for _ in asked:
            await socket.recv_multipart()
        for each in asked:
            each.cancel()
        answered = asyncio.create_task(line.ask("status"))
        asker, _ = await socket.recv_multipart()
        await socket.send_multipart([asker, encode_reply({"n": 1})])
        assert await answered == {"n": 1}

    play(tmp_path, story)
