"""What is answered at which path: the page, the agent's answers as JSON, the stream, the checks.

Knows Starlette, and who does what. Must not know who may ask (web/gate), nor sockets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import resources
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from leftzmq.errors import LeftError
from leftzmq.transport.ipc.async_client import AgentLine
from leftzmq.web import checks, openapi
from leftzmq.web.exposition import CONTENT_TYPE, exposition
from leftzmq.web.offers import InvitationOffers, qr
from leftzmq.web.stream import EventStream
from leftzmq.web.verbs import API, QR, ROUTES, WORDS, ApiRoute, BadRequest, of_body, of_query
from leftzmq.web.watch import PageWatch, SharedAnswer
from leftzmq.wire.answers.metrics import MetricsShown
from leftzmq.wire.local import Scalar
from leftzmq.wire.replies import ErrorReply, Reply, Status

Handler = Callable[[Request], Awaitable[Response]]
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def make_app(
    line: AgentLine,
    watch: PageWatch,
    metrics: SharedAnswer,
    stream: EventStream,
    offers: InvitationOffers,
) -> Starlette:
    """line: to the agent. watch: what all pages see of it. metrics: its figures. stream: answers a
    page that looks. offers: what stands beside the code of an invitation."""
    files = page_files()
    routes = [_file("/", "index.html", files)]
    routes += [_file(f"/page/{name}", name, files) for name in files]
    routes += [_api(route, line, watch, offers) for route in ROUTES]
    routes += [
        _own(QR, lambda fields: qr(str(fields["text"]))),
        _own(WORDS, lambda fields: offers.words(str(fields["mark"]))),
    ]
    document = msgspec.json.encode(openapi.document())
    routes += [
        Route(f"{API}/openapi.json", _fixed(document, "application/json")),
        Route(f"{API}/stream", stream),
        Route("/healthz", _fixed(b"ok\n", "text/plain; charset=utf-8")),
        Route("/metrics", _metrics(metrics)),
        Route("/readyz", _check(watch, lambda request, status: checks.ready(status))),
        Route("/synced", _check(watch, _synced)),
    ]
    return Starlette(routes=routes, exception_handlers={404: _not_there, 405: _not_there})


def open_paths() -> frozenset[str]:
    """Return the paths of what is in the package, and of what says that this process runs."""
    return frozenset({"/", "/healthz", *(f"/page/{name}" for name in page_files())})


def page_files() -> dict[str, bytes]:
    """Return the files of the page, by their names."""
    folder = resources.files("leftzmq.web") / "page"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def _file(path: str, name: str, files: dict[str, bytes]) -> Route:
    return Route(path, _fixed(files[name], _TYPES[name.rpartition(".")[2]]))


def _fixed(body: bytes, kind: str) -> Handler:
    async def answer(request: Request) -> Response:
        return Response(body, media_type=kind)

    return answer


def _api(route: ApiRoute, line: AgentLine, watch: PageWatch, offers: InvitationOffers) -> Route:
    async def answer(request: Request) -> Response:
        try:
            if route.changes:
                fields = of_body(route, await request.body())
            else:
                fields = of_query(route, request.query_params)
            if route.verb == "status":
                reply = await watch.status()
            else:
                reply = await line.ask(route.verb, fields, route.timeout_s)
        except BadRequest as bad:
            return _json(ErrorReply(error=str(bad)), 400)
        except LeftError as away:
            return _json(ErrorReply(error=str(away)), 503)
        is_answered = "error" not in reply and "declined" not in reply
        if route.changes and is_answered:
            watch.changed()
            if route.verb == "invite":
                offers.on_opened(reply, int(fields.get("uses") or 1))
            elif route.verb == "invite_cancel":
                offers.on_cancelled(str(fields.get("folder") or ""))
        return _json(reply, 501 if "error" in reply else 409 if "declined" in reply else 200)

    return Route(API + route.path, answer, methods=[route.method])


def _own(route: ApiRoute, made: Callable[[Mapping[str, Scalar]], Reply]) -> Route:
    """A route that this process answers itself."""

    async def answer(request: Request) -> Response:
        try:
            fields = of_body(route, await request.body())
            return _json(made(fields).fields(), 200)
        except BadRequest as bad:
            return _json(ErrorReply(error=str(bad)), 400)
        except LeftError as error:
            return _json(ErrorReply(error=str(error)), 503)

    return Route(API + route.path, answer, methods=[route.method])


def _metrics(figures: SharedAnswer) -> Handler:
    async def answer(request: Request) -> Response:
        shown: MetricsShown | None = None  # a scrape of an agent that is away succeeds, and says so
        with suppress(LeftError):
            shown = MetricsShown.of(await figures.get())
        return Response(exposition(shown), headers={"content-type": CONTENT_TYPE})

    return answer


def _check(watch: PageWatch, judge: Callable[[Request, Status], checks.YesOrNo]) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            verdict = judge(request, Status.of(await watch.status()))
        except LeftError as away:
            verdict = checks.YesOrNo(False, str(away))
        return PlainTextResponse(f"{verdict.reason}\n", 200 if verdict.is_yes else 503)

    return answer


def _synced(request: Request, status: Status) -> checks.YesOrNo:
    query = request.query_params
    return checks.synced(status, query.get("folder", ""), query.get("peer", ""))


async def _not_there(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    what = "there is no such page" if status == 404 else "this is asked with another method"
    return _json(ErrorReply(error=what), status)


def _json(value: Any, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
