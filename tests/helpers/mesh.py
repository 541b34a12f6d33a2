"""Nodes on real shares and real indexes, joined by a mesh in one thread: no socket, no thread.

Messages pass through the codec, pages through their seal, jobs run at once, and time is a number.
So a test says "A writes, then all is quiet, then B has it", and a failing test fails the same way
again.
"""

from __future__ import annotations

import os
import random
from collections import deque
from pathlib import Path
from typing import Any, TypeVar

from leftzmq.disk.share import Share
from leftzmq.sync import actions
from leftzmq.sync.facts import Asked, Fact, LinkClosed, LinkOpened, Started, TimePassed
from leftzmq.sync.jobs import Job, Walk
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.wire.messages import Message
from tests.sim import node

J = TypeVar("J")


class Device(node.Device):
    """A device on real files; every other device dials it and is dialed by it."""

    def __init__(self, mesh: Mesh, name: str, base: Path) -> None:
        super().__init__(mesh, name)
        self.mesh = mesh
        self.share = base / name / "share"
        self.state = base / name / "state"
        self.state.mkdir(parents=True)

    def start(self) -> None:
        others = [device for device in self.mesh.devices.values() if device is not self]
        self.begin(
            self.state / "index.db",
            lambda known: Share.open(self.share, node.FOLDER, known, known is None),
            [Peer(other.key, other.name, dials=True) for other in others],
        )
        self.take(Started())
        for other in others:
            if other.alive and not self.mesh.is_cut(self, other):
                self.take(LinkOpened(Link(other.key, Way.DIALED)))
                other.take(LinkOpened(Link(self.key, Way.DIALED)))

    def start_and_walk_last(self) -> None:
        """Start so that the other devices' messages arrive before the first walk."""
        walks: list[actions.Action] = []
        do = self.do

        def later(action: actions.Action) -> None:
            is_walk = isinstance(action, actions.Work) and isinstance(action.job, Walk)
            walks.append(action) if is_walk else do(action)

        self.do = later  # type: ignore[method-assign]
        self.start()
        self.mesh.settle(5.0)
        self.do = do  # type: ignore[method-assign]
        for walk in walks:
            do(walk)
        self.mesh.settle()

    def kill(self) -> None:
        """Ends as after a SIGKILL: only committed data stays."""
        self.end()
        for other in self.mesh.devices.values():
            if other.alive and not self.mesh.is_cut(self, other):
                other.take(LinkClosed(Link(self.key, Way.DIALED), "connection lost"))

    def take(self, fact: Fact) -> None:
        self.mesh.queue.append((self, fact))

    def handle(self, fact: Fact) -> None:
        super().handle(fact)
        self.mesh.moved(self)

    def scan(self) -> None:
        super().scan()
        self.mesh.moved(self)

    # -- the user ------------------------------------------------------------------------------

    def write(self, path: str, data: bytes, *, mtime: float | None = None) -> None:
        target = self.share / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        seconds = self.mesh.wall_ns(self) / 1e9 if mtime is None else mtime
        os.utime(target, (seconds, seconds))

    def tree(self) -> dict[str, object]:
        """Returns everything that is synced: path -> what it is."""
        found: dict[str, object] = {}
        for root, folders, files in os.walk(self.share):
            base = Path(root)
            if base == self.share:
                folders.remove(".left")
            for name in [*folders, *files]:
                path = base / name
                key = str(path.relative_to(self.share))
                stat = path.lstat()
                if path.is_symlink():
                    found[key] = ("link", str(path.readlink()))
                elif path.is_dir():
                    found[key] = ("folder",)
                else:
                    exec_ = bool(stat.st_mode & 0o100)
                    found[key] = ("file", path.read_bytes(), stat.st_mtime_ns, exec_)
        return found


