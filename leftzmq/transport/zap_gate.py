"""The gate (ZAP): libzmq asks it about every connection; it lets in paired devices only.

Knows ZAP (https://rfc.zeromq.org/spec/27/) and a callable that says whether a key is paired. Must
not know why a device is paired. Without a gate libzmq lets ANY key in (measured, 4.3.5). So the
gate exists before anything is bound, and an error in it becomes an answer, never an exception.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from typing import Final

import zmq
from zmq.utils import z85

from leftzmq.errors import GateError, Refusal
from leftzmq.sync.facts import Stranger
from leftzmq.transport.context import Context
from leftzmq.transport.device_key import public_text

ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
ZAP_DOMAIN: Final = b"leftzmq"
DOOR_DOMAIN: Final = b"leftzmq.door"
_VERSION: Final = b"1.0"
_KEY_BYTES: Final = 32
_MAX_REQUESTS_A_TURN: Final = 256  # so strangers cannot keep the loop from other work
_REMAKE_DEADLINE_S: Final = 2.0
_KEYS_REMEMBERED: Final = 256  # asked for with every frame; paired devices, and who knocks


class Gate:
    """Answers which keys may connect. Its `socket` must be in the poller; call `serve()` when it is
    readable.

    domain: of the sockets that it judges, and of no others
    remade: how often the socket was made anew. Connections made meanwhile were not checked, so the
        owner of server sockets must bind them anew
    guest: one more key that is let in, while the self-test runs
    """

    def __init__(self, context: Context, domain: bytes = ZAP_DOMAIN) -> None:
        self._context, self._domain = context, domain
        self.guest: bytes | None = None
        self.remade = 0
        self.socket = self._bound()

    def serve(self) -> None:
        """Answer waiting requests. Never raises for anything that a connection can cause.

        GateError: the socket is closed and cannot be made anew; nothing may stay bound then.
        """
        for _ in range(_MAX_REQUESTS_A_TURN):
            try:
                request = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            except zmq.ZMQError:
                self._remake()
                return
            with suppress(zmq.ZMQError):  # the connection is gone and needs no answer
                self.socket.send_multipart(self._answer(request), zmq.DONTWAIT)

    def close(self) -> None:
        self.socket.close(0)

    def _answer(self, request: list[bytes]) -> list[bytes]:
        # [route, "", version, request id, domain, address, routing id, mechanism, credentials...]
        route = request[0]
        number = request[3] if len(request) > 3 else b""
        try:
            status, text, user = self._judge(request[2:])
        except Exception as error:  # a gate that raises would stop, and libzmq would let any key in
            status, text, user = b"500", type(error).__name__.encode(), b""
        return [route, b"", _VERSION, number, status, text, user, b""]

    def _judge(self, request: list[bytes]) -> tuple[bytes, bytes, bytes]:
        """Return (status, text, user id) for [version, request id, domain, address, ...,
        credentials]."""
        version, _, domain, address, _, mechanism, *credentials = request
        if version != _VERSION or domain != self._domain or mechanism != b"CURVE":
            self._refuse(b"", f"{mechanism[:16]!r} from {_printable(address)}")
            return b"400", b"not for this gate", b""
        (key,) = credentials
        if len(key) != _KEY_BYTES:
            return b"400", b"not a key", b""
        if key != self.guest and not self._context.allowed(key):
            stranger = Stranger(public_text(key), _printable(address))
            self._refuse(key, f"{stranger.key} from {stranger.address}", stranger)
            return b"400", b"not in the list of peers", b""
        return b"200", b"", z85.encode(key)

    def _refuse(self, key: bytes, detail: str, stranger: Stranger | None = None) -> None:
        if self.guest is None:  # the strangers of the self-test are our own
            context = self._context
            now = context.clock()
            context.refusal_log.note(None, Refusal.UNKNOWN_DEVICE, key, detail, now, stranger)

    def _bound(self) -> zmq.Socket[bytes]:
        socket = self._context.context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.bind(ZAP_ENDPOINT)
        return socket

    def _remake(self) -> None:
        # Another thread of libzmq frees the endpoint's name, a moment after close().
        self.socket.close(0)
        deadline = time.monotonic() + _REMAKE_DEADLINE_S
        while True:
            try:
                self.socket = self._bound()
                self.remade += 1
                return
            except zmq.ZMQError as error:
                if time.monotonic() > deadline:
                    what = f"the gate cannot be opened again: {error}"
                    raise GateError(what, "", "start the agent again") from None
                time.sleep(0.001)


@lru_cache(maxsize=_KEYS_REMEMBERED)
def key_of_user(user_id: str) -> bytes:
    """Return the key behind a `User-Id` that this gate gave out."""
    key: bytes = z85.decode(user_id)
    return key


def _printable(address: bytes) -> str:
    return address[:64].decode("ascii", "replace")
