"""Who may read a file after another device changed it, on meshes of real shares."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from leftzmq.disk.fs.real import RealFile
from leftzmq.errors import ProblemKind
from leftzmq.tree.permissions import ModesKept
from tests.helpers.mesh import Device, Mesh

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Mesh, Device, Device]:
    mesh = Mesh(tmp_path, "AB")
    a, b = mesh.devices.values()
    a.start()
    b.start()
    mesh.settle()
    return mesh, a, b


def shared(mesh: Mesh, a: Device, b: Device) -> Path:
    """A file that both have; where it lies on B."""
    a.write("d/f", b"one")
    mesh.scan_all()
    mesh.settle()
    return b.share / "d/f"


def refused(file: RealFile, *wanted: object) -> None:
    """In the place of a call that this process may not make."""
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def edit(mesh: Mesh, a: Device, data: bytes) -> None:
    a.write("d/f", data)
    mesh.scan_all()
    mesh.settle()


@needs_root
@pytest.mark.parametrize("size", [100, 3 << 20])
def test_what_is_replaced_stays_its_owners(pair: tuple[Mesh, Device, Device], size: int) -> None:
    mesh, a, b = pair
    path = shared(mesh, a, b)
    os.chown(path, 1000, 1001)
    path.chmod(0o640)
    os.setxattr(path, "user.note", b"of a user")
    edit(mesh, a, os.urandom(size))
    found = path.stat()
    assert found.st_size == size
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1000, 1001, 0o640)
    assert os.getxattr(path, "user.note") == b"of a user"
    assert not b.folder.problems.all()


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_what_is_new_is_open_to_those_to_whom_its_folder_is(
    pair: tuple[Mesh, Device, Device], size: int
) -> None:
    """Where no mode is told with it."""
    mesh, a, b = pair
    for device in (a, b):
        device.folder.index_view.author.modes = ModesKept.NONE
    shared(mesh, a, b)
    (b.share / "d").chmod(0o700)
    a.write("d/new", os.urandom(size))
    a.write("d/e/inner", b"1")
    mesh.scan_all()
    mesh.settle()
    modes = {
        name: (b.share / name).stat().st_mode & 0o777 for name in ("d/new", "d/e", "d/e/inner")
    }
    assert modes == {"d/new": 0o600, "d/e": 0o700, "d/e/inner": 0o600}


@needs_root
def test_what_cannot_be_kept_is_a_problem_until_somebody_sets_it(
    pair: tuple[Mesh, Device, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh, a, b = pair
    path = shared(mesh, a, b)
    os.chown(path, 1000, 1001)
    path.chmod(0o640)

    with monkeypatch.context() as patch:
        patch.setattr(RealFile, "set_owner", refused)
        edit(mesh, a, b"two")
    assert path.read_bytes() == b"two" and path.stat().st_mode & 0o777 == 0o600
    for _ in range(2):  # looks and walks that find nothing new leave it
        (problem,) = b.folder.problems.all()
        assert problem.path == "d/f" and problem.kind.name == "ACCESS_LOST"
        assert "owner 1000, group 1001" in str(problem)
        b.scan()
        mesh.settle(120.0)
    os.chown(path, 1000, 1001)
    b.scan()
    mesh.settle()
    assert not b.folder.problems.all()
    edit(mesh, a, b"three")
    assert path.stat().st_uid == 1000 and not b.folder.problems.all()


@pytest.mark.parametrize("cured", ["not at all", "while its agent runs", "while it does not run"])
def test_what_could_not_be_kept_is_told_after_the_next_start_too(
    pair: tuple[Mesh, Device, Device], monkeypatch: pytest.MonkeyPatch, cured: str
) -> None:
    """Nothing on the disk says it: who may not read it now, and could before, is seen nowhere."""
    mesh, a, b = pair
    path = shared(mesh, a, b)

    os.setxattr(path, "user.note", b"of a user")
    with monkeypatch.context() as patch:
        patch.setattr(RealFile, "set_xattr", refused)
        edit(mesh, a, b"two")
    (before,) = b.folder.problems.all()
    assert before.kind is ProblemKind.ACCESS_LOST
    if cured == "while its agent runs":
        os.setxattr(path, "user.note", b"of a user")
        mesh.scan_all()
        mesh.settle()
        assert not b.folder.problems.all()
    b.kill()
    if cured == "while it does not run":
        os.setxattr(path, "user.note", b"of a user")
    for _ in range(2):
        b.start()
        mesh.settle()
        assert b.folder.problems.all() == ([before] if cured == "not at all" else [])
        b.kill()


@pytest.mark.parametrize("cure", ["its user sets it", "others have another one", "it may be set"])
def test_a_mode_that_cannot_be_set_is_a_problem_and_nothing_is_acknowledged(
    pair: tuple[Mesh, Device, Device], monkeypatch: pytest.MonkeyPatch, cure: str
) -> None:
    mesh, a, b = pair
    path = shared(mesh, a, b)
    original = a.share / path.relative_to(b.share)

    with monkeypatch.context() as patch:
        patch.setattr(RealFile, "set_wanted", refused)
        original.chmod(0o600)
        mesh.scan_all()
        mesh.settle()
        (problem,) = b.folder.problems.all()
        assert problem.kind is ProblemKind.MODE_NOT_SET and path.stat().st_mode & 0o777 == 0o644
        assert b.folder.index_view.tickets == 1 and a.folder.state.value == "idle"
        if cure == "its user sets it":
            path.chmod(0o600)
        elif cure == "others have another one":
            original.chmod(0o644)
        if cure != "it may be set":
            mesh.scan_all()
            mesh.settle()
    mesh.settle(60.0)
    assert not b.folder.problems.all() and b.folder.index_view.tickets == 0
    assert original.stat().st_mode == path.stat().st_mode
