"""A mesh whose devices have lines of a limited rate: a message takes time by its size, up and down.

Each device has one line up and one line down, of so many bytes a second. Messages to several
devices take turns on the line up, as connections do. So a test can measure a swarm by the clock of
the mesh, with the same result every time.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from pathlib import Path

from leftzmq.sync.facts import ChunksArrived, Fact
from leftzmq.sync.link import Link
from leftzmq.wire.messages import Chunks, Get, Have, Message
from tests.helpers.mesh import Device, Mesh

LATENCY_S = 0.001
FRAME_BYTES = 100  # any frame but chunks


class Line:
    """The line up of a device: a queue for each receiver; the receivers take turns."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[tuple[Device, Fact, int]]] = {}
        self.leaving: tuple[Device, Fact, int] | None = None
        self.free_at = 0.0

    def next(self, now: float, rate: float) -> None:
        """Begin to send the next message, if the line is free."""
        if self.leaving is not None or not self.waiting:
            return
        name = next(iter(self.waiting))
        queue = self.waiting.pop(name)
        self.leaving = queue.popleft()
        if queue:
            self.waiting[name] = queue  # at the end
        self.free_at = max(self.free_at, now) + self.leaving[2] / rate


class Shaped(Mesh):
    """rate: bytes a second, each way; `slow`: rates up of some devices; `slow_down`: rates down.

    asks: (asker, asked, get) of every get; haves: (teller, told, have); chunks: (sender, receiver,
    id) of every chunk; sent: chunk bytes by (sender, receiver). A device in `mute` answers nothing.
    """

    def __init__(self, base: Path, names: str, rate: float, seed: int = 1) -> None:
        super().__init__(base, names, seed)
        self.rate = rate
        self.slow: dict[str, float] = {}
        self.slow_down: dict[str, float] = {}
        self.mute: set[str] = set()
        self.asks: list[tuple[str, str, Get]] = []
        self.haves: list[tuple[str, str, Have]] = []
        self.sent: dict[tuple[str, str], int] = {}
        self.chunks: list[tuple[str, str, bytes]] = []
        self._up = {name: Line() for name in names}
        self._down: dict[str, float] = {}
        self._coming: list[tuple[float, int, Device, Fact]] = []
        self._number = 0

    def name_of(self, link: Link) -> str:
        return next(d.name for d in self.devices.values() if d.key == link.device)

    def send(self, sender: Device, link: Link, message: Message, body: object) -> None:
        to = self.name_of(link)
        if isinstance(message, Get):
            self.asks.append((sender.name, to, message))
            if to in self.mute:
                return
        if isinstance(message, Have):
            self.haves.append((sender.name, to, message))
        before = len(self.queue)
        super().send(sender, link, message, body)
        if len(self.queue) == before:
            return  # no such device
        receiver, fact = self.queue.pop()
        size = FRAME_BYTES
        if isinstance(fact, ChunksArrived):
            size += len(fact.body)
            self.sent[sender.name, to] = self.sent.get((sender.name, to), 0) + len(fact.body)
            self.chunks += [(sender.name, to, part.id) for part in fact.header.parts]
        assert isinstance(message, Chunks) == isinstance(fact, ChunksArrived)
        waiting = self._up[sender.name].waiting
        waiting.setdefault(receiver.name, deque()).append((receiver, fact, size))

    def step(self) -> bool:
        if super().step():
            return True
        at = self._move()
        if self.queue:
            return True
        if at == math.inf or self.next_due() < at:
            return False
        self.now = at
        self._move()
        return True

    def _move(self) -> float:
        """Do everything that is due by now. Returns when the next message leaves or arrives, in
        seconds."""
        while True:
            for name, line in self._up.items():
                line.next(self.now, self.slow.get(name, self.rate))
            leaving = [line for line in self._up.values() if line.leaving is not None]
            first = min(leaving, key=lambda line: line.free_at, default=None)
            left = first.free_at if first else math.inf
            came = self._coming[0][0] if self._coming else math.inf
            if min(left, came) > self.now:
                return min(left, came)
            if first is not None and left <= came:
                assert first.leaving is not None
                receiver, fact, size = first.leaving
                first.leaving = None
                down = self.slow_down.get(receiver.name, self.rate)
                at = max(left, self._down.get(receiver.name, 0.0) + size / down)
                self._down[receiver.name] = at
                self._number += 1
                heapq.heappush(self._coming, (at + LATENCY_S, self._number, receiver, fact))
            else:
                _, _, receiver, fact = heapq.heappop(self._coming)
                receiver.take(fact)

    def run_until(self, condition: Callable[[], bool], seconds: float = 600.0) -> float:
        """Run until the condition holds. Returns the seconds that this took by the clock of the
        mesh."""
        began = self.now
        self.look_anew()
        while not condition():
            assert self.now < began + seconds, "it takes too long"
            if self.step():
                continue
            self.pass_time(self.next_due())
        return self.now - began
