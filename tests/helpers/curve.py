"""A raw client of ZMTP 3.1 with CURVE: it sends what libzmq would never let anybody send.

Knows the bytes of the handshake and of a message (RFC 23 and 26). Must not know the meaning of a
message. It blocks, so it is exactly as fast as its reader.
"""

from __future__ import annotations

import os
import socket as tcp
import struct
from typing import Final

from nacl.bindings import (
    crypto_box_afternm,
    crypto_box_beforenm,
    crypto_box_keypair,
    crypto_box_open_afternm,
)
from nacl.exceptions import CryptoError

GREETING: Final = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
"""64 bytes: signature, version 3.1, mechanism, as-server 0, filler."""

LONG_COMMAND: Final = b"\x06"  # flags of a frame; a length of 8 bytes follows
LONG_FRAME: Final = b"\x02"
_SHORT_COMMAND: Final = b"\x04"
_HELLO_BYTES: Final = 200
_DEALER: Final = b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"


class NotLetIn(Exception):
    """The other side ended the handshake."""


class Hand:
    """A client's short-term key against one server, with the hello that belongs to it.

    It may serve any number of connections, so that each costs the client little: the server does
    not remember the key.
    """

    def __init__(self, server: bytes) -> None:
        self.server = server
        self.public, self.secret = crypto_box_keypair()
        self.shared = crypto_box_beforenm(server, self.secret)
        nonce = (1).to_bytes(8, "big")
        box = crypto_box_afternm(bytes(64), b"CurveZMQHELLO---" + nonce, self.shared)
        hello = b"\x05HELLO\x01\x00" + bytes(72) + self.public + nonce + box
        assert len(hello) == _HELLO_BYTES
        self.opening = GREETING + _SHORT_COMMAND + bytes([len(hello)]) + hello


class Connection:
    """One connection to a bound socket, as the device with these long-term keys.

    Raises NotLetIn, or OSError where the other side is not there or ended the connection.
    """

    def __init__(
        self, host: str, port: int, hand: Hand, public: bytes, secret: bytes, timeout_s: float
    ) -> None:
        self._tcp = tcp.create_connection((host, port), timeout=timeout_s)
        self._nonce = 2
        try:
            self._shared = self._shake(hand, public, secret)
        except BaseException:
            self._tcp.close()
            raise

    def close(self) -> None:
        self._tcp.close()

    def reset(self) -> None:
        """End it with a TCP reset: data under way is thrown away."""
        self._tcp.setsockopt(tcp.SOL_SOCKET, tcp.SO_LINGER, struct.pack("ii", 1, 0))
        self._tcp.close()

    def push(self, data: bytes) -> int:
        """Send as much as possible without waiting. data: of `frame`. Returns the bytes sent."""
        self._tcp.setblocking(False)
        try:
            return self._tcp.send(data)
        except BlockingIOError:
            return 0

    def send(self, payload: bytes, *, more: bool = False) -> None:
        """One frame. Waits while the other side does not read."""
        self._tcp.sendall(self.frame(payload, more=more))

    def frame(self, payload: bytes, *, more: bool = False) -> bytes:
        """Returns the next frame as it is to be sent; send each frame once, in this order."""
        self._nonce += 1
        nonce = self._nonce.to_bytes(8, "big")
        box = crypto_box_afternm(bytes([more]) + payload, b"CurveZMQMESSAGEC" + nonce, self._shared)
        body = b"\x07MESSAGE" + nonce + box
        return LONG_FRAME + len(body).to_bytes(8, "big") + body

    def _shake(self, hand: Hand, public: bytes, secret: bytes) -> bytes:
        """Returns the key of the connection."""
        self._tcp.sendall(hand.opening)
        self._exactly(len(GREETING))
        welcome = self._command(b"\x07WELCOME")
        nonce, box = welcome[:16], welcome[16:]
        try:
            plain = crypto_box_open_afternm(box, b"WELCOME-" + nonce, hand.shared)
        except CryptoError:
            raise NotLetIn("another server") from None
        theirs, cookie = plain[:32], plain[32:]
        vouch_nonce = os.urandom(16)
        vouch = crypto_box_afternm(
            hand.public + hand.server,
            b"VOUCH---" + vouch_nonce,
            crypto_box_beforenm(theirs, secret),
        )
        shared = crypto_box_beforenm(theirs, hand.secret)
        nonce = self._nonce.to_bytes(8, "big")
        box = crypto_box_afternm(
            public + vouch_nonce + vouch + _DEALER, b"CurveZMQINITIATE" + nonce, shared
        )
        body = b"\x08INITIATE" + cookie + nonce + box
        # Over 255 bytes: a long command.
        self._tcp.sendall(LONG_COMMAND + len(body).to_bytes(8, "big") + body)
        self._command(b"\x05READY")
        return shared

    def _command(self, name: bytes) -> bytes:
        """Returns the body of the next command after its name."""
        flags, size = self._exactly(2)
        if flags & 2:
            size = int.from_bytes(bytes([size]) + self._exactly(7), "big")
        body = self._exactly(size)
        if not body.startswith(name):
            raise NotLetIn(repr(body[:20]))
        return body[len(name) :]

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = self._tcp.recv(count - len(found))
            if not piece:
                raise NotLetIn("hung up")
            found += piece
        return found
