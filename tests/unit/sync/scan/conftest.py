"""Two devices whose jobs are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.mesh import CountingMesh


@pytest.fixture
def mesh(tmp_path: Path) -> CountingMesh:
    """A and B, started and quiet."""
    mesh = CountingMesh(tmp_path)
    mesh.begin()
    mesh.jobs.clear()
    return mesh
