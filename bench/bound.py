"""Measures what the same bytes cost through the same primitives with none of our code: read, hash,
seal, CURVE, open, hash, write. It is the bound for one large file.

usage: python bench/bound.py [--bytes N]
Prints one JSON line: seconds, MB/s, and the CPU seconds of the sender and of the receiver. Two
processes, each with one lane (a thread and a socket of its own) a core. Nothing is cut, looked up,
remembered or flushed; a chunk has always CHUNK_BYTES.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hmac import compare_digest
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import zmq
from blake3 import blake3
from nacl.bindings import crypto_secretbox_easy, crypto_secretbox_open_easy

CHUNK_BYTES: Final = 256 << 10
WAITING_CHUNKS: Final = 32
"""As many as the queue of our own socket for chunks holds."""
NONCE_BYTES: Final = 24
KEY_BYTES: Final = 32
LONGEST_S: Final = 300
LANES: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    sender_cpu_s: float
    receiver_cpu_s: float


@dataclass(frozen=True, slots=True)
class Keys:
    """Of the ids, of the boxes, and the CURVE keys of both ends, public and secret."""

    id_key: bytes
    seal_key: bytes
    sender: tuple[bytes, bytes]
    receiver: tuple[bytes, bytes]


def cost(source: Path, target: Path) -> Cost:
    """Bring the bytes of `source` into a new file `target`, and return what that cost."""
    keys = Keys(
        os.urandom(KEY_BYTES), os.urandom(KEY_BYTES), zmq.curve_keypair(), zmq.curve_keypair()
    )
    size = source.stat().st_size
    spawn = multiprocessing.get_context("spawn")
    to_receiver, receiver_end = spawn.Pipe()
    to_sender, sender_end = spawn.Pipe()
    receiver = spawn.Process(target=receive, args=(receiver_end, target, size, keys))
    sender = spawn.Process(target=send, args=(sender_end, source, size, keys))
    processes = (receiver, sender)
    for process in processes:
        process.start()
    try:
        to_sender.send(_answer(to_receiver))  # the ports
        assert _answer(to_sender) == "ready"
        began = time.monotonic()
        to_sender.send("go")
        receiver_cpu_s = _answer(to_receiver)
        seconds = time.monotonic() - began
        sender_cpu_s = _answer(to_sender)
    finally:
        for process in processes:
            process.join(1)
            process.kill()
            process.join()
    assert isinstance(sender_cpu_s, float) and isinstance(receiver_cpu_s, float)
    return Cost(seconds, sender_cpu_s, receiver_cpu_s)


def send(parent: Connection, source: Path, size: int, keys: Keys) -> None:
    context = zmq.Context(io_threads=LANES)
    ports = parent.recv()
    sockets = []
    for port in ports:
        socket = context.socket(zmq.PUSH)
        socket.sndhwm = WAITING_CHUNKS
        socket.curve_serverkey = keys.receiver[0]
        socket.curve_publickey, socket.curve_secretkey = keys.sender
        socket.connect(f"tcp://127.0.0.1:{port}")
        sockets.append(socket)
    file = os.open(source, os.O_RDONLY)
    parent.send("ready")
    parent.recv()
    before = time.process_time()

    def lane(number: int) -> None:
        socket = sockets[number]
        for offset in _offsets(number, size):
            data = os.pread(file, CHUNK_BYTES, offset)
            id = blake3(data, key=keys.id_key).digest()
            box = crypto_secretbox_easy(data, id[:NONCE_BYTES], keys.seal_key)
            socket.send_multipart([offset.to_bytes(8, "big"), id, box], copy=False)

    _in_lanes(lane)
    for socket in sockets:
        socket.close(linger=LONGEST_S * 1000)
    context.term()
    parent.send(time.process_time() - before)


def receive(parent: Connection, target: Path, size: int, keys: Keys) -> None:
    context = zmq.Context(io_threads=LANES)
    sockets = []
    for _ in range(LANES):
        socket = context.socket(zmq.PULL)
        socket.rcvhwm = WAITING_CHUNKS
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = keys.receiver
        sockets.append(socket)
    parent.send([socket.bind_to_random_port("tcp://127.0.0.1") for socket in sockets])
    before = time.process_time()
    arriving = target.with_name(target.name + ".new")
    file = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def lane(number: int) -> None:
        socket = sockets[number]
        for _ in _offsets(number, size):
            offset, id, box = socket.recv_multipart()
            data = crypto_secretbox_open_easy(box, id[:NONCE_BYTES], keys.seal_key)
            assert compare_digest(blake3(data, key=keys.id_key).digest(), id)
            os.pwrite(file, data, int.from_bytes(offset, "big"))

    _in_lanes(lane)
    os.close(file)
    arriving.rename(target)
    parent.send(time.process_time() - before)


def _in_lanes(lane: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(LANES) as pool:
        for _ in pool.map(lane, range(LANES)):
            pass


def _offsets(lane: int, size: int) -> range:
    return range(lane * CHUNK_BYTES, size, LANES * CHUNK_BYTES)


def _answer(end: Connection) -> object:
    if not end.poll(LONGEST_S):
        raise TimeoutError(f"no answer within {LONGEST_S} s")
    return end.recv()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bytes", type=int, default=1 << 30)
    size = parser.parse_args().bytes
    with tempfile.TemporaryDirectory() as base:
        source = Path(base) / "source"
        with source.open("wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        found = cost(source, Path(base) / "target")
    print(
        json.dumps(
            {
                "seconds": round(found.seconds, 2),
                "MB_s": round(size / 1e6 / found.seconds, 1),
                "sender_cpu_s": round(found.sender_cpu_s, 2),
                "receiver_cpu_s": round(found.receiver_cpu_s, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
