"""What all open pages see of the agent: one subscription to its events and at most one question a
second for its status, however many look, and none while nobody does.

A page that does not read in time is dropped. The agent does not notice that it is there.

Knows the questions `status`, `invitations` and `events`. Must not know HTTP, nor what a page shows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec

from leftzmq.errors import LeftError
from leftzmq.wire.local import Event, EventKind, Scalar
from leftzmq.wire.replies import ErrorReply, Reply, Status

STATUS_S: Final = 1.0
INVITATIONS_S: Final = 2.0
"""How often it is asked who knocks."""
SUBSCRIBED_S: Final = 0.1
"""For a subscription to reach the agent: what happened before is asked for then."""
BATCH_S: Final = 0.25
"""Events of so long are sent together."""
MOST_IN_BATCH: Final = 100
KEPT_EVENTS: Final = 300
KEPT_SPEEDS: Final = 300
"""One a second."""
MOST_TABS: Final = 32
MOST_WAITING: Final = 64
"""Messages that wait for one page. Of `status` only the last one waits."""
SHOWN_KINDS: Final = tuple(
    kind
    for kind in EventKind
    if kind
    not in (EventKind.PROGRESS, EventKind.HAVE_NEWS, EventKind.TICKET, EventKind.START_RENAME)
)
"""Of the others there are very many, and `status` has what they lead to."""


class AgentQuestions(Protocol):
    """The agent, as this module needs it (transport/ipc/async_client)."""

    async def ask(
        self, verb: str, fields: Mapping[str, Scalar] | None = None
    ) -> dict[str, Any]: ...
    def listen(self, kinds: tuple[EventKind, ...]) -> Any: ...


_AWAY: Final = b"event: away\n"


def message(kind: str, value: object) -> bytes:
    """Return a server-sent event. JSON has no line ends of its own."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(value))


