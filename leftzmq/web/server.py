"""The process behind `leftzmq web`: binds its port, serves until a signal, and holds connections
within bounds.

Knows sockets, uvicorn and signals. Must not know what is served.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from leftzmq.errors import ConfigError, PortTaken
from leftzmq.transport.ipc.async_client import AgentLine
from leftzmq.web.access import Keys, ServedAt
from leftzmq.web.app import make_app, open_paths
from leftzmq.web.gate import WebGate
from leftzmq.web.offers import InvitationOffers, OfferWords
from leftzmq.web.stream import SLOW_S, EventStream
from leftzmq.web.watch import PageWatch, SharedAnswer
from leftzmq.wire.answers.metrics import MetricsShown

MOST_CONNECTIONS: Final = 128
HEAD_S: Final = 10.0
"""For the first head of a connection to arrive."""
UNSENT_S: Final = 20.0
"""The kernel ends a connection whose other side takes nothing for so long."""
_HEAD_BYTES: Final = 16 << 10
_TLS_NAMES: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Tls:
    cert: Path
    key: Path


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0: any that is free. Raises PortTaken."""
    where = f"{host}:{port}"
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, proto)
    except OSError as error:
        raise PortTaken(
            f"cannot be bound: {error.strerror}", where, "name another --host"
        ) from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError, AttributeError):  # Linux
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNSENT_S * 1000))
        made.bind(address)
    except OSError as error:
        made.close()
        what = f"cannot be bound: {error.strerror}"
        raise PortTaken(what, where, "end what has it, or name another --port") from None
    return made


def place_of(made: socket.socket, host: str, *, is_secure: bool) -> ServedAt:
    """Return under which address a browser of this machine reaches a socket."""
    port = made.getsockname()[1]
    scheme = "https" if is_secure else "http"
    shown = f"[{host}]" if ":" in host else host.lower()
    names = [shown]
    if host in ("127.0.0.1", "::1"):
        names.append("localhost")
    tail = "" if port == _TLS_NAMES[scheme] else f":{port}"
    first, *others = [f"{name}{tail}" for name in names]
    return ServedAt(scheme, first, frozenset(others))


class OpenConnections:
    """Every open connection, so that one can be ended at once."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, int], asyncio.Transport] = {}

    def drop(self, client: tuple[str, int]) -> None:
        if (transport := self.open.get(tuple(client)[:2])) is not None:  # type: ignore[arg-type]
            transport.abort()

    def protocol(self) -> type[H11Protocol]:
        """Return the protocol of each of them."""
        connections = self

        class Bounded(H11Protocol):
            """Like uvicorn's, but neither their number nor the wait for a head is without end."""

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                self._client = transport.get_extra_info("peername")[:2]
                connections.open[self._client] = transport
                if len(connections.open) > MOST_CONNECTIONS:
                    transport.abort()
                    return
                self._until = self.loop.call_later(HEAD_S, self._look)

            def _look(self) -> None:
                if self.cycle is None:
                    self.transport.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                connections.open.pop(self._client, None)

        return Bounded


class _QuietServer(uvicorn.Server):
    """Signals are ours: the command's exit codes are those of all commands."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Serving:
    """What is served where. offer: makes words of an invitation. slow_s: after so long a page that
    takes nothing is dropped."""

    state: Path
    place: ServedAt
    keys: Keys
    offer: OfferWords
    tls: Tls | None = None
    slow_s: float = SLOW_S


def serve(serving: Serving, listener: socket.socket, ready: Callable[[], None]) -> int:
    """Serve until SIGINT or SIGTERM; return that signal. ready: called when requests are taken.
    Raises ConfigError if the TLS files cannot be used."""
    return asyncio.run(_until_signal(serving, listener, ready))


async def _until_signal(
    serving: Serving, listener: socket.socket, ready: Callable[[], None]
) -> int:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(number: int) -> None:
        if not ended.done():
            ended.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    async with running(serving, listener):
        ready()
        return await ended


@asynccontextmanager
async def running(serving: Serving, listener: socket.socket) -> AsyncIterator[PageWatch]:
    """Serve within this context; what the pages see of the agent is its value. The listener is
    closed at the end."""
    line, connections = AgentLine(serving.state), OpenConnections()
    watch = PageWatch(line, time.monotonic, time.time)
    offers = InvitationOffers(serving.offer, time.time)
    stream = EventStream(watch, connections.drop, serving.slow_s)
    metrics = SharedAnswer(line, "metrics", MetricsShown, time.monotonic)
    app = make_app(line, watch, metrics, stream, offers)
    port = listener.getsockname()[1]
    gate = WebGate(app, serving.place, serving.keys, open_paths(), port)
    server = _QuietServer(_config(gate, connections, serving.tls))
    try:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        try:
            yield watch
        finally:
            watch.end()
            server.should_exit = True
            await task
    finally:
        offers.close()
        line.close()


def _config(app: ASGIApp, connections: OpenConnections, tls: Tls | None) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=connections.protocol(),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=64,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        ssl_certfile=None if tls is None else tls.cert,
        ssl_keyfile=None if tls is None else tls.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        assert tls is not None
        what = f"cannot be used: {error.strerror or error}"
        raise ConfigError(
            what, f"{tls.cert}, {tls.key}", "name a certificate and its key"
        ) from None
    return config
