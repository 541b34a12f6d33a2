"""A CURVE client by hand, for what libzmq would never send: a frame of a message that does not end.

CurveZMQ (https://rfc.zeromq.org/spec/26/) inside ZMTP 3.1, as libzmq 4.3.5 speaks it. A blocking
socket; nothing of what the other side sends after the handshake is read.
"""

from __future__ import annotations

import os
import socket as tcp

from nacl.bindings import crypto_box, crypto_box_keypair, crypto_box_open

from leftzmq.bus.devicekey import DeviceKeyPair
from leftzmq.endpoint import Endpoint

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
_COMMAND, _LONG = 0x04, 0x02
_MORE = 0x01


class CurveClient:
    """Connected, and let in, by the time the constructor returns. type: of its socket, "DEALER"."""

    def __init__(
        self, endpoint: Endpoint, server: bytes, keys: DeviceKeyPair, type: str = "DEALER"
    ) -> None:
        self.socket = tcp.create_connection((endpoint.host, endpoint.port), timeout=10)
        self.socket.setsockopt(tcp.IPPROTO_TCP, tcp.TCP_NODELAY, 1)
        self._count = 0
        public, self._secret = crypto_box_keypair()
        self.socket.sendall(GREETING)
        self._exactly(64)
        nonce = self._number()
        box = crypto_box(bytes(64), b"CurveZMQHELLO---" + nonce, server, self._secret)
        self._command(b"\x05HELLO\x01\0" + bytes(72) + public + nonce + box)
        welcome = self._read_command()
        assert welcome.startswith(b"\x07WELCOME"), welcome[:16]
        plain = crypto_box_open(welcome[24:], b"WELCOME-" + welcome[8:24], server, self._secret)
        self._server, cookie = plain[:32], plain[32:]
        vouch = os.urandom(16)
        vouched = crypto_box(public + server, b"VOUCH---" + vouch, self._server, keys.secret)
        said = b"\x0bSocket-Type" + len(type).to_bytes(4, "big") + type.encode()
        nonce = self._number()
        box = crypto_box(
            keys.public + vouch + vouched + said,
            b"CurveZMQINITIATE" + nonce,
            self._server,
            self._secret,
        )
        self._command(b"\x08INITIATE" + cookie + nonce + box)
        ready = self._read_command()
        assert ready.startswith(b"\x05READY"), ready[:64]

    def frame(self, data: bytes, *, more: bool = False) -> bytes:
        """The bytes of one frame on the wire."""
        nonce = self._number()
        plain = bytes((_MORE if more else 0,)) + data
        sealed = crypto_box(plain, b"CurveZMQMESSAGEC" + nonce, self._server, self._secret)
        body = b"\x07MESSAGE" + nonce + sealed
        return bytes((_LONG,)) + len(body).to_bytes(8, "big") + body

    def send(self, data: bytes, *, more: bool = False) -> None:
        self.socket.sendall(self.frame(data, more=more))

    def close(self) -> None:
        self.socket.close()

    def _number(self) -> bytes:
        self._count += 1
        return self._count.to_bytes(8, "big")

    def _command(self, body: bytes) -> None:
        self.socket.sendall(bytes((_COMMAND | _LONG,)) + len(body).to_bytes(8, "big") + body)

    def _read_command(self) -> bytes:
        (flags,) = self._exactly(1)
        length = int.from_bytes(self._exactly(8 if flags & _LONG else 1), "big")
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self.socket.recv(count - len(found))
            if not more:
                raise ConnectionError("it hung up")
            found += more
        return found
