"""Sends to one page what it looks at, as server-sent events, until it goes or does not read.

Knows ASGI and PageWatch. Must not know what the messages say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from leftzmq.web.access import Denied
from leftzmq.web.gate import deny
from leftzmq.web.watch import PageWatch, Tab

PING_S: Final = 15.0
SLOW_S: Final = 10.0
"""A page that takes nothing for so long is dropped."""
_PING: Final = b": \n\n"
_RETRY: Final = b"retry: 1000\n\n"


class EventStream:
    """drop: ends the connection of a client at once, what was not sent yet is lost."""

    def __init__(
        self, watch: PageWatch, drop: Callable[[tuple[str, int]], None], slow_s: float = SLOW_S
    ) -> None:
        self._watch, self._drop, self._slow_s = watch, drop, slow_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tab = self._watch.join()
        if tab is None:
            await deny(Denied.TOO_MANY, send)
            return
        gone = asyncio.create_task(_gone(receive))
        try:
            if not await self._tell(tab, gone, send):
                self._drop(scope["client"])
                await gone
        finally:
            gone.cancel()
            self._watch.leave(tab)

    async def _tell(self, tab: Tab, gone: asyncio.Task[None], send: Send) -> bool:
        """Send what there is until the page goes. Return False if it does not read."""
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        said = _RETRY
        while said and not gone.done():
            try:
                async with asyncio.timeout(self._slow_s):
                    await send({"type": "http.response.body", "body": said, "more_body": True})
            except TimeoutError:
                return False
            said = await _next(tab.next, gone)
        if tab.is_over and not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        return tab.is_over or gone.done()


async def _next(
    next_message: Callable[[], Coroutine[Any, Any, bytes]], gone: asyncio.Task[None]
) -> bytes:
    """Return what is to be sent next; a ping after a silence."""
    task = asyncio.create_task(next_message())
    try:
        await asyncio.wait((task, gone), timeout=PING_S, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else _PING
    finally:
        task.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
