"""Three nodes in one thread, on real files and real indexes: the machines and the write order."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from mesh import Device, Mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path)
    for device in mesh.devices.values():
        device.start()
    mesh.settle()
    return mesh


def together(mesh: Mesh) -> dict[str, object]:
    """All is quiet and equal; the tree that everyone has."""
    mesh.scan_all()
    mesh.settle()
    first, *rest = [device for device in mesh.devices.values() if device.alive]
    tree = first.tree()
    for other in rest:
        assert other.tree() == tree
    for device in mesh.devices.values():
        if device.alive:
            assert device.folder.replica.versions.tally.tickets == 0
            assert not device.folder.problems.all()
    return tree


def test_a_file_travels(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    a.write("letters/one.txt", b"hello", mtime=1_600_000_000.5)
    tree = together(mesh)
    assert tree["letters/one.txt"] == ("file", b"hello", 1_600_000_000_500_000_000, False)
    assert tree["letters"] == ("folder",)
