"""A ticket that is ready is carried out as soon as it can be, whatever was true in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync.versions.path_locks import LockOwner
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.test_mesh import together


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    together(mesh)
    return mesh


def waits_for_its_folder(mesh: Mesh) -> Device:
    """Returns a device that wants a folder in one that it cannot make yet."""
    a, b = mesh.devices.values()
    assert a.folder.locks.lock("above", LockOwner.SETTLER)
    (b.share / "above/below").mkdir(parents=True)
    b.scan()
    mesh.settle(seconds=1.0)
    assert a.tree() == {} and a.folder.index_view.counters.tickets == 2
    return a


def test_a_ticket_that_is_none_for_a_moment_is_not_forgotten(mesh: Mesh) -> None:
    """Between the first page of a whole index that is received anew and the page with its path,
    nobody has its version."""
    a = waits_for_its_folder(mesh)
    view, reach = a.folder.index_view, a.folder.index_view.reach
    view.reach = 0
    assert a.folder.applier.go_on(mesh.now) == []
    view.reach = reach
    mesh.settle(seconds=1.0)
    a.folder.locks.release(("above",), LockOwner.SETTLER)
    assert together(mesh).keys() == {"above", "above/below"}
