"""Stands before everything else that answers a request: lets in who may, bounds what comes, and
says in each response what a browser may do with it.

Knows ASGI. Must not know what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leftzmq.web.access import (
    COOKIE,
    Denied,
    Keys,
    RequestHead,
    ServedAt,
    is_same,
    judge,
    judge_place,
)
from leftzmq.wire.replies import ErrorReply

MAX_BODY_BYTES: Final = 64 << 10
BODY_S: Final = 10.0
"""For a body to arrive as a whole."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_Pairs = Iterable[tuple[bytes, bytes]]


class WebGate:
    """open_paths: what is served to whoever asks, the same to everybody. port: of this server, in
    the cookie's name: cookies of two servers of one host would overwrite each other."""

    def __init__(
        self, app: ASGIApp, place: ServedAt, keys: Keys, open_paths: frozenset[str], port: int
    ) -> None:
        self._app, self._place, self._keys, self._open_paths = app, place, keys, open_paths
        self._cookie = COOKIE.format(port=port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        head = _head(scope)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        path = scope["path"]
        if path == "/" and (shown := _token(scope)) is not None:
            await self._let_in(head, shown, sent)
            return
        if path in self._open_paths and not head.is_changing:
            denied = judge_place(head, self._place)
        else:
            denied = judge(head, self._place, self._keys, self._cookie)
        if denied is None:
            body = await _body(head, receive)
            if isinstance(body, bytes):
                await self._app(scope, _replayed(body, receive), sent)
                return
            denied = body
        await deny(denied, sent)

    async def _let_in(self, head: RequestHead, shown: str, send: Send) -> None:
        """A browser shows the token in the address: it gets the cookie by a header and the page's
        key behind a '#', which is sent to nobody. The token leaves the address."""
        denied = judge_place(head, self._place)
        if denied is None and not is_same(shown, self._keys.token):
            denied = Denied.WRONG_TOKEN
        if denied is not None:  # a person reads it
            plain = ((b"content-type", b"text/plain; charset=utf-8"),)
            await _respond(send, denied.status, plain, f"{denied.sentence}\n".encode())
            return
        secure = "; Secure" if self._place.is_secure else ""
        crumb = f"{self._cookie}={self._keys.cookie}; HttpOnly; SameSite=Strict; Path=/{secure}"
        await _respond(
            send,
            303,
            ((b"location", f"/#key={self._keys.page}".encode()), (b"set-cookie", crumb.encode())),
            b"",
        )


async def deny(denied: Denied, send: Send) -> None:
    body = msgspec.json.encode(ErrorReply(error=denied.sentence))
    headers = [(b"content-type", b"application/json")]
    if denied.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await _respond(send, denied.status, headers, body)


async def _respond(send: Send, status: int, headers: _Pairs, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _head(scope: Scope) -> RequestHead:
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return RequestHead(scope["method"], headers)


def _token(scope: Scope) -> str | None:
    found = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("token")
    return None if found is None else found[0]


async def _body(head: RequestHead, receive: Receive) -> bytes | Denied:
    """Return the whole body. Too much is not read to its end."""
    if not head.is_changing:
        return b""
    length = head.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:12]) > MAX_BODY_BYTES:
        return Denied.TOO_LARGE
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    return Denied.TOO_LARGE
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        return Denied.TOO_SLOW


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that hands the body over once; then what the server says itself."""
    is_told = False

    async def told() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return told
