"""Any order of any messages of a paired device is answered: nothing raises, nobody is forgotten
half, and an honest device syncs as before. Through a real node, over both kinds of links.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product
from pathlib import Path

import pytest

from leftzmq.content.keys import device_mark
from leftzmq.errors import Away, Stop, StopCause
from leftzmq.sync.exchange.index_client import ANSWER_TIMEOUT_S
from leftzmq.sync.facts import (
    BulkRestored,
    ConnectionsGone,
    DialFailed,
    Fact,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PageArrived,
    TimePassed,
)
from leftzmq.sync.link import Link, Way
from leftzmq.sync.peers.peer_state import Peer, PeerPhase
from leftzmq.tree.version import Life, make_life
from leftzmq.wire.folder_rows import Standing
from leftzmq.wire.folder_rows import row as wire_row
from leftzmq.wire.messages import (
    VERSION,
    Bye,
    Done,
    FolderReport,
    Get,
    Giving,
    Have,
    Hello,
    IndexSince,
    Message,
    Open,
    Reading,
    Refusing,
    Report,
    Welcome,
)
from leftzmq.wire.page import Page
from tests.helpers.mesh import Mesh

pytestmark = pytest.mark.slow

NO_LIFE = bytes(12)
DAY_NS = 86_400_000_000_000
ID = bytes(range(32))


class Orders:
    """An agent A with an honest peer B, and a hostile paired device M, which is facts alone."""

    def __init__(self, base: Path) -> None:
        self.mesh = Mesh(base, "ABM")
        self.a, self.b, self.m = self.mesh.devices.values()
        self.a.start()
        self.b.start()
        self.mesh.settle()
        self.dialed = Link(self.m.key, Way.DIALED)
        self.came = Link(self.m.key, Way.CAME, b"\0\0\0\1\1")
        self.came_bulk = Link(self.m.key, Way.CAME, b"\0\0\0\1\2")
        self.life = make_life(device_mark(self.m.key), 1, b"mmmm")
        self.said = self._messages()
        self.written = 0

    def _messages(self) -> dict[str, Callable[[], Fact]]:
        tag = self.a.keys.tag
        standing = Standing("share", self.life, 9, Life(NO_LIFE), 0)
        row = wire_row(self.a.keys, self.m.key, self.a.key, standing, bytes(24))
        welcome = Welcome(VERSION, "M", [row], 3, 4, 1 << 20, True, [])
        both: dict[str, Message] = {
            "hello": Hello(VERSION, "M", [row], []),
            "welcome": welcome,
            "refusing": Refusing(VERSION, "OTHER_VERSION", "so it is"),
            "bye": Bye("it was stopped"),
            "index_since": IndexSince(tag, NO_LIFE, 0),
            "have": Have(tag, ID, b"\1"),
            "reading": Reading(tag, 0),
            "giving": Giving(True, 0),
            "report": Report("9", 0, "connected", "", [FolderReport(tag, "idle", None)]),
            "done": Done(tag, NO_LIFE, 0, NO_LIFE, 0),
        }
        bulk: dict[str, Message] = {"open": Open(VERSION), "get": Get(1, tag, [ID], [])}
        found: dict[str, Callable[[], Fact]] = {}
        for way, link, bulk_link in (
            ("dialed", self.dialed, self.dialed),
            ("came", self.came, self.came_bulk),
        ):
            for name, message in both.items():
                found[f"{way} {name}"] = partial(MessageArrived, link, message)
            for name, message in bulk.items():
                found[f"{way} {name}"] = partial(MessageArrived, bulk_link, message)
            found[f"{way} closed"] = partial(LinkClosed, link, "gone")
            for answer in (False, True):
                page = Page(self.m.key, "share", self.life, 0, 5, 9, answer, ())
                name = "page" if answer else "news"
                found[f"{way} {name}"] = partial(PageArrived, link, page, answer)
        found["dialed opened"] = lambda: LinkOpened(self.dialed)
        found["came bulk closed"] = lambda: LinkClosed(self.came_bulk, "gone")
        found["bulk restored"] = lambda: BulkRestored(self.m.key)
        found["connections gone"] = lambda: ConnectionsGone(self.m.key)
        found["dial failed"] = lambda: DialFailed(self.m.key, "nobody answers", Away.NOBODY_ANSWERS)
        return found

    @property
    def peer(self) -> Peer:
        return self.a.node.peers.by_key[self.m.key]

    def hear(self, name: str) -> None:
        self.a.handle(self.said[name]())
        while self.mesh.step():
            pass
        self.holds()

    def holds(self) -> None:
        """Who is a member can be asked, and who cannot be is forgotten everywhere."""
        peer, node = self.peer, self.a.node
        member = self.m.key in self.a.folder.members
        connected = peer.state is PeerPhase.CONNECTED
        assert member <= connected
        assert connected == (node.peers.control_link(self.m.key) is not None)
        assert (peer.state is PeerPhase.AWAY) == (not connected and not peer.dialed)
        if not connected:
            assert self.m.key not in node.downloader._requests.credits
            assert self.m.key not in node.listener._askers
            assert self.m.key not in self.a.folder.index_client._running

    def pass_time(self) -> None:
        """Longer than anything here waits for an answer."""
        for _ in range(2):
            self.mesh.now += ANSWER_TIMEOUT_S + 1
            self.a.handle(TimePassed())
            while self.mesh.step():
                pass
        self.holds()

    def begin_anew(self) -> None:
        """All of its links end; nothing of it may stay."""
        for link in (self.dialed, self.came, self.came_bulk):
            self.a.handle(LinkClosed(link, "gone"))
        self.mesh.queue.clear()
        assert self.peer.state is PeerPhase.AWAY and self.m.key not in self.a.folder.members
        self.a.events.clear()
        self.a.sent.clear()

    def an_honest_device_syncs(self) -> None:
        self.written += 1
        data = b"%d" % self.written
        self.b.write("f", data)
        self.mesh.now += 5
        self.b.scan()
        self.mesh.settle(3.0)
        assert (self.a.share / "f").read_bytes() == data

    def live_through(self, orders: Iterator[tuple[str, ...]]) -> None:
        for number, order in enumerate(orders):
            try:
                for name in order:
                    self.hear(name)
                self.pass_time()
                self.begin_anew()
                if number % 500 == 0:
                    self.an_honest_device_syncs()
            except Exception as error:
                pytest.fail(f"{', '.join(order)}: {error!r}")
        self.an_honest_device_syncs()


NAMES = [
    *(f"{way} {what}" for way in ("dialed", "came") for what in (
        "hello", "welcome", "refusing", "bye", "index_since", "have", "reading", "giving", "done",
        "report", "open", "get", "closed", "page", "news",
    )),
    "dialed opened", "came bulk closed", "bulk restored", "connections gone", "dial failed",
]  # fmt: skip
DIALED = [name for name in NAMES if not name.startswith("came")]
CAME = [name for name in NAMES if name.startswith("came")]


def test_the_names_are_those_that_can_be_said(tmp_path: Path) -> None:
    assert set(NAMES) == set(Orders(tmp_path).said)


@pytest.mark.parametrize("first", NAMES)
def test_any_three_over_both_links(tmp_path: Path, first: str) -> None:
    orders = ((first, *rest) for rest in product(NAMES, repeat=2))
    Orders(tmp_path).live_through(some(orders, 11))


def some(orders: Iterator[tuple[str, ...]], each: int = 19) -> Iterator[tuple[str, ...]]:
    """Every `each`-th, each day others (there are 12 names, and 17); all with
    LEFTZMQ_ALL_ORDERS=1."""
    first = time.time_ns() // DAY_NS % each
    return orders if "LEFTZMQ_ALL_ORDERS" in os.environ else islice(orders, first, None, each)


@pytest.mark.parametrize("first", CAME)
def test_any_four_over_a_link_that_came(tmp_path: Path, first: str) -> None:
    Orders(tmp_path).live_through(some((first, *rest) for rest in product(CAME, repeat=3)))


@pytest.mark.parametrize("first", DIALED)
def test_any_four_over_a_link_that_we_dialed(tmp_path: Path, first: str) -> None:
    Orders(tmp_path).live_through(some((first, *rest) for rest in product(DIALED, repeat=3)))


@pytest.mark.parametrize("first", NAMES)
def test_any_two_while_the_folder_is_stopped(tmp_path: Path, first: str) -> None:
    """Nobody is in a folder that stopped; who was in it before is told nothing."""
    orders = Orders(tmp_path)
    for second in NAMES:
        orders.hear(first)
        orders.a.folder.stop(Stop(StopCause.SHARE_AWAY, "unplugged"))
        orders.hear(second)
        orders.pass_time()
        orders.begin_anew()
        orders.a.folder.stopped = None
