"""Where devices that live in the test's own process have their shares and indexes, and how tests
call these devices.

Must not know what is tested. Real agents, and the calls of a file system, are tested on a disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.mesh import Device, Mesh

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30  # for all workers together; a container often has 64 MiB there


def _has_room() -> bool:
    if not MEMORY.is_dir():
        return False
    room = os.statvfs(MEMORY)
    return room.f_bavail * room.f_frsize >= ROOM_BYTES


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in memory where there is room: a flush costs nothing there, and these devices
    flush as often as real ones do (half of the time of these tests, measured on ext4)."""
    if not _has_room():
        yield tmp_path_factory.mktemp("device")
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="leftzmq-test.") as base:
        yield Path(base)


@pytest.fixture
def a(mesh: Mesh) -> Device:
    return mesh.devices["A"]


@pytest.fixture
def b(mesh: Mesh) -> Device:
    return mesh.devices["B"]


@pytest.fixture
def c(mesh: Mesh) -> Device:
    return mesh.devices["C"]