class Tab:
    """One page that looks. Its messages wait here until they are sent."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._status = b""
        self._is_ready = asyncio.Event()
        self.is_lost = False
        """It was too slow: it misses messages, and has to begin anew."""
        self.is_over = False
        """This process ends."""

    def put(self, said: bytes) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self.is_lost = True
            self._waiting.clear()
        else:
            self._waiting.append(said)
        self._is_ready.set()

    def put_status(self, said: bytes) -> None:
        self._status = said
        self._is_ready.set()

    def end(self) -> None:
        self.is_over = True
        self._is_ready.set()

    async def next(self) -> bytes:
        """Return what waits, at least one message; b"" only if the page is lost, or all is over."""
        await self._is_ready.wait()
        self._is_ready.clear()
        found = b"" if self.is_lost or self.is_over else b"".join(self._waiting) + self._status
        self._waiting.clear()
        self._status = b""
        return found


class SharedAnswer:
    """The answer to a question without fields, for all who want it: the agent is asked at most once
    a second. reply: its type. now: monotonic seconds."""

    def __init__(
        self, line: AgentQuestions, verb: str, reply: type[Reply], now: Callable[[], float]
    ) -> None:
        self._line, self._verb, self._reply, self._now = line, verb, reply, now
        self._turn = asyncio.Lock()
        self._until = 0.0
        self._answer: dict[str, Any] | LeftError | None = None

    async def get(self) -> dict[str, Any]:
        """Return the answer, at most a second old. Raises LeftError, likewise: also where the
        answer lacks a field, which would break whoever shows it."""
        async with self._turn:
            if self._answer is None or self._now() >= self._until:
                try:
                    self._answer = await self._line.ask(self._verb)
                    self._reply.of(self._answer)
                except LeftError as away:
                    self._answer = away
                self._until = self._now() + STATUS_S
            if isinstance(self._answer, LeftError):
                raise self._answer.with_traceback(None)
            return self._answer

    def forget(self) -> None:
        self._answer = None


class PageWatch:
    """line: to the agent. now: monotonic seconds. unix_time: seconds since the epoch."""

    def __init__(
        self, line: AgentQuestions, now: Callable[[], float], unix_time: Callable[[], float]
    ) -> None:
        self._line, self._now, self._unix_time = line, now, unix_time
        self._tabs: set[Tab] = set()
        self._is_over = False
        self._tasks: list[asyncio.Task[None]] = []
        self._status = SharedAnswer(line, "status", Status, now)
        self._said = b""  # the last message of `status` or `away`
        self._invited = b""  # the last one of `invitations`
        self._invited_at = -INVITATIONS_S
        self._began: float | None = None
        self._number = 0
        self._events: deque[list[Any]] = deque(maxlen=KEPT_EVENTS)
        self._fresh: list[list[Any]] = []
        self._missed = 0
        self._speeds: deque[tuple[float, int, int]] = deque(maxlen=KEPT_SPEEDS)

    @property
    def tabs(self) -> int:
        return len(self._tabs)

    # ---- status -------------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """Return the answer to `status`, at most a second old. Raises LeftError, likewise."""
        return await self._status.get()

    def changed(self) -> None:
        """Something was changed through this process: what is known is old."""
        self._status.forget()
        self._invited_at = self._now() - INVITATIONS_S

    # ---- pages --------------------------------------------------------------------------------

    def join(self) -> Tab | None:
        """Return a place for one more page, or None if there are too many. What is known is in
        it."""
        if len(self._tabs) >= MOST_TABS or self._is_over:
            return None
        tab = Tab()
        tab.put(message("speeds", list(self._speeds)))
        if self._tabs:
            tab.put(self._of_events(list(self._events), 0))
            tab.put(self._invited)
            tab.put_status(self._said)
        self._tabs.add(tab)
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(each) for each in (self._poll(), self._hear(), self._tell())
            ]
        return tab

    def leave(self, tab: Tab) -> None:
        self._tabs.discard(tab)
        if self._tabs:
            return
        for task in self._tasks:
            task.cancel()
        self._tasks, self._said, self._invited = [], b"", b""
        self._began, self._number, self._missed = None, 0, 0
        self._events.clear()
        self._fresh.clear()

    def end(self) -> None:
        """This process ends: nobody may look any more."""
        self._is_over = True
        for tab in self._tabs:
            tab.end()

    async def _poll(self) -> None:
        while True:
            try:
                answer = await self.status()
            except LeftError as away:
                said = message("away", ErrorReply(error=str(away)))
            else:
                shown = {key: value for key, value in answer.items() if key != "longest_turn_ms"}
                said = message("status", shown)
                received, sent = (
                    sum(folder[name] for folder in answer["folders"])
                    for name in ("received_bytes", "sent_bytes")
                )
                self._speeds.append((self._unix_time(), received, sent))
                if self._said.startswith(_AWAY):
                    await self._catch_up()
            if said != self._said:
                self._said = said
                for tab in self._tabs:
                    tab.put_status(said)
            await self._look_who_knocks()
            await asyncio.sleep(STATUS_S)

    async def _look_who_knocks(self) -> None:
        if self._now() - self._invited_at < INVITATIONS_S:
            return
        self._invited_at = self._now()
        try:
            answer = await self._line.ask("invitations")
        except LeftError:
            return  # that the agent is away is said already
        said = message("invitations", {"invitations": answer.get("invitations", [])})
        if said != self._invited:
            self._invited = said
            for tab in self._tabs:
                tab.put(said)

    # ---- events -------------------------------------------------------------------------------

    async def _hear(self) -> None:
        """Follow the events. Where this process lost some, it is said how many: nobody reads
        thousands of lines."""
        events = aiter(self._line.listen(SHOWN_KINDS))
        first = asyncio.ensure_future(anext(events))
        try:
            await asyncio.sleep(SUBSCRIBED_S)
            await self._catch_up()
            self._on_event(await first)
            async for event in events:
                self._on_event(event)
        finally:
            first.cancel()

    async def _catch_up(self) -> None:
        """Ask for what happened while nothing was heard."""
        with suppress(LeftError, KeyError, ValueError):
            answer = await self._line.ask("events", {"after": self._number})
            if answer["began"] != self._began and self._number:
                answer = await self._line.ask("events")
            wanted = {kind.value: kind for kind in SHOWN_KINDS}
            for kind, number, unix_time, fields in answer["events"]:
                if kind in wanted:
                    event = Event(wanted[kind], number, unix_time, fields, answer["began"])
                    self._on_event(event)

    def _on_event(self, event: Event) -> None:
        if event.began != self._began:
            self._began = event.began
            self._events.clear()
            self._fresh.clear()
        elif event.number <= self._number:
            return  # it was in the answer
        self._number = event.number
        self._fresh.append([event.kind.value, event.number, event.unix_time, dict(event.fields)])
        if len(self._fresh) > MOST_IN_BATCH:
            del self._fresh[0]
            self._missed += 1

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(BATCH_S)
            if not self._fresh:
                continue
            fresh, missed = self._fresh, self._missed
            self._fresh, self._missed = [], 0
            self._events.extend(fresh)
            said = self._of_events(fresh, missed)
            for tab in self._tabs:
                tab.put(said)

    def _of_events(self, events: list[list[Any]], missed: int) -> bytes:
        return message("events", {"began": self._began, "events": events, "missed": missed})
