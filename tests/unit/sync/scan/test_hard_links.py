"""Files with more than one name: an event tells of the one through which they were written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leftzmq.sync.facts import Asked, PathsTouched, Touch
from leftzmq.sync.jobs import Look, Walk
from leftzmq.sync.scan.hard_links import POLL_PERIOD_S, STEP_NAMES
from tests.helpers.mesh import CountingMesh, Device
from tests.sim.node import FOLDER

LARGE = 600_000


def names_looked_at(mesh: CountingMesh) -> int:
    return sum(len(job.paths) for job in mesh.ran(Look))


def touch(device: Device, *paths: str, what: Touch = Touch.CLOSED) -> None:
    device.take(PathsTouched(FOLDER, tuple((path, what) for path in paths)))


def write(device: Device, path: str, data: bytes, *, tell: bool = True) -> None:
    """In place, through this name."""
    target = device.share / path
    with target.open("r+b") as file:
        file.write(data)
    ns = device.mesh.wall_ns(device)
    os.utime(target, ns=(ns, ns))
    if tell:
        touch(device, path)


def make(device: Device, path: str, data: bytes) -> None:
    device.write(path, data)
    touch(device, path)


def link(device: Device, path: str, other: str) -> None:
    os.link(device.share / path, device.share / other)
    touch(device, other, what=Touch.MADE)


def in_sync(device: Device) -> bool:
    """What `wait` says, where the watcher has reported everything."""
    device.answers.clear()
    device.take(Asked(b"x", "wait", {"timeout": 20.0}))
    device.mesh.settle(0.001)
    for waiter in device.node.wait_questions._waiters:
        waiter.cookies.clear()
    device.mesh.settle(19.0)
    [answer] = device.answers
    return answer["in_sync"] is True


@pytest.mark.parametrize("through", ["x", "d/y"])
@pytest.mark.parametrize("size", [5, LARGE])
def test_what_is_written_through_one_name_is_under_the_other(
    mesh: CountingMesh, size: int, through: str
) -> None:
    a, b = mesh.devices.values()
    make(a, "x", b"1" * size)
    (a.share / "d").mkdir()
    touch(a, "d", what=Touch.MADE)
    mesh.settle(2.0)
    link(a, "x", "d/y")
    mesh.settle(2.0)
    for number in (2, 3):
        data = b"%d" % number * size
        write(a, through, data)
        mesh.settle(2.0)
        assert [(b.share / path).read_bytes() for path in ("x", "d/y")] == [data, data]


def test_wait_knows_of_a_name_that_was_linked_and_written_before_it_was_looked_at(
    mesh: CountingMesh,
) -> None:
    """The index has the other one with another stat and other bytes: only a walk finds it."""
    a, b = mesh.devices.values()
    make(a, "x", b"old")
    mesh.settle(2.0)
    link(a, "x", "y")
    write(a, "y", b"new")
    assert in_sync(a)
    assert [(b.share / path).read_bytes() for path in ("x", "y")] == [b"new", b"new"]


def test_without_a_question_it_is_found_by_a_walk_a_minute_later(mesh: CountingMesh) -> None:
    a, b = mesh.devices.values()
    make(a, "x", b"old")
    mesh.settle(2.0)
    link(a, "x", "y")
    write(a, "y", b"new")
    mesh.settle(62.0)
    assert (b.share / "x").read_bytes() == b"new"


def test_a_name_outside_of_the_share_is_polled_and_looked_at_when_somebody_waits(
    mesh: CountingMesh, tmp_path: Path
) -> None:
    a, b = mesh.devices.values()
    outside = tmp_path / "outside"
    outside.write_bytes(b"one")
    os.link(outside, a.share / "z")
    touch(a, "z", what=Touch.MADE)
    mesh.settle(2.0)
    for data, seconds in ((b"two", POLL_PERIOD_S + 3.0), (b"333", 0.0)):
        outside.write_bytes(data)
        ns = mesh.wall_ns(a)
        os.utime(outside, ns=(ns, ns))
        mesh.settle(seconds)
        assert seconds or in_sync(a)
        assert (b.share / "z").read_bytes() == data


@pytest.mark.slow
def test_many_of_them_are_polled_bit_by_bit(mesh: CountingMesh, tmp_path: Path) -> None:
    a = mesh.devices["A"]
    count = 3 * STEP_NAMES
    for number in range(count):
        outside = tmp_path / f"outside-{number}"
        outside.write_bytes(b"%d" % number)
        os.link(outside, a.share / f"{number}")
    a.scan()
    mesh.settle(200.0)
    mesh.jobs.clear()
    mesh.settle(POLL_PERIOD_S + 10.0)
    assert count <= names_looked_at(mesh) <= 2 * count and not mesh.ran(Walk)
    mesh.jobs.clear()
    assert in_sync(a)
    assert count <= names_looked_at(mesh) <= 2 * count, "all of them, when somebody waits"


def test_files_with_one_name_and_files_all_of_whose_names_are_known_are_not_polled(
    mesh: CountingMesh,
) -> None:
    a = mesh.devices["A"]
    for number in range(50):
        make(a, f"{number}", b"%d" % number)
    mesh.settle(5.0)
    link(a, "1", "one")
    mesh.settle(100.0)
    mesh.jobs.clear()
    mesh.settle(1000.0)
    assert not mesh.ran(Look) and not mesh.ran(Walk)
    assert a.folder.scheduler._hard_links.deadline() is None


@pytest.mark.parametrize("how", ["replaced", "deleted", "renamed"])
def test_what_is_written_through_a_name_that_is_another_file_or_gone_right_after_it(
    mesh: CountingMesh, how: str
) -> None:
    """No look came between the two: the first that comes sees another file there, or none."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    make(a, "x", b"old")
    os.link(a.share / "x", a.share / "y")
    touch(a, "y", what=Touch.MADE)
    mesh.settle()
    assert (b.share / "y").read_bytes() == b"old"
    write(a, "x", b"new", tell=False)
    if how == "replaced":
        (a.share / "z").write_bytes(b"another")
        (a.share / "z").rename(a.share / "x")
        touch(a, "x")
    elif how == "deleted":
        (a.share / "x").unlink()
        touch(a, "x", what=Touch.GONE)
    else:
        (a.share / "x").rename(a.share / "z")
        touch(a, "x", what=Touch.GONE)
        touch(a, "z")
    mesh.settle()
    assert (b.share / "y").read_bytes() == b"new"


