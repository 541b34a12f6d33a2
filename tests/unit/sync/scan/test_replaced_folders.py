"""A file takes the place of a folder: what was in the folder is told first."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leftzmq.sync.facts import PathsTouched, Touch
from leftzmq.sync.jobs import CutSlice, Job, Walk
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER

LARGE = bytes(600_000)
READS_MAX = 3
"""When it is touched, when the walk for what was in the folder comes by, and when that was told."""


class Counting(Mesh):
    """It counts the walks of a part, and the reads of large files."""

    def __init__(self, base: Path) -> None:
        super().__init__(base, "AB")
        self.walks = self.reads = 0

    def submit(self, device: Device, job: Job) -> None:  # type: ignore[override]
        self.walks += isinstance(job, Walk) and job.prefix != ""
        self.reads += isinstance(job, CutSlice) and device.name == "A"
        super().submit(device, job)


@pytest.fixture
def mesh(tmp_path: Path) -> Counting:
    mesh = Counting(tmp_path)
    for device in mesh.devices.values():
        device.start()
    mesh.settle()
    return mesh


@pytest.mark.parametrize("told", ["d", "all"])
@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_a_file_in_the_place_of_a_folder_is_read_and_told(
    mesh: Counting, data: bytes, told: str
) -> None:
    """A large one was read and walked into again and again, and never told."""
    a, b = mesh.devices.values()
    below = ("d/1", "d/e/2", "d/3")
    for path in below:
        a.write(path, b"x")
    a.scan()
    mesh.settle()
    assert (b.share / "d/e/2").exists()
    mesh.walks = mesh.reads = 0
    shutil.rmtree(a.share / "d")
    a.write("d", data)
    gone = [(path, Touch.GONE) for path in (*below, "d/e")] if told == "all" else []
    a.take(PathsTouched(FOLDER, (*gone, ("d", Touch.CLOSED))))
    mesh.settle()
    assert (b.share / "d").read_bytes() == data
    assert mesh.walks <= READS_MAX and mesh.reads <= READS_MAX
