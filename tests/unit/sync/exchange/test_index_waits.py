"""No bit is free: who has none waits, and gets one; whoever begins its index again and again takes
none from the others, and nothing of it ends an agent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.config.values import MAX_PEERS
from leftzmq.content.seal import fresh_nonce
from leftzmq.disk.share import Share
from leftzmq.errors import ProblemKind, Refusal
from leftzmq.index import heads
from leftzmq.index.heads import NO_LIFE
from leftzmq.index.schema import MAX_BITS
from leftzmq.index.store import Store
from leftzmq.sync import actions
from leftzmq.sync.exchange.index_client import BIT_HELD_S
from leftzmq.sync.facts import (
    Fact,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PageArrived,
    TimePassed,
)
from leftzmq.sync.jobs import Flush, Job, LookForIndexRoom
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.sync.peers.peer_state import Peer
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.version import Life, Vector
from leftzmq.wire.folder_rows import Standing, row
from leftzmq.wire.messages import VERSION, IndexSince, Message, Welcome
from leftzmq.wire.page import Page
from tests.helpers.mesh import Device, Mesh
from tests.sim import node
from tests.sim.hostile import pairs

OTHERS = MAX_BITS - 1
HEAD = 9


def test_there_are_as_many_bits_as_devices_may_be_listed() -> None:
    assert MAX_PEERS <= OTHERS


def life(number: int) -> Life:
    return Life(number.to_bytes(12, "big"))


class Crowd:
    """One real device, and many that a test speaks for: they know the secret, and dial nobody."""

    def __init__(self, base: Path, count: int) -> None:
        self.now, self.random = 1000.0, random.Random(1)
        self.keys = [DeviceKey(f"other {n}".encode().ljust(32, b"-")) for n in range(count)]
        self.asked: dict[DeviceKey, IndexSince] = {}
        self.jobs: list[Job] = []
        self.hold = False  # they wait
        self.dropped: list[tuple[DeviceKey, Refusal]] = []
        self.device = node.Device(self, "A")
        self.device.dropped = self._dropped  # type: ignore[method-assign]
        share = base / "share"
        self.device.begin(
            base / "index.db",
            lambda known: Share.open(share, node.FOLDER, known, known is None),
            [Peer(key, f"other-{n}", dials=True) for n, key in enumerate(self.keys)],
        )

    # -- what the device finds around it ------------------------------------------------------

    def wall_ns(self, device: node.Device) -> int:
        return 1_800_000_000_000_000_000

    def submit(self, device: node.Device, job: Job) -> None:
        """What the index wants of its disk is done, after the fact; the share does not matter."""
        if isinstance(job, Flush | LookForIndexRoom):
            self.jobs.append(job)

    def handle(self, fact: Fact) -> None:
        self.device.handle(fact)
        if not self.hold:
            self.run_jobs()

    def run_jobs(self) -> None:
        while self.jobs:
            self.device.handle(self.device.runner.run(self.jobs.pop(0)))

    def publish(self, device: node.Device, publish: actions.Publish) -> None:
        pass

    def subscribe(self, device: node.Device, key: DeviceKey) -> None:
        pass

    def send(self, device: node.Device, link: Link, message: Message, body: object) -> None:
        if isinstance(message, IndexSince):
            self.asked[link.device] = message

    def _dropped(self, drop: actions.Drop) -> None:
        self.dropped.append((drop.device, drop.refusal))
        self.handle(LinkClosed(Link(drop.device, Way.DIALED), "dropped"))

    # -- what the others do -------------------------------------------------------------------

    def greet(self, number: int, generation: int = 1, head: int = HEAD) -> None:
        link = Link(self.keys[number], Way.DIALED)
        self.handle(LinkOpened(link))
        said = Standing(node.FOLDER, self._life(number, generation), head, NO_LIFE, 0)
        them, us = self.keys[number], self.device.key
        told = row(self.device.keys, them, us, said, fresh_nonce())
        welcome = Welcome(VERSION, f"other-{number}", [told], 1, 2, 1 << 20, False, [])
        self.handle(MessageArrived(link, welcome))

    def begin(self, number: int, generation: int = 1) -> None:
        """The first page of a whole index that does not end with it."""
        self._page(number, generation, 0, 1, HEAD)

    def whole(self, number: int, generation: int = 1) -> None:
        self._page(number, generation, 0, HEAD, HEAD)

    def news(self, number: int, generation: int = 1) -> None:
        """A heartbeat."""
        self._page(number, generation, HEAD, HEAD, HEAD, answer=False)

    def _page(
        self, number: int, generation: int, after: int, last: int, head: int, answer: bool = True
    ) -> None:
        key, born = self.keys[number], self._life(number, generation)
        entries = ()
        if answer:
            vector = Vector.unpack(pairs((born, last)))
            content = ContentId(number.to_bytes(32, "big"))
            path = f"of {number}"
            entries = (
                Entry(path, Kind.FILE, 5, 1, False, content, 0, vector, born, generation, False),
            )
        page = Page(key, node.FOLDER, born, after, last, head, answer, entries)
        self.handle(PageArrived(Link(key, Way.DIALED), page, answer))

    def _life(self, number: int, generation: int) -> Life:
        return life((number + 1) << 32 | generation)

    # -- time ---------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.device.node.deadline(self.now)) <= end:
            self.now = max(due, self.now + 0.001)
            self.handle(TimePassed())
        self.now = end

    def waiting(self) -> list[str]:
        return [
            problem.device
            for problem in self.device.folder.problems.all()
            if problem.kind is ProblemKind.INDEX_WAITS
        ]

    def holds(self, number: int) -> list[str]:
        """Paths that this device is known to have."""
        mask = self.device.store.heads.head_of(self.keys[number]).mask
        rows = self.device.store.rows(f"of {number}")
        return [row.entry.path for row in rows if row.holders & mask]


def opened(tmp_path: Path, count: int) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path, count)
    yield crowd
    assert crowd.device.node.status()["folders"]
    crowd.device.end()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Crowd]:
    """As many as may be listed, each with a whole index that was heard."""
    for crowd in opened(tmp_path, OTHERS):
        for number in range(OTHERS):
            crowd.greet(number)
            crowd.whole(number)
        assert crowd.device.store.heads.bits_left == 0
        yield crowd


def test_62_devices_and_one_new_index(full: Crowd) -> None:
    full.greet(7, generation=2)
    full.whole(7, generation=2)
    assert full.waiting() == ["other-7"]
    assert "the index of other-7: " in str(full.device.folder.problems.all()[0])
    full.pass_time(1.0)
    assert full.waiting() == []
    assert full.asked[full.keys[7]] == IndexSince(full.device.keys.tag, heads.NO_LIFE, 0)
    full.whole(7, generation=2)
    full.pass_time(1.0)
    assert full.holds(7) and full.device.store.heads.head_of(full.keys[7]).head == HEAD
    assert full.device.store.heads.bits_left == 0 and not full.dropped


def test_all_of_them_begin_anew_at_once(full: Crowd) -> None:
    for number in range(OTHERS):
        full.greet(number, generation=2)
        full.begin(number, generation=2)
    for _ in range(3 * OTHERS):
        full.pass_time(1.0)
        for number, key in enumerate(full.keys):
            if key in full.asked:
                del full.asked[key]
                full.whole(number, generation=2)
    assert not full.waiting() and not full.dropped
    assert all(full.holds(number) for number in range(OTHERS))


def test_16_that_begin_again_and_again_keep_nobody_from_being_heard(tmp_path: Path) -> None:
    for crowd in opened(tmp_path, OTHERS):
        honest = range(16, OTHERS)
        for number in range(OTHERS):
            crowd.greet(number)
        for generation in range(1, 40):
            for number in range(16):
                crowd.begin(number, generation)
                if generation % 3 == 0:
                    crowd.greet(number, generation)
            if generation == 5:
                for number in honest:
                    crowd.whole(number)
            crowd.pass_time(1.0)
            for number in honest:
                if generation > 5 and crowd.asked.pop(crowd.keys[number], None):
                    crowd.whole(number)
        assert all(crowd.holds(number) for number in honest)
        shut_out = {key for key, _ in crowd.dropped}
        assert shut_out <= set(crowd.keys[:16])


def test_who_holds_a_bit_longest_without_a_page_loses_it(tmp_path: Path) -> None:
    """More devices than bits: they share what there is."""
    for crowd in opened(tmp_path, OTHERS + 1):
        for number in range(OTHERS):
            crowd.greet(number)
            crowd.whole(number)
        crowd.greet(OTHERS)
        crowd.whole(OTHERS)
        crowd.pass_time(2.0)
        assert crowd.waiting() == [f"other-{OTHERS}"], "all were heard a moment ago"
        for _ in range(int(BIT_HELD_S / 10) + 1):
            for number in range(OTHERS):
                if number != 3:
                    crowd.news(number)
            crowd.pass_time(10.0)
        assert crowd.waiting() == ["other-3"], "it was silent"
        crowd.whole(OTHERS)
        crowd.pass_time(1.0)
        assert crowd.holds(OTHERS) and not crowd.holds(3)


def test_a_device_that_goes_while_it_waits_waits_no_more(full: Crowd) -> None:
    full.greet(7, generation=2)
    full.whole(7, generation=2)
    full.handle(LinkClosed(Link(full.keys[7], Way.DIALED), "it went"))
    assert full.waiting() == []
    full.pass_time(10.0)
    full.greet(7, generation=2)
    full.whole(7, generation=2)
    full.pass_time(1.0)
    full.whole(7, generation=2)
    assert full.holds(7)


def test_a_page_of_a_device_without_a_bit_that_is_no_beginning_is_asked_for_anew(
    tmp_path: Path,
) -> None:
    for crowd in opened(tmp_path, 1):
        crowd.greet(0)
        del crowd.asked[crowd.keys[0]]
        born = crowd._life(0, 1)
        page = Page(crowd.keys[0], node.FOLDER, born, 0, 1, HEAD, False, ())
        crowd.handle(PageArrived(Link(crowd.keys[0], Way.DIALED), page, True))
        assert crowd.keys[0] in crowd.asked


@pytest.mark.slow
def test_in_a_mesh_with_fewer_bits_than_indexes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each device of five loses its state in turn, and all end equal."""
    monkeypatch.setattr(heads, "MAX_BITS", 5)
    mesh = Mesh(tmp_path, "ABCDE")
    mesh.begin()
    for name, device in mesh.devices.items():
        device.write(f"of {name}", name.encode())
        device.scan()
    mesh.settle()
    for name, device in mesh.devices.items():
        device.kill()
        mesh.settle(1.0)
        _lose_state(device)
        device.start()
        mesh.settle()
        device.write("all", name.encode())
        device.scan()
        mesh.settle()
    trees = [device.tree() for device in mesh.devices.values()]
    assert all(tree == trees[0] for tree in trees) and len(trees[0]) == 6
    for device in mesh.devices.values():
        assert not len(device.folder.problems)
        device.end()


def _lose_state(device: Device) -> None:
    for file in device.state.iterdir():
        file.unlink()


def test_no_bit_is_no_exception(tmp_path: Path) -> None:
    store = Store(tmp_path / "index")
    for number in range(OTHERS):
        assert store.heads.place(number.to_bytes(32, "big")) is not None
    one = b"one more".ljust(32, b"-")
    assert store.heads.place(one) is None and store.heads.head_of(one).mask == 0
    assert store.heads.new_generation(one, life(1)) is None
    store.heads.give_up_device((5).to_bytes(32, "big"))
    assert store.heads.new_generation(one, life(1)) is None, "it is to be swept first"
    store.sweep(*store.heads.to_sweep((5).to_bytes(32, "big")))
    fresh = store.heads.new_generation(one, life(1))
    assert fresh is not None and fresh.life == life(1)
    store.close()
