"""A ticket that is ready is carried out as soon as it can be, whatever was true in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.sync import jobs
from leftzmq.sync.apply.work_window import CONSIDER_A_TURN
from leftzmq.sync.facts import LinkClosed, LinkOpened, WalkEnded
from leftzmq.sync.link import Link, Way
from leftzmq.sync.versions.path_locks import LockOwner
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER
from tests.unit.sync.test_mesh import together


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    together(mesh)
    return mesh


def wait_for_their_folder(mesh: Mesh, count: int) -> Device:
    """Returns a device that wants so many folders in one that it cannot make yet."""
    a, b = mesh.devices.values()
    assert a.folder.locks.lock("above", LockOwner.SETTLER)
    for number in range(count):
        (b.share / f"above/{number}").mkdir(parents=True)
    b.scan()
    mesh.settle(seconds=1.0)
    assert a.tree() == {} and a.folder.index_view.counters.tickets == count + 1
    return a


def come_when_their_folder_can_be_made(a: Device, count: int) -> bool:
    a.folder.locks.release(("above",), LockOwner.SETTLER)
    a.mesh.settle(seconds=1.0)
    return len(a.tree()) == count + 1 and a.folder.state.value == "idle"


def test_a_ticket_that_is_none_for_a_moment_is_not_forgotten(mesh: Mesh) -> None:
    """Between the first page of a whole index that is received anew and the page with its path,
    nobody has its version."""
    a = wait_for_their_folder(mesh, 1)
    view, reach = a.folder.index_view, a.folder.index_view.reach
    view.reach = 0
    assert a.folder.applier.go_on(mesh.now) == []
    view.reach = reach
    mesh.settle(seconds=1.0)
    assert come_when_their_folder_can_be_made(a, 1)


def test_more_tickets_than_a_turn_considers_are_not_forgotten_when_a_line_breaks(
    mesh: Mesh,
) -> None:
    """Its holder is back before the loop has considered that the last of them is none."""
    count = 2 * CONSIDER_A_TURN
    a, b = wait_for_their_folder(mesh, count), mesh.devices["B"]
    for one, other in ((a, b), (b, a)):
        one.take(LinkClosed(Link(other.key, Way.DIALED), "connection lost"))
    for one, other in ((a, b), (b, a)):
        one.take(LinkOpened(Link(other.key, Way.DIALED)))
    mesh.settle(seconds=3.0)
    assert come_when_their_folder_can_be_made(a, count)


def test_a_folder_goes_though_something_was_just_put_into_it(tmp_path: Path) -> None:
    """Seed 79304111: what is in it was put there by an operation of ours, of which the index does
    not know yet. Another device has deleted both meanwhile."""
    mesh = Mesh(tmp_path, "ABC")
    mesh.begin()
    a, b, c = mesh.devices.values()
    (a.share / "d").mkdir()
    together(mesh)
    held = Held(b, jobs.Apply)
    (a.share / "d" / "e").mkdir()
    a.scan()
    mesh.settle(5.0)
    job = held.take(jobs.Apply)
    held.end()
    done = b.runner.run(job)
    (c.share / "d" / "e").rmdir()
    (c.share / "d").rmdir()
    c.scan()
    mesh.settle(5.0)
    b.take(WalkEnded(FOLDER, "d", saw_more=False))  # what it found could not be looked at
    mesh.settle(5.0)
    assert (b.share / "d" / "e").is_dir() and a.tree() == {}
    b.take(done)
    mesh.settle(5.0)
    assert together(mesh) == {}
