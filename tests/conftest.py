"""What many rooms of tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from mesh import Mesh


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    """A and B, started and quiet; a test module that wants others has its own."""
    mesh = Mesh(tmp_path, "AB")
    for device in mesh.devices.values():
        device.start()
    mesh.settle()
    return mesh
