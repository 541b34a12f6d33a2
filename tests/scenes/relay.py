"""A slow wire: TCP connections to one address are carried to another, so many bytes a second.

Syncthing limits the rate of its own sending; leftzmq has no such limit, so the wire has it.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress

PIECE_BYTES = 16 << 10


class SlowWire:
    """From `host` to 127.0.0.1, on the same ports. carried: bytes towards who connected.

    All connections together bring back `rate` bytes a second; what they send is not slowed.
    """

    def __init__(self, host: str, ports: tuple[int, ...], rate: int) -> None:
        self.carried = 0
        self._rate, self._lock, self._free_at = rate, threading.Lock(), 0.0
        self._exits = ExitStack()
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        for port in ports:
            server = self._exits.enter_context(socket.create_server((host, port)))
            server.settimeout(0.2)
            self._run(self._accept, server, port)

    def __enter__(self) -> SlowWire:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in list(self._threads):
            thread.join()
        self._exits.close()

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket, port: int) -> None:
        while not self._over.is_set():
            with suppress(OSError):  # TimeoutError too
                near, _ = server.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", port), timeout=0.2)
                except OSError:
                    near.close()  # nobody is there: as it is without a wire between
                    continue
                near.settimeout(0.2)
                self._run(self._carry, near, far, False)
                self._run(self._carry, far, near, True)

    def _carry(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        try:
            while not self._over.is_set():
                try:
                    piece = source.recv(PIECE_BYTES)
                except TimeoutError:
                    continue
                if not piece:
                    break
                if slow:
                    self._wait_for(len(piece))
                self._send(target, piece)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _send(self, target: socket.socket, piece: bytes) -> None:
        view = memoryview(piece)
        while view and not self._over.is_set():
            with suppress(TimeoutError):
                view = view[target.send(view) :]

    def _wait_for(self, size: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self._rate
            wait, self.carried = self._free_at - now, self.carried + size
        self._over.wait(wait)
