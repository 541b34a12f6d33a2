"""A file takes the place of a folder: what was in the folder is told first."""

from __future__ import annotations

import shutil

import pytest

from leftzmq.sync.facts import PathsTouched, Touch
from leftzmq.sync.jobs import CutSlice, Walk
from tests.helpers.mesh import CountingMesh
from tests.sim.node import FOLDER

LARGE = bytes(600_000)
READS_MAX = 3
"""When it is touched, when the walk for what was in the folder comes by, and when that was told."""


@pytest.mark.parametrize("told", ["d", "all"])
@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_a_file_in_the_place_of_a_folder_is_read_and_told(
    mesh: CountingMesh, data: bytes, told: str
) -> None:
    """A large one was read and walked into again and again, and never told."""
    a, b = mesh.devices.values()
    below = ("d/1", "d/e/2", "d/3")
    for path in below:
        a.write(path, b"x")
    a.scan()
    mesh.settle()
    assert (b.share / "d/e/2").exists()
    mesh.jobs.clear()
    shutil.rmtree(a.share / "d")
    a.write("d", data)
    gone = [(path, Touch.GONE) for path in (*below, "d/e")] if told == "all" else []
    a.take(PathsTouched(FOLDER, (*gone, ("d", Touch.CLOSED))))
    mesh.settle()
    assert (b.share / "d").read_bytes() == data
    parts_walked = [job for job in mesh.ran(Walk) if job.prefix]
    assert len(parts_walked) <= READS_MAX and len(mesh.ran(CutSlice, "A")) <= READS_MAX
