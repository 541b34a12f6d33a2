"""An edit of a file of ours is told at once, where the disk tells each change apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leftzmq.disk.fs.real import RealRoot
from leftzmq.sync.facts import PathsTouched, Touch
from leftzmq.sync.jobs import Look
from leftzmq.sync.scan.look_times import EDIT_S, SETTLE_S
from tests.helpers.mesh import CountingMesh, Device, Held
from tests.sim.node import FOLDER

SOON_S = 2 * EDIT_S


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountingMesh:
    """A and B have the file `f`, on disks that tell each change apart, whatever those of the tests
    do."""

    def tells(root: RealRoot, path: str, name: str) -> int:
        with root.folder(path) as folder:
            return folder.own_stat().device

    monkeypatch.setattr(RealRoot, "tells_each_change", tells)
    mesh = CountingMesh(tmp_path)
    for device in mesh.devices.values():
        device.start()
    mesh.devices["A"].write("f", b"1")
    mesh.scan_all()
    mesh.settle()
    mesh.jobs.clear()
    return mesh


def save(device: Device, path: str, data: bytes, *touches: Touch) -> None:
    device.write(path, data)
    device.take(PathsTouched(FOLDER, tuple((path, touch) for touch in touches or (Touch.CLOSED,))))


def text(device: Device, path: str = "f") -> bytes:
    return (device.share / path).read_bytes()


@pytest.mark.parametrize("touches", [(Touch.CLOSED,), (Touch.MODIFIED, Touch.CLOSED)])
def test_it_is_on_the_other_device_before_it_has_rested(
    mesh: CountingMesh, a: Device, touches: tuple[Touch, ...]
) -> None:
    save(a, "f", b"2", *touches)
    mesh.settle(SOON_S)
    assert text(mesh.devices["B"]) == b"2"
    assert not a.folder.scheduler.idle, "it is looked at once more"
    mesh.settle(SETTLE_S)
    assert a.folder.scheduler.idle and len(mesh.ran(Look, "A")) == 2
    row = a.folder.index_view.ours("f")
    assert row is not None and row.scan is not None
    assert row.scan.ctime_ns == (a.share / "f").stat().st_ctime_ns
    before = a.store.heads.sequence
    mesh.scan_all()
    mesh.settle()
    assert a.store.heads.sequence == before, "nothing more is told"


def test_bytes_that_came_after_their_time_are_found(mesh: CountingMesh, a: Device) -> None:
    """The kernel sets the time of a write before it copies the bytes, and no stat tells."""
    save(a, "f", b"old bytes")
    mesh.settle(SOON_S)
    assert text(mesh.devices["B"]) == b"old bytes"
    stat = (a.share / "f").stat()
    (a.share / "f").write_bytes(b"new bytes")
    os.utime(a.share / "f", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    mesh.settle(2 * SETTLE_S)
    assert text(mesh.devices["B"]) == b"new bytes"


def test_killed_before_it_was_read_again_it_is_read_at_the_next_start(
    mesh: CountingMesh, a: Device
) -> None:
    save(a, "f", b"old bytes")
    mesh.settle(SOON_S)
    a.kill()
    stat = (a.share / "f").stat()
    (a.share / "f").write_bytes(b"new bytes")
    os.utime(a.share / "f", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    a.start()
    mesh.settle()
    assert text(mesh.devices["B"]) == b"new bytes"


@pytest.mark.parametrize("how", ["a new name", "rules", "it is only written", "it went", "coarse"])
def test_everything_else_rests(mesh: CountingMesh, a: Device, how: str) -> None:
    path, touch = "f", Touch.CLOSED
    if how == "a new name":
        path = "f~"
    elif how == "rules":
        path = ".leftignore"
        a.write(path, b"x")
        a.scan()
        mesh.settle()
    elif how == "it is only written":
        touch = Touch.MODIFIED
    elif how == "it went":
        touch = Touch.GONE
    else:
        a.folder.scheduler.tells_each_change = False
    mesh.jobs.clear()
    save(a, path, b"2", touch)
    mesh.settle(SOON_S)
    assert not mesh.ran(Look, "A")
    mesh.settle(5.0)
    assert text(mesh.devices["B"], path) == b"2"


def test_a_program_that_writes_beside_and_renames_tells_one_name(
    mesh: CountingMesh, a: Device
) -> None:
    """As most editors do. The name beside is looked at when it is gone."""
    save(a, "f.new", b"2", Touch.MADE, Touch.CLOSED)
    os.replace(a.share / "f.new", a.share / "f")
    a.take(PathsTouched(FOLDER, (("f.new", Touch.GONE), ("f", Touch.CLOSED))))
    mesh.settle(SOON_S)
    b = mesh.devices["B"]
    assert text(b) == b"2" and not (b.share / "f.new").exists()
    mesh.settle()
    assert a.tree() == b.tree() and not a.folder.index_view.all_rows("f.new")


def test_what_another_device_changed_before_it_was_read_again_waits_for_that(
    mesh: CountingMesh, a: Device
) -> None:
    b, looks = mesh.devices["B"], Held(a, Look)
    save(a, "f", b"of A")
    mesh.settle(SOON_S)
    a.handle(a.runner.run(looks.take(Look)))
    mesh.settle(SOON_S)
    assert text(b) == b"of A"
    b.write("f", b"of B")
    b.scan()
    mesh.settle(1.0)
    assert looks.jobs, "A did not look once more yet"
    while looks.jobs:
        a.handle(a.runner.run(looks.jobs.pop()))
        mesh.settle()
    assert text(a) == text(b) == b"of B" and a.tree() == b.tree()


def test_bytes_that_came_after_their_time_are_not_taken_for_those_that_were_told(
    mesh: CountingMesh, a: Device
) -> None:
    """Another device's version arrives before the file was read again: what is there by then is
    nothing that the other device saw."""
    b, looks = mesh.devices["B"], Held(a, Look)
    save(a, "f", b"old bytes")
    mesh.settle(SOON_S)
    a.handle(a.runner.run(looks.take(Look)))
    mesh.settle(SOON_S)
    stat = (a.share / "f").stat()
    (a.share / "f").write_bytes(b"new bytes")
    os.utime(a.share / "f", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    b.write("f", b"of B")
    b.scan()
    mesh.settle(1.0)
    assert text(a) == b"new bytes", "nothing is put there before it was read again"
    while looks.jobs:
        a.handle(a.runner.run(looks.jobs.pop()))
        mesh.settle()
    assert a.tree() == b.tree()
    found = {path.read_bytes() for path in a.share.glob("f*")}
    assert found == {b"of B", b"new bytes"}
    assert not a.folder.problems.all() and not b.folder.problems.all()
