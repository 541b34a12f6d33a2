"""A large file from all who have (some of) it at once, by the clock of a mesh with lines."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from leftzmq.content.ids import chunk_id
from leftzmq.sync.download.availability import HAVE_MIN_BYTES
from leftzmq.sync.download.chunk_picker import ChunkPicker
from leftzmq.sync.download.downloader import Downloader
from leftzmq.sync.download.flow_control import ASK_MIN_BYTES
from leftzmq.sync.download.requests import SILENT_S
from leftzmq.sync.download.transfer import TransferPhase
from leftzmq.sync.facts import MessageArrived
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.wire.messages import Have, Message
from tests.helpers.mesh import Device
from tests.helpers.shaped import Shaped

pytestmark = pytest.mark.slow

RATE = 12_500_000  # 100 Mbit/s
MIB = 1 << 20


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[Callable[[str], Shaped]]:
    meshes: list[Shaped] = []

    def made(names: str, rate: float = RATE) -> Shaped:
        mesh = Shaped(tmp_path, names, rate)
        meshes.append(mesh)
        for device in mesh.devices.values():
            device.start()
        mesh.settle(2)
        return mesh

    yield made
    assert all(mesh.asks and mesh.sent for mesh in meshes), "all of it went over the lines"


def give(device: Device, size: int, seed: int = 1) -> bytes:
    """A file of random bytes appears on the device."""
    data = random.Random(seed).randbytes(size)
    device.write("large", data, mtime=1_600_000_000)
    device.scan()
    return data


def have_it(mesh: Shaped, data: bytes) -> Callable[[], bool]:
    def reached() -> bool:
        return all(
            device.folder.index_view.counters.bytes == len(data)
            for device in mesh.devices.values()
            if device.alive
        )

    return reached


def check(mesh: Shaped, data: bytes) -> None:
    mesh.settle(30)
    for device in mesh.devices.values():
        if device.alive:
            assert (device.share / "large").read_bytes() == data
            assert not list(device.share.rglob("*.lefting"))
            assert not device.folder.problems.all()


@pytest.mark.parametrize("names", ["ABC", "ABCDE"])
def test_a_swarm_is_near_the_bound_and_the_seed_sends_hardly_anything_twice(
    swarm: Callable[[str], Shaped], names: str
) -> None:
    mesh = swarm(names)
    data = give(mesh.devices["A"], 48 * MIB)
    took = mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert took < 1.25 * len(data) / RATE
    sent = Counter(id for sender, _, id in mesh.chunks if sender == "A")
    assert sum(sent.values()) < 1.2 * len(sent)
    for name in names[1:]:
        got = [id for _, receiver, id in mesh.chunks if receiver == name]
        assert len(got) <= 1.02 * len(set(got)), "at most 2 % is fetched twice"
    givers = {sender for (sender, _), size in mesh.sent.items() if size > MIB}
    assert givers == set(names), "all of them serve, also while they download"


def test_one_whose_line_is_slow_leaves_its_part_to_the_others_not_to_all_of_them_at_once(
    swarm: Callable[[str], Shaped],
) -> None:
    """All that was left was the part of the slow one: each of the others took it from the seed."""
    mesh = swarm("ABCDEFG")
    mesh.slow_down["G"] = 0.3 * RATE
    data = give(mesh.devices["A"], 48 * MIB)
    fast = [mesh.devices[name] for name in "ABCDEF"]
    took = mesh.run_until(
        lambda: all(d.folder.index_view.counters.bytes == len(data) for d in fast)
    )
    assert took < 1.45 * len(data) / RATE  # 1.22 to 1.25; it was 1.70 to 1.80
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)


def test_on_slow_lines_that_many_ask_hardly_anything_is_fetched_twice(
    swarm: Callable[..., Shaped],
) -> None:
    """What was asked of the seed waits for seconds behind what it gives to the others."""
    rate = RATE / 10
    mesh = swarm("ABCDE", rate)
    data = give(mesh.devices["A"], 24 * MIB)
    took = mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert took < 1.3 * len(data) / rate
    for name in "BCDE":
        got = [id for _, receiver, id in mesh.chunks if receiver == name]
        # 1 to 5 of 87, by the order in which a process goes through sets; it was up to a fifth.
        assert len(got) <= 1.08 * len(set(got))


def test_one_downloader_takes_the_file_in_order_and_nothing_is_told(
    swarm: Callable[[str], Shaped],
) -> None:
    mesh = swarm("AB")
    data = give(mesh.devices["A"], 12 * MIB)
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    offsets = [a.offset for _, to, get in mesh.asks if to == "A" for w in get.wants for a in w.asks]
    assert offsets == sorted(offsets)
    gets = {get.number for _, to, get in mesh.asks if to == "A" and get.wants}
    assert len(gets) <= 1.5 * len(data) / ASK_MIN_BYTES, "what a credit leaves over is no get"
    assert not mesh.haves


def test_two_holders_are_asked_at_once_each_by_its_speed(swarm: Callable[[str], Shaped]) -> None:
    mesh = swarm("ABC")
    c = mesh.devices["C"]
    c.kill()
    data = give(mesh.devices["A"], 32 * MIB)
    mesh.run_until(have_it(mesh, data))
    mesh.slow["B"] = RATE / 4
    c.start()
    took = mesh.run_until(lambda: c.node.status()["folders"][0]["received_bytes"] > 16 * MIB)
    (arriving,) = c.node.status()["folders"][0]["under_way"]
    rates = {source["name"]: source["rate"] for source in arriving["sources"]}
    assert rates["A"] > 2 * rates["B"] > 0, "status says who gives it, and how fast"
    took += mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    share = mesh.sent["B", "C"] / len(data)
    assert 0.1 < share < 0.35
    assert took < 1.25 * len(data) / RATE


def test_what_a_silent_holder_was_asked_for_comes_from_another_one(
    swarm: Callable[[str], Shaped],
) -> None:
    mesh = swarm("ABC")
    c = mesh.devices["C"]
    c.kill()
    data = give(mesh.devices["A"], 20 * MIB)
    mesh.run_until(have_it(mesh, data))
    mesh.mute.add("B")
    c.start()
    took = mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert took < len(data) / RATE + SILENT_S + 1


def test_a_holder_that_dies_half_way_stalls_nothing(swarm: Callable[[str], Shaped]) -> None:
    mesh = swarm("ABC")
    b, c = mesh.devices["B"], mesh.devices["C"]
    c.kill()
    data = give(mesh.devices["A"], 32 * MIB)
    mesh.run_until(have_it(mesh, data))
    c.start()
    mesh.run_until(lambda: c.folder.received_bytes > 8 * MIB)
    b.kill()
    took = mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert took < len(data) / RATE + 1


def test_those_who_have_parts_make_a_whole_when_the_seed_is_gone(
    swarm: Callable[[str], Shaped],
) -> None:
    """B and C have different halves; A, who had all of it, dies when each chunk is at one."""
    mesh = swarm("ABC")
    a, b, c = (mesh.devices[name] for name in "ABC")
    data = give(a, 32 * MIB)

    def between_them() -> bool:
        under_way = [d.node.downloader.under_way() for d in (b, c)]
        if not all(under_way) or not all(one[0].rows for one in under_way):
            return False
        one, other = under_way[0][0], under_way[1][0]
        assert one.rows is not None
        return (one.here | other.here) == (1 << len(one.rows)) - 1

    mesh.run_until(between_them)
    assert b.node.downloader.under_way() and c.node.downloader.under_way()
    a.kill()
    a.start()  # its index is known; nobody asks it for a byte
    mesh.mute.add("A")
    before = mesh.sent.get(("A", "B"), 0) + mesh.sent.get(("A", "C"), 0)
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert mesh.sent.get(("A", "B"), 0) + mesh.sent.get(("A", "C"), 0) == before


def test_haves_are_told_four_times_a_second_at_most(
    swarm: Callable[[str], Shaped], monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = swarm("ABC")
    told: list[tuple[float, Have]] = []
    send = mesh.send

    def sent(sender: Device, link: Link, message: Message, body: object) -> None:
        if isinstance(message, Have) and sender.name == "B" and link.way is Way.DIALED:
            told.append((mesh.now, message))
        send(sender, link, message, body)

    monkeypatch.setattr(mesh, "send", sent)
    data = give(mesh.devices["A"], 16 * MIB)
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert not any(told[0][1].bitmap), "it begins with nothing"
    for (at, before), (later, after) in pairwise(told):
        assert later - at >= 0.25, "docs/protocol.md says so"
        was, has = (int.from_bytes(have.bitmap, "little") for have in (before, after))
        assert was & has == was != has, "it grows"
    assert {to for teller, to, _ in mesh.haves if teller == "B"} == {"C"}, "A has all of it"


def test_who_did_not_name_have_is_told_none(
    swarm: Callable[[str], Shaped], monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = swarm("ABC")
    for device in mesh.devices.values():
        for peer in device.node.peers.by_key.values():
            if peer.name == "C":
                peer.can = frozenset(("something else",))
    data = give(mesh.devices["A"], 16 * MIB)
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert {to for _, to, _ in mesh.haves} == {"B"}


def test_of_small_and_middling_files_nothing_is_told(swarm: Callable[[str], Shaped]) -> None:
    mesh = swarm("ABC")
    data = give(mesh.devices["A"], HAVE_MIN_BYTES)
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert not mesh.haves


def test_who_says_what_it_has_is_looked_at_alone(
    swarm: Callable[[str], Shaped], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swarm of n devices tells n x n haves: each must not make us go through all n."""
    looked: list[bytes] = []
    others: list[bytes] = []
    next_for, told = ChunkPicker.next_for, Downloader.on_have

    def looking(self: ChunkPicker, device: DeviceKey, *more: Any) -> Any:
        looked.append(device)
        return next_for(self, device, *more)

    def telling(self: Downloader, device: DeviceKey, *more: Any) -> Any:
        between = all(one.missing for one in self.under_way())
        looked.clear()
        out = told(self, device, *more)
        if between:
            others.extend(one for one in looked if one != device)
        return out

    monkeypatch.setattr(ChunkPicker, "next_for", looking)
    monkeypatch.setattr(Downloader, "on_have", telling)
    mesh = swarm("ABCDE")
    data = give(mesh.devices["A"], 24 * MIB)
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert len(mesh.haves) > 50
    assert not others


