"""Nodes on real shares and real indexes, joined by a mesh in one thread: no socket, no thread.

Messages pass the codec, pages their seal, jobs run at once, time is a number. So a test says
"A writes, then all is quiet, then B has it", and when it fails it fails the same way again.
"""

from __future__ import annotations

import os
import random
from collections import deque
from pathlib import Path
from typing import Any

from leftzmq.bus.ground import Ground
from leftzmq.bus.jobs import JobRunner
from leftzmq.content.keys import derive_keys, device_mark
from leftzmq.content.seal import fresh_nonce
from leftzmq.disk.share import Share
from leftzmq.index.store import Store
from leftzmq.sync import actions
from leftzmq.sync.facts import (
    Asked,
    ChunksArrived,
    Fact,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PageArrived,
    Started,
    TimePassed,
)
from leftzmq.sync.folder import Folder
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.node import Node
from leftzmq.sync.peers import OurSide, Peer, Peers
from leftzmq.tree.version import make_life
from leftzmq.wire import page as pages
from leftzmq.wire.codec import Socket, check_body, decode, encode
from leftzmq.wire.messages import Chunks, Get, IndexPage, News, Open

SECRET = bytes(range(32))
BULK = (Get, Chunks, Open)


class Device:
    """One node with its share and state; `alive` between start() and kill()."""

    def __init__(self, mesh: Mesh, name: str, base: Path) -> None:
        self.mesh, self.name = mesh, name
        self.key = DeviceKey(name.encode().ljust(32, b"-"))
        self.share = base / name / "share"
        self.state = base / name / "state"
        self.state.mkdir(parents=True)
        self.keys = derive_keys(SECRET)
        self.events: list[actions.Tell] = []
        self.answers: list[dict[str, Any]] = []
        self.sent: list[object] = []
        self.alive = False
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        store = Store(self.state / "index.db")
        known = store.meta("token")
        share = Share.open(self.share, "share", known, known is None)
        store.put_meta("token", share.token)
        mark = device_mark(self.key)
        life = make_life(mark, 1_700_000_000 + self.starts, self.mesh.random.randbytes(4))
        store.heads.begin_life(life)
        store.commit()
        self.store = store
        self.runner = JobRunner(lambda: self.mesh.wall_ns)
        self.runner.add(
            Ground("share", share.root, self.keys, store.file, self.key, share.still_there)
        )
        others = [device for device in self.mesh.devices.values() if device is not self]
        peers = Peers(
            OurSide(self.name, 1, 2),
            [Peer(other.key, other.name, dials=True) for other in others],
            lambda device: self.node.hellos(device),
            lambda id: self.keys.tag if id == "share" else None,
        )
        folder = Folder("share", self.keys, self.key, store, peers.control_link, peers.news_links)
        about = {"name": self.name, "key": self.name, "keyless": []}
        self.node = Node({"share": folder}, peers, about)
        self.folder = folder
        self.alive = True
        self.take(Started())
        for other in others:
            if other.alive:
                self.take(LinkOpened(Link(other.key, Way.DIALED)))
                other.take(LinkOpened(Link(self.key, Way.DIALED)))

    def kill(self) -> None:
        """As a SIGKILL would: what is committed stays, nothing else does."""
        self.alive = False
        self.store._db.close()
        for other in self.mesh.devices.values():
            if other.alive:
                other.take(LinkClosed(Link(self.key, Way.DIALED), "connection lost"))

    def take(self, fact: Fact) -> None:
        self.mesh.queue.append((self, fact))

    def handle(self, fact: Fact) -> None:
        for action in self.node.handle(fact, self.mesh.now, self.mesh.wall_ns):
            self.do(action)

    def do(self, action: actions.Action) -> None:
        match action:
            case actions.Work(job):
                self.take(self.runner.run(job))
            case actions.Tell():
                self.events.append(action)
            case actions.Answer(_, fields):
                self.answers.append(dict(fields))
            case actions.Send(link, message, body):
                self.sent.append(message)
                self.mesh.carry(self, link, message, body)
            case actions.Publish(_, page, _):
                sealed = pages.seal(page, self.keys, fresh_nonce())
                for other in self.mesh.others(self):
                    link = Link(self.key, Way.DIALED)
                    opened = pages.open_sealed(sealed, other.keys, device=self.key, folder="share")
                    if not self.mesh.drop_news:
                        other.take(PageArrived(link, opened, answer=False))
            case actions.Subscribe():
                pass
            case actions.Drop(device, refusal, detail):
                raise AssertionError(f"{self.name} dropped {device!r}: {refusal} {detail}")

    def scan(self) -> None:
        """What the watcher would have said, in one go."""
        for action in self.folder.settler.walk_all(self.mesh.now):
            assert isinstance(action, actions.Work)
            self.do(action)

    # -- the user ------------------------------------------------------------------------------

    def write(self, path: str, data: bytes, *, mtime: float | None = None) -> None:
        target = self.share / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        seconds = self.mesh.wall_ns / 1e9 if mtime is None else mtime
        os.utime(target, (seconds, seconds))

    def tree(self) -> dict[str, object]:
        """Everything that is synced: path -> what it is."""
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
    """The devices, the time, and everything that is under way between them."""

    def __init__(self, base: Path, names: str = "ABC", seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.now = 1000.0
        self.started_ns = 1_800_000_000_000_000_000
        self.queue: deque[tuple[Device, Fact]] = deque()
        self.drop_news = False
        self.devices = {name: Device.__new__(Device) for name in names}
        for name, device in self.devices.items():
            device.__init__(self, name, base)  # type: ignore[misc]

    @property
    def wall_ns(self) -> int:
        return self.started_ns + int((self.now - 1000.0) * 1e9)

    def others(self, device: Device) -> list[Device]:
        return [d for d in self.devices.values() if d is not device and d.alive]

    def carry(self, sender: Device, link: Link, message: object, body: object) -> None:
        receiver = next(d for d in self.devices.values() if d.key == link.device)
        if not receiver.alive:
            return
        back = Way.CAME if link.way is Way.DIALED else Way.DIALED
        came = Link(sender.key, back, b"\0" + sender.key[:4] if back is Way.CAME else b"")
        socket = Socket.BULK if isinstance(message, BULK) else Socket.CONTROL
        decoded = decode(encode(message), socket)  # type: ignore[arg-type]
        if isinstance(decoded, Chunks):
            raw = bytes(body or b"")  # type: ignore[call-overload]
            check_body(decoded, len(raw))
            receiver.take(ChunksArrived(came, decoded, raw))
        elif isinstance(decoded, IndexPage | News):
            opened = pages.open_sealed(
                decoded.sealed, receiver.keys, device=sender.key, folder="share"
            )
            receiver.take(PageArrived(came, opened, isinstance(decoded, IndexPage)))
        else:
            receiver.take(MessageArrived(came, decoded))

    def step(self) -> bool:
        while self.queue:
            device, fact = self.queue.popleft()
            if device.alive:
                device.handle(fact)
                return True
        return False

    def settle(self, seconds: float = 30.0, limit: int = 200_000) -> None:
        """Run until nothing is under way for `seconds` of mesh time."""
        end = self.now + seconds
        for _ in range(limit):
            if self.step():
                continue
            alive = [d for d in self.devices.values() if d.alive]
            due = min(d.node.deadline(self.now) for d in alive)
            if due > end:
                self.now = end
                return
            self.now = max(due, self.now + 0.001)
            for device in alive:
                device.take(TimePassed())
        raise AssertionError("the mesh does not come to rest")

    def scan_all(self) -> None:
        for device in self.devices.values():
            if device.alive:
                device.scan()

    def ask(self, device: Device, verb: str, **fields: object) -> dict[str, Any]:
        before = len(device.answers)
        device.take(Asked(b"x", verb, fields))
        self.settle(1.0)
        return device.answers[before]
