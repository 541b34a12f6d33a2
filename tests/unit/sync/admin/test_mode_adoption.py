"""`modes adopt`: the modes of one device are everybody's, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync.jobs import Job, Look
from leftzmq.tree.mode import FolderMode
from leftzmq.tree.permissions import ModesKept
from tests.helpers.mesh import Device, Mesh

FILES = 200


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A and B, with files of which no mode was told."""
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
        keeps(device, ModesKept.NONE)
    a = mesh.devices["A"]
    for number in range(FILES):
        a.write(f"d/{number:03}", b"%d" % number)
        (a.share / f"d/{number:03}").chmod(0o600)
    (a.share / "d").chmod(0o700)
    mesh.scan_all()
    mesh.settle()
    for device in mesh.devices.values():
        keeps(device, ModesKept.ALL)
    assert modes(mesh.devices["B"]) == {0o644} and mode(mesh.devices["B"], "d") == 0o755
    return mesh


def keeps(device: Device, kept: ModesKept) -> None:
    device.folder.modes = device.folder.index_view.author.modes = kept


def mode(device: Device, path: str) -> int:
    return (device.share / path).stat().st_mode & 0o777


def modes(device: Device) -> set[int]:
    return {mode(device, f"d/{number:03}") for number in range(FILES)}


def test_a_path_and_what_is_below_it(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    assert mesh.ask(a, "modes adopt", path="d/007") == {"folder": "share", "paths": 1}
    mesh.settle()
    assert mode(b, "d/007") == 0o600 and modes(b) == {0o600, 0o644} and mode(b, "d") == 0o755
    assert mesh.ask(a, "modes adopt", path="d")["paths"] == FILES
    mesh.settle()
    assert modes(b) == {0o600} and mode(b, "d") == 0o700
    assert mesh.ask(a, "modes adopt")["paths"] == mesh.ask(b, "modes adopt")["paths"] == 0


def test_it_is_above_what_others_said(mesh: Mesh) -> None:
    a, b = mesh.devices.values()
    (b.share / "d/007").chmod(0o640)
    b.scan()
    mesh.settle()
    assert mode(a, "d/007") == 0o640
    (a.share / "d/007").chmod(0o600)
    a.scan()
    assert mesh.ask(b, "modes adopt", path="d/007")["paths"] in (0, 1)
    mesh.settle()
    assert mode(a, "d/007") == mode(b, "d/007")


@pytest.mark.parametrize("kept", [ModesKept.EXEC, ModesKept.NONE])
def test_a_device_adopts_what_it_keeps(mesh: Mesh, kept: ModesKept) -> None:
    a, b = mesh.devices.values()
    keeps(a, kept)
    said = mesh.ask(a, "modes adopt")
    if kept is ModesKept.NONE:
        assert "no modes are kept" in said["declined"]["what"]
        return
    assert said["paths"] == FILES, "of files, whether they may be run"
    mesh.settle()
    assert modes(b) == {0o644} and mode(b, "d") == 0o755


def test_who_tells_nothing_adopts_nothing(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    a.folder.mode = FolderMode.RECEIVE
    assert "only receives" in mesh.ask(a, "modes adopt")["declined"]["what"]
    assert "declined" in mesh.ask(a, "modes adopt", path="../d")


def test_what_is_not_there_is_no_mode(mesh: Mesh) -> None:
    assert mesh.ask(mesh.devices["A"], "modes adopt", path="nothing")["paths"] == 0


def test_what_has_no_mode_in_the_index_gets_it_from_a_walk(mesh: Mesh) -> None:
    """As after an upgrade. Nothing is looked at, and nothing is told."""
    b = mesh.devices["B"]
    store = b.folder.store
    store._db.execute("UPDATE version SET scan = substr(scan, 1, 38) WHERE seq IS NOT NULL")
    b.folder.index_view._memo.clear()
    before, looked = store.heads.sequence, list[Job]()
    submit = mesh.submit

    def counts(device: Device, job: Job) -> None:
        looked.extend([job] if isinstance(job, Look) else [])
        submit(device, job)

    mesh.submit = counts  # type: ignore[method-assign]
    b.scan()
    mesh.settle()
    assert store.heads.sequence == before and not looked
    (b.share / "d/007").chmod(0o640)
    b.scan()
    mesh.settle()
    assert mode(mesh.devices["A"], "d/007") == 0o640
