"""`finished` says from which device a change came: who made it, or who has it."""

from __future__ import annotations

import shutil
from pathlib import Path

from leftzmq.wire.local import EventKind
from tests.helpers.mesh import Device, Mesh


def began(tmp_path: Path) -> tuple[Mesh, list[Device]]:
    mesh = Mesh(tmp_path)
    devices = list(mesh.devices.values())
    for device in devices:
        device.start()
    mesh.settle()
    return mesh, devices


def told(device: Device, path: str) -> list[object]:
    """Of whom its events say that a change of `path` came."""
    events = (event for event in device.events if event.kind is EventKind.FINISHED)
    return [event.fields.get("device") for event in events if event.fields["path"] == path]


def test_it_is_who_made_the_change_whoever_gave_it(tmp_path: Path) -> None:
    mesh, (a, b, c) = began(tmp_path)
    c.kill()
    a.write("letter", b"by a")
    a.write("folder/moves", b"bytes that are moved")
    mesh.scan_all()
    mesh.settle()
    a.kill()
    mesh.settle()
    (b.share / "folder" / "moves").rename(b.share / "moved")
    c.start()
    mesh.scan_all()
    mesh.settle()
    assert told(b, "letter") == told(c, "letter") == ["A"]
    assert told(b, "folder/moves") == ["A"] and told(c, "moved") == ["B"]


def test_of_a_delete_and_a_rename_it_is_who_did_it(tmp_path: Path) -> None:
    mesh, (a, b, c) = began(tmp_path)
    a.write("goes", b"x" * 5000)
    a.write("moves", b"y" * 5000)
    mesh.scan_all()
    mesh.settle()
    (b.share / "goes").unlink()
    (b.share / "moves").rename(b.share / "moved")
    mesh.scan_all()
    mesh.settle()
    for device in (a, c):
        assert [told(device, path)[-1] for path in ("goes", "moves", "moved")] == ["B"] * 3


def test_what_we_made_in_a_state_that_is_lost_comes_from_who_has_it(tmp_path: Path) -> None:
    mesh, (a, _, c) = began(tmp_path)
    c.kill()
    a.write("letter", b"by a")
    mesh.scan_all()
    mesh.settle()
    a.kill()
    mesh.settle()
    shutil.rmtree(a.share)
    for file in a.state.iterdir():
        file.unlink()
    a.events.clear()
    a.start()
    mesh.settle()
    assert (a.share / "letter").read_bytes() == b"by a" and told(a, "letter") == ["B"]
