"""Each figure of `metrics` is what happened to a device, and only that."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from leftzmq.content.key_text import key_beginning
from leftzmq.errors import ProblemKind, Stop, StopCause
from leftzmq.sync.admin.metrics import AgentFigures, Metric, MetricKind
from leftzmq.sync.admin.status import Times
from leftzmq.sync.facts import (
    DeviceDropped,
    FolderStopped,
    PageArrived,
    PeerListed,
    PeerUnlisted,
    RescanWanted,
    WatchLost,
)
from leftzmq.sync.jobs import StageSmall, Walk
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.tree.version import Life
from leftzmq.wire.page import Page
from leftzmq.wire.replies import HeldBack
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER

MAC_BYTES = 16  # of each chunk
LARGE = random.Random(5).randbytes(2_000_000)
SLICES = LARGE * 5  # a look reads 4 MiB of a file at once
AGENT = AgentFigures(
    version="1.2.3",
    began=5.0,
    turns=7,
    longest_turn_s=0.25,
    hash_s=1.5,
    strangers_refused=3,
    open_descriptors=40,
    max_descriptors=1024,
    index_bytes={FOLDER: (4096, 512)},
)


def all_figures(device: Device) -> dict[Metric, dict[tuple[str, ...], float]]:
    """The figures of a device: metric -> values of labels -> figure."""
    mesh = device.mesh
    times = Times(mesh.now, mesh.wall_ns(device) / 1e9)
    found: dict[Metric, dict[tuple[str, ...], float]] = {}
    shown = device.node.metrics(AGENT, times).metrics
    for metric, one in zip(Metric, shown, strict=True):
        named = metric.value
        said = (one.name, one.kind, one.help, one.unit)
        assert said == (named.name, named.kind.value, named.help, named.unit)
        assert all(tuple(sample.labels) == named.labels for sample in one.samples)
        found[metric] = {tuple(s.labels.values()): s.value for s in one.samples}
        assert len(found[metric]) == len(one.samples), "two have the same labels"
    return found


def figure(device: Device, metric: Metric, *labels: str) -> float | None:
    """labels: the values without that of the folder. None: there is no such figure."""
    given = (FOLDER, *labels) if "folder" in metric.value.labels else labels
    return all_figures(device)[metric].get(given)


def scan(mesh: Mesh) -> None:
    mesh.now += 100
    mesh.scan_all()
    mesh.settle(70)


def test_what_is_there_and_what_is_to_come(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    a.write("x/one", b"1234")
    a.write("two", b"56")
    scan(mesh)
    for device, other in ((a, "B"), (b, "A")):
        assert figure(device, Metric.FILES) == 2
        assert figure(device, Metric.FILE_BYTES) == 6
        assert figure(device, Metric.TICKETS) == figure(device, Metric.PENDING_BYTES) == 0
        assert figure(device, Metric.PEER_CONNECTED, other) == 1
        assert figure(device, Metric.PEER_PENDING_PATHS, other) == 0
        assert figure(device, Metric.FOLDER_STATE, "idle") == 1
        assert figure(device, Metric.FOLDER_STATE, "syncing") == 0
    b.kill()
    mesh.settle()
    a.write("three", b"789")
    scan(mesh)
    assert figure(a, Metric.PEER_CONNECTED, "B") == 0
    assert figure(a, Metric.PEER_PENDING_PATHS, "B") == 1
    assert figure(a, Metric.PEER_PENDING_BYTES, "B") == 3
    assert figure(a, Metric.FOLDER_STATE, "alone") == 1


def test_what_is_on_its_way(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    held = Held(b, StageSmall)
    a.write("one", b"12345")
    a.write("two", b"678")
    scan(mesh)
    assert held.jobs
    assert (figure(b, Metric.TICKETS), figure(b, Metric.PENDING_BYTES)) == (2, 8)
    assert figure(b, Metric.PEER_COMING_PATHS, "A") == 2
    assert figure(b, Metric.PEER_COMING_BYTES, "A") == 8
    assert figure(b, Metric.FOLDER_STATE, "syncing") == 1 and figure(b, Metric.FILES) == 0
    assert (figure(a, Metric.PEER_COMING_PATHS, "B"), figure(a, Metric.TICKETS)) == (0, 0)
    assert figure(a, Metric.PEER_PENDING_BYTES, "B") == 8


def test_problems_by_their_kind(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    for name in ("nul\udcff", "other\udcfe"):
        (a.share / name).write_bytes(b"")
    a.write("x.lefting", b"not ours")
    a.take(RescanWanted(FOLDER, ("",), walk=True))
    mesh.settle()
    found = all_figures(a)[Metric.PROBLEMS]
    assert found.keys() == {(FOLDER, kind.name) for kind in ProblemKind}
    there = {kind: count for (_, kind), count in found.items() if count}
    assert there == {"BAD_NAME": 2, "FOREIGN_LEFTING": 1}
    assert not any(all_figures(b)[Metric.PROBLEMS].values())


def test_conflict_copies(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    a.write("letter", b"draft")
    scan(mesh)
    for device in (a, b):
        device.write("letter", f"by {device.name}".encode())
    scan(mesh)
    for device in (a, b):
        assert (figure(device, Metric.CONFLICTS), figure(device, Metric.FILES)) == (1, 2)


def test_what_the_guard_holds_back(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    a, _ = mesh.devices.values()
    for number in range(120):
        a.write(f"many/{number}", f"{number}".encode())
    scan(mesh)
    assert [figure(a, Metric.HELD_FILES, side) for side in ("here", "elsewhere")] == [0, 0]
    for file in (a.share / "many").iterdir():
        file.unlink()
    scan(mesh)
    assert [figure(a, Metric.HELD_FILES, side) for side in ("here", "elsewhere")] == [120, 0]
    monkeypatch.setattr(a.folder.guard, "held_back", lambda: HeldBack(elsewhere=7))
    assert [figure(a, Metric.HELD_FILES, side) for side in ("here", "elsewhere")] == [0, 7]


SEEN_S = 5.0
"""A change is known to all within this time."""


def test_how_long_the_oldest_change_waits_for_a_device_that_is_away(mesh: Mesh) -> None:
    a, b = mesh.devices.values()

    def waits_s() -> float:
        return figure(a, Metric.PEER_OLDEST_PENDING, "B") or 0

    assert waits_s() == figure(b, Metric.OLDEST_PENDING) == 0
    b.kill()
    mesh.settle()
    a.write("one", b"1")
    a.scan()
    mesh.settle(SEEN_S)
    assert 0 < waits_s() <= SEEN_S
    mesh.settle(600.0)
    a.write("two", b"2")
    a.scan()
    mesh.settle(SEEN_S)
    assert 600 < waits_s() <= 600 + 2 * SEEN_S
    a.write("one", b"another one")
    mesh.settle(100.0)
    a.scan()
    mesh.settle(SEEN_S)
    assert 100 < waits_s() <= 100 + 2 * SEEN_S, "the first one is no more, nobody waits for it"
    b.start()
    mesh.settle()
    assert waits_s() == figure(b, Metric.OLDEST_PENDING) == 0


def test_in_a_busy_folder_only_what_stands_still_gets_old(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    held = Held(b, StageSmall)

    def wait_s() -> list[float]:
        of_b = figure(a, Metric.PEER_OLDEST_PENDING, "B")
        return [of_b or 0, figure(b, Metric.OLDEST_PENDING) or 0]

    for number in range(8):
        a.write(f"file {number}", f"{number}".encode())
        a.scan()
        mesh.settle(100.0)
        assert figure(b, Metric.TICKETS) == min(number + 1, 2), "something is always to come"
        least = 95 if number == 0 else 195
        assert all(least < waited_s < least + 10 for waited_s in wait_s())
        if number:
            b.take(b.runner.run(held.jobs.pop(0)))
            mesh.settle(0.5)
    mesh.settle(1000.0)
    assert all(waited_s > 1095 for waited_s in wait_s())


def test_nothing_waits_longer_than_the_device_is_there(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    a, b, c = mesh.devices.values()
    mesh.cut.add(frozenset("BC"))
    for device in (a, b):
        device.start()
    a.write("old", b"1")
    scan(mesh)
    mesh.settle(5000.0)
    a.write("new", b"2")
    held = Held(c, StageSmall)
    c.start()
    scan(mesh)
    assert held.jobs
    assert 0 < (figure(c, Metric.OLDEST_PENDING) or 0) < 300
    assert 0 < (figure(a, Metric.PEER_OLDEST_PENDING, "C") or 0) < 300
    mesh.settle(5000.0)
    assert 5000 < (figure(c, Metric.OLDEST_PENDING) or 0) < 5300


def test_figures_of_the_agent_itself(mesh: Mesh) -> None:
    a, _ = mesh.devices.values()
    assert figure(a, Metric.TURNS) == 7
    assert figure(a, Metric.LONGEST_TURN) == 0.25
    assert figure(a, Metric.START_TIME) == 5.0
    assert figure(a, Metric.BUILD_INFO, "1.2.3") == 1
    assert figure(a, Metric.HASH_SECONDS) == 1.5
    assert figure(a, Metric.REFUSED_STRANGERS) == 3
    assert figure(a, Metric.OPEN_DESCRIPTORS) == 40
    assert figure(a, Metric.MAX_DESCRIPTORS) == 1024
    assert (figure(a, Metric.INDEX_BYTES), figure(a, Metric.INDEX_LOG_BYTES)) == (4096, 512)


def test_whence_bytes_came_and_whither_they_went(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    a, b, c = mesh.devices.values()
    for device in (a, b, c):
        device.start()
    mesh.settle()
    a.write("small", b"12345")
    a.write("large", LARGE)
    scan(mesh)
    sent = [figure(a, Metric.SENT_BYTES, other) or 0 for other in "BC"]
    for device in (b, c):
        came = [figure(device, Metric.RECEIVED_BYTES, other.name) for other in (a, b, c)]
        whole = sum(bytes_ or 0 for bytes_ in came)
        assert 5 + len(LARGE) < whole < 5 + len(LARGE) + 100 * MAC_BYTES
        assert figure(device, Metric.HOME_BYTES) == 0
    among = (figure(b, Metric.SENT_BYTES, "C") or 0) + (figure(c, Metric.SENT_BYTES, "B") or 0)
    assert min(sent) > 0 and sum(sent) + among == sum(
        figure(device, Metric.RECEIVED_BYTES, other.name) or 0
        for device in (b, c)
        for other in (a, b, c)
        if other is not device
    )
    assert figure(a, Metric.RECEIVED_BYTES, "B") == 0


def test_what_was_taken_from_this_disk(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    a.write("small", b"12345")
    a.write("large", LARGE)
    scan(mesh)
    came = figure(b, Metric.RECEIVED_BYTES, "A")
    a.write("small again", b"12345")
    a.write("empty", b"")
    scan(mesh)
    assert figure(b, Metric.HOME_BYTES) == 5
    a.write("large again", LARGE)
    scan(mesh)
    assert figure(b, Metric.HOME_BYTES) == 5 + len(LARGE)
    assert figure(b, Metric.RECEIVED_BYTES, "A") == came and figure(a, Metric.HOME_BYTES) == 0


SCANNED = (Metric.SCANS, Metric.SCANNED_PATHS, Metric.HASHED_FILES, Metric.HASHED_BYTES)


def test_what_was_walked_and_hashed(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    assert [figure(a, metric) for metric in SCANNED] == [1, 0, 0, 0], "the first walk"
    a.write("x/small", b"12345")
    a.write("large", SLICES)
    scan(mesh)
    walks, paths = (figure(a, metric) or 0 for metric in SCANNED[:2])
    assert (figure(a, Metric.HASHED_FILES), figure(a, Metric.HASHED_BYTES)) == (2, 5 + len(SLICES))
    a.take(RescanWanted(FOLDER, ("",), walk=True))
    mesh.settle()
    assert figure(a, Metric.SCANS) == walks + 1
    assert figure(a, Metric.SCANNED_PATHS) == paths + 3
    assert (figure(a, Metric.HASHED_FILES), figure(a, Metric.HASHED_BYTES)) == (2, 5 + len(SLICES))
    assert figure(b, Metric.HASHED_BYTES) == 0, "what came was checked, and not scanned"


def test_how_long_a_walk_took(mesh: Mesh) -> None:
    a, _ = mesh.devices.values()
    before = figure(a, Metric.SCAN_SECONDS) or 0
    held = Held(a, Walk)
    a.take(RescanWanted(FOLDER, ("",), walk=True))
    mesh.settle(3.0)
    job = held.take(Walk)
    a.do = held._do  # type: ignore[method-assign]
    mesh.now += 7.0
    a.take(a.runner.run(job))
    mesh.settle()
    assert 10.0 <= (figure(a, Metric.SCAN_SECONDS) or 0) - before < 10.1


def test_events_that_were_lost(mesh: Mesh) -> None:
    a, _ = mesh.devices.values()
    a.take(WatchLost(FOLDER, "", polled=False, why="too many"))
    a.take(WatchLost(FOLDER, "x", polled=True, why="no room"))
    mesh.settle()
    assert figure(a, Metric.WATCH_OVERFLOWS) == 1


def test_news_that_was_lost(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    for name in ("one", "two"):
        mesh.drop_news = name == "one"
        a.write(name, b"1")
        mesh.now += 100
        a.scan()
        mesh.settle(1.0)
    mesh.settle()
    assert b.tree().keys() == {"one", "two"}
    assert figure(b, Metric.NEWS_GAPS, "A") == 1
    assert figure(a, Metric.NEWS_GAPS, "B") == 0
    page = Page(a.key, FOLDER, Life(b"other life!!"), 90, 91, 91, False, ())
    b.take(PageArrived(Link(a.key, Way.DIALED), page, answer=False))
    mesh.settle(1.0)
    assert figure(b, Metric.NEWS_GAPS, "A") == 1, "another life is no gap"


def test_a_device_that_was_dropped(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    assert figure(a, Metric.DROPPED_PEERS, "B") == 0
    for number in (1, 2):
        a.take(DeviceDropped(b.key, "it broke a rule"))
        mesh.settle(1.0)
        assert figure(a, Metric.DROPPED_PEERS, "B") == number
    a.take(PeerUnlisted(b.key))
    mesh.settle(1.0)
    assert figure(a, Metric.DROPPED_PEERS, "B") is None, "it is no peer any more"
    a.take(PeerListed(b.key, "B", dials=True))
    mesh.settle(1.0)
    assert figure(a, Metric.DROPPED_PEERS, "B") == 0


def test_two_devices_of_one_name_are_told_apart(mesh: Mesh) -> None:
    a, _ = mesh.devices.values()
    other, third = DeviceKey(b"o" * 32), DeviceKey(b"t" * 32)
    a.take(PeerListed(third, f"B {key_beginning(other)}", dials=False))
    a.take(PeerListed(other, "B", dials=False))
    mesh.settle(1.0)
    label = f"B {key_beginning(other)}"
    assert all_figures(a)[Metric.PEER_CONNECTED] == {
        ("B",): 1,
        (label,): 0,
        (f"{label} {key_beginning(other)}",): 0,
    }


def test_a_folder_that_is_opened_again_counts_on(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    for name in ("one", "two", "three"):
        mesh.drop_news = name == "one"
        a.write(name, LARGE if name != "two" else b"other")
        mesh.now += 100
        a.scan()
        mesh.settle(1.0)
    mesh.settle()
    b.take(WatchLost(FOLDER, "", polled=False, why="too many"))
    mesh.settle()
    before = {device: all_figures(device) for device in (a, b)}
    first = {device: device.folder for device in (a, b)}
    for device in (a, b):
        device.take(FolderStopped(FOLDER, Stop(StopCause.HELD_UP, "for a moment")))
    mesh.settle(1.0)
    assert figure(a, Metric.FOLDER_STATE, "stopped") == 1
    mesh.settle(60.0)
    counters = [metric for metric in Metric if metric.value.kind is MetricKind.COUNTER]
    for device in (a, b):
        assert figure(device, Metric.FOLDER_STATE, "idle") == 1
        assert device.folder is not first[device]
        after = all_figures(device)
        for metric in counters:
            for labels, value in before[device][metric].items():
                assert after[metric][labels] >= value, (metric, labels)
    for metric in (Metric.HOME_BYTES, Metric.HASHED_BYTES, Metric.NEWS_GAPS, Metric.SENT_BYTES):
        assert any(sum(figures[metric].values()) for figures in before.values()), metric


def test_what_lies_in_the_trash(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    assert figure(b, Metric.TRASH_FILES) == figure(b, Metric.TRASH_BYTES) == 0
    for text in ("one", "two", "three"):
        a.write("x/file", text.encode())
        scan(mesh)
    b.kill()
    b.start()  # it sweeps the trash then, and once a day
    mesh.settle()
    assert figure(b, Metric.TRASH_FILES) == 2
    assert figure(b, Metric.TRASH_BYTES) == 2 * b.share.joinpath("x/file").stat().st_blocks * 512
    assert figure(a, Metric.TRASH_FILES) == 0
