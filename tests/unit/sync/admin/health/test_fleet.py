"""`fleet`: all devices of a folder as they are seen, and as they say themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leftzmq import __version__
from leftzmq.errors import Away, Stop, StopCause
from leftzmq.sync.facts import DialFailed, FolderStopped, MessageArrived, PausesSet
from leftzmq.sync.link import Link, Way
from leftzmq.wire.messages import FolderReport, Report
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path)
    for device in mesh.devices.values():
        device.start()
    mesh.settle(70)
    return mesh


def fleet(mesh: Mesh, device: Device) -> dict[str, dict[str, Any]]:
    answer = mesh.ask(device, "fleet")
    assert answer["folder"] == FOLDER
    return {one["name"]: one for one in answer["devices"]}


def test_devices_in_sync_and_this_one_first(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    found = fleet(mesh, a)
    assert [*found] == ["A", "B", "C"]
    us, other = found["A"], found["B"]
    assert us["is_us"] and not other["is_us"]
    assert us["state"] == us["says_state"] == other["says_state"] == "idle"
    assert other["state"] == "in sync"
    assert us["version"] == other["version"] == __version__
    assert us["free_bytes"] > 0 and other["free_bytes"] > 0
    assert abs(other["clock_ms"]) < 100
    assert other["last_seen"] == pytest.approx(mesh.wall_ns(a) / 1e9, abs=2)


def test_one_that_went_away_was_seen_then_and_keeps_what_it_said(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    mesh.settle(30)
    seen = mesh.wall_ns(a) / 1e9
    b.kill()
    mesh.settle(300)
    a.handle(DialFailed(b.key, "nobody answers at tcp://192.0.2.7:1", Away.NOBODY_ANSWERS))
    found = fleet(mesh, a)["B"]
    assert found["state"] == "not connected" and not found["connected"]
    assert found["why"] == "nobody answers at tcp://192.0.2.7:1"
    assert found["last_seen"] == pytest.approx(seen, abs=1)
    assert found["version"] == __version__ and found["says_state"] == "idle"


def test_one_that_was_never_met_is_unknown(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, "AB")
    a = mesh.devices["A"]
    a.start()
    mesh.settle(30)
    found = fleet(mesh, a)
    nothing = ("last_seen", "version", "free_bytes", "clock_ms", "says_state", "behind_paths")
    assert {found["B"][key] for key in nothing} == {None}
    assert found["A"]["state"] == "alone" and found["A"]["why"] == "no other device is connected"


def test_one_that_lacks_something_is_behind(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    b.kill()
    a.write("new", b"x" * 1000)
    mesh.now += 100
    a.scan()
    mesh.settle(30)
    found = fleet(mesh, a)
    assert (found["B"]["behind_paths"], found["B"]["behind_bytes"]) == (1, 1000)
    assert found["C"]["behind_paths"] == 0


def test_a_stopped_folder_is_answered_for(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    a.handle(FolderStopped(FOLDER, Stop(StopCause.INDEX_BROKEN, "the index is broken")))
    answer = mesh.ask(a, "fleet", folder=FOLDER)
    us, other, _ = answer["devices"]
    assert us["state"] == "stopped" and us["why"] == "the index is broken"
    assert us["behind_paths"] is None and us["free_bytes"] is None
    assert other["state"] == "stopped here"
    mesh.settle(70)
    assert fleet(mesh, b)["A"]["says_state"] == "stopped"


def test_a_paused_folder_says_so_elsewhere(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    b.handle(PausesSet(frozenset({FOLDER}), frozenset()))
    mesh.settle(130)
    found = fleet(mesh, a)["B"]
    assert found["state"] == "stopped there" and found["says_state"] == "paused"


def test_a_device_says_what_it_likes_and_nothing_but_what_is_said_changes(mesh: Mesh) -> None:
    a, b, _ = mesh.devices.values()
    before = fleet(mesh, a)["B"]
    rows = [FolderReport(bytes(16), "x", 1), FolderReport(a.keys.tag, "\x1b[2J", 2**60)]
    said = Report("\x1b]0;x\a", 2**63 - 1, "\u202e", "x" * 256, rows)
    a.handle(MessageArrived(Link(b.key, Way.DIALED), said))
    after = fleet(mesh, a)["B"]
    assert after["says_state"] == "\x1b[2J" and after["free_bytes"] == 2**60
    assert after["version"] == "\x1b]0;x\a" and after["clock_ms"] > 10**12
    said_keys = {"version", "free_bytes", "clock_ms", "says_state", "last_seen"}
    assert {k: v for k, v in before.items() if k not in said_keys} == {
        k: v for k, v in after.items() if k not in said_keys
    }


def test_an_unknown_folder_is_declined(mesh: Mesh) -> None:
    answer = mesh.ask(mesh.devices["A"], "fleet", folder="photos")
    assert "there is no such folder here" in answer["declined"]["what"]
