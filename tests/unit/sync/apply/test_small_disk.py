"""A share on a small disk, with the trash on it: what is saved often arrives, or it is said why
not.

The disk is a file system in memory, mounted by the test.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.sync.apply.space_waits import GIVE_PERIOD_S
from tests.helpers.mesh import Device, Mesh

MIB = 1 << 20
DISK_MIB = 16
HOUR_S = 3600.0
SAVES = 24

pytestmark = [
    pytest.mark.slow,  # whole devices at work
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system"),
]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Mesh, Device, Device]]:
    share = tmp_path / "B" / "share"
    share.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(share)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        mesh = Mesh.__new__(Mesh)
        (tmp_path / "B").rename(tmp_path / "B of the disk")
        mesh.__init__(tmp_path, "AB")  # type: ignore[misc]
        a, b = mesh.devices.values()
        b.share = tmp_path / "B of the disk" / "share"
        a.start()
        b.start()
        mesh.settle()
        yield mesh, a, b
        for device in (a, b):
            device.kill()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "B of the disk" / "share")], check=False)


def save(mesh: Mesh, a: Device, number: int, size: int = MIB, name: str = "f") -> bytes:
    data = random.Random(number).randbytes(size)
    a.write(name, data)
    a.scan()
    mesh.settle(10.0)
    return data


def trashed(b: Device) -> list[bytes]:
    found = (b.share / ".left/trash").rglob("*")
    return [path.read_bytes() for path in sorted(found) if path.is_file()]


def test_what_is_saved_often_arrives_and_its_last_version_stays(
    pair: tuple[Mesh, Device, Device],
) -> None:
    mesh, a, b = pair
    versions = []
    for number in range(SAVES):
        versions.append(save(mesh, a, number))
        assert (b.share / "f").read_bytes() == versions[-1], number
        assert b.folder.problems.all() == []
        if number:
            assert versions[-2] in trashed(b) and versions[0] in trashed(b)
    kept = trashed(b)
    assert len(kept) >= DISK_MIB // 2, "no more went than was needed"
    assert all(data in versions for data in kept)
    assert b.folder.state.value == "idle"


def test_what_has_to_wait_has_its_problem_whatever_is_saved_meanwhile(
    pair: tuple[Mesh, Device, Device],
) -> None:
    mesh, a, b = pair
    for name in ("f", "g", "h"):
        save(mesh, a, 1, 3 * MIB, name)
    for number, name in enumerate(("f", "g", "h"), 2):
        save(mesh, a, number, 2 * MIB, name)
    before = sorted(trashed(b))
    for number in range(5, 8):
        for name in ("f", "g", "h"):
            save(mesh, a, number, 5 * MIB, name)
        problems = {problem.path: problem.kind.name for problem in b.folder.problems.all()}
        late = {name for name in "fgh" if (b.share / name).stat().st_size != 5 * MIB}
        assert late and problems == dict.fromkeys(late, "LOW_SPACE")
        assert b.folder.state.value == "syncing"
    assert sorted(trashed(b)) == before, "the last of each path, or what would not be enough"
    for name in ("f", "g", "h"):
        save(mesh, a, 9, MIB, name)
    mesh.settle(2 * GIVE_PERIOD_S)
    assert {str(p).partition("(")[2][:3] for p in b.folder.problems.all()} == {"1.0"}
    mesh.settle(HOUR_S)
    assert b.folder.problems.all() == [] and b.folder.state.value == "idle"
    assert {(b.share / name).stat().st_size for name in "fgh"} == {MIB}


def test_while_the_guard_holds_something_the_trash_keeps_all(
    pair: tuple[Mesh, Device, Device],
) -> None:
    mesh, a, b = pair
    for number in range(101):
        a.write(f"many/{number}", b"%d" % number)
    a.scan()
    mesh.settle()
    for number in range(5):
        save(mesh, a, number)
    kept = trashed(b)
    for number in range(101):
        (b.share / f"many/{number}").unlink()
    b.scan()
    mesh.settle()
    assert b.folder.guard.holds
    for number in range(5, 20):
        save(mesh, a, number)
        assert all(data in trashed(b) for data in kept)
    assert [p.kind.name for p in b.folder.problems.all() if p.path == "f"] == ["LOW_SPACE"]
    mesh.ask(b, "accept", folder="share")
    mesh.settle(2 * GIVE_PERIOD_S)
    assert (b.share / "f").read_bytes() == random.Random(19).randbytes(MIB)
    assert b.folder.problems.all() == []