def test_a_name_that_another_device_replaces_is_a_file_of_its_own(mesh: CountingMesh) -> None:
    a, b = mesh.devices.values()
    make(a, "x", b"one")
    mesh.settle(2.0)
    link(a, "x", "y")
    mesh.settle(2.0)
    write(b, "x", b"two")
    mesh.settle(2.0)
    assert (a.share / "x").read_bytes() == b"two" and (a.share / "y").read_bytes() == b"one"
    assert (b.share / "y").read_bytes() == b"one"


def test_names_of_before_a_restart_are_known(mesh: CountingMesh) -> None:
    a, b = mesh.devices.values()
    make(a, "x", b"one")
    mesh.settle(2.0)
    link(a, "x", "y")
    mesh.settle(2.0)
    a.kill()
    a.start()
    mesh.settle(2.0)
    write(a, "y", b"two")
    mesh.settle(2.0)
    assert (b.share / "x").read_bytes() == b"two"


def test_what_is_written_all_the_time_is_taken_under_all_its_names(mesh: CountingMesh) -> None:
    a, b = mesh.devices.values()
    make(a, "x", b"0" * 8)
    mesh.settle(2.0)
    link(a, "x", "y")
    mesh.settle(2.0)
    for number in range(30):
        write(a, "x", b"%08d" % number, tell=False)
        touch(a, "x", what=Touch.MODIFIED)
        mesh.settle(0.4)
    assert (b.share / "x").read_bytes() != b"0" * 8
    assert (b.share / "y").read_bytes() == (b.share / "x").read_bytes()
