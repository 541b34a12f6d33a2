"""A disk that fails at an exchange and then at the way back: the old version is put back later, and
nobody calls it deleted, or a user's, until then."""

from __future__ import annotations

import errno
import os
from importlib import import_module
from typing import Any

import pytest

from leftzmq.disk.apply.swap import Place
from leftzmq.disk.fs.interface import Stat
from leftzmq.disk.fs.real import RealDirectory
from leftzmq.disk.trash.trash import Spot
from leftzmq.sync.apply.set_aside import RETRY_S
from tests.helpers.mesh import Device, Mesh
from tests.unit.sync.test_mesh import together


def error() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


class Broken:
    """A disk that, from the first look at what came out on, renames nothing while `broken`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.broken = False
        self.looks = 0
        look = Place._look_again

        def look_again(place: Place, spot: Spot) -> Stat:
            self.looks += 1
            if self.looks == 1:
                self.broken = True
                raise error()
            return look(place, spot)

        patch.setattr(Place, "_look_again", look_again)
        for method in ("rename_new", "exchange"):
            self._wrap(patch, getattr(RealDirectory, method), method)

    def _wrap(self, patch: pytest.MonkeyPatch, real: Any, method: str) -> None:
        def call(*arguments: Any) -> None:
            if self.broken:
                raise error()
            real(*arguments)

        patch.setattr(RealDirectory, method, call)


def elsewhere(device: Device, kind: str) -> None:
    path = device.share / "f"
    path.unlink()
    if kind == "file":
        device.write("f", b"of a")
    elif kind == "link":
        path.symlink_to("target")
        os.utime(path, (2e9, 2e9), follow_symlinks=False)
    elif kind == "folder":
        path.mkdir()
        device.write("f/in", b"in")


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_a_disk_let_neither_on_nor_back_is_a_copy_in_the_end(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"draft")
    together(mesh)
    mesh.now += 5
    b.write("f", b"of b")
    mesh.now += 1
    elsewhere(a, kind)
    disk = Broken(monkeypatch)
    mesh.scan_all()
    mesh.settle()
    assert disk.broken and b.folder.state.value != "idle"
    mesh.scan_all()
    mesh.settle()
    assert b"of b" not in {path.read_bytes() for path in a.share.iterdir() if path.is_file()}
    disk.broken = False
    mesh.now += RETRY_S
    mesh.settle()
    tree = together(mesh)
    kept = {value[1] for value in tree.values() if value[0] == "file"}
    assert b"of b" in kept, tree
    assert {"file": b"of a" in kept, "link": True, "folder": b"in" in kept}[kind]
    assert not list(b.share.rglob("*.lefting"))


def test_a_copy_that_was_made_for_nothing_goes_in_the_end(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made because the file has another name as well, and could not be thrown away."""
    a, b = mesh.devices["A"], mesh.devices["B"]
    a.write("f", b"bytes")
    together(mesh)
    os.link(b.share / "f", b.share / "other")
    together(mesh)
    mesh.now += 5
    (a.share / "f").chmod(0o755)
    failed: list[str] = []
    for module, name in (("apply.attributes", "copy_bytes"), ("staging.lefting", "throw_away")):
        _fail_once(monkeypatch, f"leftzmq.disk.{module}.{name}", failed)
    mesh.scan_all()
    mesh.settle()
    assert failed == ["copy_bytes", "throw_away"]
    tree = together(mesh)
    assert tree["f"][3] is True and (b.share / "other").read_bytes() == b"bytes"  # type: ignore[index]
    assert not list(b.share.rglob("*.lefting")) and not b.folder.problems.all()


def _fail_once(patch: pytest.MonkeyPatch, target: str, failed: list[str]) -> None:
    module, _, name = target.rpartition(".")
    real = getattr(import_module(module), name)

    def call(*arguments: Any) -> None:
        if name not in failed:
            failed.append(name)
            raise error()
        real(*arguments)

    patch.setattr(target, call)
