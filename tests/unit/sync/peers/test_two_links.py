"""Two devices are joined by two links, and what is said over one may overtake what was said over
the other. What was said last counts in the end, whatever the order."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from leftzmq.bandwidth.timetable import BandwidthLimits, Timetable, parse_timetable
from leftzmq.sync.facts import LimitsSet
from leftzmq.sync.jobs import Walk
from leftzmq.sync.link import Link, Way
from leftzmq.wire.messages import Done, Message, Welcome
from tests.helpers.mesh import Device, Held, Mesh


class TwoLinks(Mesh):
    """A's messages over each link come in their order, when the test lets that link go on. Only its
    welcome comes at once."""

    def __init__(self, base: Path) -> None:
        super().__init__(base, "AB")
        self.under_way: dict[Way, deque[tuple[Link, Message, object]]] = {}

    def hold(self) -> None:
        self.under_way = {way: deque() for way in Way}

    def send(self, device: Device, link: Link, message: Message, body: object) -> None:
        held = self.under_way.get(link.way)
        if device.name == "A" and held is not None and not isinstance(message, Welcome):
            held.append((link, message, body))
        else:
            super().send(device, link, message, body)

    def go_on(self, way: Way) -> None:
        device = self.devices["A"]
        for link, message, body in self.under_way.pop(way):
            super().send(device, link, message, body)
        self.settle(1)


def limit(device: Device, up: str) -> None:
    up_table = parse_timetable(up, "") if up else Timetable()
    device.take(LimitsSet(BandwidthLimits(up_table, Timetable()), {}))


@pytest.mark.parametrize("last", Way)
def test_what_is_said_last_counts_whichever_link_is_slow(tmp_path: Path, last: Way) -> None:
    """While B has not answered A's hello, A speaks over the link that B made; then over its own."""
    mesh = TwoLinks(tmp_path)
    a, b = mesh.devices.values()
    a.write("file", b"bytes")
    walks = Held(a, Walk)
    mesh.hold()
    limit(a, "fri 08:00-09:00 off")
    for device in (a, b):
        device.start()
        mesh.settle(0.5)
    assert a.agents.by_key[b.key].came is not None and not a.agents.by_key[b.key].welcomed
    link, hello, body = mesh.under_way[Way.DIALED].popleft()
    Mesh.send(mesh, a, link, hello, body)
    mesh.settle(0.5)
    assert a.agents.by_key[b.key].welcomed
    limit(a, "")
    a.take(a.runner.run(walks.take(Walk)))
    walks.end()
    mesh.settle(0.5)
    first = next(way for way in Way if way is not last)
    mesh.go_on(first)
    mesh.go_on(last)
    assert b.node.downloader.given_by(a.key) is None
    assert not b.folder.first_reading.is_reading(a.key)
    mesh.settle(5)
    assert a.tree() == b.tree() != {}


def test_a_device_that_is_done_with_more_stays_so(mesh: Mesh, a: Device, b: Device) -> None:
    b.folder.keeping.tune(("data",), litter=True)
    mesh.settle()
    for content in (b"1", b"22"):
        a.write("data", content)
        mesh.scan_all()
        mesh.settle()
    first, *_, last = [message for message in b.sent if isinstance(message, Done)]
    assert first.life == last.life and first.until < last.until
    acknowledged = a.folder.acknowledged
    assert acknowledged.until(b.key) == last.until
    acknowledged.on_done(b.key, first)
    assert acknowledged.until(b.key) == last.until
    acknowledged.on_done(
        b.key, Done(last.tag, b"another life", last.until + 1, last.own_life, last.own)
    )
    assert acknowledged.until(b.key) == last.until