def test_a_have_that_was_wrong_is_corrected_by_missing(swarm: Callable[[str], Shaped]) -> None:
    """B says that it has everything, and has nothing."""
    mesh = swarm("ABC")
    b, c = mesh.devices["B"], mesh.devices["C"]
    b.folder.applier.stopped = True  # so that it downloads nothing itself
    data = give(mesh.devices["A"], 16 * MIB)
    mesh.run_until(lambda: any(one.rows for one in c.node.downloader.under_way()))
    content = bytes(c.node.downloader.under_way()[0].entry.content)
    have = Have(c.folder.tag, content, b"\xff" * 64)
    c.take(MessageArrived(Link(b.key, Way.DIALED), have))
    took = mesh.run_until(lambda: c.folder.index_view.counters.bytes == len(data))
    asked = [a.id for who, to, get in mesh.asks if to == "B" for w in get.wants for a in w.asks]
    assert asked and len(asked) == len(set(asked)), "and of each it was believed once"
    assert took < 1.25 * len(data) / RATE


def test_a_restart_on_either_side_costs_what_was_under_way(swarm: Callable[[str], Shaped]) -> None:
    mesh = swarm("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    data = give(a, 24 * MIB)
    received = 0
    for victim in (b, a, b):
        goal = b.folder.received_bytes + 5 * MIB
        mesh.run_until(lambda goal=goal: b.folder.received_bytes > goal)
        received += b.folder.received_bytes if victim is b else 0
        victim.kill()
        victim.start()
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    received += b.folder.received_bytes
    assert received <= len(data) + 3 * 2 * MIB


def test_a_restart_while_some_of_the_lists_are_here_goes_on_from_those(
    swarm: Callable[[str], Shaped], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leftzmq.content.lists.MAX_LIST_BYTES", 36 * 10)
    mesh = swarm("AB")
    b = mesh.devices["B"]
    data = give(mesh.devices["A"], 24 * MIB)

    def some_lists() -> bool:
        (count,) = b.store._db.execute("SELECT count(*) FROM list").fetchone()
        return count >= 4

    mesh.run_until(some_lists)
    assert b.node.downloader.under_way()[0].phase is TransferPhase.LISTS
    had = {id for (id,) in b.store._db.execute("SELECT id FROM list")}
    b.kill()
    b.start()
    before = len(mesh.asks)
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    asked = {id for _, _, get in mesh.asks[before:] for id in get.lists}
    assert asked and not asked & had


@pytest.mark.parametrize("zeros", [8 * MIB, 1024 * MIB])
def test_a_sparse_file_costs_little_on_the_wire_and_on_the_disk(
    swarm: Callable[[str], Shaped], zeros: int
) -> None:
    mesh = swarm("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    with (a.share / "sparse").open("wb") as file:
        file.write(b"Start")
        file.seek(5 + zeros)
        file.write(b"End")
    a.scan()
    mesh.run_until(lambda: b.folder.index_view.counters.bytes == zeros + 8)
    mesh.settle(5)
    assert sum(mesh.sent.values()) <= 256 << 10
    stat = (b.share / "sparse").stat()
    assert stat.st_size == zeros + 8
    assert stat.st_blocks * 512 <= 128 << 10
    with (b.share / "sparse").open("rb") as file:
        assert file.read(8) == b"Start\0\0\0"
        file.seek(5 + zeros)
        assert file.read() == b"End"
        file.seek(zeros // 2)
        assert not any(file.read(MIB))


def test_a_chunk_that_stands_in_several_places_is_fetched_once(
    swarm: Callable[[str], Shaped],
) -> None:
    mesh = swarm("AB")
    data = random.Random(3).randbytes(3 * MIB) * 5
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("large", data, mtime=1_600_000_000)
    a.scan()
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    ids = [id for _, _, id in mesh.chunks]
    assert len(ids) == len(set(ids))
    assert b.folder.received_bytes < 5 * MIB


def test_copies_in_a_file_that_was_begun_in_an_earlier_life_come_from_what_is_there(
    swarm: Callable[[str], Shaped],
) -> None:
    mesh = swarm("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    data = bytes(4 * MIB) + random.Random(4).randbytes(4 * MIB) * 2 + bytes(4 * MIB)
    a.write("large", data, mtime=1_600_000_000)
    a.scan()
    mesh.run_until(lambda: b.folder.received_bytes > 2 * MIB)
    b.kill()
    lefting = b.share / "large.lefting"
    with lefting.open("r+b") as file:  # a hole that has something in it, as of an older version
        file.seek(MIB)
        file.write(os.urandom(MIB))
        file.seek(15 * MIB)
        file.write(os.urandom(MIB))
    b.start()
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert b.folder.received_bytes < 4 * MIB
    assert chunk_id(b.keys, bytes(MIB)) not in {id for s, _, id in mesh.chunks[40:] if s == "A"}


@pytest.mark.parametrize("whole", [False, True])
def test_what_has_arrived_is_kept_while_its_holders_are_away(
    swarm: Callable[[str], Shaped], whole: bool
) -> None:
    """Nobody who has the winning version can be reached: there is no ticket, and no waste."""
    mesh = swarm("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    data = give(a, 12 * MIB)
    if whole:
        mesh.run_until(lambda: b.folder.received_bytes >= len(data))
    else:
        mesh.run_until(lambda: b.folder.received_bytes > 8 * MIB)
    received = b.folder.received_bytes
    a.kill()
    mesh.settle(30)
    if not whole:
        assert (b.share / "large.lefting").exists()
    a.start()
    mesh.run_until(have_it(mesh, data))
    check(mesh, data)
    assert b.folder.received_bytes - received <= len(data) - received + 2 * MIB


def test_what_has_arrived_is_thrown_away_when_nobody_will_want_it(
    swarm: Callable[[str], Shaped],
) -> None:
    mesh = swarm("AB")
    a, b = mesh.devices["A"], mesh.devices["B"]
    give(a, 12 * MIB)
    mesh.run_until(lambda: b.folder.received_bytes > 4 * MIB)
    a.kill()
    mesh.settle(30)
    assert (b.share / "large.lefting").exists()
    (a.share / "large").unlink()
    a.start()
    mesh.settle(30)
    assert not list(b.share.rglob("*.lefting"))
    assert not b.store.leftings.all()
