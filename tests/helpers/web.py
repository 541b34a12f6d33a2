"""A page that is served in this process, and a stand-in for the agent behind it: real sockets, and
whatever answers a test wants."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import zmq
import zmq.asyncio

from leftzmq.statedir import ipc_endpoints
from leftzmq.web.access import COOKIE, PAGE_HEADER, Keys
from leftzmq.web.server import Serving, bind, place_of, running
from leftzmq.web.watch import PageWatch
from leftzmq.wire.local import (
    Event,
    EventKind,
    Scalar,
    decode_ask,
    encode_event,
    encode_reply,
)
from leftzmq.wire.replies import (
    FolderStatus,
    HeldBack,
    LimitsShown,
    MemberStatus,
    PeerStatus,
    Status,
)

TOKEN = "0123456789abcdefghijklmnopqrstuv"
Answer = dict[str, Any] | Callable[[Mapping[str, Scalar]], dict[str, Any]]


def a_folder(id: str = "docs", **changed: Any) -> FolderStatus:
    """The answer about a folder in which nothing is to be done."""
    fields: dict[str, Any] = {
        "id": id,
        "state": "idle",
        "shared_with": ["beta"],
        "members": [a_member()],
        "why": "",
        "files": 3,
        "bytes": 5_000,
        "tickets": 0,
        "need_bytes": 0,
        "not_kept": 0,
        "not_kept_bytes": 0,
        "mode": "both",
        "differs": 0,
        "differ_list": [],
        "waits_for": "",
        "problems": 0,
        "conflicts": 0,
        "sent_bytes": 0,
        "received_bytes": 0,
        "held": HeldBack(),
        "rate": 0,
        "arriving": 0,
        "under_way": [],
        "problem_list": [],
        "conflict_list": [],
        "conflict_devices": [],
    }
    return FolderStatus(**(fields | changed))


def a_member(name: str = "beta", state: str = "in sync", **changed: Any) -> MemberStatus:
    fields: dict[str, Any] = {
        "name": name,
        "state": state,
        "why": "",
        "behind_paths": 0,
        "behind_bytes": 0,
        "behind_since": None,
        "accepted_left": 0,
        "ahead_paths": 0,
        "ahead_bytes": 0,
        "passed_paths": 0,
    }
    return MemberStatus(**(fields | changed))


def a_status(*folders: FolderStatus) -> dict[str, Any]:
    beta = PeerStatus(name="beta", key="b" * 6, connected=True, state="in sync")
    status = Status(
        device="alpha",
        key="a" * 6,
        limits=LimitsShown(),
        peers=[beta],
        strangers=[],
        folders=list(folders) or [a_folder()],
    )
    return status.fields()


@dataclass
class FakeAgent:
    """answers: by verb. asked: every question, in order."""

    state: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, Scalar]]] = field(default_factory=list)
    began: float = 100.0
    number: int = 0

    def __post_init__(self) -> None:
        self.answers.setdefault("status", a_status())
        self.answers.setdefault("invitations", {"invitations": []})
        self.answers.setdefault("events", lambda _: {"began": self.began, "events": []})
        self.topics: set[bytes] = set()
        self._stop: Callable[[], None] | None = None

    def count(self, verb: str) -> int:
        return sum(asked == verb for asked, _ in self.asked)

    def start(self) -> None:
        """It answers from now on, in the event loop that runs."""
        self.topics.clear()
        context = zmq.asyncio.Context()
        events, admin = ipc_endpoints(self.state)
        self._events = context.socket(zmq.XPUB)
        self._events.bind(events)
        router = context.socket(zmq.ROUTER)
        router.bind(admin)
        tasks = [asyncio.create_task(self._answer(router)), asyncio.create_task(self._note())]

        def stop() -> None:
            for task in tasks:
                task.cancel()
            context.destroy(linger=0)
            for endpoint in (events, admin):
                with suppress(FileNotFoundError):
                    Path(endpoint.removeprefix("ipc://")).unlink()

        self._stop = stop

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None

    async def tell(self, kind: EventKind, fields: Mapping[str, Scalar]) -> None:
        self.number += 1
        event = Event(kind, self.number, 1_000.0 + self.number, fields, self.began)
        await self._events.send_multipart(encode_event(event))

    async def _answer(self, router: zmq.asyncio.Socket) -> None:
        while True:
            asker, frame = await router.recv_multipart()
            question = decode_ask(frame)
            self.asked.append((question.verb, question.fields))
            answer = self.answers.get(
                question.verb, {"error": f"this agent does not know the question {question.verb}"}
            )
            fields = answer(question.fields) if callable(answer) else answer
            await router.send_multipart([asker, encode_reply(fields)])

    async def _note(self) -> None:
        while True:
            said = await self._events.recv()
            (self.topics.add if said[:1] == b"\x01" else self.topics.discard)(said[1:])


@dataclass
class FakeWords:
    """opened: the answer to `invite` for which they were made."""

    opened: dict[str, Any]
    uses: int
    words: str = "4 tiger-lamp-ocean"
    placed: str = "4 tiger-lamp-ocean@192.0.2.7"
    why_not: str = ""
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Site:
    """A page that is served. client: without any token; programs: shows the token; browser: as our
    own page asks."""

    agent: FakeAgent
    watch: PageWatch
    host: str
    keys: Keys
    offered: list[FakeWords]
    client: httpx.AsyncClient

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    @property
    def program(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    @property
    def browser(self) -> dict[str, str]:
        return {
            "Cookie": f"other=1; {COOKIE.format(port=self.port)}={self.keys.cookie}",
            PAGE_HEADER: self.keys.page,
            "Origin": f"http://{self.host}",
            "Sec-Fetch-Site": "same-origin",
        }


@asynccontextmanager
async def served(
    state: Path, agent: FakeAgent | None = None, slow_s: float = 10.0
) -> AsyncIterator[Site]:
    """Serve at a free port. agent: started here, and stopped at the end."""
    state.mkdir(mode=0o700, exist_ok=True)
    os.chmod(state, 0o700)
    agent = agent or FakeAgent(state)
    agent.start()
    listener = bind("127.0.0.1", 0)
    place, keys = place_of(listener, "127.0.0.1", is_secure=False), Keys.of(TOKEN)
    offered: list[FakeWords] = []

    def offer(opened: dict[str, Any], uses: int) -> FakeWords:
        offered.append(FakeWords(opened, uses))
        return offered[-1]

    try:
        async with (
            running(Serving(state, place, keys, offer, slow_s=slow_s), listener) as watch,
            httpx.AsyncClient(
                base_url=f"http://{place.host}", trust_env=False, timeout=20
            ) as client,
        ):
            yield Site(agent, watch, place.host, keys, offered, client)
    finally:
        agent.stop()
