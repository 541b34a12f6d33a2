"""What devices tell each other of themselves: when, to whom, and that nothing follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq import __version__
from leftzmq.errors import Away, Stop, StopCause
from leftzmq.sync.actions import Send
from leftzmq.sync.admin.health.reports import REPORT_PERIOD_S
from leftzmq.sync.facts import (
    DialFailed,
    FolderStopped,
    LinkClosed,
    LinkOpened,
    MessageArrived,
    PausesSet,
    PeerUnlisted,
    TimePassed,
)
from leftzmq.sync.heartbeat import HEARTBEAT_PERIOD_S
from leftzmq.sync.jobs import MeasureShare, ShareMeasured
from leftzmq.sync.link import Link, Way
from leftzmq.sync.peers.peer_state import HeardReport
from leftzmq.wire.codec import Socket, decode, encode
from leftzmq.wire.messages import (
    OUR_CAPABILITIES,
    VERSION,
    Capability,
    FolderReport,
    Hello,
    Report,
)
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    mesh.settle(5)
    return mesh


def pair(mesh: Mesh) -> tuple[Device, Device]:
    a, b = mesh.devices.values()
    return a, b


def heard(device: Device, other: Device) -> HeardReport:
    """What `device` heard of the other one last."""
    found = device.agents.by_key[other.key].heard
    assert found is not None
    return found


def reports(device: Device) -> list[Report]:
    return [message for message in device.sent if isinstance(message, Report)]


def test_who_greeted_us_hears_version_clock_state_room_and_how_we_dial(mesh: Mesh) -> None:
    a, b = pair(mesh)
    said = heard(a, b).report
    assert said.program == __version__
    assert abs(said.unix_ns - mesh.wall_ns(b)) < 10 * 10**9
    assert (said.dialing, said.dialing_why) == ("connected", "")
    (row,) = said.folders
    assert row.tag == a.keys.tag and row.state in ("idle", "scanning", "syncing")
    with b.opened_share.root.folder("") as top:  # type: ignore[union-attr]
        assert row.free_bytes == pytest.approx(top.free_bytes(), rel=0.1)


def test_it_is_told_once_a_minute_from_then_on(mesh: Mesh) -> None:
    a, _ = pair(mesh)
    mesh.settle(REPORT_PERIOD_S)
    a.sent.clear()
    mesh.settle(10 * REPORT_PERIOD_S)
    assert 8 <= len(reports(a)) <= 10
    assert {said.folders[0].state for said in reports(a)} == {"idle"}


def test_a_device_that_did_not_name_it_is_told_nothing(mesh: Mesh) -> None:
    a, b = pair(mesh)
    peer = a.agents.by_key[b.key]
    peer.can -= {Capability.REPORTS}
    a.sent.clear()
    mesh.settle(3 * REPORT_PERIOD_S)
    assert not reports(a)


def test_a_device_without_a_folder_of_ours_is_told_nothing(mesh: Mesh) -> None:
    a, b = pair(mesh)
    link = Link(b.key, Way.CAME, b"\0abcd")
    hello = Hello(VERSION, "B", [], [*OUR_CAPABILITIES])
    told = a.node.handle(MessageArrived(link, hello), mesh.now, mesh.wall_ns(a))
    assert not [act for act in told if isinstance(act, Send) and isinstance(act.message, Report)]


def test_room_that_is_known_first_is_told_at_once_and_then_only_by_the_minute(
    tmp_path: Path,
) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = pair(mesh)
    held = Held(a, MeasureShare)
    for device in (a, b):
        device.start()
    mesh.settle(5)
    assert heard(b, a).report.folders[0].free_bytes is None
    (job,) = held.jobs
    before = len(reports(a))
    mesh.settle(3 * REPORT_PERIOD_S)
    assert held.jobs == [job], "a disk that does not answer is not asked again"
    a.take(ShareMeasured(FOLDER, 12345))
    while mesh.step():
        pass
    assert heard(b, a).report.folders[0].free_bytes == 12345
    after = len(reports(a))
    assert after > before
    a.take(ShareMeasured(FOLDER, 999))
    while mesh.step():
        pass
    assert len(reports(a)) == after


@pytest.mark.parametrize(("free", "told"), [(2**64, 2**60), (-5, 0)])
def test_a_disk_that_says_what_cannot_be_gets_nobody_dropped(
    tmp_path: Path, free: int, told: int
) -> None:
    mesh = Mesh(tmp_path, "AB")
    a, b = pair(mesh)
    held = Held(a, MeasureShare)
    for device in (a, b):
        device.start()
    mesh.settle(5)
    assert held.jobs
    a.take(ShareMeasured(FOLDER, free))
    while mesh.step():
        pass
    assert heard(b, a).report.folders[0].free_bytes == told


@pytest.mark.parametrize("started_ns", [-(10**18), 2**70])
def test_a_clock_that_stands_anywhere_gets_nobody_dropped(mesh: Mesh, started_ns: int) -> None:
    a, b = pair(mesh)
    mesh.started_ns = started_ns
    a.take(TimePassed())
    while mesh.step():
        pass
    (send,) = a.node.reports.on_peer_greeted(b.key)
    assert isinstance(send, Send) and isinstance(send.message, Report)
    assert decode(encode(send.message), Socket.CONTROL) == send.message


def test_a_disk_that_does_not_say_stops_nothing(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = pair(mesh)

    def fails(self: object, path: str) -> None:
        raise OSError("gone")

    monkeypatch.setattr(type(a.opened_share.root), "folder", fails)  # type: ignore[union-attr]
    answer = a.runner.run(MeasureShare(FOLDER))
    assert answer == ShareMeasured(FOLDER, None)


def test_a_stopped_folder_is_told_as_stopped(mesh: Mesh) -> None:
    a, b = pair(mesh)
    a.take(FolderStopped(FOLDER, Stop(StopCause.INDEX_BROKEN, "it is broken")))
    while mesh.step():
        pass
    (send,) = a.node.reports.on_peer_greeted(b.key)
    assert isinstance(send, Send) and isinstance(send.message, Report)
    assert send.message.folders == [FolderReport(a.keys.tag, "stopped", None)]


@pytest.mark.parametrize("cause", [StopCause.REMOVED, StopCause.PUT_OUT])
def test_of_a_folder_that_this_device_left_nothing_is_told(mesh: Mesh, cause: StopCause) -> None:
    a, b = pair(mesh)
    a.folder.stopped = Stop(cause, "it is no member any more")
    assert a.node.reports.on_peer_greeted(b.key) == []


def test_how_we_dial_a_device_is_told_in_the_words_of_status(mesh: Mesh) -> None:
    a, b = pair(mesh)
    peers, dialed = a.agents, Link(b.key, Way.DIALED)
    assert peers.dialing(b.key) == ("connected", "")
    a.handle(LinkClosed(dialed, "the connection is gone"))
    assert peers.dialing(b.key) == ("connection lost", "the connection is gone")
    a.handle(DialFailed(b.key, "nobody answers at tcp://192.0.2.7:1", Away.NOBODY_ANSWERS))
    assert peers.dialing(b.key) == ("nobody answers", "nobody answers at tcp://192.0.2.7:1")
    a.handle(LinkOpened(dialed))
    assert peers.dialing(b.key) == ("connected", "")
    peer = peers.by_key[b.key]
    peer.dialed = peer.dials = False
    assert peers.dialing(b.key)[0] == "no address"
    peer.dials = True
    assert peers.dialing(b.key) == ("connecting", "")
    a.handle(PausesSet(frozenset(), frozenset({b.key})))
    assert peers.dialing(b.key)[0] == "paused"


def test_a_failed_dial_is_told_over_the_other_link(mesh: Mesh) -> None:
    """The device dials us, and we cannot dial it: it hears which address was tried."""
    a, b = pair(mesh)
    peer = a.agents.by_key[b.key]
    a.handle(LinkClosed(Link(b.key, Way.DIALED), "the connection is gone"))
    while mesh.step():
        pass
    why = "nobody answers at tcp://192.0.2.7:7707, " + "x" * 300
    a.handle(
        MessageArrived(
            Link(b.key, Way.CAME, b"\0abcd"),
            Hello(VERSION, "B", b.node.peers._membership.said_to(a.key), [*OUR_CAPABILITIES]),
        )
    )
    assert peer.greeted and not peer.dialed
    a.handle(DialFailed(b.key, why, Away.NOBODY_ANSWERS))
    a.sent.clear()
    mesh.settle(REPORT_PERIOD_S + 10)
    said = reports(a)[-1]
    assert said.dialing == "nobody answers"
    assert said.dialing_why == why[:256]


def test_a_clock_that_is_ahead_is_seen(mesh: Mesh) -> None:
    a, b = pair(mesh)
    link = Link(b.key, Way.DIALED)
    said = Report("9", mesh.wall_ns(a) + 90 * 10**9, "connected", "", [])
    a.handle(MessageArrived(link, said))
    assert heard(a, b).clock_ms == 90_000
    assert heard(a, b).at == mesh.now


HOSTILE = [
    Report("", 0, "", "", []),
    Report("\x1b[2J" * 16, 2**63 - 1, "\x1b]0;x\a" * 8, "\u202e" * 256, []),
    Report("9", 1, "no such word", "", [FolderReport(bytes(16), "idle", None)] * 64),
    Report("9", 1, "connected", "", [FolderReport(b"\xff" * 16, "\0", 2**60)]),
]


@pytest.mark.parametrize("said", HOSTILE)
def test_nothing_follows_from_a_report_whatever_it_says(mesh: Mesh, said: Report) -> None:
    a, b = pair(mesh)
    mesh.settle(30)
    rows = [FolderReport(a.keys.tag, "stopped", 0), *said.folders[:63]]
    for each in (said, Report(said.program, said.unix_ns, said.dialing, said.dialing_why, rows)):
        before = a.node.status()
        link = Link(b.key, Way.DIALED)
        done = a.node.handle(MessageArrived(link, each), mesh.now, mesh.wall_ns(a))
        assert done == []
        assert a.node.status() == before
        assert heard(a, b).report == each


def test_a_device_that_is_removed_leaves_no_report(mesh: Mesh) -> None:
    a, b = pair(mesh)
    assert heard(a, b)
    a.handle(PeerUnlisted(b.key))
    assert b.key not in a.agents.by_key


def test_a_folder_that_begins_later_is_measured_with_the_next_heartbeat(mesh: Mesh) -> None:
    """One that was shared or joined while the agent ran, or that stopped and is open again."""
    a, b = pair(mesh)
    a.node.reports.on_folder_stopped(FOLDER)
    assert a.node.reports.free_bytes(FOLDER) is None
    mesh.settle(HEARTBEAT_PERIOD_S)
    assert a.node.reports.free_bytes(FOLDER) is not None
    assert heard(b, a).report.folders[0].free_bytes is not None