class Mesh:
    """The devices, the time, and all messages under way between the devices.

    cut: pairs of names that are never connected, from their next start on
    """

    def __init__(self, base: Path, names: str = "ABC", seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.now = 1000.0
        self.started_ns = 1_800_000_000_000_000_000
        self.queue: deque[tuple[Device, Fact]] = deque()
        self._due: dict[str, float] = {}  # of devices that have done nothing since they were asked
        self.drop_news = False
        self.cut = set[frozenset[str]]()
        self.devices = {name: Device.__new__(Device) for name in names}
        for name, device in self.devices.items():
            device.__init__(self, name, base)  # type: ignore[misc]

    def wall_ns(self, device: node.Device) -> int:
        return self.started_ns + int((self.now - 1000.0) * 1e9)

    def others(self, device: Device) -> list[Device]:
        return [d for d in self.devices.values() if d is not device and d.alive]

    def is_cut(self, one: node.Device, other: node.Device) -> bool:
        return frozenset((one.name, other.name)) in self.cut

    def submit(self, device: Device, job: Job) -> None:
        device.take(device.runner.run(job))

    def send(self, device: Device, link: Link, message: Message, body: object) -> None:
        receiver = next(d for d in self.devices.values() if d.key == link.device)
        if receiver.alive:
            back = Way.CAME if link.way is Way.DIALED else Way.DIALED
            came = Link(device.key, back, b"\0" + device.key[:4] if back is Way.CAME else b"")
            self._take(receiver, node.arrival(receiver, came, message, body))

    def publish(self, device: Device, publish: actions.Publish) -> None:
        news = device.sealed(publish)
        for other in self.others(device):
            if not self.drop_news and not self.is_cut(device, other):
                came = Link(device.key, Way.DIALED)
                self._take(other, node.arrival(other, came, news, None))

    def _take(self, receiver: Device, fact: Fact | None) -> None:
        if fact is not None:
            receiver.take(fact)

    def subscribe(self, device: Device, key: DeviceKey) -> None:
        pass

    def step(self) -> bool:
        while self.queue:
            device, fact = self.queue.popleft()
            if device.alive:
                device.handle(fact)
                return True
        return False

    def moved(self, device: Device) -> None:
        """The device did something: it is asked anew when its time comes."""
        self._due.pop(device.name, None)

    def next_due(self) -> float:
        """When a device has to be told that time passed (seconds of the mesh)."""
        alive = [device for device in self.devices.values() if device.alive]
        for device in alive:
            if device.name not in self._due:
                self._due[device.name] = device.node.deadline(self.now)
        return min(self._due[device.name] for device in alive)

    def look_anew(self) -> None:
        """A test may have changed anything: all devices are asked when their time comes."""
        self._due.clear()

    def pass_time(self, due: float) -> None:
        """Go on to what is due next. As with agents, each device is told at its own time."""
        self.now = max(due, self.now + 0.001)
        for device in self.devices.values():
            if device.alive and self._due[device.name] <= self.now:
                device.take(TimePassed())

    def settle(self, seconds: float = 30.0, limit: int = 200_000) -> None:
        """Run until nothing is under way for `seconds` of mesh time."""
        end = self.now + seconds
        self.look_anew()
        for _ in range(limit):
            if self.step():
                continue
            due = self.next_due()
            if due > end:
                self.now = end
                return
            self.pass_time(due)
        raise AssertionError("the mesh does not come to rest")

    def begin(self) -> None:
        """Start all devices; they meet, and it gets quiet."""
        for device in self.devices.values():
            device.start()
        self.settle()

    def scan_all(self) -> None:
        for device in self.devices.values():
            if device.alive:
                device.scan()

    def ask(self, device: Device, verb: str, **fields: object) -> dict[str, Any]:
        before = len(device.answers)
        device.take(Asked(b"x", verb, fields))
        self.settle(1.0)
        return device.answers[before]


class CountingMesh(Mesh):
    """It remembers which jobs its devices had done.

    jobs: (name of the device, job), in their order
    """

    def __init__(self, base: Path, names: str = "AB") -> None:
        super().__init__(base, names)
        self.jobs = list[tuple[str, Job]]()

    def submit(self, device: Device, job: Job) -> None:
        self.jobs.append((device.name, job))
        super().submit(device, job)

    def ran(self, kind: type[J], name: str = "") -> list[J]:
        """The jobs of this kind, of one device or of all."""
        return [job for of, job in self.jobs if isinstance(job, kind) and name in ("", of)]


class Held:
    """A device whose jobs of some kinds wait until the test releases them, and are not answered
    then."""

    def __init__(self, device: Device, *kinds: type) -> None:
        self.device, self.kinds, self.jobs = device, kinds, list[Job]()
        self._do = device.do
        device.do = self.do  # type: ignore[method-assign]

    def do(self, action: actions.Action) -> None:
        if isinstance(action, actions.Work) and isinstance(action.job, self.kinds):
            self.jobs.append(action.job)
        else:
            self._do(action)

    def take(self, kind: type) -> Job:
        (job,) = [job for job in self.jobs if isinstance(job, kind)]
        self.jobs.remove(job)
        return job

    def end(self) -> None:
        """No further job waits."""
        del self.device.do
